"""The facts of a report on one model, as plain values for ``report.json``."""

from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.report.test_runs import TestedModel
from emotion_detection.evaluation.saved_tests import SavedTest, is_plain
from emotion_detection.metrics.curves import (
    compute_coverage_curve,
    compute_precision_recall,
    compute_reliability,
    compute_roc,
    find_threshold,
)
from emotion_detection.metrics.per_class import compute_class_metrics
from emotion_detection.metrics.statistics import (
    as_dict,
    bootstrap_paired_difference,
    estimate_fraction,
)
from emotion_detection.training.temperature import undo_postprocessing

SHOWN = 24
"""Faces in each gallery."""
HUMAN_FER2013 = {"value": 0.65, "low": 0.60, "high": 0.70}
"""People on FER-2013: 65 ± 5 % (Goodfellow et al. 2013)."""
BINS = 10
"""Bins of a target intensity or a vote fraction with more than a few values."""

Facts = dict[str, Any]


def compute_model_facts(model: TestedModel, wanted_accuracy: float) -> Facts:
    """Compute the facts of a report on a model.

    Args:
        model: the model's test.
        wanted_accuracy: target accuracy for the threshold.
    """
    test = model.test
    return {
        "model": model.name,
        "notes": list(model.notes),
        "places": {
            "test": model.test.folder.as_posix() if model.elsewhere else None,
            "validation": model.validation_place.as_posix() if model.elsewhere else None,
        },
        "test": test.metrics,
        "raters": compute_rater_facts(test),
        "training": model.curves,
        "per_class": as_dict(compute_class_metrics(test.scores, test.truth, test.names)),
        "roc": _one_against_rest(test, compute_roc),
        "precision_recall": _one_against_rest(test, compute_precision_recall),
        "reliability": _reliabilities(test),
        "coverage": compute_coverage(test, model.validation, wanted_accuracy),
        "surest_mistakes": [describe_faces(test, row) for row in find_most_confident_errors(test)],
        "most_doubtful": [describe_faces(test, row) for row in find_least_confident(test)],
        "intensity": _intensity(test),
        "vote_shares": _vote_shares(test),
        "robustness": test.corruptions,
    }


def compute_rater_facts(test: SavedTest) -> Facts | None:
    """Return how often people agree with the label, if known.

    With votes, this is the mean fraction of a face's raters who chose the label. The label was
    derived from the same raters, so the value is an upper bound for people.
    """
    if test.vote_shares is not None:
        own = test.vote_shares[np.arange(len(test.truth)), test.truth].astype(np.float64)
        known = own[~np.isnan(own)]
        if len(known):
            found = as_dict(bootstrap_paired_difference(np.zeros(len(known)), known))
            source = "one of a face's raters, picked at random, agrees with the label"
            return {**found, "source": source, "is_one": True}
    if test.metrics["data"].get("label_set") == "fer2013":
        return {**HUMAN_FER2013, "source": "people on FER-2013, Goodfellow et al. 2013"}
    return None


def _one_against_rest(test: SavedTest, curve: Any) -> Facts:
    return {
        name: as_dict(curve(test.scores[:, place], test.truth == place))
        for place, name in enumerate(test.names)
    }


def undo_temperature(test: SavedTest) -> npt.NDArray[np.float32] | None:
    """Return the scores before temperature scaling, if they can be recovered.

    That is possible for one model and one view, but not for a mean of several scores.
    """
    temperatures = test.metrics.get("temperature") or []
    if len(temperatures) != 1 or not is_plain(test.metrics):
        return None
    (bias,) = test.metrics.get("bias") or [()]
    return undo_postprocessing(test.scores, float(temperatures[0]), bias)


def _reliabilities(test: SavedTest) -> Facts:
    before = undo_temperature(test)
    return {
        "after": as_dict(compute_reliability(test.scores, test.truth)),
        "before": None if before is None else as_dict(compute_reliability(before, test.truth)),
    }


