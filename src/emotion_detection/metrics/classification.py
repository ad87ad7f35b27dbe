"""Classification metrics of a model on labelled faces, from its scores.

Intervals are percentile bootstrap intervals over faces (:mod:`.statistics`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.statistics import compute_accuracy_interval

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
