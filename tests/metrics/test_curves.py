"""Curves against scikit-learn's and against going through the faces one by one."""

import json
import math

import numpy as np
import pytest
from sklearn import calibration as reference_calibration
from sklearn import metrics as reference

from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.curves import (
    POINTS,
    compute_coverage_curve,
    compute_precision_recall,
    compute_reliability,
    compute_roc,
    find_threshold,
)
from emotion_detection.metrics.statistics import as_dict, compute_wilson_interval

CASES = [(40, 2, None), (300, 4, None), (300, 4, 1), (5000, 7, None), (5000, 8, 2)]
"""Faces, classes, and decimals that scores are rounded to, so that many are equal."""


def _case(count: int, classes: int, decimals: int | None) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(count + classes)
    truth = generator.integers(0, classes, count)
    logits = generator.normal(0, 1.5, (count, classes))
    logits[np.arange(count), truth] += 1.2
    powers = np.exp(logits)
    scores = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    return (scores if decimals is None else scores.round(decimals)), truth


@pytest.mark.parametrize("case", CASES)
def test_roc_is_scikit_learns(case: tuple[int, int, int | None]) -> None:
    scores, truth = _case(*case)
    for number in range(case[1]):
        found = compute_roc(scores[:, number], truth == number)
        x, y, _ = reference.roc_curve(truth == number, scores[:, number], drop_intermediate=False)
        area = reference.roc_auc_score(truth == number, scores[:, number])
        assert found.area == pytest.approx(area, abs=1e-12)
        assert (found.n, found.positives) == (case[0], (truth == number).sum())
        all_points = set(zip(x.round(9), y.round(9), strict=True))
        assert set(zip(found.x.round(9), found.y.round(9), strict=True)) <= all_points
        assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
        drawn = np.sum(np.diff(found.x) * (found.y[1:] + found.y[:-1]) / 2)
        assert drawn == pytest.approx(area, abs=0.002)


@pytest.mark.parametrize("case", CASES)
def test_precision_recall_is_scikit_learns(case: tuple[int, int, int | None]) -> None:
    scores, truth = _case(*case)
    for number in range(case[1]):
        found = compute_precision_recall(scores[:, number], truth == number)
        area = reference.average_precision_score(truth == number, scores[:, number])
        assert found.area == pytest.approx(area, abs=1e-12)
        y, x, _ = reference.precision_recall_curve(truth == number, scores[:, number])
        all_points = set(zip(x.round(9), y.round(9), strict=True))
        assert set(zip(found.x[1:].round(9), found.y[1:].round(9), strict=True)) <= all_points
        assert (found.x[0], found.x[-1]) == (0, 1)
        steps = float((np.diff(found.x) * found.y[1:]).sum())
        assert steps == pytest.approx(area, abs=0.005)


@pytest.mark.parametrize("curve", [compute_roc, compute_precision_recall])
def test_many_faces_give_few_points(curve: type) -> None:
    scores, truth = _case(5000, 8, None)
    found = curve(scores[:, 0], truth == 0)
    assert POINTS / 3 < len(found.x) <= POINTS + 1
    assert (np.diff(found.x) >= 0).all()
    assert np.diff(found.x).max() < 0.02


@pytest.mark.parametrize("truth", [[False] * 3, [True] * 3, []])
def test_a_class_without_faces_or_without_others_has_no_roc(truth: list[bool]) -> None:
    found = compute_roc(np.linspace(0, 1, len(truth)), np.array(truth, bool))
    assert len(found.x) == len(found.y) == 0
    assert as_dict(found)["area"] is None
    assert (found.n, found.positives) == (len(truth), sum(truth))


def test_a_class_without_faces_has_no_precision_recall() -> None:
    assert math.isnan(compute_precision_recall(np.ones(3), np.zeros(3, bool)).area)
    assert compute_precision_recall(np.ones(3), np.ones(3, bool)).area == 1


@pytest.mark.parametrize("case", CASES)
def test_reliability_has_the_ece_of_metrics_and_scikit_learns_curve(
    case: tuple[int, int, int | None],
) -> None:
    scores, truth = _case(*case)
    if case[2] is None:  # rounded scores lie on the bins' edges, which scikit-learn counts down
        highest, right = scores.max(1).astype(float), scores.argmax(1) == truth
        accuracy, confidence = reference_calibration.calibration_curve(right, highest, n_bins=15)
        bins = [b for b in compute_reliability(scores, truth).bins if b.n]
        assert [b.accuracy.value for b in bins] == pytest.approx(accuracy)
        assert [b.confidence for b in bins] == pytest.approx(confidence, abs=1e-6)
    found = compute_reliability(scores, truth)
    assert found.ece == pytest.approx(compute_calibration_metrics(scores, truth)["ece"], abs=2e-5)
    assert sum(b.n for b in found.bins) == case[0]


def test_bins_hold_fractions_with_wilsons_interval() -> None:
    for b in compute_reliability(*_case(300, 4, None)).bins:
        hits = round(b.accuracy.value * b.n) if b.n else 0
        assert (b.accuracy.low, b.accuracy.high) == compute_wilson_interval(hits, b.n)
        assert b.n == b.accuracy.n
        assert not b.n or b.low <= b.confidence < b.high


