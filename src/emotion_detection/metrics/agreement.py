"""Agreement of intensity, and of scores, with what raters saw."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emotion_detection.metrics.classification import Scores

Values = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
AgreementMetrics = dict[str, float | int | None]


def compute_intensity_metrics(
    predicted: Values, target: Values, raters: int | None = None
) -> AgreementMetrics:
    """Compare a predicted intensity with its target, over the faces where that is known.

    Args:
        predicted: float32 (N,), 0 to 1.
        target: float32 (N,), NaN where unknown.
        raters: number of raters, where the target is a fraction of them.

    Returns:
        pearson, spearman, ccc (Lin 1989), mae, n; where the target is a fraction of raters also
        raters_reliability (:func:`compute_inter_rater_reliability`): the correlation that the mean
        of as many other raters would have. A correlation is None where either side never changes.
    """
    known = ~np.isnan(target)
    ours, theirs = predicted[known].astype(np.float64), target[known].astype(np.float64)
    varies = len(ours) > 1 and ours.std() > 0 and theirs.std() > 0
    return {
        "pearson": _pearson(ours, theirs) if varies else None,
        "spearman": _pearson(_ranks(ours), _ranks(theirs)) if varies else None,
        "ccc": _concordance(ours, theirs) if varies else None,
        "mae": float(np.abs(ours - theirs).mean()) if len(ours) else None,
        "n": int(known.sum()),
        **(
            {"raters_reliability": compute_inter_rater_reliability(theirs, raters)}
            if raters
            else {}
        ),
    }


def compute_vote_metrics(
    scores: Scores, shares: Values, names: Sequence[str], raters: int
) -> dict[str, AgreementMetrics]:
    """Return for each emotion how its scores follow the share of raters who saw it.

    Args:
        scores: float32 (N, classes), rows sum to 1.
        shares: float32 (N, classes), NaN where unknown.
        names: class names.
        raters: number of raters.
    """
    return {
        name: compute_intensity_metrics(scores[:, column], shares[:, column], raters)
        for column, name in enumerate(names)
    }


def compute_inter_rater_reliability(shares: npt.NDArray[np.float64], raters: int) -> float | None:
    """Return how much of the variance of shares of raters is not chance.

    One minus the variance that chance adds to a share p of k raters, p (1 - p) / (k - 1) averaged
    over faces, over the variance of the shares: a one-way intraclass correlation of the mean of k
    raters (Shrout and Fleiss 1979, ICC(1, k)) for yes or no.

    Args:
        shares: float64 (N,).
        raters: number of raters, k.

    Returns:
        At most 1, or None where the shares never change.
    """
    variance = float(shares.var(ddof=1)) if len(shares) > 1 else 0.0
    if not variance:
        return None
    return 1 - float((shares * (1 - shares)).mean()) / (raters - 1) / variance


def _pearson(one: Doubles, other: Doubles) -> float:
    """Return Pearson's correlation, within -1 and 1 also after rounding."""
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))


def _ranks(values: Doubles) -> Doubles:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Doubles = ((last - counts + 1 + last) / 2)[places]
    return ranks


def _concordance(one: Doubles, other: Doubles) -> float:
    """Return the concordance correlation coefficient (Lin 1989), with N - 1 in all variances."""
    covariance = np.cov(one, other)
    apart = (one.mean() - other.mean()) ** 2
    return float(2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + apart))
