"""Figures of each class against scikit-learn's and statsmodels'."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference
from statsmodels.stats.proportion import proportion_confint

from emotion_detection.metrics.classification import compute_class_metrics
from emotion_detection.metrics.statistics import as_dict, bootstrap

LABELS = ("anger", "fear", "joy", "calm", "never")


def _case(count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 4, count)
    logits = generator.normal(0, 1, (count, 5))
    logits[np.arange(count), truth] += 1.5
    logits[:, 4] -= 100
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), truth


def test_precision_recall_and_f1_are_scikit_learns() -> None:
    scores, truth = _case()
    found = compute_class_metrics(scores, truth, LABELS)
    precision, recall, f1, count = reference.precision_recall_fscore_support(
        truth, scores.argmax(1), labels=range(4)
    )
    assert list(found) == list(LABELS)
    for number, one in enumerate(list(found.values())[:4]):
        assert one.n == count[number]
        assert one.precision.value == pytest.approx(precision[number])
        assert one.recall.value == pytest.approx(recall[number])
        assert one.f1.value == pytest.approx(f1[number])


def test_shares_have_statsmodels_wilson_interval() -> None:
    scores, truth = _case()
    called = scores.argmax(1)
    for number, one in enumerate(list(compute_class_metrics(scores, truth, LABELS).values())[:4]):
        false = int(((called == number) & (truth != number)).sum())
        others = int((truth != number).sum())
        expected = proportion_confint(false, others, method="wilson")
        assert one.false_rate.value == false / others
        assert (one.false_rate.low, one.false_rate.high) == pytest.approx(expected)
        hits, so_called = int(((called == number) & (truth == number)).sum()), one.called
        expected = proportion_confint(hits, so_called, method="wilson")
        assert (one.precision.low, one.precision.high) == pytest.approx(expected)
        expected = proportion_confint(hits, one.n, method="wilson")
        assert (one.recall.low, one.recall.high) == pytest.approx(expected)


def test_f1_has_the_interval_of_drawing_faces() -> None:
    scores, truth = _case(200)
    called = scores.argmax(1)
    both = (truth == 1).astype(int) + (called == 1)

    def f1(rows: np.ndarray) -> float:
        return float(2 * ((truth == 1) & (called == 1))[rows].sum() / both[rows].sum())

    expected = bootstrap(f1, 200, draws=500)
    found = compute_class_metrics(scores, truth, LABELS)["fear"].f1
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=width / 8)


def test_a_class_that_never_occurs_has_no_figures_but_a_false_rate() -> None:
    found = as_dict(compute_class_metrics(*_case(), LABELS))["never"]
    assert (found["n"], found["called"]) == (0, 0)
    assert {found[name]["value"] for name in ("precision", "recall", "f1")} == {None}
    assert found["f1"]["undefined"] == 2000
    assert found["false_rate"]["value"] == 0
    assert 0 < found["false_rate"]["high"] < 0.01


@pytest.mark.parametrize("count", [0, 1, 40])
def test_any_number_of_faces_goes_into_json(count: int) -> None:
    scores, truth = _case()
    found = as_dict(compute_class_metrics(scores[:count], truth[:count], LABELS))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
