"""Compute the facts of a report, as plain values: they are ``report.json``, and all the page has.

Those of each model, of its groups of people, of the comparisons with the first model, and of an
audit of the data.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection import __version__
from emotion_detection.errors import InputError
from emotion_detection.evaluation.groups import Groups, compute_group_metrics, read_groups_of
from emotion_detection.evaluation.model_comparison import compare
from emotion_detection.evaluation.report.test_runs import TestedModel
from emotion_detection.evaluation.saved_tests import SavedTest, is_plain
from emotion_detection.io.plain_values import read_json
from emotion_detection.metrics.classification import compute_class_metrics
from emotion_detection.metrics.curves import (
    compute_coverage_curve,
    compute_precision_recall,
    compute_reliability,
    compute_roc,
    find_threshold,
)
from emotion_detection.metrics.statistics import (
    Ints,
    as_dict,
    bootstrap_paired_difference,
    estimate_fraction,
)
from emotion_detection.training.temperature import undo_postprocessing

SHOWN = 24
"""Faces in each gallery."""
SHOWN_BESIDE = 14
"""Faces in each gallery of a comparison."""
SHEET = "audit.png"
"""The contact sheet beside an ``audit.json``."""
HUMAN_FER2013 = {"value": 0.65, "low": 0.60, "high": 0.70}
"""People on FER-2013: 65 ± 5 % (Goodfellow et al. 2013)."""
BINS = 10
"""Bins of a target intensity or a vote fraction with more than a few values."""

Facts = dict[str, Any]


def compute_report_facts(
    models: Sequence[TestedModel],
    command: str,
    wanted_accuracy: float,
    groups: Path | None = None,
    audit: Path | None = None,
) -> Facts:
    """Compute the content of ``report.json``, but for the names of the plots.

    Args:
        models: tests; the report is about the first, compared with the others.
        command: the command that was run.
        wanted_accuracy: target accuracy for the threshold.
        groups: CSV of the faces' groups.
        audit: ``audit.json`` of the data.

    Raises:
        InputError: the tests have different faces, or groups or audit cannot be read.
    """
    tables = [read_groups_of(groups, model.test.files) if groups else None for model in models]
    people = tables[0].identity if tables[0] else None
    facts: Facts = as_dict(
        {
            "command": command,
            "version": __version__,
            "models": [
                {
                    **compute_model_facts(model, wanted_accuracy),
                    "groups": compute_group_facts(model.test, table) if table else None,
                    "over_people": compute_accuracy_over_people(model.test, table),
                }
                for model, table in zip(models, tables, strict=True)
            ],
            "audit": read_audit(audit) if audit else None,
            "comparisons": [
                compute_comparison_facts(models[0], other, people) for other in models[1:]
            ],
        }
    )
    return facts


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


def compute_group_facts(test: SavedTest, groups: Groups) -> Facts:
    """Return a model's metrics on each column of groups.

    Args:
        test: the test.
        groups: the groups of its faces.
    """
    return {
        column: as_dict(compute_group_metrics(test.names, test.scores, test.truth, groups, column))
        for column in groups.columns
    }


def compute_accuracy_over_people(test: SavedTest, groups: Groups | None) -> Facts | None:
    """Return the accuracy with an interval over people, or None if they are unknown."""
    people = groups.identity if groups else None
    if people is None:
        return None
    zeros = np.zeros(len(people))
    found: Facts = as_dict(bootstrap_paired_difference(zeros, test.right, people))
    return found


def compute_comparison_facts(
    first: TestedModel, second: TestedModel, people: Ints | None = None
) -> Facts:
    """Compare two models on the same faces.

    Args:
        first: a model's test.
        second: another's.
        people: int64 (N,), the person of each of the first's faces, if known.

    Raises:
        InputError: the tests are not of the same faces, classes and labels.
    """
    found = compare(first.test, second.test, people)
    facts = as_dict(found)
    del facts["second_rows"]
    galleries = {
        name: [
            {
                **describe_faces(first.test, int(row)),
                "second": describe_faces(second.test, int(found.second_rows[row])),
            }
            for row in getattr(found, name)[:SHOWN_BESIDE]
        ]
        for name in ("only_first", "only_second")
    }
    for name in galleries:
        del facts[name]
    return {"first": first.name, "second": second.name, **facts, **galleries}


def read_audit(path: Path) -> dict[str, Any]:
    """Read the ``audit.json`` of ``emotion data audit``.

    Args:
        path: ``audit.json``, or its folder.

    Raises:
        InputError: the file is missing, or not from an audit.
    """
    path = path / "audit.json" if path.is_dir() else path
    try:
        found = read_json(path)
        known = {
            "faces": int(found["faces"]),
            "splits": [str(one) for one in found["splits"]],
            "listed": int(found["listed"]),
            "data": {"source": str(found["data"]["source"]), "hash": str(found["data"]["hash"])},
            "command": str(found.get("command", "")),
            "out_of_fold": {
                "accuracy": float(found["out_of_fold"]["accuracy"]),
                "accuracy_ci95": [float(end) for end in found["out_of_fold"]["accuracy_ci95"]],
                "folds": int(found["out_of_fold"]["folds"]),
            },
            "reasons": {
                str(name): {
                    "meaning": str(one["meaning"]),
                    "found": int(one["found"]),
                    "listed": int(one["listed"]),
                }
                for name, one in found["reasons"].items()
            },
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"--audit {path}: is no audit.json of 'emotion data audit': {reason}"
        ) from None
    sheet = path.with_name(SHEET)
    return known | {"sheet": str(sheet) if sheet.is_file() else None}
