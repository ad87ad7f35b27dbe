"""Curves of a model's scores: ROC, precision-recall, reliability, accuracy against coverage.

Arrays in, plain values out (:func:`.statistics.as_dict` makes them JSON). ROC and
precision-recall: Fawcett (2006); average precision as a sum over steps, without interpolation.
Reliability: Guo et al. (2017), in the bins of the ECE in ``metrics.json``. Coverage: area under
the risk-coverage curve (AURC; Geifman, Uziel and El-Yaniv 2019). Figures of each class:
:mod:`.per_class`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.calibration import BINS, assign_bins, estimate_chance_ece
from emotion_detection.metrics.statistics import (
    Bools,
    Floats,
    Interval,
    Ints,
    estimate_fraction,
)

POINTS = 300
"""A curve keeps at most about this many points: more cannot be seen."""

AnyFloats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """A curve and the area under it.

    Args:
        x: float64 (P,), rising from 0 to 1: false positive rate, or recall.
        y: float64 (P,), 0 to 1: true positive rate, or precision.
        area: under the curve of all faces, not of the points kept; NaN where there is no curve
            (the class has no faces, or there are no others): then x and y are empty.
        n: number of faces.
        positives: faces of the class.
    """

    x: Floats
    y: Floats
    area: float
    n: int
    positives: int


def compute_roc(scores: AnyFloats, is_class: Bools) -> Curve:
    """Return the ROC of one class against the rest; its area is the trapezoids'.

    Args:
        scores: (N,), the class's score of each face.
        is_class: bool (N,), whether the face is of the class.
    """
    n, positives = len(scores), int(is_class.sum())
    if not 0 < positives < n:
        return _no_curve(n, positives)
    hits, called, _ = _by_score(scores, is_class)
    y, x = hits / positives, (called - hits) / (n - positives)
    area = float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())
    kept = _thin_points(x, y)
    return Curve(x[kept], y[kept], area, n, positives)


def compute_precision_recall(scores: AnyFloats, is_class: Bools) -> Curve:
    """Return precision against recall of one class; the area is the average precision.

    Between two points precision is that of the right one: draw steps. The first point, at recall
    0, has the precision of the highest scores. Of points with one recall the highest is kept.

    Args:
        scores: (N,), the class's score of each face.
        is_class: bool (N,), whether the face is of the class.
    """
    n, positives = len(scores), int(is_class.sum())
    if not positives:
        return _no_curve(n, positives)
    hits, called, _ = _by_score(scores, is_class)
    first = np.flatnonzero(np.diff(hits) > 0) + 1  # the first, so the highest, of each recall
    x, y = hits[first] / positives, hits[first] / called[first]
    area = float((np.diff(x, prepend=0) * y).sum())
    x, y = np.append(0.0, x), np.append(y[0], y)
    kept = _thin_points(x, y)
    return Curve(x[kept], y[kept], area, n, positives)


@dataclass(frozen=True)
class Bin:
    """Faces whose highest score lies in [low, high).

    Args:
        low: lower end; 1 in the bin of the faces that a model is entirely sure of.
        high: upper end.
        n: number of faces.
        confidence: their mean highest score; NaN without faces.
        accuracy: share named rightly, with Wilson's interval; NaN without faces.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Interval


@dataclass(frozen=True)
class Reliability:
    """How often a model is right when it says how sure it is.

    Args:
        bins: 15 equally wide ones, also empty ones, and a sixteenth where scores are exactly 1.
        ece: expected calibration error, the same as in ``metrics.json``.
        ece_by_chance: what 95 % of entirely honest models stay below on as many faces.
    """

    bins: list[Bin]
    ece: float
    ece_by_chance: float


