"""A manifest: a CSV that lists pictures with their emotions.

Format: columns ``file`` (relative to the CSV's folder, or absolute) and ``emotion``, optionally
``split`` (train, validation, test, or empty) and ``intensity`` (0 to 1, or empty). Classes: the
emotions that occur. Split: the column's; what is missing is split off (:mod:`.splitting`).
Licence and citation: those of your pictures.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from emotion_detection.data.fer2013_csv import columns, lines
from emotion_detection.data.source import SPLIT_NAMES, Face, Source
from emotion_detection.emotions import class_names, ordered
from emotion_detection.errors import InputError


def manifest(path: Path) -> Source:
    """Recognise a manifest and check its lines; pictures are opened later.

    Raises:
        InputError: names file, line and what is allowed.
    """
    names = columns(path)
    for name in ("file", "emotion"):
        if name not in names:
            raise InputError(f"{path}: no column {name!r}; needed are file and emotion")
    rows = list(_lines(path, names))
    used = class_names(row["emotion"] for _, row in rows)
    labels = ordered(used)
    if len(labels) < 2:
        raise InputError(f"{path}: needs at least two emotions; found {len(labels)}")
    _check_unseen(path, rows, used)
    listed = [_face(path, line, row, labels.index(used[row["emotion"]])) for line, row in rows]

    def read() -> Iterator[Face]:
        yield from listed

    pictures = (face.content for face in listed if isinstance(face.content, Path))
    return Source(
        kind="manifest CSV",
        files=(path, *pictures),
        labels=labels,
        read=read,
        label_set="own",
        count=len(listed),
    )


def _lines(path: Path, names: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in lines(path):
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        for name in ("file", "emotion"):
            if not row.get(name):
                raise InputError(f"{path} line {line}: {name} is empty")
        yield line, row


def _check_unseen(path: Path, rows: list[tuple[int, dict[str, str]]], used: dict[str, str]) -> None:
    """Refuse an emotion that validation or test has and no training line could teach."""
    splits = {row.get("split", "").lower() for _, row in rows}
    if not splits & {"train", "training"}:
        return
    taught = {
        used[row["emotion"]]
        for _, row in rows
        if row.get("split", "").lower() in ("", "train", "training")
    }
    for line, row in rows:
        if used[row["emotion"]] not in taught:
            raise InputError(
                f"{path} line {line}: emotion {row['emotion']!r} is unknown: "
                "no training line has it"
            )


def _face(path: Path, line: int, row: dict[str, str], label: int) -> Face:
    split = row.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise InputError(f"{path} line {line}: split {split!r} is not train, validation or test")
    return Face(
        name=row["file"],
        content=path.parent / row["file"],
        label=label,
        split=SPLIT_NAMES.get(split),
        intensity=_intensity(path, line, row.get("intensity", "")),
    )


def _intensity(path: Path, line: int, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(f"{path} line {line}: intensity {text!r} is not a number from 0 to 1")
    return value
