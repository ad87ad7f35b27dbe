"""FER+: ten raters' votes for each face of FER-2013, from ``fer2013new.csv``.

Format: ``Usage,Image name,`` then the votes for neutral, happiness, surprise, sadness, anger,
disgust, fear, contempt, unknown and NF (no face); line k+1 is face k of Kaggle's ``fer2013.csv``;
a face without an image name has no usable picture and is left out. Classes: eight emotions.
Split: FER-2013's. Licence: MIT (the votes). Citation: Barsoum, Zhang, Canton Ferrer and Zhang
2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", arXiv:1608.01041.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.data.source import Face, Source
from emotion_detection.emotions import FERPLUS, FERPLUS_COLUMNS
from emotion_detection.errors import InputError

FILE_NAME = "fer2013new.csv"
_ORDER = [FERPLUS_COLUMNS.index(name) for name in FERPLUS]
_EMOTIONS = len(FERPLUS)
RATERS = 10
"""Raters of each face."""

Votes = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float32]


def majority(votes: Votes) -> int | None:
    """Return the emotion that most raters saw, by FER+'s rule.

    Single votes count as none; the top class needs more than half of what is left and must be an
    emotion, neither unknown nor no face (Barsoum et al. 2016, section 3).

    Args:
        votes: int64 (10,), in the file's order.

    Returns:
        Index into :data:`~emotion_detection.emotions.FERPLUS`, or None: no majority.

    >>> FERPLUS[majority(np.array([0, 7, 2, 1, 0, 0, 0, 0, 0, 0]))]
    'happiness'
    """
    counts = np.where(votes > 1, votes, 0)
    top = int(counts.argmax())
    if top >= _EMOTIONS or counts[top] * 2 <= counts.sum():
        return None
    return _ORDER.index(top)


def probability(votes: Votes) -> Shares | None:
    """Return the distribution over emotions that FER+'s probability rule makes of the votes.

    Single votes count as none. Classes are taken from the most votes down, equal ones together,
    until they hold three quarters of the votes or are three; reaching unknown or no face ends it,
    and these count only if they came first. The face is dropped when what was taken is no more
    than half of the votes, is more than three classes, or is led by unknown or no face
    (Barsoum et al. 2016, section 3, and the rule's published reference behaviour).

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


def expression_share(votes: Votes) -> float:
    """Return perceived intensity: the share of all raters who saw any expression, 0 to 1."""
    neutral = FERPLUS_COLUMNS.index("neutral")
    return float((votes[:_EMOTIONS].sum() - votes[neutral]) / max(1, votes.sum()))


def vote_shares(votes: Votes) -> Shares:
    """Return the share of all raters who saw each emotion: float32 (8,), in this project's order.

    The shares sum to less than 1 where raters answered unknown or no face.
    """
    shares: Shares = (votes[:_EMOTIONS][_ORDER] / max(1, votes.sum())).astype(np.float32)
    return shares


def read_votes(path: Path) -> dict[int, Votes]:
    """Read the votes file: number of the face -> int64 (10,); faces without a picture left out.

    Raises:
        InputError: names the line.
    """
    votes: dict[int, Votes] = {}
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
                if row[1].strip():
                    votes[number] = counts
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return votes


def with_votes(source: Source, path: Path, rule: str) -> Source:
    """Give FER-2013's faces FER+'s votes in place of their labels.

    Training keeps the faces that ``rule`` keeps, validation and test those with a majority.

    Args:
        source: FER-2013 in any shape that keeps the faces' numbers.
        path: ``fer2013new.csv``.
        rule: 'probability' or 'majority', for the training targets.

    Raises:
        InputError: the source is not FER-2013, or the votes file is missing.
    """
    if source.label_set != "fer2013":
        raise InputError("--labels ferplus: FER+ has votes for FER-2013 alone, not for this data")
    if not path.is_file():
        raise InputError(f"--labels ferplus: {path} is missing; 'emotion data download' fetches it")

    def read() -> Iterator[Face]:
        votes = read_votes(path)
        for face in source.read():
            counts = votes.get(-1 if face.order is None else face.order)
            voted = None if counts is None else _voted(face, counts, rule)
            if voted is not None:
                yield voted

    return replace(
        source,
        kind=f"{source.kind} with FER+ votes",
        files=(*source.files, path),
        labels=FERPLUS,
        read=read,
        label_set="ferplus",
        count=None,
    )


def _voted(face: Face, counts: Votes, rule: str) -> Face | None:
    top, shares = majority(counts), probability(counts)
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
    return replace(
        face,
        label=label,
        target=shares,
        intensity=expression_share(counts),
        shares=vote_shares(counts),
    )
