"""Assign the faces of a dataset to splits: given, stored or sampled, optionally by person."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig
from emotion_detection.data.dataset import SPLITS
from emotion_detection.data.duplicates import group_alike
from emotion_detection.data.fingerprints import take_fingerprints
from emotion_detection.data.people import find_people, join_groups
from emotion_detection.data.source import Face
from emotion_detection.data.splitting import (
    LEFT_OUT,
    TEST,
    TRAIN,
    UNKNOWN,
    Assignment,
    Shortage,
    assign_splits,
    deal_folds,
    find_known_splits,
    known_splits_path,
    remember_splits,
)
from emotion_detection.data.stored_arrays import Images
from emotion_detection.errors import InputError

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitFaces:
    """The splits of a dataset's faces, with notes.

    Args:
        splits: int64 (N,), index into ``SPLITS``, below 0 for faces that are left out.
        drawn: whether any split was sampled rather than given.
        too_few: sentences on classes with less than half of the requested faces in a split.
        notes: further sentences.
    """

    splits: Numbers
    drawn: bool
    too_few: list[str]
    notes: list[str]


def split_faces(
    faces: Sequence[Face],
    digests: Bytes,
    thumbnails: npt.NDArray[np.float32],
    reference: Images,
    names: Sequence[str],
    config: DataConfig,
    cache: Path,
) -> SplitFaces:
    """Assign every face to a split; sample missing splits.

    Args:
        faces: the faces, without their pixels.
        digests: uint8 (N, 16).
        thumbnails: float32 (N, 64).
        reference: uint8 (N, 48, 48), grey; read in parts.
        names: class names.
        config: fractions, seed, people and folds.
        cache: folder in which sampled splits are stored.

    Raises:
        InputError: ``person`` fits no face, or no faces are left for folds.
        OSError: sampled splits cannot be stored.
    """
    people = find_people(faces, config.person)
    assignment = _assign(faces, people, digests, thumbnails, reference, config, cache)
    too_few = [
        f"{names[short.label]} has {short.faces} of its {short.of} faces in the {short.split} "
        f"split, and at least {short.least} are needed{_explain_shortage(short, config)}"
        for short in assignment.shortages
    ]
    drawn = bool(assignment.drawn.any())
    notes = _describe_people(people, assignment) if any(people) else []
    left_out = np.flatnonzero(assignment.splits == LEFT_OUT)
    if len(left_out) and config.fold is None:
        notes.append(
            f"{len(left_out)} faces are left out, since each belongs together with faces of two "
            f"splits; the first: {faces[left_out[0]].name}"
        )
    return SplitFaces(assignment.splits, drawn, too_few, notes)


def _explain_shortage(short: Shortage, config: DataConfig) -> str:
    """Return the reason of a shortage and what to do, if faces keep splits of earlier data."""
    if not short.known:
        return ""
    return (
        f" ({short.known} of them keep the split that they had in earlier data; --split_seed "
        f"{config.split_seed + 1} draws all splits anew)"
    )


def _assign(
    faces: Sequence[Face],
    people: Sequence[str | None],
    digests: Bytes,
    thumbnails: npt.NDArray[np.float32],
    reference: Images,
    config: DataConfig,
    cache: Path,
) -> Assignment:
    given = np.array(
        [UNKNOWN if face.split is None else SPLITS.index(face.split) for face in faces], np.int64
    )
    complete = set(given.tolist()) == set(range(len(SPLITS)))
    if complete and config.fold is None:
        # nothing to split off, so nothing to compare
        return Assignment(given, np.zeros(len(given), np.bool_), ())
    groups = join_groups(group_alike(digests, thumbnails, faces=reference), people)
    labels = np.array([face.label for face in faces], np.int64)
    keys = [
        digest.tobytes() if person is None else b"person " + person.encode("utf-8", "surrogatepass")
        for digest, person in zip(digests, people, strict=True)
    ]
    if config.fold is not None:
        return _assign_fold(labels, given, groups, keys, config)
    prints = take_fingerprints(digests, reference)
    fractions = config.validation_fraction, config.test_fraction
    memory = known_splits_path(cache, config)
    known = find_known_splits(memory, prints)
    assignment = assign_splits(labels, given, groups, keys, fractions, config.split_seed, known)
    remember_splits(memory, prints, np.where(assignment.drawn, assignment.splits, UNKNOWN))
    return assignment


def _assign_fold(
    labels: Numbers, given: Numbers, groups: Numbers, keys: Sequence[bytes], config: DataConfig
) -> Assignment:
    """Test on one fold; the rest is for training and validation, without a given test split."""
    # with it stays out what belongs together with its faces
    closed = np.isin(groups, groups[given == TEST])
    rows = np.flatnonzero(~closed)
    if not len(rows):
        raise InputError(f"{config.data}: --folds: all faces are in the test split")
    labels, groups, keys = labels[rows], groups[rows], [keys[row] for row in rows.tolist()]
    count, fold = config.folds or 1, config.fold or 1
    tested = deal_folds(labels, groups, keys, count, config.split_seed) == fold - 1
    fractions = config.validation_fraction, 0.0
    unknown = np.where(tested, TEST, UNKNOWN)
    own = assign_splits(labels, unknown, groups, keys, fractions, config.split_seed)
    splits = np.full(len(given), LEFT_OUT)
    splits[rows] = own.splits
    totals = np.bincount(labels)
    least = np.where(totals >= count, np.maximum(totals // (2 * count), 1), 0)
    have = np.bincount(labels[tested], minlength=len(totals))
    short = [
        Shortage("test", label, int(have[label]), int(least[label]), int(totals[label]))
        for label in np.flatnonzero(have < least).tolist()
    ]
    return Assignment(splits, splits != LEFT_OUT, (*own.shortages, *short))


def _describe_people(people: Sequence[str | None], assignment: Assignment) -> list[str]:
    places: dict[str, set[int]] = {}
    for person, split in zip(people, assignment.splits.tolist(), strict=True):
        if person is not None:
            places.setdefault(person, set()).add(split)
    without = sum(person is None for person in people)
    rest = f"; whose face is unknown of {without} faces" if without else ""
    if assignment.drawn.all():
        return [f"split by person: {len(places)} people{rest}"]
    both = sum({TRAIN, TEST} <= own for own in places.values())
    return [f"{len(places)} people, {both} of them in train and in test{rest}"]
