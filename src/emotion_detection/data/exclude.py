"""``--exclude FILE``: faces to leave out of training and validation, by name."""

import csv
import sys
from pathlib import Path, PurePosixPath

import numpy as np

from emotion_detection.data.faces import Faces
from emotion_detection.data.formats import delimited
from emotion_detection.errors import InputError

_HEADERS = ("file", "name", "row")


def excluded_names(path: Path) -> set[str]:
    """Read the names of faces to leave out: one a line, or a column of a table.

    In a table the names are in the column file, name or row, else in the first. Empty lines and
    lines that begin with ``#`` are passed over. Backslashes and a leading ``./`` do not matter.

    Raises:
        InputError: the file is missing, unreadable or names nothing.
    """
    try:
        header = delimited.columns(path)
        column = next((header.index(name) for name in _HEADERS if name in header), None)
        if column is None:  # names alone, the first line as well
            with path.open(newline="", encoding="utf-8-sig") as file:
                cells = [row[0].strip() for row in csv.reader(file) if row]
        else:
            rows = [row for _, row in delimited.lines(path)]
            cells = [row[column].strip() for row in rows if len(row) > column]
    except (InputError, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error).rpartition("cannot be read as CSV: ")[2]
        raise InputError(f"--exclude {path}: cannot be read: {reason}") from None
    names = {_normal(name) for name in cells if name and not name.startswith("#")}
    if not names:
        raise InputError(f"--exclude {path}: names no faces; one name a line is needed")
    return names


def _normal(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def exclude(splits: dict[str, Faces], path: Path) -> dict[str, Faces]:
    """Leave the listed faces out of some splits.

    A face is meant by its whole name, or by its file name where only one face has it.

    Raises:
        InputError: none of the names is in these splits, or a file name means several faces.
    """
    names = excluded_names(path)
    met: set[str] = set()
    _refuse_ambiguous(splits, names, path)
    absolute = _absolute_names(splits, names)
    kept = {}
    for split, faces in splits.items():
        rows = []
        for row, name in enumerate(faces.names):
            hits = names & {name, PurePosixPath(name).name, *absolute.get(name, ())}
            met |= hits
            if not hits:
                rows.append(row)
        kept[split] = faces if len(rows) == len(faces) else faces.keep(np.array(rows, np.int64))
    if not met:
        raise InputError(
            f"--exclude {path}: none of its {len(names)} names is in {'/'.join(splits)}"
        )
    left_out = sum(len(splits[split]) - len(kept[split]) for split in splits)
    unknown = len(names) - len(met)
    also = f"; {unknown} names are in neither" if unknown else ""
    print(f"excluded: {left_out} faces of {' and '.join(splits)}{also}", file=sys.stderr)
    return kept


def _absolute_names(splits: dict[str, Faces], names: set[str]) -> dict[str, list[str]]:
    """Return absolute paths by the face that each one ends in."""
    ends: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("/") or name[1:3] == ":/":
            parts = name.split("/")
            for start in range(1, len(parts)):
                ends.setdefault("/".join(parts[start:]), []).append(name)
    if not ends:
        return {}
    faces = (name for split in splits.values() for name in split.names)
    return {name: ends[name] for name in faces if name in ends}


def _refuse_ambiguous(splits: dict[str, Faces], names: set[str], path: Path) -> None:
    seen: dict[str, str] = {}
    for name in (name for faces in splits.values() for name in faces.names):
        short = PurePosixPath(name).name
        if short in names and short != name and seen.setdefault(short, name) != name:
            raise InputError(
                f"--exclude {path}: {short} means several faces: {seen[short]} and {name}; "
                "give the whole name"
            )
