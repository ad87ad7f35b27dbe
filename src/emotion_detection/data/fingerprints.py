"""Recognise faces by pixels at a fixed size, whatever the name, file or format.

A fingerprint is taken from the face at 48 x 48 pixels in grey, whatever input a network wants. It
has two parts: the digest of these pixels, equal for equal images, and a miniature of 16 x 16
pixels, by which a re-encoded, resized or brighter copy is recognised.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.data.duplicates import (
    LARGEST_DIFFERENCE,
    find_largest_differences,
    find_near_pairs,
    make_thumbnails,
    standardize,
)
from emotion_detection.data.stored_arrays import Images
from emotion_detection.io.files import write_atomic

SIZE = 48
"""Height and width, in pixels, of the faces that fingerprints are taken from."""

MINIATURE = 16
_FORMAT = 1
_BLOCK = 4096

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of faces.

    Args:
        digests: uint8 (N, 16), of each face's pixels.
        miniatures: uint8 (N, 16, 16), each face's block means.
    """

    digests: Bytes
    miniatures: Bytes

    def __len__(self) -> int:
        return len(self.digests)

    def keep(self, rows: npt.NDArray[np.generic]) -> "Fingerprints":
        """Return a selection, by positions or by a mask."""
        return Fingerprints(self.digests[rows], self.miniatures[rows])


def take_fingerprints(digests: Bytes, faces: Images) -> Fingerprints:
    """Compute the fingerprints of faces.

    Args:
        digests: uint8 (N, 16), as :func:`.duplicates.digest_faces` makes them of these faces.
        faces: uint8 (N, 48, 48), grey; may be memory-mapped.
    """
    block = SIZE // MINIATURE
    parts = [np.empty((0, MINIATURE, MINIATURE), np.uint8)]
    for start in range(0, len(faces), _BLOCK):
        grid = np.asarray(faces[start : start + _BLOCK]).reshape(
            -1, MINIATURE, block, MINIATURE, block
        )
        parts.append(np.rint(grid.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8))
    return Fingerprints(np.array(digests, np.uint8).reshape(-1, 16), np.concatenate(parts))


def join_fingerprints(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Concatenate fingerprints."""
    empty = take_fingerprints(np.empty((0, 16), np.uint8), np.empty((0, SIZE, SIZE), np.uint8))
    return Fingerprints(
        np.concatenate([empty.digests, *(part.digests for part in parts)]),
        np.concatenate([empty.miniatures, *(part.miniatures for part in parts)]),
    )


def find_same_faces(faces: Fingerprints, known: Fingerprints) -> npt.NDArray[np.int64]:
    """Find each face among known ones.

    Args:
        faces: fingerprints of the faces to find.
        known: fingerprints of the known faces.

    Returns:
        int64 (N,), the position among the known faces, -1 for none: a face with equal pixels, else
        the most similar duplicate.
    """
    place = {digest.tobytes(): row for row, digest in reversed(list(enumerate(known.digests)))}
    found = np.array([place.get(digest.tobytes(), -1) for digest in faces.digests], np.int64)
    left = np.flatnonzero(found < 0)
    if not len(left) or not len(known):
        return found
    best = np.full(len(left), LARGEST_DIFFERENCE, np.float32)
    own, others = (
        make_thumbnails(images[:, np.newaxis])
        for images in (faces.miniatures[left], known.miniatures)
    )
    for pairs, _ in find_near_pairs(own, others):
        for start in range(0, len(pairs), _BLOCK):
            here, there = pairs[start : start + _BLOCK].T
            differences = find_largest_differences(
                standardize(faces.miniatures[left[here]].astype(np.float32)),
                standardize(known.miniatures[there].astype(np.float32)),
            )
            for row, other, value in zip(here, there, differences, strict=True):
                if value <= best[row]:
                    best[row], found[left[row]] = value, other
    return found


def write_fingerprints(path: Path, faces: Fingerprints, **more: npt.NDArray[np.generic]) -> None:
    """Write fingerprints, and further arrays beside them, as one NPZ file.

    Raises:
        OSError: it cannot be written; what was there before is complete.
    """
    content = io.BytesIO()
    arrays = {"digests": faces.digests, "miniatures": faces.miniatures, **more}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in {**arrays, "format": np.array(_FORMAT)}.items():
            with file.open(f"{name}.npy", "w") as out:
                np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
    write_atomic(path, content.getvalue())


def read_fingerprints(path: Path) -> tuple[Fingerprints, dict[str, npt.NDArray[np.generic]]]:
    """Read a file of :func:`write_fingerprints`.

    Raises:
        OSError: the file does not exist.
        ValueError: the file is damaged, or of another version.
    """
    try:
        # read first, since numpy leaves a file that it cannot read open
        with np.load(io.BytesIO(path.read_bytes())) as file:
            arrays = {name: file[name] for name in file.files}
        faces = Fingerprints(arrays.pop("digests"), arrays.pop("miniatures"))
        version = int(arrays.pop("format"))
    except (KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no fingerprints: {error}") from None
    if version != _FORMAT or len(faces.digests) != len(faces.miniatures):
        raise ValueError(f"{path}: fingerprints of another version")
    return faces, arrays
