"""The figures of a model on labelled faces, from its scores.

Interval: percentile bootstrap over faces (:mod:`emotion_detection.statistics`).
Calibration: expected calibration error over 15 equally wide bins of the highest score (Guo et al.
2017); Brier score summed over classes (Brier 1950).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

from emotion_detection.statistics import accuracy_interval

BINS = 15
LEAST_SCORE = 1e-7
"""Scores below count as this in the negative log likelihood: a zero would make it infinite."""

Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def figures(scores: Scores, labels: Labels, names: Sequence[str]) -> dict[str, Any]:
    """Compute every figure of a test.

    Args:
        scores: float32 (N, classes), rows sum to 1.
        labels: int64 (N,), index into ``names``.
        names: class names.

    Returns:
        Plain values: accuracy, accuracy_ci95, balanced_accuracy, macro_f1, ece, nll, brier, n,
        labels, per_class and confusion (rows are true classes). Balanced accuracy and macro F1
        are means over the classes that occur among the labels.
    """
    confusion = multiclass_confusion_matrix(
        torch.from_numpy(scores.argmax(1)), torch.from_numpy(labels), len(names)
    ).numpy()
    true, called = confusion.sum(1), confusion.sum(0)
    hits = np.diag(confusion)
    recall = hits / np.maximum(true, 1)
    precision = hits / np.maximum(called, 1)
    f1 = 2 * hits / np.maximum(true + called, 1)
    present = true > 0
    right = scores.argmax(1) == labels
    return {
        "accuracy": float(right.mean()),
        "accuracy_ci95": list(accuracy_interval(right)),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        **calibration(scores, labels),
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


def calibration(scores: Scores, labels: Labels) -> dict[str, float]:
    """Return ece, nll (natural logarithm) and brier of scores (N, classes)."""
    own = scores[np.arange(len(labels)), labels].astype(np.float64)
    wanted = np.eye(scores.shape[1])[labels]
    ece = multiclass_calibration_error(
        # torchmetrics takes scores for logits when one of them is above 1, by rounding alone
        torch.from_numpy(scores).clamp(0, 1),
        torch.from_numpy(labels),
        scores.shape[1],
        n_bins=BINS,
        norm="l1",
    )
    return {
        "ece": float(ece),
        "nll": float(-np.log(np.maximum(own, LEAST_SCORE)).mean()),
        "brier": float(((scores.astype(np.float64) - wanted) ** 2).sum(1).mean()),
    }
