"""Read the groups of faces from a user's CSV; nothing is inferred about people.

The CSV has a column ``file`` and one or more columns of groups (age, gender, light, anything). With
a column ``identity``, the person of each face, intervals are over people instead of faces.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from emotion_detection.data.class_mapping import find_origins
from emotion_detection.data.formats.delimited import read_columns, read_lines
from emotion_detection.errors import InputError
from emotion_detection.io.files import escape_cell, write_atomic
from emotion_detection.metrics.statistics import Ints

IDENTITY = "identity"
DATASETS = "datasets.csv"
"""File of a test on several datasets, with the default groups of its report."""


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV of groups: column to file to group, without empty cells.

    Raises:
        InputError: the CSV is not valid; the message names the line.
    """
    names = read_columns(path)
    if "file" not in names or not set(names) - {"file", IDENTITY}:
        raise InputError(f"{path}: needs a column file and at least one of groups, such as age")
    if len(set(names)) < len(names) or "" in names:
        raise InputError(f"{path}: each column needs a name of its own; found {', '.join(names)}")
    table: dict[str, dict[str, str]] = {name: {} for name in names if name != "file"}
    seen: set[str] = set()
    for line, cells in read_lines(path):
        if len(cells) != len(names):
            raise InputError(f"{path} line {line}: has {len(cells)} cells, needs {len(names)}")
        row = dict(zip(names, (cell.strip() for cell in cells), strict=True))
        file = row.pop("file")
        if not file or file in seen:
            raise InputError(
                f"{path} line {line}: " + (f"{file} is there twice" if file else "file is empty")
            )
        seen.add(file)
        for name, group in row.items():
            if group:
                table[name][file] = group
    if not any(table.values()):
        raise InputError(f"{path}: names no groups; a line a face is needed")
    return table


@dataclass(frozen=True)
class Groups:
    """The groups of a test's faces.

    Args:
        columns: name of each column (except identity) to the group of each face, '' if unknown.
        identity: int64 (N,), the person of each face; None without this column. A face without an
            entry counts as a separate person.
        unmatched: number of faces that are not in the file.
        unknown: number of names in the file that are not faces of the test.
    """

    columns: dict[str, list[str]]
    identity: Ints | None
    unmatched: int
    unknown: int


def read_groups_of(path: Path, files: Sequence[str]) -> Groups:
    """Read a CSV of groups, and return the groups of each face.

    A face is matched by its full name, or by its file name if that is unique.

    Args:
        path: the CSV.
        files: each face's name.

    Raises:
        InputError: the CSV is not valid, matches no face, or a file name matches several.
    """
    table = read_groups(path)
    named = {file for column in table.values() for file in column}
    short = [PurePosixPath(file).name for file in files]
    times = Counter(short)
    key = []  # the name of each face in the file, if any
    for file, name in zip(files, short, strict=True):
        if file not in named and name in named and times[name] > 1:
            raise InputError(
                f"{path}: {name} means several faces, such as {file}: whole name needed"
            )
        key.append(file if file in named else name if name in named else "")
    met = set(key) - {""}
    if not met:
        raise InputError(
            f"{path}: none of its {len(named)} names is among the {len(files)} faces"
            + (f", such as {files[0]}" if files else "")
        )
    given = {name: [column.get(file, "") for file in key] for name, column in table.items()}
    people = given.pop(IDENTITY, None)
    alone = [f"\0{row}" for row in range(len(files))]
    return Groups(
        columns=given,
        identity=None
        if people is None
        else np.unique(
            [who or own for who, own in zip(people, alone, strict=True)], return_inverse=True
        )[1].astype(np.int64),
        unmatched=key.count(""),
        unknown=len(named - met),
    )


def write_datasets(folder: Path, files: Sequence[str], data: str) -> None:
    """Write the dataset of each face as a CSV of groups, if there are several datasets.

    Args:
        folder: folder of the test.
        files: each face's name.
        data: the datasets, as in ``--data``.
    """
    origins = find_origins(files, data)
    if origins is None:
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "dataset"])
    rows = zip(files, origins, strict=True)
    writer.writerows([escape_cell(cell) for cell in row] for row in rows)
    write_atomic(folder / DATASETS, text.getvalue())
