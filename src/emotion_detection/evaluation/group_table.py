"""Which face belongs to which groups: a CSV that the user has; nothing is inferred about people.

The CSV has a column ``file`` and one or more of groups (age, gender, light, anything). A column
``identity`` says whose face each is: then intervals are over people instead of faces.
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
"""Written with a test on several datasets: the groups of its report where no others are named."""


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV of groups: each column's name to each file's group; empty cells are left out.

    Raises:
        InputError: names file, line and what is allowed.
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
        columns: name of each column (but identity) to the group of each face, '' where unknown.
        identity: int64 (N,), whose face each is; None where the file does not say. A face of
            whom nothing is said counts as a person of its own.
        unmatched: faces that the file does not name.
        unknown: names in the file that no face has.
    """

    columns: dict[str, list[str]]
    identity: Ints | None
    unmatched: int
    unknown: int


def read_groups_of(path: Path, files: Sequence[str]) -> Groups:
    """Read a CSV of groups and give each face its groups.

    A face is meant by its whole name, or by its file name where only one face has it.

    Args:
        path: the CSV.
        files: each face's name.

    Raises:
        InputError: the CSV is not as needed, names none of the faces, or a file name means several.
    """
    table = read_groups(path)
    named = {file for column in table.values() for file in column}
    short = [PurePosixPath(file).name for file in files]
    times = Counter(short)
    key = []  # under which name, if any, the file has each face
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
    """Write which dataset each face comes from, as a CSV of groups; nothing where there is one.

    Args:
        folder: of the test.
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
