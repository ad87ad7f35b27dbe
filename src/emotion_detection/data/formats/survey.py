"""A table of images on disk, and a survey of its labels and splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_detection.data.formats.columns import Roles, read_label
from emotion_detection.data.source import Unreadable

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
