"""Sample missing splits, independently of other faces.

Faces that belong together (duplicates, or images of one person) form a group. A hash of the group's
key and the seed determines the split, whatever other faces there are. Faces with a stored split
keep it. Every split gets at least half of the requested faces of each class, if the groups allow
it.

Sampled splits are stored. The file in the cache folder identifies faces by fingerprints. A face
keeps its split if others are added or removed, if its file is renamed, moved or re-encoded, and in
any other dataset. Without the file, splits are sampled by hash only. The list of faces in a run
does not depend on it.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig
from emotion_detection.data.dataset import SPLITS
from emotion_detection.data.fingerprints import (
    Fingerprints,
    find_same_faces,
    join_fingerprints,
    read_fingerprints,
    write_fingerprints,
)

UNKNOWN = -1
LEFT_OUT = -2
TRAIN, VALIDATION, TEST = range(len(SPLITS))

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shortage:
    """A class with too few faces in a split.

    Args:
        split: 'train', 'validation' or 'test'.
        label: the class.
        faces: number of faces.
        least: minimum number of faces: half of the requested ones.
        of: number of faces of the class to split.
        known: number of these faces that keep the split that they had in earlier data.
    """

    split: str
    label: int
    faces: int
    least: int
    of: int
    known: int = 0


@dataclass(frozen=True)
class Assignment:
    """The splits of a dataset's faces.

    Args:
        splits: int64 (N,), index into ``SPLITS``; :data:`LEFT_OUT` for a face that belongs
            together with faces of two splits.
        drawn: bool (N,), whether the split was sampled rather than given.
        shortages: classes with too few faces.
    """

    splits: Numbers
    drawn: Mask
    shortages: tuple[Shortage, ...]


def assign_splits(
    labels: Numbers,
    given: Numbers,
    groups: Numbers,
    keys: Sequence[bytes],
    fractions: tuple[float, float],
    seed: int,
    known: Numbers | None = None,
) -> Assignment:
    """Assign a split to every face.

    Given splits stay, but for faces taken out of a given train split to make a validation or
    test split that is missing. Known splits stay. A group never ends in two splits through this
    function: a group that touches a given or known split stays with it, and a new face that
    belongs to groups of two splits is left out.

    Args:
        labels: int64 (N,), classes.
        given: int64 (N,), index into ``SPLITS``, or -1 where the data does not say.
        groups: int64 (N,), equal numbers for faces that belong together.
        keys: what each face is recognised by; the smallest of a group is the group's.
        fractions: of the faces of each class, for validation and for testing.
        seed: changes the hash.
        known: int64 (N,), the splits that faces were drawn into before, or -1; None: none was.
    """
    result = given.copy()
    pool = given == UNKNOWN
    present = set(given[~pool].tolist())
    wanted = {VALIDATION: fractions[0], TEST: fractions[1]}
    if not pool.any():
        if TRAIN not in present:
            return Assignment(result, pool, ())
        pool = given == TRAIN
        wanted = {split: part for split, part in wanted.items() if split not in present}
    wanted = {split: part for split, part in wanted.items() if part > 0}
    result[pool] = TRAIN
    if not wanted:
        return Assignment(result, pool & (given == UNKNOWN), ())
    before = np.full(len(given), UNKNOWN) if known is None else known
    before = np.where(pool & np.isin(before, [TRAIN, *wanted]), before, UNKNOWN)
    free = pool & ~_keep_groups_together(result, given, groups, before, pool)
    drawer = _Drawer(labels, result, groups, keys, pool, free, wanted, seed)
    counts = np.bincount(labels[before != UNKNOWN], minlength=drawer.classes).tolist()
    shortages = (replace(short, known=counts[short.label]) for short in drawer.draw())
    return Assignment(result, pool, tuple(shortages))


def _keep_groups_together(
    result: Numbers, given: Numbers, groups: Numbers, before: Numbers, pool: Mask
) -> Mask:
    """Place the faces of groups that a given or known split decides; return which these are."""
    fixed = np.where(pool, before, given)
    settled = np.isin(groups, groups[fixed != UNKNOWN])
    places: dict[int, set[int]] = {}
    for row in np.flatnonzero(fixed != UNKNOWN):
        places.setdefault(int(groups[row]), set()).add(int(fixed[row]))
    for row in np.flatnonzero(settled & pool):
        if before[row] != UNKNOWN:
            result[row] = before[row]
        elif given[row] == UNKNOWN:
            own = places[int(groups[row])]
            result[row] = next(iter(own)) if len(own) == 1 else LEFT_OUT
    return np.asarray(settled & pool)


class _Drawer:
    """Draws the splits of free groups, and evens out classes that got too little by chance."""

    def __init__(
        self,
        labels: Numbers,
        result: Numbers,
        groups: Numbers,
        keys: Sequence[bytes],
        pool: Mask,
        free: Mask,
        wanted: dict[int, float],
        seed: int,
    ) -> None:
        self.result, self.labels, self.pool = result, labels, pool
        self.classes = int(labels.max()) + 1
        self.fractions = {TRAIN: 1 - sum(wanted.values()), **wanted}
        rows = np.flatnonzero(free)
        names, number = np.unique(groups[rows], return_inverse=True)
        order = np.argsort(number, kind="stable")
        starts = np.cumsum(np.bincount(number, minlength=len(names)))[:-1]
        self.members = np.split(rows[order], starts) if len(names) else []
        self.counts = np.zeros((len(names), self.classes), np.int64)
        np.add.at(self.counts, (number, labels[rows]), 1)
        own = [min(keys[row] for row in members) for members in self.members]
        self.luck = {split: _uniform(own, seed, SPLITS[split]) for split in wanted}
        self.place = np.full(len(names), TRAIN)
        totals = np.bincount(labels[pool], minlength=self.classes)
        self.totals = totals
        self.goals = {split: part * totals for split, part in self.fractions.items()}
        self.least = self._least_faces(wanted)

    def _least_faces(self, wanted: dict[int, float]) -> dict[int, Numbers]:
        """Return how many faces of each class a split needs: half of what was asked, or one."""
        enough = self.totals > len(wanted)
        least = {}
        for split in wanted:
            half = np.ceil(self.goals[split] / 2 - 1e-9).astype(np.int64)
            least[split] = np.where(enough, np.maximum(half, 1), 0)
        # with few large groups train gets less than was asked, but still a third
        third = np.minimum(np.ceil(self.goals[TRAIN] / 2).astype(np.int64), self.totals // 3)
        rest = self.totals - sum(least.values())
        least[TRAIN] = np.where(enough, np.minimum(np.maximum(third, 1), rest), self.totals)
        return least

    def draw(self) -> tuple[Shortage, ...]:
        """Write the drawn splits into the result; return what could not be reached."""
        taken = np.zeros(len(self.place), np.bool_)
        rest = 1.0
        for split in sorted(self.luck, reverse=True):
            chosen = ~taken & (self.luck[split] < self.fractions[split] / rest)
            # a group far larger than the requested size stays in train
            chosen &= (self.counts <= np.maximum(2, 2 * self.goals[split])).all(axis=1)
            self.place[chosen] = split
            taken |= chosen
            rest -= self.fractions[split]
        self._write()
        for split in (TRAIN, *sorted(self.luck, reverse=True)):
            for label in np.argsort(self.totals, kind="stable"):
                while self._have(split)[label] < self.least[split][label]:
                    if not self._move_one(split, int(label)):
                        break
        return tuple(
            Shortage(SPLITS[split], label, int(have), int(least), int(self.totals[label]))
            for split in sorted(self.fractions)
            for label, (have, least) in enumerate(
                zip(self._have(split), self.least[split], strict=True)
            )
            if have < least
        )

    def _move_one(self, split: int, label: int) -> bool:
        """Move the best group with a class into a split; return False where there is none."""
        room = {other: self._have(other) - self.least[other] for other in self.fractions}
        able = (self.place != split) & (self.counts[:, label] > 0)
        candidates = [
            group
            for group in np.flatnonzero(able).tolist()
            if self._fits(self.counts[group], room[int(self.place[group])])
        ]
        if not candidates:
            return False

        def rank(group: int) -> tuple[bool, bool, float]:
            donor = int(self.place[group])
            too_large = bool((self.counts[group] > np.maximum(2, 2 * self.goals[split])).any())
            luck = self.luck[split][group] if split in self.luck else -self.luck[donor][group]
            return too_large, donor != TRAIN, float(luck)

        best = min(candidates, key=rank)
        self.place[best] = split
        self.result[self.members[best]] = split
        return True

    @staticmethod
    def _fits(counts: Numbers, room: Numbers) -> bool:
        """Return whether a split can do without a group."""
        return bool(((counts <= room) | (counts == 0)).all())

    def _have(self, split: int) -> Numbers:
        rows = self.pool & (self.result == split)
        return np.bincount(self.labels[rows], minlength=self.classes)

    def _write(self) -> None:
        for members, place in zip(self.members, self.place, strict=True):
            self.result[members] = place


def _uniform(keys: Sequence[bytes], seed: int, purpose: str) -> npt.NDArray[np.float64]:
    """Return a number from 0 to 1 for each key, by a hash of key, seed and purpose."""
    salt = f"{purpose} {seed}".encode()
    hashes = (hashlib.blake2b(key, digest_size=8, key=salt).digest() for key in keys)
    return np.array([int.from_bytes(value, "big") / 2**64 for value in hashes])


def deal_folds(
    labels: Numbers, groups: Numbers, keys: Sequence[bytes], folds: int, seed: int
) -> Numbers:
    """Assign faces to folds: groups are not split, classes are spread evenly.

    Args:
        labels: int64 (N,), classes.
        groups: int64 (N,), equal numbers for faces that belong together; a group may have faces
            of several classes.
        keys: key of each face.
        folds: number of folds.
        seed: seed of the assignment.

    Returns:
        int64 (N,), 0 to folds - 1.
    """
    names, number = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (number, labels), 1)
    own = [b""] * len(names)
    for row, group in enumerate(number):
        own[group] = min(own[group] or keys[row], keys[row])
    # large groups first: smaller ones then balance the folds
    order = np.lexsort((_uniform(own, seed, "fold"), -counts.sum(axis=1)))
    filled = np.zeros((folds, counts.shape[1]), np.int64)
    place = np.empty(len(names), np.int64)
    for group in order:
        crowded = filled @ counts[group]
        place[group] = np.lexsort((filled.sum(axis=1), crowded))[0]
        filled[place[group]] += counts[group]
    return place[number]


def known_splits_path(cache: Path, config: DataConfig) -> Path:
    """Return the file for these options; each choice of fractions, seed and people has its own."""
    drawn_by = [config.split_seed, config.validation_fraction, config.test_fraction, config.person]
    key = hashlib.sha256(json.dumps(drawn_by).encode()).hexdigest()[:12]
    return cache / "splits" / f"{key}.npz"


def find_known_splits(path: Path, faces: Fingerprints) -> Numbers:
    """Return the stored split of each face, int64 (N,); -1: none."""
    known, splits = _read(path)
    places = find_same_faces(faces, known)
    return np.where(places < 0, UNKNOWN, splits[places] if len(splits) else UNKNOWN)


def remember_splits(path: Path, faces: Fingerprints, splits: Numbers) -> None:
    """Add faces and their sampled splits.

    Raises:
        OSError: the file cannot be written.
    """
    known, before = _read(path)
    seen = {digest.tobytes() for digest in known.digests}
    new = []
    for row in np.flatnonzero(splits >= 0):
        if (digest := faces.digests[row].tobytes()) not in seen:
            seen.add(digest)
            new.append(row)
    if new:
        rows = np.array(new, np.int64)
        together = join_fingerprints([known, faces.keep(rows)])
        write_fingerprints(path, together, splits=np.concatenate([before, splits[rows]]))


def _read(path: Path) -> tuple[Fingerprints, Numbers]:
    try:
        faces, arrays = read_fingerprints(path)
        return faces, arrays["splits"].astype(np.int64)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        print(f"warning: {path}: cannot be read, splits are drawn anew: {reason}", file=sys.stderr)
    return join_fingerprints([]), np.empty(0, np.int64)
