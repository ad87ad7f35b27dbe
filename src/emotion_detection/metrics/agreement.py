"""Agreement of intensity and scores with raters."""

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
    """Compare a predicted intensity with the target, over faces with a known target.

    Args:
        predicted: float32 (N,), 0 to 1.
        target: float32 (N,), NaN where unknown.
        raters: number of raters, if the target is a fraction of them.

    Returns:
        pearson, spearman, ccc (Lin 1989), mae and n. If the target is a fraction of raters, also
        raters_reliability (:func:`compute_inter_rater_reliability`): the correlation that the mean
        of as many other raters would have. A correlation is None if either side is constant.
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
    """Compare the scores of each emotion with the fraction of raters who chose it.

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
    """Return the inter-rater reliability of binary votes, ICC(1, k).

    This is the one-way intraclass correlation of the mean of k raters (Shrout and Fleiss 1979): 1 -
    mean(p (1 - p) / (k - 1)) / var(p), where p is the fraction of raters who said yes to a face.

    Args:
        shares: float64 (N,), the fractions p.
        raters: number of raters, k.

    Returns:
        At most 1, or None if the fractions are constant.
    """
    variance = float(shares.var(ddof=1)) if len(shares) > 1 else 0.0
    if not variance:
        return None
    return 1 - float((shares * (1 - shares)).mean()) / (raters - 1) / variance


def _pearson(one: Doubles, other: Doubles) -> float:
    """Return Pearson's correlation, clipped to -1 to 1."""
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))


def _ranks(values: Doubles) -> Doubles:
    """Return ranks from 1; ties get the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Doubles = ((last - counts + 1 + last) / 2)[places]
    return ranks


def _concordance(one: Doubles, other: Doubles) -> float:
    """Return the concordance correlation coefficient (Lin 1989), with N - 1 in all variances."""
    covariance = np.cov(one, other)
    apart = (one.mean() - other.mean()) ** 2
    return float(2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + apart))