@pytest.mark.parametrize("count", [60, 1500])
def test_honest_models_stay_below_the_ece_by_chance_and_others_do_not(count: int) -> None:
    generator = np.random.default_rng(count)
    below = 0
    for _ in range(60):
        scores = generator.dirichlet(np.full(4, 0.5), count).astype(np.float32)
        drawn = scores.cumsum(1) > generator.random((count, 1))
        found = compute_reliability(scores, np.where(drawn.any(1), drawn.argmax(1), 3))
        below += found.ece <= found.ece_by_chance
    assert 51 <= below <= 60  # 57 are expected
    found = compute_reliability(scores, generator.integers(0, 4, count))
    assert found.ece > 1.5 * found.ece_by_chance


def test_entirely_sure_faces_have_a_bin_of_their_own_as_in_metrics() -> None:
    scores, truth = _case(300, 4, None)
    scores[:90] = np.eye(4, dtype=np.float32)[truth[:90]]
    scores[90] = np.eye(4, dtype=np.float32)[truth[90] - 1]
    found = compute_reliability(scores, truth)
    assert found.ece == pytest.approx(compute_calibration_metrics(scores, truth)["ece"], abs=2e-5)
    assert (found.bins[15].n, found.bins[15].low, found.bins[15].confidence) == (91, 1, 1)
    assert found.bins[15].accuracy.value == 90 / 91


def test_no_faces_give_empty_bins() -> None:
    found = as_dict(compute_reliability(np.zeros((0, 3)), np.zeros(0, np.int64)))
    assert found["ece"] is found["ece_by_chance"] is None
    assert [b["n"] for b in found["bins"]] == [0] * 15
    assert found["bins"][0]["confidence"] is None


@pytest.mark.parametrize("case", [case for case in CASES if case[2] is None])
def test_coverage_is_the_accuracy_of_the_most_confident_faces(
    case: tuple[int, int, int | None],
) -> None:
    scores, truth = _case(*case)
    found = compute_coverage_curve(scores, truth)
    order = np.argsort(-scores.max(1))
    right = (scores.argmax(1) == truth)[order]
    risks = [1 - right[: k + 1].mean() for k in range(len(right))]
    assert found.aurc == pytest.approx(np.mean(risks))
    for coverage, accuracy, threshold in zip(
        found.coverage, found.accuracy, found.threshold, strict=True
    ):
        answered = scores.max(1) >= threshold
        assert coverage == pytest.approx(answered.mean())
        assert accuracy == pytest.approx((scores.argmax(1) == truth)[answered].mean())
    assert (found.coverage[-1], found.accuracy[-1]) == (1, right.mean())


def test_aurc_of_equal_scores_does_not_hang_on_the_order() -> None:
    scores, truth = _case(300, 4, 1)
    order = np.random.default_rng(0).permutation(300)
    found = compute_coverage_curve(scores, truth)
    assert found.aurc == pytest.approx(compute_coverage_curve(scores[order], truth[order]).aurc)
    # all equal: at every coverage the error is that of all faces
    even = np.tile(np.array([[0.6, 0.4]]), (10, 1))
    assert compute_coverage_curve(even, np.arange(10) % 2).aurc == pytest.approx(0.5)
    assert len(compute_coverage_curve(even, np.arange(10) % 2).coverage) == 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wanted", [0.0, 0.55, 0.8, 0.95])
def test_the_threshold_answers_as_many_as_it_can(
    case: tuple[int, int, int | None], wanted: float
) -> None:
    scores, truth = _case(*case)
    highest, right = scores.max(1), scores.argmax(1) == truth
    found = find_threshold(scores, truth, wanted)
    if found is None:
        assert all(right[highest >= lower].mean() < wanted for lower in np.unique(highest))
        return
    answered = highest >= found.threshold
    assert found.accuracy.value == pytest.approx(right[answered].mean())
    assert found.accuracy.value >= wanted
    assert (found.coverage, found.accuracy.n) == (answered.mean(), answered.sum())
    for lower in np.unique(highest[highest < found.threshold]):
        assert right[highest >= lower].mean() < wanted


def test_an_accuracy_out_of_reach_has_no_threshold() -> None:
    scores = np.array([[0.9, 0.1], [0.6, 0.4]])
    assert find_threshold(scores, np.array([1, 0]), 0.9) is None
    assert find_threshold(scores[:0], np.zeros(0, np.int64), 0.9) is None


def test_all_curves_go_into_json() -> None:
    scores, truth = _case(300, 4, None)
    curves = (
        compute_roc(scores[:, 0], truth == 0),
        compute_precision_recall(scores[:, 0], truth == 0),
        compute_reliability(scores, truth),
        compute_coverage_curve(scores, truth),
        find_threshold(scores, truth, 0.7),
        compute_coverage_curve(scores[:0], truth[:0]),
    )
    found = as_dict(curves)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
