"""Precision, recall, F1 and false positive rate of each class, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.statistics import (
    Floats,
    Interval,
    Ints,
    estimate_fraction,
    percentile_interval,
    resample_counts,
)


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class.

    Args:
        n: number of faces of the class.
        called: number of faces that were predicted as the class.
        recall: fraction of the class's faces that are predicted as it; Wilson's interval.
        precision: fraction of the predicted faces that are of the class; Wilson's interval.
        f1: harmonic mean of both; bootstrap interval over faces.
        false_rate: false positive rate: fraction of the other classes' faces that are predicted as
            this one; Wilson's interval.
    """

    n: int
    called: int
    recall: Interval
    precision: Interval
    f1: Interval
    false_rate: Interval


def compute_class_metrics(
    scores: npt.NDArray[np.floating], truth: Ints, labels: Sequence[str]
) -> dict[str, ClassMetrics]:
    """Return precision, recall, F1 and false positive rate of each class, with intervals.

    Args:
        scores: (N, classes), rows sum to 1.
        truth: int64 (N,), index into ``labels``.
        labels: class names.
    """
    classes, n = len(labels), len(truth)
    cells = truth * classes + scores.argmax(1) if n else truth
    table = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    drawn = resample_counts(cells, classes**2) if n else np.zeros((1, classes**2))
    true, called, hits = table.sum(1), table.sum(0), np.diag(table)
    f1, f1_drawn = compute_f1(table[np.newaxis])[0], compute_f1(drawn.reshape(-1, classes, classes))
    return {
        name: ClassMetrics(
            n=int(true[i]),
            called=int(called[i]),
            recall=estimate_fraction(int(hits[i]), int(true[i])),
            precision=estimate_fraction(int(hits[i]), int(called[i])),
            f1=percentile_interval(float(f1[i]), f1_drawn[:, i], n),
            false_rate=estimate_fraction(int(called[i] - hits[i]), int(n - true[i])),
        )
        for i, name in enumerate(labels)
    }


def compute_f1(tables: npt.NDArray[np.number]) -> Floats:
    """Return the F1 of each class in confusion tables (T, C, C), rows true: float64 (T, C).

    NaN if a class neither occurs nor is predicted.
    """
    hits = np.diagonal(tables, axis1=1, axis2=2)
    either = tables.sum(1) + tables.sum(2)
    with np.errstate(invalid="ignore"):
        found: Floats = 2 * hits / either
    return found
