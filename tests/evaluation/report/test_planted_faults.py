"""A fault that was put in is seen where a reader would look for it."""

import csv
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from emotion_detection.evaluation.report import Report, ReportRequest, open_test, write_report
from emotion_detection.labels import FER2013

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
ANGER = FER2013.index("anger")


def _shifted(scores: np.ndarray, rows: np.ndarray, by: float) -> np.ndarray:
    """Return the scores with the logit of anger shifted in some rows."""
    logits = np.log(scores.astype(np.float64))
    logits[rows, ANGER] += by
    found = np.exp(logits)
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def reports(
    tmp_path_factory: pytest.TempPathFactory, some_scores: Make, write_tested: Make
) -> dict[str, Report]:
    """A sound model; one too ready to see anger in all faces; and one so with the old alone."""
    place = tmp_path_factory.mktemp("planted")
    scores, truth = some_scores(4000)
    old = np.random.default_rng(3).random(4000) < 0.4
    with (place / "groups.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "age"])
        rows.writerows(
            (f"face-{row:05d}.png", "old" if old[row] else "young") for row in range(4000)
        )
    everyone = np.ones(4000, bool)
    made = {}
    for name, hit, by in (("sound", everyone, 0.0), ("all", everyone, 2.5), ("old", old, 2.5)):
        test = write_tested(place / name, _shifted(scores, hit, by), truth)
        models = [open_test(str(test), ReportRequest())]
        made[name] = write_report(models, place / f"{name}-out", "x", groups=place / "groups.csv")
    return made


def _first(report: Report) -> dict[str, Any]:
    model: dict[str, Any] = report.facts["models"][0]
    return model


def test_a_shifted_class_shows_in_calibration_and_in_that_class(reports: dict[str, Report]) -> None:
    sound, shifted = _first(reports["sound"]), _first(reports["all"])
    assert sound["reliability"]["after"]["ece"] < 0.03
    assert shifted["reliability"]["after"]["ece"] > 3 * sound["reliability"]["after"]["ece"]
    bins = [one for one in shifted["reliability"]["after"]["bins"] if one["n"] > 100]
    assert sum(one["accuracy"]["high"] < one["confidence"] for one in bins) > len(bins) / 2
    rates = {name: one["false_rate"]["value"] for name, one in shifted["per_class"].items()}
    assert max(rates, key=lambda name: rates[name]) == "anger"
    assert rates["anger"] > 4 * sorted(rates.values())[-2]


def test_a_class_shifted_in_one_group_shows_in_that_group(reports: dict[str, Report]) -> None:
    found = _first(reports["old"])["groups"]["age"]
    assert found["worst"] == "old"
    assert found["gap"]["different"] == [["young", "old"]]
    gap = found["false_gaps"]["anger"]
    assert (gap["highest"], gap["lowest"]) == ("old", "young")
    assert gap["low"] > 0.1
    assert max(found["false_gaps"], key=lambda name: found["false_gaps"][name]["value"]) == "anger"
    page = reports["old"].path.read_text(encoding="utf-8")
    assert "Lowest: old; highest: young" in page
    assert "points apart</b>" in page


def test_where_nothing_was_put_in_nothing_is_found(reports: dict[str, Report]) -> None:
    found = _first(reports["sound"])["groups"]["age"]
    assert found["gap"]["different"] == []
    assert all(not gap["different"] for gap in found["false_gaps"].values())
    page = reports["sound"].path.read_text(encoding="utf-8")
    assert "No difference is shown, which does not show that there is none" in page
