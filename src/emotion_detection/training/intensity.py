"""How an intensity, and scores, follow what raters saw."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional import (
    concordance_corrcoef,
    mean_absolute_error,
    pearson_corrcoef,
    spearman_corrcoef,
)

from emotion_detection.training.metrics import Scores

Values = npt.NDArray[np.float32]
Figures = dict[str, float | int | None]


def intensity_figures(predicted: Values, wanted: Values, raters: int | None = None) -> Figures:
    """Return how an intensity follows the wanted one, over the faces where that is known.

    Args:
        predicted: float32 (N,), 0 to 1.
        wanted: float32 (N,), NaN where unknown.
        raters: number of raters, where the wanted one is a share of them.

    Returns:
        pearson, spearman, ccc (Lin 1989), mae, n; where it is a share of raters also
        raters_reliability (:func:`share_reliability`): the correlation that the mean of as many
        other raters would have. A correlation is None where either side never changes.
    """
    known = ~np.isnan(wanted)
    ours, theirs = predicted[known].astype(np.float64), wanted[known].astype(np.float64)
    one, other = torch.from_numpy(ours), torch.from_numpy(theirs)
    varies = len(ours) > 1 and ours.std() > 0 and theirs.std() > 0
    return {
        "pearson": float(pearson_corrcoef(one, other)) if varies else None,
        "spearman": float(spearman_corrcoef(one, other)) if varies else None,
        "ccc": float(concordance_corrcoef(one, other)) if varies else None,
        "mae": float(mean_absolute_error(one, other)) if len(ours) else None,
        "n": int(known.sum()),
        **({"raters_reliability": share_reliability(theirs, raters)} if raters else {}),
    }


def share_figures(
    scores: Scores, shares: Values, names: Sequence[str], raters: int
) -> dict[str, Figures]:
    """Return for each emotion how its scores follow the share of raters who saw it.

    Args:
        scores: float32 (N, classes), rows sum to 1.
        shares: float32 (N, classes), NaN where unknown.
        names: class names.
        raters: number of raters.
    """
    return {
        name: intensity_figures(scores[:, column], shares[:, column], raters)
        for column, name in enumerate(names)
    }


def share_reliability(shares: npt.NDArray[np.float64], raters: int) -> float | None:
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
