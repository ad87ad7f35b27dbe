"""Calibration: expected calibration error, negative log likelihood, Brier score.

The expected calibration error uses 15 equal-width bins of the highest score (Guo et al. 2017). The
Brier score is summed over classes (Brier 1950).
"""

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.statistics import Floats, Ints

BINS = 15
LEAST_SCORE = 1e-7
"""Minimum score in the negative log likelihood, which a zero would make infinite."""

CHANCE_DRAWS = 400


def assign_bins(confidence: npt.NDArray[np.floating]) -> Ints:
    """Return the bin of each highest score (N,): 0 to 14, and 15 for a score of exactly 1."""
    # edges as in torchmetrics, which computes those of the upper half as 1 - x
    step, half = np.float32(1) / np.float32(BINS), (BINS + 1) // 2
    up = np.arange(half, dtype=np.float32) * step
    edges = np.append(up, np.float32(1) - up[::-1])
    sure = np.clip(confidence, 0, 1).astype(np.float32)
    places: Ints = np.searchsorted(edges, sure, "right") - 1
    return places


def expected_calibration_error(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> float:
    """Return the expected calibration error (Guo et al. 2017), over 15 bins of equal width.

    Args:
        confidence: (N,), the highest scores; N at least 1.
        right: (N,), whether the class of the highest score is the true one.
    """
    gaps = right - np.clip(confidence, 0, 1).astype(np.float64)
    sums = np.bincount(assign_bins(confidence), weights=gaps, minlength=BINS + 1)
    return float(np.abs(sums).sum() / len(confidence))


def compute_calibration_metrics(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return ece, nll (natural logarithm) and brier of scores (N, classes), labels (N,)."""
    own = scores[np.arange(len(labels)), labels].astype(np.float64)
    target = np.eye(scores.shape[1])[labels]
    return {
        "ece": expected_calibration_error(scores.max(1), scores.argmax(1) == labels),
        "nll": float(-np.log(np.maximum(own, LEAST_SCORE)).mean()),
        "brier": float(((scores.astype(np.float64) - target) ** 2).sum(1).mean()),
    }


def estimate_chance_ece(confidence: npt.NDArray[np.floating], seed: int = 0) -> float:
    """Return the ECE that 95 % of perfectly calibrated models stay below.

    On a finite number of faces, even a perfectly calibrated model has an ECE above 0, and the fewer
    the faces, the higher. An ECE below this value shows no miscalibration (consistency resampling:
    Bröcker and Smith 2007; 400 resamples).

    Args:
        confidence: (N,), the highest scores; N of 0 gives NaN.
        seed: seed of the resampling.
    """
    if not len(confidence):
        return float("nan")
    order = np.argsort(confidence)
    sure = confidence[order].astype(np.float32)
    starts = np.flatnonzero(np.diff(assign_bins(sure), prepend=-1))
    generator, found = np.random.default_rng(seed), np.zeros(CHANCE_DRAWS)
    for draw in range(CHANCE_DRAWS):
        right = generator.random(len(sure), np.float32) < sure
        gaps: Floats = np.add.reduceat(right - sure, starts, dtype=np.float64)
        found[draw] = np.abs(gaps).sum() / len(sure)
    return float(np.quantile(found, 0.95))