def compute_coverage(test: SavedTest, validation: SavedTest | None, target: float) -> Facts:
    """Return accuracy against coverage, and the threshold for a target accuracy.

    The threshold is chosen on validation if that was tested, else on the same faces.

    Args:
        test: the test.
        validation: the same model's test on the validation split, or None.
        target: target accuracy.
    """
    chosen_on = validation or test
    found = find_threshold(chosen_on.scores, chosen_on.truth, target)
    chosen = None
    if found is not None:
        answered = test.scores.max(axis=1) >= np.float32(found.threshold)
        right = int(test.right[answered].sum())
        chosen = {
            "threshold": found.threshold,
            "coverage": float(answered.mean()),
            "accuracy": as_dict(estimate_fraction(right, int(answered.sum()))),
        }
    return {
        "curve": as_dict(compute_coverage_curve(test.scores, test.truth)),
        "wanted_accuracy": target,
        "chosen_on": chosen_on.metrics["split"],
        "chosen": chosen,
    }


def find_most_confident_errors(test: SavedTest, count: int = SHOWN) -> list[int]:
    """Return the rows of the most confident errors."""
    wrong = np.flatnonzero(~test.right)
    order = np.argsort(-test.scores.max(axis=1)[wrong], kind="stable")
    return [int(row) for row in wrong[order][:count]]


def find_least_confident(test: SavedTest, count: int = SHOWN) -> list[int]:
    """Return the rows of the faces whose highest score is lowest."""
    return [int(row) for row in np.argsort(test.scores.max(axis=1), kind="stable")[:count]]


def describe_faces(test: SavedTest, row: int) -> Facts:
    """Return the facts of a face: name, label, scores and votes."""
    names, scores = test.names, test.scores[row]
    votes = None if test.vote_shares is None else test.vote_shares[row]
    return {
        "row": row,
        "file": test.files[row],
        "label": names[test.truth[row]],
        "called": names[int(scores.argmax())],
        "scores": {name: round(float(score), 4) for name, score in zip(names, scores, strict=True)},
        "votes": None
        if votes is None
        else {
            name: round(float(one), 2) for name, one in zip(names, votes, strict=True) if one > 0
        },
    }


def _intensity(test: SavedTest) -> Facts | None:
    """Return the metrics of ``metrics.json``, and the intensity in bins of the target."""
    if test.intensity is None or test.wanted_intensity is None:
        return None
    known = ~np.isnan(test.wanted_intensity)
    target, ours = test.wanted_intensity[known], test.intensity[known]
    bins = []
    for rows in _alike(target):
        low, median, high = np.quantile(ours[rows], (0.1, 0.5, 0.9))
        middle = float(target[rows].mean())
        ends = {"low": float(low), "median": float(median), "high": float(high)}
        bins.append({"wanted": middle, **ends, "n": len(rows)})
    return {**(test.metrics.get("intensity") or {}), "bins": bins}


def _vote_shares(test: SavedTest) -> Facts | None:
    if test.vote_shares is None:
        return None
    found = {}
    for place, name in enumerate(test.names):
        shares, scores = test.vote_shares[:, place], test.scores[:, place]
        found[name] = {
            **test.metrics.get("vote_shares", {}).get(name, {}),
            "bins": [
                {
                    "wanted": float(shares[rows].mean()),
                    "mean": float(scores[rows].mean()),
                    "n": len(rows),
                }
                for rows in _alike(shares)
            ],
        }
    return found


def _alike(values: npt.NDArray[np.float32]) -> list[npt.NDArray[np.int64]]:
    """Return the rows in each bin of values from 0 to 1, in rising order, without empty bins."""
    known = np.round(values.astype(np.float64), 6)
    levels = np.unique(known[~np.isnan(known)])
    if len(levels) <= BINS + 2:
        return [np.flatnonzero(known == level) for level in levels]
    places = np.minimum((known * BINS).astype(np.int64), BINS - 1)
    found = [np.flatnonzero(places == place) for place in range(BINS)]
    return [rows for rows in found if len(rows)]
