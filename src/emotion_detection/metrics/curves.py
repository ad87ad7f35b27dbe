"""Curves of a model's scores: ROC, precision-recall, reliability, accuracy against coverage.

ROC and precision-recall follow Fawcett (2006), with average precision as a sum over steps, without
interpolation. Reliability follows Guo et al. (2017), in the bins of the ECE in ``metrics.json``.
Coverage is summarized by the area under the risk-coverage curve (AURC; Geifman, Uziel and El-Yaniv
2019). :func:`.statistics.as_dict` converts results to JSON. See :mod:`.classification` for
metrics of each class.
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
"""Approximate maximum number of points of a curve: more are not visible."""

AnyFloats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """A curve and the area under it.

    Args:
        x: float64 (P,), rising from 0 to 1: false positive rate, or recall.
        y: float64 (P,), 0 to 1: true positive rate, or precision.
        area: area under the curve of all faces, not only of the kept points; NaN with empty x and y
            if the class has no faces or there are no others.
        n: number of faces.
        positives: number of faces of the class.
    """

    x: Floats
    y: Floats
    area: float
    n: int
    positives: int


def compute_roc(scores: AnyFloats, is_class: Bools) -> Curve:
    """Return the ROC curve of one class against the rest, with the trapezoidal area.

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

    Between two points, precision is that of the right one: draw steps. The first point, at recall
    0, has the precision of the highest scores. Of points with equal recall, the highest is kept.

    Args:
        scores: (N,), the class's score of each face.
        is_class: bool (N,), whether the face is of the class.
    """
    n, positives = len(scores), int(is_class.sum())
    if not positives:
        return _no_curve(n, positives)
    hits, called, _ = _by_score(scores, is_class)
    first = np.flatnonzero(np.diff(hits) > 0) + 1  # the first point of each recall is the highest
    x, y = hits[first] / positives, hits[first] / called[first]
    area = float((np.diff(x, prepend=0) * y).sum())
    x, y = np.append(0.0, x), np.append(y[0], y)
    kept = _thin_points(x, y)
    return Curve(x[kept], y[kept], area, n, positives)


@dataclass(frozen=True)
class Bin:
    """A bin of a reliability diagram: faces whose highest score lies in [low, high).

    Args:
        low: lower end; 1 in the bin of scores of exactly 1.
        high: upper end.
        n: number of faces.
        confidence: mean highest score; NaN without faces.
        accuracy: accuracy with Wilson's interval; NaN without faces.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Interval


@dataclass(frozen=True)
class Reliability:
    """Reliability diagram: accuracy against confidence.

    Args:
        bins: 15 equal-width bins, including empty ones, and a sixteenth if scores of exactly 1
            occur.
        ece: expected calibration error, the same as in ``metrics.json``.
        ece_by_chance: ECE that 95 % of perfectly calibrated models stay below on as many faces.
    """

    bins: list[Bin]
    ece: float
    ece_by_chance: float


def compute_reliability(scores: AnyFloats, truth: Ints) -> Reliability:
    """Compute the reliability diagram.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
    """
    confidence, right = _find_confidence(scores, truth)
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
    """Accuracy against coverage, if only the most confident predictions are kept.

    Args:
        coverage: float64 (P,), rising to 1: fraction of the faces with a prediction.
        accuracy: float64 (P,), accuracy on these faces.
        threshold: float64 (P,), confidence threshold: minimum highest score.
        aurc: mean error over all coverages; 0 is best. Ties are averaged over all orders. NaN
            without faces.
        n: number of faces.
    """

    coverage: Floats
    accuracy: Floats
    threshold: Floats
    aurc: float
    n: int


def compute_coverage_curve(scores: AnyFloats, truth: Ints) -> Coverage:
    """Compute accuracy against coverage (selective classification).

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
    """
    n = len(truth)
    if not n:
        nothing = np.zeros(0)
        return Coverage(nothing, nothing, nothing, math.nan, 0)
    hits, answered, thresholds = _by_score(*_find_confidence(scores, truth))
    ranks = np.arange(1, n + 1)
    aurc = float(1 - (np.interp(ranks, answered, hits) / ranks).mean())
    coverage, accuracy = answered[1:] / n, hits[1:] / answered[1:]
    kept = _thin_points(coverage, accuracy)
    return Coverage(coverage[kept], accuracy[kept], thresholds[kept], aurc, n)


@dataclass(frozen=True)
class Threshold:
    """The confidence threshold that reaches a target accuracy.

    Args:
        threshold: minimum highest score of a prediction that is kept.
        coverage: fraction of the faces with a kept prediction.
        accuracy: accuracy on these faces, with Wilson's interval and their number. It holds on the
            faces that the threshold was chosen on; on others it may be lower.
    """

    threshold: float
    coverage: float
    accuracy: Interval


def find_threshold(scores: AnyFloats, truth: Ints, accuracy: float) -> Threshold | None:
    """Return the threshold with the highest coverage at a target accuracy, or None.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,).
        accuracy: target accuracy, 0 to 1.
    """
    hits, answered, thresholds = _by_score(*_find_confidence(scores, truth))
    enough = np.flatnonzero(hits[1:] >= accuracy * answered[1:])
    if not len(enough):
        return None
    last = enough[-1]
    right, n = int(hits[last + 1]), int(answered[last + 1])
    return Threshold(float(thresholds[last]), n / len(truth), estimate_fraction(right, n))


def _no_curve(n: int, positives: int) -> Curve:
    return Curve(np.zeros(0), np.zeros(0), math.nan, n, positives)


def _find_confidence(scores: AnyFloats, truth: Ints) -> tuple[AnyFloats, Bools]:
    """Return each face's highest score and whether the prediction is correct."""
    return scores.max(1), scores.argmax(1) == truth


def _by_score(scores: AnyFloats, good: Bools) -> tuple[Floats, Floats, Floats]:
    """Accumulate counts over falling scores; equal scores count together.

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
