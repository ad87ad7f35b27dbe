"""Classification metrics of a model on labelled faces, from its scores; also of each class.

Intervals are percentile bootstrap intervals over faces (:mod:`.statistics`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.statistics import (
    Floats,
    Interval,
    Ints,
    compute_accuracy_interval,
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


Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def count_confusions(labels: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Return how often each class was predicted: int64 (true classes, predicted classes)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def compute_class_means(confusion: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return balanced accuracy and macro F1, means over the classes that occur.

    Args:
        confusion: int64 (true classes, predicted classes), from :func:`count_confusions`.
    """
    true, called, hits = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    present = true > 0
    recall = hits[present] / true[present]
    f1 = 2 * hits[present] / (true + called)[present]
    return float(recall.mean()), float(f1.mean())


def compute_classification_metrics(
    scores: Scores, labels: Labels, names: Sequence[str]
) -> dict[str, Any]:
    """Compute all metrics of a test.

    Args:
        scores: float32 (N, classes), rows sum to 1.
        labels: int64 (N,), index into ``names``.
        names: class names.

    Returns:
        Plain values: accuracy, accuracy_ci95, balanced_accuracy, macro_f1, ece, nll, brier, n,
        labels, per_class and confusion (rows are true classes). Balanced accuracy and macro F1
        are means over the classes that occur among the labels.
    """
    predicted = scores.argmax(1)
    confusion = count_confusions(labels, predicted, len(names))
    true, called = confusion.sum(1), confusion.sum(0)
    hits = np.diag(confusion)
    recall = hits / np.maximum(true, 1)
    precision = hits / np.maximum(called, 1)
    f1 = 2 * hits / np.maximum(true + called, 1)
    balanced_accuracy, macro_f1 = compute_class_means(confusion)
    right = predicted == labels
    return {
        "accuracy": float(right.mean()),
        "accuracy_ci95": list(compute_accuracy_interval(right)),
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        **compute_calibration_metrics(scores, labels),
        "n": len(labels),
        "labels": list(names),
        "per_class": {
            name: {
                "recall": float(recall[i]),
                "precision": float(precision[i]),
                "f1": float(f1[i]),
                "n": int(true[i]),
            }
            for i, name in enumerate(names)
        },
        "confusion": confusion.tolist(),
    }
