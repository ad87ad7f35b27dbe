"""The result of a reader of one data format: classes, and faces one by one."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FER2013_SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""FER-2013's usages, as in Kaggle's file and in image names."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "evaluation": "validation",
    "eval": "validation",
    "publictest": "validation",
    "test": "test",
    "tests": "test",
    "testing": "test",
    "privatetest": "test",
}
"""Names of files, folders and cells that mean a split; see :func:`split_of`."""

_FILLERS = {"set", "data", "images", "image", "img", "imgs", "faces", "labels", "partial", "split"}
"""Words that may stand beside a split's name, as in ``train_set``."""


def split_of(name: str) -> str | None:
    """Return the split that a name means, or None.

    >>> split_of("Train_Set"), split_of("PublicTest"), split_of("holdout")
    ('train', 'validation', None)
    """
    lower = name.strip().lower()
    words = [word for word in re.split(r"[\s._-]+", lower) if word]
    named = [word for word in words if word not in _FILLERS]
    joined = "".join(named)
    return SPLIT_NAMES.get(joined) or SPLIT_NAMES.get(joined.removesuffix("set"))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Placeholder of an image in an invalid line; counts as an unreadable image.

    Args:
        reason: what is wrong with the line, and what is allowed.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """Placeholder of an image that is already decoded.

    Args:
        row: its row among the stored pixels; -1 where it could not be decoded.
        digest: 8 bytes that stand for the image's own pixels where it is 48 x 48, else empty.
        reason: why it could not be decoded, else empty.
    """

    row: int
    digest: bytes = b""
    reason: str = ""


Content = bytes | Path | npt.NDArray[np.uint8] | Unreadable | Decoded
"""An image: its file's bytes, its path, or its pixels, uint8 (H, W) or (H, W, 3)."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a data source.

    Args:
        name: file or row, unique in the source.
        content: the image, not yet decoded.
        label: index of its class.
        split: 'train', 'validation', 'test', or None where the data does not say.
        order: its number in FER-2013 (position in Kaggle's file), or None.
        target: float32 (classes,) that sums to 1, or None.
        intensity: 0 to 1, or None.
        shares: float32 (classes,), fraction of raters who chose each class, or None.
        person: the person, if known.
        origin: the dataset of the face, if there are several.
    """

    name: str
    content: Content
    label: int
    split: str | None = None
    order: int | None = None
    target: npt.NDArray[np.float32] | None = None
    intensity: float | None = None
    shares: npt.NDArray[np.float32] | None = None
    person: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Source:
    """A recognised data source, not yet read.

    Args:
        kind: description of the format.
        files: the files whose paths, sizes and times identify the data in the cache.
        labels: class names.
        read: yields the faces in a fixed order; may be called again.
        label_set: 'fer2013', 'ferplus', 'demo' or 'own'.
        count: number of faces, if known before reading.
        notes: sentences on splits, classes and left-out files.
        base: the source of the same images with their original labels, if this source replaces
            them; see :func:`relabel_source`.
        relabel: replaces the labels of the faces of ``base``, and leaves some out.
    """

    kind: str
    files: tuple[Path, ...]
    labels: tuple[str, ...]
    read: Callable[[], Iterator[Face]]
    label_set: str
    count: int | None = None
    notes: tuple[str, ...] = ()
    base: "Source | None" = None
    relabel: "Relabel" = iter


Relabel = Callable[[Iterable[Face]], Iterator[Face]]
"""Function that yields faces with other labels, but the same names and images."""


def relabel_source(source: Source, relabel: Relabel, **changes: Any) -> Source:
    """Return a source of the same images with other labels.

    Args:
        source: any source.
        relabel: takes its faces, whose images may be :class:`Decoded`.
        changes: other fields of the new source.
    """
    base = source.base or source

    def relabel_base(faces: Iterable[Face]) -> Iterator[Face]:
        return relabel(source.relabel(faces))

    return replace(
        source,
        base=base,
        relabel=relabel_base,
        read=lambda: relabel_base(base.read()),
        **changes,
    )


def place_in_fer2013(file_name: str) -> tuple[str, int] | None:
    """Read split and number from a FER-2013 image's name.

    >>> place_in_fer2013("PublicTest_28709.png")
    ('validation', 28709)
    >>> place_in_fer2013("me.png") is None
    True
    """
    usage, _, rest = file_name.partition("_")
    digits = rest.partition(".")[0]
    # more digits are no place in a file, and thousands of them no number to Python
    if usage not in FER2013_SPLITS or not digits.isdecimal() or len(digits) > 9:
        return None
    return FER2013_SPLITS[usage], int(digits)
