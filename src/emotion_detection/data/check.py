"""Check a dataset for unreadable images, duplicates, and duplicates with different labels.

A duplicate is exact (the same pixels) or near: a near-duplicate (:mod:`.duplicates`) that is
confirmed at full size (:mod:`.duplicates`). Exact duplicates count as near ones too.

Every pair of faces of all splits is compared once. All pairs are counted, but only :data:`LISTED`
are listed, so that thousands of equal images do not fill the memory.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from emotion_detection.data.dataset import SPLITS, Dataset
from emotion_detection.data.duplicates import (
    LARGEST_DIFFERENCE,
    NEAR,
    SIDE,
    Pairs,
    are_copies,
    find_near_pairs,
    group_exact,
)
from emotion_detection.data.stored_arrays import StoredRows
from emotion_detection.data.summary import describe_unreadable, escape_text, format_facts

LISTED = 1000
"""Largest number of pairs, groups or faces that a report lists under one heading."""

MEASURE = f"Pearson correlation of {SIDE} x {SIDE} thumbnails"

CONFIRMED = f"no window of the aligned faces differs by more than {LARGEST_DIFFERENCE} of variance"

_AT_ONCE = 4096

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """A pair of duplicates; correlation is None for faces without contrast."""

    names: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    correlation: float | None
    exact: bool


@dataclass(frozen=True)
class Copies:
    """The duplicates within or between splits; near ones include exact ones.

    Counted faces have an earlier duplicate, in the same or the other split. Of duplicates with
    different labels, all faces are counted. The first pairs are listed, exact ones first.
    """

    exact_faces: int
    exact_pairs: int
    near_faces: int
    near_pairs: int
    listed: tuple[Pair, ...]


@dataclass(frozen=True)
class CheckReport:
    """The result of :func:`check`.

    Args:
        dataset: the faces.
        blank: number of faces without contrast, for which only exact duplicates are found.
        blank_listed: names of the first faces without contrast.
        copies: for 'train', 'test in train' and so on: duplicates within a split, and faces of the
            later split with duplicates in the earlier one, without empty splits.
        different_labels: duplicates with different labels, in all splits.
        different_groups: number of groups of equal images with more than one label.
    """

    dataset: Dataset
    blank: int
    blank_listed: tuple[str, ...]
    copies: dict[str, Copies]
    different_labels: Copies
    different_groups: int

    @property
    def leaked(self) -> int:
        """Number of test faces with an exact duplicate in train."""
        return self.copies["test in train"].exact_faces if "test in train" in self.copies else 0

    @property
    def exit_code(self) -> int:
        """1 if test faces have exact duplicates in train, else 0."""
        return int(self.leaked > 0)

    def to_json(self) -> dict[str, Any]:
        """Return the complete report as plain values, with definitions."""
        found = asdict(self)
        read = found.pop("dataset")
        about = {name: read[name] for name in ("source", "kind", "hash", "corrupt")}
        meaning = {"measure": MEASURE, "near": NEAR, "confirmed_by": CONFIRMED}
        meaning |= {"listed_at_most": LISTED}
        return {**about, "faces": read["sizes"], **meaning, "leaked": self.leaked, **found}

    def table(self) -> RenderableType:
        """Return the report for a terminal of 80 columns or more."""
        sizes = self.dataset.sizes
        top = format_facts(
            ("data", escape_text(self.dataset.source)),
            ("faces", ", ".join(f"{name} {size:,}" for name, size in sizes.items())),
            ("blank", f"{self.blank:,} (faces without any contrast)"),
            ("unreadable", describe_unreadable(self.dataset.corrupt)),
        )
        table = Table("copies", box=box.SIMPLE_HEAD)
        for heading in ("exact\nfaces", "exact\npairs", "near\nfaces", "near\npairs"):
            table.add_column(heading, justify="right", no_wrap=True)
        for where, c in {**self.copies, "with different labels": self.different_labels}.items():
            counts = (c.exact_faces, c.exact_pairs, c.near_faces, c.near_pairs)
            name = f"within {where}" if where in SPLITS else where
            table.add_row(name, *(f"{count:,}" for count in counts))
        notes = Text(
            f"near: {MEASURE} >= {NEAR},\n"
            "confirmed at full size; exact duplicates included\n"
            "faces: those with an earlier duplicate, in the same or the other split;\n"
            f"with different labels: all that take part ({self.different_groups:,} exact groups)\n",
            "dim",
        )
        verdict = Text("No test face has an exact duplicate in train.", "green")
        if self.leaked:
            share = f"{self.leaked:,} of {sizes['test']:,} test faces have"
            verdict = Text(
                f"{share} an exact duplicate in train: test metrics are inflated.", "red"
            )
        return Group(top, table, notes, verdict)


def check(dataset: Dataset) -> CheckReport:
    """Find duplicates within and across the splits of a dataset, and count problems.

    Every pair is compared; possible duplicates are confirmed at full size.
    """
    names = [name for name in SPLITS if dataset.sizes[name]]
    splits = [dataset.split(name) for name in names]
    labels = np.concatenate([faces.labels for faces in splits])
    thumbnails = np.concatenate([faces.thumbnails for faces in splits])
    groups = group_exact(np.concatenate([faces.digests for faces in splits]))
    split = np.repeat(np.arange(len(names)), [len(faces) for faces in splits])
    face_names = list(itertools.chain.from_iterable(faces.names for faces in splits))

    def pair(rows: list[int], value: float, exact: bool) -> Pair:
        where = tuple(names[split[row]] for row in rows)
        said = tuple(dataset.labels[labels[row]] for row in rows)
        correlation = None if np.isnan(value) else round(min(value, 1.0), 4)
        return Pair(tuple(face_names[row] for row in rows), where, said, correlation, exact)

    tallies = {(a, b): _Tally(len(labels)) for b in range(len(names)) for a in (b, *range(b))}
    different = _Tally(len(labels))
    blank = np.flatnonzero(~thumbnails.any(axis=1))
    reference = _Laid([faces.reference_pixels for faces in splits])
    near = _confirm_pairs(find_near_pairs(thumbnails), groups, reference)
    for pairs, values in itertools.chain(near, _find_blank_pairs(blank, groups)):
        earlier, later = pairs.T
        exact = groups[earlier] == groups[later]
        for (a, b), tally in tallies.items():
            here = (split[earlier] == a) & (split[later] == b)
            tally.add(pairs[here], values[here], exact[here], pairs[here, 1:])
        here = labels[earlier] != labels[later]
        different.add(pairs[here], values[here], exact[here], pairs[here])
    return CheckReport(
        dataset=dataset,
        blank=len(blank),
        blank_listed=tuple(face_names[row] for row in blank[:LISTED]),
        copies={
            names[b] if a == b else f"{names[b]} in {names[a]}": tally.result(pair)
            for (a, b), tally in tallies.items()
        },
        different_labels=different.result(pair),
        different_groups=len(np.unique(groups[different.exact])),
    )


class _Laid:
    """Arrays concatenated without copying."""

    def __init__(self, parts: Sequence[StoredRows]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __getitem__(self, rows: Pairs) -> npt.NDArray[np.uint8]:
        taken = np.empty((len(rows), *self.parts[0].shape[1:]), np.uint8)
        number = np.searchsorted(self.ends, rows, side="right")
        for part in np.unique(number):
            own = number == part
            start = 0 if part == 0 else int(self.ends[part - 1])
            taken[own] = self.parts[part][rows[own] - start]
        return taken


def _confirm_pairs(
    found: Iterator[tuple[Pairs, Values]], groups: Pairs, reference: _Laid
) -> Iterator[tuple[Pairs, Values]]:
    """Yield the pairs that are duplicates at full size, including exact ones."""
    for pairs, values in found:
        for start in range(0, len(pairs), _AT_ONCE):
            some = pairs[start : start + _AT_ONCE]
            copies = groups[some[:, 0]] == groups[some[:, 1]]
            near = np.flatnonzero(~copies)
            if len(near):
                first, second = (reference[some[near, side]] for side in (0, 1))
                copies[near] = are_copies(first, second)
            if copies.any():
                yield some[copies], values[start : start + _AT_ONCE][copies]


def _find_blank_pairs(blank: Pairs, groups: Pairs) -> Iterator[tuple[Pairs, Values]]:
    """Yield exact duplicates among faces without contrast, whose thumbnails do not correlate."""
    for position, row in enumerate(blank):
        later = blank[position + 1 :]
        later = later[groups[later] == groups[row]]
        if len(later):
            pairs = np.stack([np.full_like(later, row), later], axis=1)
            yield pairs, np.full(len(later), np.nan, np.float32)


class _Tally:
    """Count pairs and mark their faces; keep the first pairs, exact ones separately."""

    def __init__(self, faces: int) -> None:
        self.pairs, self.exact_pairs = 0, 0
        self.near, self.exact = np.zeros(faces, np.bool_), np.zeros(faces, np.bool_)
        self.first: dict[bool, list[tuple[list[int], float]]] = {True: [], False: []}

    def add(self, pairs: Pairs, values: Values, exact: npt.NDArray[np.bool_], faces: Pairs) -> None:
        self.pairs += len(pairs)
        self.exact_pairs += int(exact.sum())
        self.near[faces] = True
        self.exact[faces[exact]] = True
        for kind, first in self.first.items():
            rows = np.flatnonzero(exact == kind)[: LISTED - len(first)]
            first.extend(zip(pairs[rows].tolist(), values[rows].tolist(), strict=True))

    def result(self, pair: Callable[[list[int], float, bool], Pair]) -> Copies:
        listed = [pair(*found, kind) for kind, first in self.first.items() for found in first]
        faces = int(self.exact.sum()), int(self.near.sum())
        return Copies(faces[0], self.exact_pairs, faces[1], self.pairs, tuple(listed[:LISTED]))
