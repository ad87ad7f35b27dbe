"""FER+: ten raters' votes for each face of FER-2013, from ``fer2013new.csv``.

Format: ``Usage,Image name,`` then the votes for neutral, happiness, surprise, sadness, anger,
disgust, fear, contempt, unknown and NF (no face); line k+1 is face k of Kaggle's ``fer2013.csv``; a
face without an image name has no usable image and is left out. Faces are identified by pixels, not
by row (:func:`pair_faces`). Classes: eight emotions. Split: FER-2013's. Licence: MIT (the votes).
Citation: Barsoum, Zhang, Canton Ferrer and Zhang 2016, "Training Deep Networks for Facial
Expression Recognition with Crowd-Sourced Label Distribution", arXiv:1608.01041.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.data.fer2013_faces import SIDE, USAGES, Fer2013Matcher
from emotion_detection.data.source import (
    FER2013_SPLITS,
    Decoded,
    Face,
    Source,
    Unreadable,
    relabel_source,
)
from emotion_detection.errors import InputError
from emotion_detection.images.opening import DATASET_FORMATS, ImageError, open_image
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS

FILE_NAME = "fer2013new.csv"
_ORDER = [FERPLUS_COLUMNS.index(name) for name in FERPLUS]
_EMOTIONS = len(FERPLUS)
RATERS = 10
"""Raters of each face."""

Votes = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float32]


def compute_majority(votes: Votes) -> int | None:
    """Return the majority emotion by FER+'s rule.

    Single votes are ignored. The top class needs more than half of the other votes and must be an
    emotion, neither unknown nor no face (Barsoum et al. 2016, section 3).

    Args:
        votes: int64 (10,), in the file's order.

    Returns:
        Index into :data:`~emotion_detection.labels.FERPLUS`, or None: no majority.

    >>> FERPLUS[compute_majority(np.array([0, 7, 2, 1, 0, 0, 0, 0, 0, 0]))]
    'happiness'
    """
    counts = np.where(votes > 1, votes, 0)
    top = int(counts.argmax())
    if top >= _EMOTIONS or counts[top] * 2 <= counts.sum():
        return None
    return _ORDER.index(top)


def compute_vote_distribution(votes: Votes) -> Shares | None:
    """Return the distribution over emotions by FER+'s probability rule.

    Single votes are ignored. Classes are added from the most votes down, ties together, until they
    have three quarters of the votes or are three. Reaching unknown or no face ends the procedure,
    and these count only if they came first. The face is dropped if the added classes have no more
    than half of the votes, are more than three, or begin with unknown or no face (Barsoum et al.
    2016, section 3, and the rule's published reference behaviour).

    Args:
        votes: int64 (10,), in the file's order.

    Returns:
        float32 (8,) in this project's order, sums to 1, or None: dropped.
    """
    counts = np.where(votes > 1, votes, 0)
    total = int(counts.sum())
    taken = np.zeros_like(counts)
    covered = classes = 0
    ended = False
    while covered < 0.75 * total and classes < 3 and not ended:
        level = int(counts.max())
        for index in np.flatnonzero(counts == level):
            counts[index] = 0
            covered += level
            if index >= _EMOTIONS:
                ended = True
                if not taken.any():
                    taken[index], classes = level, classes + 1
                break
            taken[index], classes = level, classes + 1
    if taken.sum() * 2 <= total or classes > 3 or taken.argmax() >= _EMOTIONS:
        return None
    emotions = taken[:_EMOTIONS][_ORDER].astype(np.float32)
    shares: Shares = emotions / emotions.sum()
    return shares


def expression_fraction(votes: Votes) -> float:
    """Return perceived intensity: the fraction of raters who saw any expression, 0 to 1."""
    neutral = FERPLUS_COLUMNS.index("neutral")
    return float((votes[:_EMOTIONS].sum() - votes[neutral]) / max(1, votes.sum()))


def vote_fractions(votes: Votes) -> Shares:
    """Return the fraction of raters who chose each emotion: float32 (8,), in this project's order.

    The fractions sum to less than 1 if raters answered unknown or no face.
    """
    shares: Shares = (votes[:_EMOTIONS][_ORDER] / max(1, votes.sum())).astype(np.float32)
    return shares


def read_votes(path: Path) -> dict[int, Votes]:
    """Read the votes file: number of the face -> int64 (10,); faces without an image left out.

    Raises:
        InputError: names the line.
    """
    return {number: votes for number, _, votes in _lines(path) if votes is not None}


def _lines(path: Path) -> Iterator[tuple[int, str, Votes | None]]:
    """Yield number, usage and votes of each line; None: the face has no usable image."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if [name.strip() for name in next(reader, [])][2:] != list(FERPLUS_COLUMNS):
                raise InputError(f"{path} line 1: the columns must be {', '.join(FERPLUS_COLUMNS)}")
            for number, row in enumerate(filter(any, reader)):
                try:
                    counts = np.array(row[2:], dtype=np.int64)
                except ValueError:
                    counts = np.empty(0, np.int64)
                if counts.shape != (len(FERPLUS_COLUMNS),) or counts.min() < 0:
                    raise InputError(
                        f"{path} line {reader.line_num}: ten whole numbers of votes are needed"
                    )
                yield number, row[0].strip(), counts if row[1].strip() else None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def add_votes(source: Source, path: Path, rule: str) -> Source:
    """Replace the labels of FER-2013's faces by FER+'s votes.

    Training keeps the faces that ``rule`` keeps, validation and test those with a majority.

    Args:
        source: FER-2013 in any format, complete or in part, in any order.
        path: ``fer2013new.csv``.
        rule: 'probability' or 'majority', for the training targets.

    Raises:
        InputError: the votes file is missing.
    """
    if not path.is_file():
        if source.label_set != "fer2013":
            raise InputError(
                f"--labels ferplus: FER+ has votes for FER-2013 alone, and {path} is missing"
            )
        raise InputError(f"--labels ferplus: {path} is missing; 'emotion data download' fetches it")

    def relabel(faces: Iterable[Face]) -> Iterator[Face]:
        lines = list(_lines(path))
        votes = {number: counts for number, _, counts in lines if counts is not None}
        for face in pair_faces(faces, [usage for _, usage, _ in lines], source.label_set):
            if isinstance(face.content, Unreadable):
                yield face
                continue
            counts = votes.get(-1 if face.order is None else face.order)
            voted = None if counts is None else _voted(face, counts, rule)
            if voted is not None:
                yield voted

    return relabel_source(
        source,
        relabel,
        kind=f"{source.kind} with FER+ votes",
        files=(*source.files, path),
        labels=FERPLUS,
        label_set="ferplus",
        count=None,
        notes=(),
    )


_FIRST = 64
"""Number of faces that decide whether the pixels are FER-2013's."""


def pair_faces(faces: Iterable[Face], usages: Sequence[str], label_set: str) -> Iterator[Face]:
    """Yield the faces with a line in the votes file, with the line's number as their order.

    Faces are identified by pixels. If these differ from FER-2013's, for example after another
    compression, the faces must match all lines of the file, with the same usages in order.

    Args:
        faces: the faces.
        usages: the usage of each line of the votes file.
        label_set: label set of the faces' own labels.

    Raises:
        InputError: the faces cannot be identified with certainty.
    """
    faces = iter(faces)
    first = list(islice(faces, _FIRST))
    matcher = Fer2013Matcher()
    hits = sum(_number(Fer2013Matcher(), face) is not None for face in first)
    if hits * 2 < len(first) or not first:
        yield from _pair_by_lines(chain(first, faces), usages, label_set)
        return
    strangers = 0
    for face in chain(first, faces):
        number = _number(matcher, face)
        if number is None:
            strangers += not isinstance(face.content, Unreadable)
            if isinstance(face.content, Unreadable):
                yield face
        elif number < len(usages):
            split = face.split or FER2013_SPLITS.get(usages[number])
            yield replace(face, order=number, split=split)
    if strangers:
        print(
            f"note: {strangers:,} faces are not FER-2013's, or are there twice, by their pixels: "
            "they have no votes and are left out",
            file=sys.stderr,
        )


def _number(matcher: Fer2013Matcher, face: Face) -> int | None:
    """Return the number of a face in FER-2013 by its pixels, or None."""
    content, usage = face.content, USAGES.get(face.split or "")
    if isinstance(content, Unreadable):
        return None
    if isinstance(content, Decoded):
        return matcher.match_digest(content.digest, face.order, usage)
    if not isinstance(content, np.ndarray):
        try:
            image = open_image(content, DATASET_FORMATS)
        except ImageError:
            return None
        if image.size != (SIDE, SIDE):
            return None
        content = np.asarray(image.convert("L"))
    return matcher.match(content, face.order, usage)


def _pair_by_lines(faces: Iterable[Face], usages: Sequence[str], label_set: str) -> Iterator[Face]:
    """Yield the faces, and raise at the end if they did not match all lines of the votes file."""
    if label_set != "fer2013":
        raise InputError("--labels ferplus: FER+ has votes for FER-2013 alone, not for this data")
    left = set(range(len(usages)))
    for face in faces:
        number = -1 if face.order is None else face.order
        usage = usages[number] if 0 <= number < len(usages) else None
        if number not in left or usage is None or FER2013_SPLITS.get(usage) != face.split:
            raise _unproven_error(f"{face.name} is not the face of its line")
        left.discard(number)
        yield face
    if left:
        raise _unproven_error(f"{len(usages) - len(left):,} faces, {len(usages):,} lines of votes")


def _unproven_error(why: str) -> InputError:
    return InputError(
        f"--labels ferplus: it cannot be proven which face each line of votes is about ({why}; the "
        "pixels are not FER-2013's): use all of FER-2013 in its order, or its own pixels (48 x 48)"
    )


def _voted(face: Face, counts: Votes, rule: str) -> Face | None:
    top, shares, intensity, raters = _apply_rules(counts.tobytes())
    if face.split == "train" and rule == "probability":
        if shares is None:
            return None
        label = int(shares.argmax()) if top is None else top
    elif top is None:
        return None
    else:
        label = top
        if shares is None or rule == "majority":
            shares = np.eye(_EMOTIONS, dtype=np.float32)[top]
    return replace(face, label=label, target=shares, intensity=intensity, shares=raters)


@lru_cache(maxsize=16_384)  # many faces have the same votes
def _apply_rules(votes: bytes) -> tuple[int | None, Shares | None, float, Shares]:
    """Return the majority, the distribution, the intensity and the fractions of votes."""
    counts = np.frombuffer(votes, np.int64)
    return (
        compute_majority(counts),
        compute_vote_distribution(counts),
        expression_fraction(counts),
        vote_fractions(counts),
    )