def compute_reliability(scores: AnyFloats, truth: Ints) -> Reliability:
    """Return accuracy against confidence.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
    """
    confidence, right = _sort_confidence(scores, truth)
    places = assign_bins(confidence)
    counts = np.bincount(places, minlength=BINS + 1)
    sums = np.bincount(places, confidence, BINS + 1)
    hits = np.bincount(places, right, BINS + 1)
    edges = [*(float(edge) for edge in np.linspace(0, 1, BINS + 1)), 1.0]
    bins = [
        Bin(
            edges[i],
            edges[i + 1],
            int(counts[i]),
            float(sums[i] / counts[i]) if counts[i] else math.nan,
            estimate_fraction(int(hits[i]), int(counts[i])),
        )
        for i in range(BINS + 1)
        if i < BINS or counts[i]
    ]
    ece = float(np.abs(hits - sums).sum() / len(truth)) if len(truth) else math.nan
    return Reliability(bins, ece, estimate_chance_ece(confidence))


@dataclass(frozen=True)
class Coverage:
    """Accuracy when only the surest faces are answered.

    Args:
        coverage: float64 (P,), rising to 1: share of the faces answered.
        accuracy: float64 (P,), of the answered faces.
        threshold: float64 (P,), the lowest highest score that is still answered.
        aurc: mean error of the answered faces over all coverages; 0 is best. Faces with equal
            scores count as if answered in any order. NaN without faces.
        n: number of faces.
    """

    coverage: Floats
    accuracy: Floats
    threshold: Floats
    aurc: float
    n: int


def compute_coverage_curve(scores: AnyFloats, truth: Ints) -> Coverage:
    """Return accuracy against coverage when unsure faces are left unanswered.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
    """
    n = len(truth)
    if not n:
        nothing = np.zeros(0)
        return Coverage(nothing, nothing, nothing, math.nan, 0)
    hits, answered, thresholds = _by_score(*_sort_confidence(scores, truth))
    ranks = np.arange(1, n + 1)
    aurc = float(1 - (np.interp(ranks, answered, hits) / ranks).mean())
    coverage, accuracy = answered[1:] / n, hits[1:] / answered[1:]
    kept = _thin_points(coverage, accuracy)
    return Coverage(coverage[kept], accuracy[kept], thresholds[kept], aurc, n)


@dataclass(frozen=True)
class Threshold:
    """The confidence from which answers are as accurate as was wanted.

    Args:
        threshold: a face is answered when its highest score is at least this.
        coverage: share of the faces that are answered.
        accuracy: of the answered faces, with Wilson's interval and their number. It is reached on
            the faces that the threshold was chosen on; on others it may fall short.
    """

    threshold: float
    coverage: float
    accuracy: Interval


def find_threshold(scores: AnyFloats, truth: Ints, accuracy: float) -> Threshold | None:
    """Return the threshold that answers the most faces at a wanted accuracy; None where none does.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
        accuracy: wanted, 0 to 1.
    """
    hits, answered, thresholds = _by_score(*_sort_confidence(scores, truth))
    enough = np.flatnonzero(hits[1:] >= accuracy * answered[1:])
    if not len(enough):
        return None
    last = enough[-1]
    right, n = int(hits[last + 1]), int(answered[last + 1])
    return Threshold(float(thresholds[last]), n / len(truth), estimate_fraction(right, n))


def _no_curve(n: int, positives: int) -> Curve:
    return Curve(np.zeros(0), np.zeros(0), math.nan, n, positives)


def _sort_confidence(scores: AnyFloats, truth: Ints) -> tuple[AnyFloats, Bools]:
    """Return each face's highest score and whether the face was named rightly."""
    return scores.max(1), scores.argmax(1) == truth


def _by_score(scores: AnyFloats, good: Bools) -> tuple[Floats, Floats, Floats]:
    """Go down the scores; equal ones are taken together.

    Returns:
        float64 (D + 1,): good faces, and all faces, down to each of D distinct scores, from 0;
        float64 (D,): the distinct scores, falling.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True)) if len(falling) else order
    hits = np.append(0.0, np.cumsum(good[order], dtype=np.float64)[last])
    return hits, np.append(0.0, last + 1.0), falling[last].astype(np.float64)


def _thin_points(x: Floats, y: Floats) -> Ints:
    """Return which points of a curve to keep: the ends, and others evenly along its length."""
    if len(x) <= POINTS:
        return np.arange(len(x))
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    wanted = np.linspace(0, length[-1], POINTS)
    return np.unique(np.append(np.searchsorted(length, wanted).clip(0, len(x) - 1), len(x) - 1))
