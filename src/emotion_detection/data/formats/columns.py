"""Interpret the columns and cells of a table: image, label, split, person.

Every reader of tables (CSV, TSV, Parquet) goes by the same words.

A survey counts the labels and splits of a table. Notes tell the user what was understood.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.data.source import Unreadable
from emotion_detection.errors import InputError
from emotion_detection.labels import canonical_name

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


Row = tuple[str, list[Any] | Unreadable]
"""Place of a row ("line 3"), and the cells, or the reason why they cannot be read."""

_EXAMPLES = 200


@dataclass(frozen=True)
class Table:
    """A table on disk.

    Args:
        path: the file.
        columns: names of its columns.
        roles: which column holds what.
        rows: gives the cells of some columns, row by row; columns that are not asked for may be
            left unread.
        split: the split that the file's name means, where it counts.
        names: the names of its numbers, where the file gives them.
        label: what rows call themselves, such as ``faces.csv``; for messages and names.
    """

    path: Path
    columns: tuple[str, ...]
    roles: Roles
    rows: Callable[[Sequence[int]], Iterator[Row]]
    split: str | None = None
    names: tuple[str, ...] | None = None
    label: str = ""


@dataclass(frozen=True)
class Survey:
    """The labels and splits of a table.

    Args:
        labels: number of rows by label, as the table writes it.
        splits: number of rows by split, as the table writes it; '' where a row has none.
        examples: names of some images.
        rows: number of rows.
    """

    labels: dict[str, int]
    splits: dict[str, int]
    examples: tuple[str, ...]
    rows: int


_surveys: dict[tuple[str, int, int], Survey] = {}
"""Cache by path, size and time, since data is opened several times per command."""


def survey_table(table: Table) -> Survey:
    """Read the labels and splits of a table, and the names of some images."""
    status = table.path.stat()
    key = (str(table.path.absolute()), status.st_size, status.st_mtime_ns)
    if key not in _surveys:
        _surveys[key] = _read_survey(table)
    return _surveys[key]


def _read_survey(table: Table) -> Survey:
    roles = table.roles
    places = [roles.label, *([] if roles.split is None else [roles.split])]
    names = [] if roles.file is None else [roles.file]
    labels: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    examples: list[str] = []
    rows = 0
    for _, cells in table.rows([*places, *names]):
        rows += 1
        if isinstance(cells, Unreadable):
            continue
        labels[read_label(cells[0])] += 1
        splits["" if roles.split is None else read_label(cells[1])] += 1
        if names and len(examples) < _EXAMPLES:
            examples.append(str(cells[-1]))
    return Survey(dict(labels), dict(splits), tuple(examples), rows)


_SPLITS = ("train", "validation", "test")


def describe_splits(counts: Mapping[str, int], own: Mapping[str, str] | None = None) -> str:
    """Return a note on the splits, with numbers of images.

    Args:
        counts: split to number of images; '' for those without one.
        own: split to the data's own name for it.
    """
    words = []
    for split in (split for split in _SPLITS if counts.get(split)):
        name = (own or {}).get(split, split)
        words.append(f"{split}{f' ({name})' * (name != split)} {counts[split]:,}")
    if counts.get("") and words:
        words.append(f"none {counts['']:,}")
    return f"splits {', '.join(words)}" if words else "no splits: they are drawn"


def describe_classes(counts: Mapping[str, int], used: Mapping[str, str]) -> str:
    """Return a note on the classes, with numbers of images.

    Args:
        counts: own name to number of images.
        used: own name to the name that the project uses.
    """
    words = []
    for name in dict.fromkeys(used.values()):
        own = sorted({other for other, known in used.items() if known == name and other != name})
        total = sum(counts.get(other, 0) for other, known in used.items() if known == name)
        words.append(f"{name}{f' ({chr(47).join(own)})' * bool(own)} {total:,}")
    return f"classes {', '.join(words)}"


def note_numbers(labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note if classes are numbers of unknown meaning, else nothing."""
    numbers = [label for label in labels if is_number(label)]
    if not numbers:
        return ()
    return (
        f"it is not known what the classes {', '.join(numbers)} mean; "
        f"name them, for example --rename {numbers[0]}=anger",
    )


def note_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note if the classes do not look like emotions, else nothing."""
    labels = list(labels)
    if any(canonical_name(label) for label in labels):
        return ()
    digits = [any(c.isdigit() for c in label) for label in labels]
    if all(is_number(label) for label in labels) or not (len(labels) > 10 or all(digits)):
        return ()
    shown = ", ".join(labels[:3])
    return (
        f"no class is a known emotion ({shown}, …: {len(labels)} in all): are these people or "
        "image sets rather than emotions?",
    )
