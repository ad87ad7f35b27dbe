"""What a reader of one shape of data gives: its classes, and its faces one by one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FER2013_SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""FER-2013's usages, as Kaggle's file and its pictures' names say them."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""Names of files and folders that say a split."""

Content = bytes | Path | npt.NDArray[np.uint8]
"""A picture: its file's bytes, its path, or its pixels, uint8 (H, W)."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face as a reader meets it.

    Args:
        name: its file or row, unique in the source.
        content: the picture, not yet decoded.
        label: index of its class.
        split: 'train', 'validation', 'test', or None where the data does not say.
        order: its number in FER-2013 (position in Kaggle's file), or None.
        target: float32 (classes,) that sums to 1, or None.
        intensity: 0 to 1, or None.
        shares: float32 (classes,), the share of all raters who saw each class, or None.
    """

    name: str
    content: Content
    label: int
    split: str | None = None
    order: int | None = None
    target: npt.NDArray[np.float32] | None = None
    intensity: float | None = None
    shares: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Source:
    """A data source that was found and recognised, not yet read.

    Args:
        kind: its shape in words.
        files: the files whose paths, sizes and times the cache goes by.
        labels: class names.
        read: gives the faces, in a fixed order; called once.
        label_set: 'fer2013', 'ferplus', 'demo' or 'own'.
        count: number of faces where it is known before reading.
    """

    kind: str
    files: tuple[Path, ...]
    labels: tuple[str, ...]
    read: Callable[[], Iterator[Face]]
    label_set: str
    count: int | None = None


def fer2013_place(file_name: str) -> tuple[str, int] | None:
    """Read split and number from a FER-2013 picture's name.

    >>> fer2013_place("PublicTest_28709.png")
    ('validation', 28709)
    >>> fer2013_place("me.png") is None
    True
    """
    usage, _, rest = file_name.partition("_")
    digits = rest.partition(".")[0]
    # more digits are no place in a file, and thousands of them no number to Python
    if usage not in FER2013_SPLITS or not digits.isdecimal() or len(digits) > 9:
        return None
    return FER2013_SPLITS[usage], int(digits)
