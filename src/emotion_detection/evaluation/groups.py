"""Metrics of each group of people, and differences between groups.

Groups come from the user's CSV; nothing is inferred about people. The CSV has a column ``file`` and
one or more columns of groups (age, gender, light, anything). With a column ``identity``, the person
of each face, intervals are over people instead of faces.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from emotion_detection.data.class_mapping import find_origins
from emotion_detection.data.formats.delimited import read_columns, read_lines
from emotion_detection.errors import InputError
from emotion_detection.io.files import escape_cell, write_atomic
from emotion_detection.metrics.curves import compute_reliability
from emotion_detection.metrics.group_gaps import Gap, Rates, compute_gaps
from emotion_detection.metrics.statistics import Floats, Interval, Ints, resample_counts

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


LEAST = 50
"""Groups with fewer faces are only listed: their metrics would be dominated by chance."""

LEAST_PEOPLE = 10
"""Groups with fewer people, if they are known, are only listed too."""

MOST_GROUPS = 100
"""Maximum number of groups with at least :data:`LEAST` faces in a column."""


@dataclass(frozen=True)
class Group:
    """A model's metrics on one group, with Wilson's intervals, over people if they are known.

    Args:
        name: name of the group.
        n: number of faces.
        accuracy: accuracy.
        macro_recall: mean recall over the classes of the group's faces.
        confidence: mean highest score; far above the accuracy, the model is overconfident.
        ece: expected calibration error; by chance it is larger on fewer faces.
        ece_by_chance: ECE that 95 % of perfectly calibrated models stay below on as many faces.
        recall: recall of each class.
        false_rates: false positive rate of each class.
    """

    name: str
    n: int
    accuracy: Interval
    macro_recall: float
    confidence: float
    ece: float
    ece_by_chance: float
    recall: dict[str, Interval]
    false_rates: dict[str, Interval]


@dataclass(frozen=True)
class GroupMetrics:
    """A model's metrics on the groups of a column.

    Args:
        column: name of the column.
        least: minimum number of faces of a group, and for each rate of faces that could be hits.
        groups: the groups with enough faces, by name.
        too_few: number of faces of each other group, or group of fewer than :data:`LEAST_PEOPLE`
            people, which are excluded from everything else.
        without: number of faces without a group.
        unknown: number of names in the file that are not faces of the test.
        people: number of people, if known.
        worst: group with the lowest accuracy; None with fewer than two groups.
        best: group with the highest accuracy.
        gap: difference of accuracy between both.
        recall_gaps: gap of each class's recall; None if fewer than two groups have enough faces.
        false_gaps: gap of each class's false positive rate: for example, who is wrongly predicted
            as angry more often than others.
    """

    column: str
    least: int
    groups: list[Group]
    too_few: dict[str, int]
    without: int
    unknown: int
    people: int | None
    worst: str | None
    best: str | None
    gap: Gap | None
    recall_gaps: dict[str, Gap | None]
    false_gaps: dict[str, Gap | None]


def compute_group_metrics(
    labels: Sequence[str],
    scores: npt.NDArray[np.floating],
    truth: Ints,
    groups: Groups,
    column: str,
    least: int = LEAST,
) -> GroupMetrics:
    """Compute the metrics of each group of a column, and the gaps between groups.

    Args:
        labels: class names.
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,), index into ``labels``.
        groups: groups of the same faces.
        column: one of ``groups.columns``.
        least: groups with fewer faces are only listed.

    Raises:
        InputError: the column does not exist, or has too many groups.
    """
    if column not in groups.columns:
        raise InputError(f"no groups {column!r}; there are: {', '.join(groups.columns)}")
    of_face = np.array(groups.columns[column])
    sizes = Counter(name for name in groups.columns[column] if name)
    names = _large_enough(groups, column, sizes, least)
    if len(names) > MOST_GROUPS:
        raise InputError(f"{column}: {len(names)} groups; at most {MOST_GROUPS} can be compared")
    place = {name: number for number, name in enumerate(names)}
    # all other faces form one more group, which is resampled but not reported
    group = np.array([place.get(name, len(names)) for name in groups.columns[column]], np.int64)
    accuracy, recall, false = _rates(group, len(names), labels, scores, truth, groups.identity)
    gap = compute_gaps(names, {"accuracy": accuracy}, least)["accuracy"] if names else None
    figures = [
        _figures(name, np.flatnonzero(of_face == name), scores, truth, accuracy, recall, false, i)
        for i, name in enumerate(names)
    ]
    return GroupMetrics(
        column=column,
        least=least,
        groups=figures,
        too_few={name: n for name, n in sorted(sizes.items()) if name not in place},
        without=groups.columns[column].count(""),
        unknown=groups.unknown,
        people=None if groups.identity is None else len(np.unique(groups.identity)),
        worst=gap.lowest if gap else None,
        best=gap.highest if gap else None,
        gap=gap,
        recall_gaps=compute_gaps(names, recall, least),
        false_gaps=compute_gaps(names, false, least),
    )


def _large_enough(groups: Groups, column: str, sizes: Counter[str], least: int) -> list[str]:
    """Return the groups with enough faces and, if people are known, enough people."""
    names = sorted(name for name, n in sizes.items() if n >= least)
    if groups.identity is None:
        return names
    pairs = set(zip(groups.columns[column], groups.identity.tolist(), strict=True))
    people = Counter(name for name, _ in pairs)
    return [name for name in names if people[name] >= LEAST_PEOPLE]


def _figures(
    name: str,
    rows: Ints,
    scores: npt.NDArray[np.floating],
    truth: Ints,
    accuracy: Rates,
    recall: dict[str, Rates],
    false: dict[str, Rates],
    number: int,
) -> Group:
    calibration = compute_reliability(scores[rows], truth[rows])
    recalls = {label: rates.interval(number) for label, rates in recall.items()}
    return Group(
        name=name,
        n=len(rows),
        accuracy=accuracy.interval(number),
        macro_recall=float(np.nanmean([one.value for one in recalls.values()])),
        confidence=float(scores[rows].max(1).mean()),
        ece=calibration.ece,
        ece_by_chance=calibration.ece_by_chance,
        recall=recalls,
        false_rates={label: rates.interval(number) for label, rates in false.items()},
    )


def _rates(
    group: Ints,
    number: int,
    labels: Sequence[str],
    scores: npt.NDArray[np.floating],
    truth: Ints,
    identity: Ints | None,
) -> tuple[Rates, dict[str, Rates], dict[str, Rates]]:
    """Return accuracy, recall and false positive rate of each group."""
    classes = len(labels)
    cells = (group * classes + truth) * classes + scores.argmax(1)
    shape = (-1, number + 1, classes, classes)
    size = (number + 1) * classes**2
    table = np.bincount(cells, minlength=size).reshape(shape)[:, :number].astype(np.float64)
    drawn = resample_counts(cells, size, identity).reshape(shape)[:, :number]
    people = None
    if identity is not None:
        pairs = np.unique(np.stack([group, identity], 1), axis=0)[:, 0]
        people = np.bincount(pairs, minlength=number + 1)[:number].astype(np.float64)

    def rates(of: tuple[Floats, Floats], in_draws: tuple[Floats, Floats]) -> Rates:
        with np.errstate(invalid="ignore"):
            return Rates(of[0][0], of[1][0], in_draws[0] / in_draws[1], people)

    shares = [_shares(tables) for tables in (table, drawn)]
    return (
        rates(shares[0][0], shares[1][0]),
        {label: rates(shares[0][1 + i], shares[1][1 + i]) for i, label in enumerate(labels)},
        {
            label: rates(shares[0][1 + classes + i], shares[1][1 + classes + i])
            for i, label in enumerate(labels)
        },
    )


def _shares(tables: Floats) -> list[tuple[Floats, Floats]]:
    """Return hits and possible hits, each (T, G), of accuracy, recalls and false positive rates.

    Args:
        tables: (T, G, C, C), confusion tables of each group, rows true.
    """
    hits = np.diagonal(tables, axis1=2, axis2=3)
    true, called = tables.sum(3), tables.sum(2)
    n = true.sum(2)
    classes = range(tables.shape[2])
    return [
        (hits.sum(2), n),
        *((hits[..., i], true[..., i]) for i in classes),
        *((called[..., i] - hits[..., i], n - true[..., i]) for i in classes),
    ]
