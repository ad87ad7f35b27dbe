"""Remember into which split each face was drawn, so that it stays there.

Kept in the cache's folder, by the face's fingerprint: a face keeps its split when others come or
go, when its file is renamed, moved or re-encoded, and in whichever dataset it turns up. Without
this file splits are drawn by hash alone. The list of faces that a run keeps does not depend on it.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig
from emotion_detection.data.fingerprints import (
    Fingerprints,
    find_same_faces,
    join_fingerprints,
    read_fingerprints,
    write_fingerprints,
)
from emotion_detection.data.splitting import UNKNOWN

Numbers = npt.NDArray[np.int64]


def known_splits_path(cache: Path, config: DataConfig) -> Path:
    """Return the file for these options: other fractions, seeds or people are another draw."""
    drawn_by = [config.split_seed, config.validation_fraction, config.test_fraction, config.person]
    key = hashlib.sha256(json.dumps(drawn_by).encode()).hexdigest()[:12]
    return cache / "splits" / f"{key}.npz"


def find_known_splits(path: Path, faces: Fingerprints) -> Numbers:
    """Return the split that each face was drawn into before, int64 (N,); -1: in none."""
    known, splits = _read(path)
    places = find_same_faces(faces, known)
    return np.where(places < 0, UNKNOWN, splits[places] if len(splits) else UNKNOWN)


def remember_splits(path: Path, faces: Fingerprints, splits: Numbers) -> None:
    """Add faces and the splits that they were drawn into.

    Raises:
        OSError: the file cannot be written.
    """
    known, before = _read(path)
    seen = {digest.tobytes() for digest in known.digests}
    new = []
    for row in np.flatnonzero(splits >= 0):
        if (digest := faces.digests[row].tobytes()) not in seen:
            seen.add(digest)
            new.append(row)
    if new:
        rows = np.array(new, np.int64)
        together = join_fingerprints([known, faces.keep(rows)])
        write_fingerprints(path, together, splits=np.concatenate([before, splits[rows]]))


def _read(path: Path) -> tuple[Fingerprints, Numbers]:
    try:
        faces, arrays = read_fingerprints(path)
        return faces, arrays["splits"].astype(np.int64)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        print(f"warning: {path}: cannot be read, splits are drawn anew: {reason}", file=sys.stderr)
    return join_fingerprints([]), np.empty(0, np.int64)
