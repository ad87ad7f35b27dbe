"""Temperature scaling (Guo et al. 2017): calibrate scores by one number."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.classification import Labels, Scores

LOW, HIGH = 0.25, 20.0
"""Bounds of the search for a temperature; below, scores would round to 0 and 1."""

_GOLDEN = (math.sqrt(5) - 1) / 2


def apply_temperature(scores: Scores, temperature: float) -> Scores:
    """Apply a further temperature to scores.

    Args:
        scores: float32 (N, classes), rows sum to 1, of any temperature before.
        temperature: below 1 increases the confidence.
    """
    shares: Scores = np.exp(_log_shares(scores, temperature)).astype(np.float32)
    return shares


def apply_postprocessing(scores: Scores, temperature: float, bias: Sequence[float] = ()) -> Scores:
    """Apply temperature and bias to scores: ``softmax(logits / temperature + bias)``.

    Args:
        scores: float32 (N, classes), the softmax of the logits.
        temperature: what the logits are divided by.
        bias: what is added then, a number a class; none: nothing.
    """
    added = np.array(bias or [0.0])
    shares: Scores = np.exp(_log_shares(scores, temperature, added)).astype(np.float32)
    return shares


def undo_postprocessing(scores: Scores, temperature: float, bias: Sequence[float] = ()) -> Scores:
    """Return the scores that a network had before temperature and bias.

    Args:
        scores: float32 (N, classes), ``softmax(logits / temperature + bias)``.
        temperature: what the logits were divided by.
        bias: what was added then; none: nothing.
    """
    removed = np.exp(-np.array(bias or [0.0]))
    return apply_temperature(np.maximum(scores, 1e-30) * removed, 1 / temperature)


def _log_shares(
    scores: Scores, temperature: float, bias: float | npt.NDArray[np.float64] = 0.0
) -> npt.NDArray[np.float64]:
    logits = np.log(np.maximum(scores.astype(np.float64), 1e-30)) / temperature + bias
    logits -= logits.max(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return shares


def fit_temperature(scores: Scores, labels: Labels, bias: Sequence[float] = ()) -> float:
    """Return the temperature with the lowest negative log likelihood.

    The negative log likelihood is convex in 1 / T: a golden section finds its one minimum.

    Args:
        scores: float32 (N, classes) at temperature 1.
        labels: int64 (N,).
        bias: what is added to the tempered logits, a number a class; none: nothing.
    """
    added = np.array(bias or [0.0])

    def nll(inverse: float) -> float:
        log_shares = _log_shares(scores, 1 / inverse, added)
        return float(-log_shares[np.arange(len(labels)), labels].mean())

    low, high = 1 / HIGH, 1 / LOW
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner, at_outer = nll(inner), nll(outer)
    for _ in range(60):
        if at_inner < at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - _GOLDEN * (high - low)
            at_inner = nll(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + _GOLDEN * (high - low)
            at_outer = nll(outer)
    return 2 / (low + high)
