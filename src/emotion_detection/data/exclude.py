"""``--exclude FILE``: faces to leave out of training and validation, by name."""

import csv
import sys
from pathlib import Path, PurePosixPath

import numpy as np

from emotion_detection.data.faces import Faces
from emotion_detection.errors import InputError
from emotion_detection.files import text_of_cell

_HEADERS = {"file", "name", "row"}


def excluded_names(path: Path) -> set[str]:
    """Read the names of faces to leave out: one a line, or the first column of a CSV.

    Empty lines, lines that begin with ``#`` and a header (file, name or row) are passed over. A
    name that was written with a quotation mark before it, so that no spreadsheet takes it for a
    formula, is read without.

    Raises:
        InputError: the file is missing, unreadable or names nothing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells = [row[0].strip() for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--exclude {path}: cannot be read: {error}") from None
    names = {text_of_cell(name) for name in cells if name and not name.startswith("#")}
    if cells and cells[0].lower() in _HEADERS:
        names.discard(cells[0])
    if not names:
        raise InputError(f"--exclude {path}: names no faces; one name a line is needed")
    return names


def exclude(splits: dict[str, Faces], path: Path) -> dict[str, Faces]:
    """Leave the listed faces out of some splits.

    A face is meant by its whole name, or by its file name where only one face has it.

    Raises:
        InputError: none of the names is in these splits, or a file name means several faces.
    """
    names = excluded_names(path)
    met: set[str] = set()
    _refuse_ambiguous(splits, names, path)
    kept = {}
    for split, faces in splits.items():
        rows = []
        for row, name in enumerate(faces.names):
            hits = names & {name, PurePosixPath(name).name}
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


def _refuse_ambiguous(splits: dict[str, Faces], names: set[str], path: Path) -> None:
    seen: dict[str, str] = {}
    for name in (name for faces in splits.values() for name in faces.names):
        short = PurePosixPath(name).name
        if short in names and short != name and seen.setdefault(short, name) != name:
            raise InputError(
                f"--exclude {path}: {short} means several faces: {seen[short]} and {name}; "
                "give the whole name"
            )
