"""Rank the faces that look wrong, for each reason.

A face is listed under one reason only (:data:`BEFORE`). For example, an image without a face has no
right label, so it is not listed as a label error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detection.audit_options import RANKS
from emotion_detection.data.duplicates import NEAR
from emotion_detection.evaluation.audit.nonfaces import FLAT, UNSEEN

BEFORE = ("nonface", "label", "duplicate", "outlier")
"""Reasons by precedence."""

FAR = 1.5
"""Interquartile ranges above the third quartile from which on a face is an outlier (Tukey 1977)."""

FILTERS = {"normalized_margin": "both", "self_confidence": "prune_by_class"}
"""cleanlab's pruning method for each ranking of labels."""

MEANINGS = {
    "label": "by confident learning; 1 - cleanlab's label quality, of out-of-fold probabilities p: "
    "(p(label) - p(likeliest other) + 1) / 2 (normalized_margin) or p(label) (self_confidence)",
    "duplicate": "fraction of the duplicates, by correlation of thumbnails >= "
    f"{NEAR} and confirmed at full size, that have another label",
    "nonface": f"0.5 to 1: one grey level fills >= {FLAT:.0%} of the image, or the face "
    f"detector's confidence is <= {UNSEEN}",
    "outlier": "mean cosine distance to the 10 nearest training faces by the network's last "
    f"features, above the third quartile + {FAR:g} interquartile ranges",
}
"""Definition of each reason's score; higher is more confident, comparable within a reason only."""

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LabelIssues:
    """The faces found for one reason, most confident first.

    Args:
        rows: int64 (n,), rows of the faces.
        scores: float32 (n,), see :data:`MEANINGS`.
        suggested: int64 (n,), the suggested class, -1: none.
    """

    rows: Numbers
    scores: Values
    suggested: Numbers

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, selected: npt.NDArray[np.bool_]) -> "LabelIssues":
        """Return a selection of the faces."""
        return LabelIssues(self.rows[selected], self.scores[selected], self.suggested[selected])

    def top(self, count: int | None) -> "LabelIssues":
        """Return the first faces, or all for None."""
        return LabelIssues(self.rows[:count], self.scores[:count], self.suggested[:count])


def _ranked(rows: Numbers, scores: Values, suggested: Numbers) -> LabelIssues:
    # stable: of equal scores the face that comes first
    order = np.argsort(-scores, kind="stable")
    return LabelIssues(rows[order], scores[order].astype(np.float32), suggested[order])


def rank_wrong_labels(labels: Numbers, scores: Values, rank: str = RANKS[0]) -> LabelIssues:
    """Find likely wrong labels by confident learning (Northcutt, Jiang and Chuang 2021).

    A face is found if cleanlab's pruning selects it and the networks predict another class. Pruning
    by class uses the label's probability, and pruning by noise rate the margin. Ranking by
    probability uses the first, ranking by margin uses both.

    Args:
        labels: int64 (N,), the given classes.
        scores: float32 (N, classes), out-of-fold, rows sum to 1.
        rank: cleanlab's label quality measure for the ranking.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    found = find_label_issues(
        labels,
        scores.astype(np.float64),
        filter_by=FILTERS[rank],
        min_examples_per_class=1,
        n_jobs=1,
    )
    best = scores.argmax(axis=1).astype(np.int64)
    rows = np.flatnonzero(found & (best != labels))
    quality = get_label_quality_scores(labels, scores.astype(np.float64), method=rank)
    return _ranked(rows, (1 - quality[rows]).astype(np.float32), best[rows])


def leads(own: LabelIssues, labels: Numbers, scores: Values) -> Values:
    """Return the margin of the suggested class over the label: float32 (n,), 0 to 1."""
    rows = own.rows
    ahead: Values = scores[rows, own.suggested] - scores[rows, labels[rows]]
    return ahead


def find_differing_duplicates(labels: Numbers, groups: Numbers, scores: Values) -> LabelIssues:
    """Find near-duplicates whose label is not the likeliest one of their group.

    The likeliest label is the most frequent one in the group, and among ties the one with the
    highest mean out-of-fold probability.

    Args:
        labels: int64 (N,), the given classes.
        groups: int64 (N,), equal numbers for near-duplicates.
        scores: float32 (N, classes), out-of-fold.
    """
    rows, shares, suggested = [], [], []
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    for members in np.split(order, starts[1:]):
        counts = np.bincount(labels[members], minlength=scores.shape[1])
        if (counts > 0).sum() < 2:
            continue
        # a mean probability is below 1, so it only breaks ties
        likeliest = int((counts + 0.5 * scores[members].mean(axis=0) * (counts > 0)).argmax())
        for row in members[labels[members] != likeliest].tolist():
            rows.append(row)
            shares.append(1 - counts[labels[row]] / len(members))
            suggested.append(likeliest)
    return _ranked(
        np.array(rows, np.int64), np.array(shares, np.float32), np.array(suggested, np.int64)
    )


def find_faceless(scores: Values) -> LabelIssues:
    """Find the images with a score (:func:`.nonfaces.score_nonfaces`) above 0."""
    rows = np.flatnonzero(scores > 0)
    return _ranked(rows, scores[rows], np.full(len(rows), -1, np.int64))


def find_outliers(distances: Values, folds: Numbers) -> LabelIssues:
    """Find faces that are far from all training faces.

    Each fold has a network of its own, so distances are compared with the fold's quartiles, and
    ranked in interquartile ranges.

    Args:
        distances: float32 (N,), to the nearest training faces.
        folds: int64 (N,), the fold of each face.
    """
    beyond = np.zeros(len(distances))
    for fold in np.unique(folds):
        own = distances[folds == fold].astype(np.float64)
        first, third = np.quantile(own, (0.25, 0.75))
        beyond[folds == fold] = (own - third) / max(third - first, 1e-9)
    rows = np.flatnonzero(beyond > FAR)
    ranked = rows[np.argsort(-beyond[rows], kind="stable")]
    return LabelIssues(ranked, distances[ranked], np.full(len(ranked), -1, np.int64))


def drop_repeated(found: dict[str, LabelIssues], selected: Sequence[str]) -> dict[str, LabelIssues]:
    """Keep each face under the first selected reason that it was found for.

    Args:
        found: the faces of each reason.
        selected: the reasons to list.

    Returns:
        The faces of each selected reason, in the given order.
    """
    taken: set[int] = set()
    kept = {}
    for reason in sorted(selected, key=BEFORE.index):
        own = found[reason]
        kept[reason] = own.keep(np.array([row not in taken for row in own.rows.tolist()], np.bool_))
        taken |= set(own.rows.tolist())
    return {reason: kept[reason] for reason in selected}
