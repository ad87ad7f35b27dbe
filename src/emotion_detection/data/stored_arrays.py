"""Read and write arrays of the cache: memory-mapped reading, streamed writing."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

_COPY_ROWS = 4096


class StoredRows:
    """Rows of a stored array, which are read when they are asked for.

    Args:
        stored: uint8 (M, ...), perhaps larger than memory.
        rows: int64 (N,), which of its rows; None: all.
    """

    def __init__(self, stored: Bytes, rows: Numbers | None = None) -> None:
        self._stored = stored
        self._rows = rows

    def __len__(self) -> int:
        return len(self._stored if self._rows is None else self._rows)

    def __getitem__(self, places: slice | npt.NDArray[np.generic]) -> Bytes:
        """Return some of the rows, by a slice, positions or a mask."""
        return self._stored[places if self._rows is None else self._rows[places]]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that an array of these rows has."""
        return (len(self), *self._stored.shape[1:])


Images = Bytes | StoredRows
"""Images of which a part is read at a time."""


def take_rows(array: npt.NDArray[Any], rows: Numbers) -> npt.NDArray[Any]:
    """Return rows of an array: a view where they follow each other, else a copy."""
    if len(rows) and (np.diff(rows) == 1).all():
        return array[int(rows[0]) : int(rows[-1]) + 1]
    return array[rows]


def write_rows(
    path: Path, array: Bytes, rows: Numbers, digest: "hashlib._Hash | None" = None
) -> None:
    """Write some rows of an array as an NPY file.

    Args:
        path: the file.
        array: uint8 (M, ...), may be memory-mapped.
        rows: which of its rows, in which order.
        digest: takes the bytes as well.
    """
    # not through a memory map: on a full disk that kills the process instead of failing
    with path.open("wb") as out:
        shape = (len(rows), *array.shape[1:])
        np.lib.format.write_array_header_1_0(
            out, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        for part in _blocks(array, rows):
            out.write(part)
            if digest is not None:
                digest.update(part)


def digest_rows(array: Bytes, rows: Numbers, digest: "hashlib._Hash") -> None:
    """Update a digest with the bytes of some rows of an array, block by block."""
    for part in _blocks(array, rows):
        digest.update(part)


def _blocks(array: Bytes, rows: Numbers) -> Iterator[bytes]:
    for start in range(0, len(rows), _COPY_ROWS):
        yield array[rows[start : start + _COPY_ROWS]].tobytes()


def write_json(path: Path, value: object) -> None:
    """Write JSON; NumPy's numbers become plain ones."""
    # a file name that is no UTF-8 must not stop a whole dataset
    path.write_text(json.dumps(value, default=lambda number: number.item()), encoding="utf-8")


def damage_error(path: Path, reason: object) -> InputError:
    """Return the error of a cache's file that is not what was written."""
    words = " ".join(str(reason).split())[:160]
    return InputError(f"{path}: is damaged ({words}): delete its folder, and it is made again")


def open_array(path: Path, dtype: str, dimensions: int) -> npt.NDArray[Any]:
    """Map an array of the cache; nothing in the file is executed.

    Raises:
        InputError: it is not there, or another kind of array than was written.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, RecursionError, MemoryError) as error:
        raise damage_error(path, error) from None
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != dimensions:
        raise damage_error(path, "another kind of array")
    return array


def read_optional(path: Path, dimensions: int) -> npt.NDArray[np.float32] | None:
    """Read a float32 array of the cache; None: there is none."""
    return np.array(open_array(path, "float32", dimensions)) if path.exists() else None


@dataclass(frozen=True)
class Pixels:
    """Decoded faces, with fingerprints that are computed once.

    Args:
        images: uint8 (M, C, H, W), may be memory-mapped, as are the others.
        digests: uint8 (M, 16), of the pixels at 48 x 48 in grey.
        thumbnails: float32 (M, 64), likewise.
        reference: uint8 (M, 48, 48), these pixels; None where they are ``images``.
    """

    images: Bytes
    digests: Bytes
    thumbnails: npt.NDArray[np.float32]
    reference: Bytes | None

    @property
    def grey(self) -> Bytes:
        """Pixels at the fixed size of digests and thumbnails, uint8 (M, 48, 48)."""
        return self.images[:, 0] if self.reference is None else self.reference


def open_pixels(folder: Path) -> Pixels:
    """Map the decoded faces of a folder of the cache.

    Raises:
        InputError: they are damaged.
    """
    reference = folder / "reference.npy"
    pixels = Pixels(
        images=open_array(folder / "images.npy", "uint8", 4),
        digests=open_array(folder / "digests.npy", "uint8", 2),
        thumbnails=open_array(folder / "thumbnails.npy", "float32", 2),
        reference=open_array(reference, "uint8", 3) if reference.exists() else None,
    )
    arrays = (pixels.images, pixels.digests, pixels.thumbnails, pixels.reference)
    if len({len(array) for array in arrays if array is not None}) > 1:
        raise damage_error(folder, "its arrays are of different lengths")
    return pixels
