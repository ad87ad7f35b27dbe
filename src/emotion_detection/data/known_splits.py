"""Store the sampled split of each face, so that it does not change.

The file in the cache folder identifies faces by fingerprints. A face keeps its split if others are
added or removed, if its file is renamed, moved or re-encoded, and in any other dataset. Without the
file, splits are sampled by hash only. The list of faces in a run does not depend on it.
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
    """Return the file for these options; each choice of fractions, seed and people has its own."""
    drawn_by = [config.split_seed, config.validation_fraction, config.test_fraction, config.person]
    key = hashlib.sha256(json.dumps(drawn_by).encode()).hexdigest()[:12]
    return cache / "splits" / f"{key}.npz"


def find_known_splits(path: Path, faces: Fingerprints) -> Numbers:
    """Return the stored split of each face, int64 (N,); -1: none."""
    known, splits = _read(path)
    places = find_same_faces(faces, known)
    return np.where(places < 0, UNKNOWN, splits[places] if len(splits) else UNKNOWN)


def remember_splits(path: Path, faces: Fingerprints, splits: Numbers) -> None:
    """Add faces and their sampled splits.

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
