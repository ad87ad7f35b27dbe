"""Interpret the columns and cells of a table: image, label, split, person.

Every reader of tables (CSV, TSV, Parquet) goes by the same words.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError

LABEL = (
    *("emotion", "emotions", "expression", "expressions", "label", "labels", "class", "classes"),
    *("category", "emotionlabel", "emotionname", "classname", "labelname", "target"),
)
PIXELS = ("pixels", "pixel", "pixelvalues")
FILE = (
    *("file", "filename", "filepath", "path", "image", "images", "img", "picture", "photo"),
    *("imagepath", "imgpath", "imagefile", "imagename", "imgname", "relativepath", "paths"),
    *("subdirectoryfilepath", "files", "filenames", "filepaths", "name"),
)
CONTENT = ("image", "images", "img", "picture", "photo", "face", "imagebytes", "imgbytes", "bytes")
"""Columns of Parquet files that hold an image itself."""
SPLIT = ("split", "usage", "set", "subset", "partition", "phase")
INTENSITY = ("intensity",)
PERSON = ("person", "personid", "subject", "subjectid", "participant", "actor", "identity")


@dataclass(frozen=True)
class Roles:
    """The positions of a table's columns by role; None for missing ones.

    Args:
        label: of the emotion.
        file: of the image's path.
        pixels: of the image's grey levels: one column of text, or one column a pixel.
        content: of the image itself.
        split: of the split.
        intensity: of the intensity.
        person: of whose face it is.
    """

    label: int
    file: int | None = None
    pixels: tuple[int, ...] = ()
    content: int | None = None
    split: int | None = None
    intensity: int | None = None
    person: int | None = None


def find_roles(columns: Sequence[str], where: str, contents: Sequence[str] = ()) -> Roles:
    """Find the roles of a table's columns.

    Args:
        columns: their names.
        where: the file, for the message.
        contents: the columns that hold bytes, and so images.

    Raises:
        InputError: no column of labels or of images.
    """
    names = [simplify_name(name) for name in columns]

    def first(words: Sequence[str], among: Sequence[str] = names) -> int | None:
        return next((names.index(word) for word in words if word in among), None)

    label = first(LABEL)
    single = first(PIXELS)
    pixels = (single,) if single is not None else _pixel_columns(names)
    content = first(CONTENT, [simplify_name(name) for name in contents])
    file = first(FILE) if content is None and not pixels else None
    if file is None and not pixels and content is None:
        allowed = "file (or image, path, …), pixels" + ", or image (bytes)" * bool(contents)
        raise InputError(
            f"{where}: no column of images ({allowed}); its columns are {', '.join(columns)}"
        )
    if label is None:
        raise InputError(
            f"{where}: no column 'emotion' (or label, class, expression); its columns are "
            f"{', '.join(columns)}"
        )
    return Roles(label, file, pixels, content, first(SPLIT), first(INTENSITY), first(PERSON))


def simplify_name(name: str) -> str:
    """Return a column's name without case, blanks and marks.

    >>> simplify_name("subDirectory_filePath"), simplify_name(" Image name")
    ('subdirectoryfilepath', 'imagename')
    """
    return re.sub(r"[^\w]|_", "", name.lower())


def _pixel_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of tables that have one column a pixel, in order of their numbers."""
    found = {
        int(match[1]): place
        for place, name in enumerate(names)
        if (match := re.fullmatch(r"(?:pixel|pix|p|px)(\d+)", name))
    }
    return tuple(found[number] for number in sorted(found)) if len(found) >= 64 else ()


def read_label(cell: Any) -> str:
    """Parse the label of a cell: a word, or an integer; '' if the cell is empty.

    >>> read_label("3.0"), read_label(3), read_label(" happy "), read_label(None)
    ('3', '3', 'happy', '')
    """
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    text = str(cell).strip()
    if re.fullmatch(r"[+-]?\d+\.0*|\d*\.?\d+e[+-]?\d+", text, re.IGNORECASE):
        value = float(text)
        return str(int(value)) if value.is_integer() else text
    return "" if text.lower() in ("nan", "none", "null") else text


def is_number(label: str) -> bool:
    """Return True if a label is a whole number rather than a word."""
    return re.fullmatch(r"[+-]?\d+", label) is not None


def read_levels(cells: Sequence[Any]) -> npt.NDArray[np.uint8] | None:
    """Read a square of grey levels.

    Args:
        cells: one text of numbers between blanks or commas, or one number a pixel.

    Returns:
        uint8 (side, side), or None: not a square of numbers from 0 to 255.
    """
    try:
        if len(cells) > 1:
            levels = np.array(cells, dtype=np.float64)
        else:
            text = str(cells[0])
            if "," in text or "[" in text:
                text = re.sub(r"[\[\],;]", " ", text)
            levels = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError, TypeError):
        return None
    side = math.isqrt(len(levels))
    if side * side != len(levels) or not side:
        return None
    if not (levels.min() >= 0 and levels.max() <= 255 and (levels == np.rint(levels)).all()):
        return None
    return levels.astype(np.uint8).reshape(side, side)


def read_intensity(cell: Any) -> float | None:
    """Read an intensity; None where the cell is empty.

    Raises:
        ValueError: it is no number from 0 to 1; the message says so.
    """
    text = "" if cell is None else str(cell).strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"intensity {text!r} is not a number from 0 to 1")
    return value
