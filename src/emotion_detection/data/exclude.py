"""``--exclude FILE``: faces to leave out of training and validation, by name."""

import posixpath
import sys
from pathlib import Path, PurePosixPath

import numpy as np

from emotion_detection.data.dataset import Faces
from emotion_detection.data.formats import delimited
from emotion_detection.errors import InputError
from emotion_detection.images.file_types import SUFFIXES
from emotion_detection.io.files import unescape_cell

_HEADERS = {"file", "name", "row", "path", "image", "filename", "file_name", "filepath"}


def read_excluded_names(path: Path) -> set[str]:
    """Read the names of faces to leave out: one per line, or a column of a table.

    The column is the one that a header calls file, name, row, path, image or filename, else the
    first that mostly holds names of image files, else the first. Empty lines and lines that begin
    with ``#`` are passed over. Paths may begin with ``./`` and be written with backslashes. A name
    that was written with a quotation mark before it, so that no spreadsheet takes it for a formula,
    is read without.

    Raises:
        InputError: the file is missing, unreadable or names nothing.
    """
    try:
        rows = delimited.read_rows(path)
        header = [cell.strip().lower() for cell in rows[0]] if rows else []
        named = [column for column, cell in enumerate(header) if cell in _HEADERS]
        if not named and len(set(map(len, rows))) > 1:
            # no table: a name may hold a semicolon
            rows = delimited.read_rows(path, ",")
    except InputError as error:
        raise InputError(f"--exclude {error}") from None
    column = named[0] if named else _image_column(rows)
    cells = [row[column].strip() for row in rows[bool(named) :] if len(row) > column]
    names = {_plain(unescape_cell(cell)) for cell in cells if cell}
    if not names:
        raise InputError(f"--exclude {path}: names no faces; one name a line is needed")
    return names


def _image_column(rows: list[list[str]]) -> int:
    for column in range(max(map(len, rows), default=0)):
        cells = [row[column].strip().lower() for row in rows if len(row) > column]
        if 2 * sum(cell.endswith(SUFFIXES) for cell in cells) > len(cells):
            return column
    return 0


def _plain(name: str) -> str:
    """Return a path without ``./``, ``..`` inside and backslashes."""
    return posixpath.normpath(name.replace("\\", "/"))


def exclude_faces(splits: dict[str, Faces], path: Path) -> dict[str, Faces]:
    """Leave the listed faces out of some splits.

    A face is matched by its full name, also with leading folders (a path relative to the working
    directory, or an absolute one), or by its file name if that is unique.

    Raises:
        InputError: none of the names is in these splits, or a file name matches several faces.
    """
    names = read_excluded_names(path)
    met: set[str] = set()
    _refuse_ambiguous(splits, names, path)
    with_folders = _by_ending(names, {name for faces in splits.values() for name in faces.names})
    kept = {}
    for split, faces in splits.items():
        rows = []
        for row, name in enumerate(faces.names):
            hits = names & {name, PurePosixPath(name).name} | with_folders.get(name, set())
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


def _by_ending(names: set[str], faces: set[str]) -> dict[str, set[str]]:
    """Return, for each face that listed paths end with, those paths.

    Of several faces that a path ends with it means the one with the longest name.
    """
    found: dict[str, set[str]] = {}
    for listed in names - faces:
        parts = listed.split("/")
        endings = ("/".join(parts[start:]) for start in range(1, len(parts)))
        if (face := next((ending for ending in endings if ending in faces), None)) is not None:
            found.setdefault(face, set()).add(listed)
    return found


def _refuse_ambiguous(splits: dict[str, Faces], names: set[str], path: Path) -> None:
    seen: dict[str, str] = {}
    for name in (name for faces in splits.values() for name in faces.names):
        short = PurePosixPath(name).name
        if short in names and short != name and seen.setdefault(short, name) != name:
            raise InputError(
                f"--exclude {path}: {short} means several faces: {seen[short]} and {name}; "
                "give the whole name"
            )
