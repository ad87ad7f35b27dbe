"""Settings of ``emotion data audit``, besides those of its trainings; free of torch."""

from dataclasses import dataclass
from typing import Literal

from emotion_detection.errors import InputError
from emotion_detection.io.field_types import check_types

REASONS = ("label", "duplicate", "nonface", "outlier")
"""Reasons to list a face: the label is likely wrong, a duplicate has another label, the image
probably shows no face, or the face is an outlier."""

RANKS = ("normalized_margin", "self_confidence")
"""Ranking of likely label errors: by the margin to another class, which is better for human errors,
or by the probability of the label, which is better for random errors."""

AUDITED_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class AuditOptions:
    """The audited faces, and the faces to list.

    Args:
        out: folder for the results and the trained folds; the same command resumes an audit.
        folds: number of trainings; each predicts the faces that it was not trained on.
        splits: audited splits: 'train', or 'train' and 'validation'.
        reasons: reasons to list a face in audit.csv: 'label', 'duplicate', 'nonface', 'outlier'.
        rank: order of the likely label errors: 'normalized_margin' (furthest behind another class
            first), or 'self_confidence' (least probable first).
        lead: list likely label errors where another class leads by at least this probability,
            out-of-fold; 0: list all.
        top: most faces listed per reason; null: all.
    """

    out: str = "audit"
    folds: int = 5
    splits: tuple[str, ...] = ("train",)
    reasons: tuple[str, ...] = ("label", "duplicate", "nonface")
    rank: Literal["normalized_margin", "self_confidence"] = "normalized_margin"
    lead: float = 0.5
    top: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if not 2 <= self.folds <= 100:
            raise InputError(f"--folds {self.folds}: must be between 2 and 100")
        if not 0 <= self.lead <= 1:
            raise InputError(f"--lead {self.lead}: must be between 0 and 1")
        if self.top is not None and self.top < 1:
            raise InputError(f"--top {self.top}: must be at least 1, or null for all")
        for option, given, allowed in (
            ("splits", self.splits, AUDITED_SPLITS),
            ("reasons", self.reasons, REASONS),
        ):
            if not given or set(given) - set(allowed) or len(set(given)) < len(given):
                said = " ".join(given) or "nothing"
                raise InputError(f"--{option} {said}: must be some of {', '.join(allowed)}")
        if "train" not in self.splits:
            raise InputError("--splits validation: must hold train, which the networks learn from")
