"""Kaggle's ``fer2013.csv``, and ``icml_face_data.csv`` with its other column names.

Format: one row a face, ``emotion,pixels,Usage``: a number from 0 to 6, 2,304 grey levels between
blanks (48 x 48, row by row), and the split: ``Training`` (train), ``PublicTest`` (validation) or
``PrivateTest`` (test). Classes: anger, disgust, fear, happiness, sadness, surprise, neutral.
Licence: none is stated with the data; the pictures were collected from the web for a challenge.
Citation: Goodfellow et al. 2013, "Challenges in Representation Learning: A Report on Three
Machine Learning Contests", arXiv:1307.0414.
"""

import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emotion_detection.data.source import FER2013_SPLITS, Face, Source
from emotion_detection.emotions import FER2013
from emotion_detection.errors import InputError

FILE_NAMES = ("fer2013.csv", "icml_face_data.csv")


def columns(path: Path) -> list[str]:
    """Return the column names of a CSV file, lower case, without blanks."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [name.strip().lower() for name in next(csv.reader(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as CSV: {reason}") from None


def lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line of a CSV file below its header, but blank ones.

    Raises:
        InputError: the file cannot be read, or not as CSV in UTF-8.
    """
    # a row of large pictures is longer than the csv module's default limit
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            next(reader, None)
            for cells in reader:
                if any(cells):
                    yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as CSV: {reason}") from None


def fer2013_csv(path: Path) -> Source:
    """Recognise a FER-2013 CSV.

    Raises:
        InputError: a column is missing.
    """
    names = columns(path)
    missing = [name for name in ("emotion", "pixels", "usage") if name not in names]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}; a FER-2013 CSV has emotion, pixels, Usage"
        )
    place = (names.index("emotion"), names.index("pixels"), names.index("usage"))
    return Source(
        kind="FER-2013 CSV",
        files=(path,),
        labels=FER2013,
        read=lambda: _rows(path, *place),
        label_set="fer2013",
    )


def _rows(path: Path, emotion: int, pixels: int, usage: int) -> Iterator[Face]:
    for number, (line, row) in enumerate(lines(path)):
        where = f"{path} line {line}"
        if len(row) <= max(emotion, pixels, usage):
            raise InputError(f"{where}: {len(row)} columns; emotion, pixels and Usage are needed")
        kind = row[usage].strip()
        if kind not in FER2013_SPLITS:
            raise InputError(f"{where}: Usage {kind!r} is not one of {', '.join(FER2013_SPLITS)}")
        label = row[emotion].strip()
        if label not in "0123456" or len(label) != 1:
            raise InputError(f"{where}: emotion {label!r} is not a number from 0 to 6")
        yield Face(
            name=f"{kind}_{number:05d}.png",
            content=_levels(row[pixels]),
            label=int(label),
            split=FER2013_SPLITS[kind],
            order=number,
        )


def _levels(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    # an empty array stands for a row that cannot be read: the builder counts it as corrupt
    nothing = np.empty((0, 0), np.uint8)
    try:
        levels = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        return nothing
    side = math.isqrt(len(levels))
    if side * side != len(levels) or not side or levels.min() < 0 or levels.max() > 255:
        return nothing
    return levels.astype(np.uint8).reshape(side, side)
