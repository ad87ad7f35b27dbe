"""Splits for data that brings none, or not all: by class, by a seed, groups kept whole."""

import numpy as np
import numpy.typing as npt

from emotion_detection.data.faces import SPLITS

UNKNOWN = -1
TRAIN, VALIDATION, TEST = range(len(SPLITS))

Numbers = npt.NDArray[np.int64]


def assign_splits(
    labels: Numbers,
    given: Numbers,
    groups: Numbers,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> Numbers:
    """Give every face a split.

    Given splits stay, but for faces taken out of a given train split to make a validation or
    test split that is missing. A group (exact and near-duplicates) never ends in two splits
    through this function: a group that touches a given split stays with it.

    Args:
        labels: int64 (N,), classes.
        given: int64 (N,), index into ``SPLITS``, or -1 where the data does not say.
        groups: int64 (N,), equal numbers for faces that belong together.
        validation_fraction: share of the faces to split off, of each class.
        test_fraction: likewise.
        seed: decides which faces.

    Returns:
        int64 (N,), index into ``SPLITS``.
    """
    result = given.copy()
    pool = given == UNKNOWN
    present = set(given[~pool].tolist())
    wanted = {VALIDATION: validation_fraction, TEST: test_fraction}
    if not pool.any():
        if TRAIN not in present:
            return result
        pool = given == TRAIN
        wanted = {split: share for split, share in wanted.items() if split not in present}
    result[pool] = TRAIN
    if not wanted:
        return result
    fixed = _fixed_groups(given, groups, pool)
    for row in np.flatnonzero(pool & np.isin(groups, list(fixed))):
        # a face that the data left open goes where its duplicate was put
        result[row] = fixed[int(groups[row])] if given[row] == UNKNOWN else TRAIN
    free = pool & ~np.isin(groups, list(fixed))
    _draw(result, labels, groups, free, wanted, np.random.default_rng(seed))
    return result


def _fixed_groups(given: Numbers, groups: Numbers, pool: npt.NDArray[np.bool_]) -> dict[int, int]:
    fixed: dict[int, int] = {}
    for row in np.flatnonzero(~pool):
        group = int(groups[row])
        fixed[group] = min(fixed.get(group, TEST), int(given[row]))
    return fixed


def _draw(
    result: Numbers,
    labels: Numbers,
    groups: Numbers,
    free: npt.NDArray[np.bool_],
    wanted: dict[int, float],
    generator: np.random.Generator,
) -> None:
    rows = np.flatnonzero(free)
    names, first = np.unique(groups[rows], return_index=True)
    members = np.split(
        rows[np.argsort(groups[rows], kind="stable")],
        np.cumsum(np.bincount(np.searchsorted(names, groups[rows]), minlength=len(names)))[:-1],
    )
    # a group counts for the class of its first face
    group_labels = labels[rows[first]]
    for label in np.unique(group_labels):
        own = generator.permutation(np.flatnonzero(group_labels == label))
        faces = sum(len(members[group]) for group in own)
        place = 0
        for split, share in sorted(wanted.items(), reverse=True):
            # of three faces or more, one goes to each split that is wanted at all
            goal = max(round(share * faces), 1 if share and faces >= 3 else 0)
            taken = 0
            while taken < goal and place < len(own) - 1:
                group = members[own[place]]
                place += 1
                # a group far larger than what is wanted stays in train, whole
                if len(group) <= max(2, 2 * (goal - taken)):
                    result[group] = split
                    taken += len(group)
