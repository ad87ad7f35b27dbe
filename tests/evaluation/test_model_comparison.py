"""Two models on the same faces against scikit-learn, scipy and drawing faces one by one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from emotion_detection.errors import InputError
from emotion_detection.evaluation.model_comparison import compare
from emotion_detection.evaluation.saved_tests import SavedTest
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.classification import compute_classification_metrics
from emotion_detection.metrics.statistics import Interval, as_dict, bootstrap

NAMES = ("anger", "fear", "happiness", "neutral")


def _test(folder: str, count: int = 400, skill: float = 1.5, sharp: float = 1.0) -> SavedTest:
    truth = np.arange(count) * 7 % 4
    shared = np.random.default_rng(count).normal(0, 1, (count, 4))  # what is hard for both
    logits = shared + np.random.default_rng(len(folder)).normal(0, 0.7, (count, 4))
    logits[np.arange(count), truth] += skill
    powers = np.exp(sharp * logits)
    scores = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    files = [f"faces/{row:04d}.png" for row in range(count)]
    return SavedTest(Path(folder), {}, files, NAMES, truth, scores, None, None, None, None)


FIRST, SECOND = _test("one"), _test("second", skill=1.9, sharp=2.5)


def test_mcnemar_and_the_differences_are_those_of_outside_figures() -> None:
    found = compare(FIRST, SECOND)
    one, two = FIRST.right, SECOND.right
    table = [[(a & b).sum() for b in (two, ~two)] for a in (one, ~one)]
    expected = reference_mcnemar(table, exact=True)
    assert found.mcnemar.p == pytest.approx(expected.pvalue)
    assert found.accuracy.value == pytest.approx(two.mean() - one.mean())
    calls = (FIRST.called, SECOND.called)
    f1 = [reference.f1_score(FIRST.truth, call, average=None) for call in calls]
    recall = [reference.recall_score(FIRST.truth, call, average=None) for call in calls]
    assert found.macro_f1.value == pytest.approx(f1[1].mean() - f1[0].mean())
    balanced = [reference.balanced_accuracy_score(FIRST.truth, call) for call in calls]
    assert found.balanced_accuracy.value == pytest.approx(balanced[1] - balanced[0])
    for number, name in enumerate(NAMES):
        assert found.per_class[name].f1.value == pytest.approx((f1[1] - f1[0])[number])
        assert found.per_class[name].recall.value == pytest.approx((recall[1] - recall[0])[number])
    nll = [reference.log_loss(FIRST.truth, test.scores) for test in (FIRST, SECOND)]
    assert found.nll.value == pytest.approx(nll[1] - nll[0], abs=1e-5)
    ece = [compute_calibration_metrics(test.scores, test.truth)["ece"] for test in (FIRST, SECOND)]
    assert found.ece.value == pytest.approx(ece[1] - ece[0], abs=1e-5)


def _near(found: Interval, expected: Interval) -> None:
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.2 * width)


def test_the_interval_of_accuracy_is_scipys_paired_bootstrap() -> None:
    expected = stats.bootstrap(
        (FIRST.right, SECOND.right),
        lambda a, b: b.mean() - a.mean(),
        paired=True,
        n_resamples=2000,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    _near(compare(FIRST, SECOND).accuracy, Interval(0, *expected, 400))


@pytest.mark.parametrize("people", [None, 40])
@pytest.mark.parametrize("figure", ["balanced_accuracy", "macro_f1", "ece", "nll"])
def test_intervals_are_those_of_drawing_faces_one_by_one(figure: str, people: int | None) -> None:
    clusters = None if people is None else np.arange(400) // (400 // people)

    def difference(rows: np.ndarray) -> float:
        one, two = (
            compute_classification_metrics(test.scores[rows], test.truth[rows], NAMES)[figure]
            for test in (FIRST, SECOND)
        )
        return float(two - one)

    expected = bootstrap(difference, 400, clusters, draws=250)
    found = getattr(compare(FIRST, SECOND, clusters), figure)
    assert found.clusters == people
    _near(found, expected)


def test_rows_where_they_differ_come_with_the_clearest_first() -> None:
    found = compare(FIRST, SECOND)
    one, two = FIRST.right, SECOND.right
    assert sorted(found.only_first) == np.flatnonzero(one & ~two).tolist()
    assert sorted(found.only_second) == np.flatnonzero(two & ~one).tolist()
    rows = np.arange(400)
    gain = (SECOND.scores - FIRST.scores)[rows, FIRST.truth]
    assert (np.diff(gain[found.only_first]) >= 0).all()
    assert (np.diff(gain[found.only_second]) <= 0).all()
    assert found.called_otherwise == (FIRST.called != SECOND.called).sum()


def test_faces_and_classes_in_another_order_are_the_same() -> None:
    order = np.random.default_rng(0).permutation(400)
    place = [2, 0, 3, 1]
    mixed = replace(
        SECOND,
        files=[SECOND.files[row] for row in order],
        names=tuple(NAMES[number] for number in place),
        truth=np.argsort(place)[SECOND.truth[order]],
        scores=SECOND.scores[order][:, place],
    )
    found, expected = compare(FIRST, mixed), compare(FIRST, SECOND)
    assert as_dict(replace(found, second_rows=expected.second_rows)) == as_dict(expected)
    assert [mixed.files[row] for row in found.second_rows] == FIRST.files


def test_a_model_and_itself_do_not_differ() -> None:
    found = compare(FIRST, FIRST)
    assert found.mcnemar.p == 1
    assert len(found.only_first) == len(found.only_second) == found.called_otherwise == 0
    means = found.balanced_accuracy, found.macro_f1
    for interval in (found.accuracy, *means, found.ece, found.nll):
        assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_shifted_scores_of_one_class_show_in_calibration_and_in_that_class() -> None:
    powers = FIRST.scores * np.array([12, 1, 1, 1], np.float32)
    shifted = replace(FIRST, scores=powers / powers.sum(1, keepdims=True))
    found = compare(FIRST, shifted)
    assert min(found.ece.low, found.nll.low, found.per_class["anger"].recall.low) > 0
    assert max(found.accuracy.high, found.per_class["fear"].recall.high) < 0


def test_equally_good_models_differ_in_about_5_of_100_comparisons() -> None:
    generator = np.random.default_rng(4)
    outside = 0
    for _ in range(60):
        scores = generator.dirichlet(np.ones(4), (2, 150)).astype(np.float32)
        one, two = (replace(_test("x", 150), scores=given) for given in scores)
        accuracy = compare(one, two).accuracy
        outside += not accuracy.low <= 0 <= accuracy.high
    assert outside <= 9  # 3 are expected


def _refused(second: SavedTest, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(FIRST, second)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("one and second: cannot be compared", *parts):
        assert part in message


def test_other_faces_labels_or_classes_are_refused() -> None:
    others = [*SECOND.files[:-1], "faces/other.png"]
    _refused(replace(SECOND, files=others), "1 of 400 in one, such as faces/0399.png")
    fewer = {name: getattr(SECOND, name)[:300] for name in ("files", "truth", "scores")}
    _refused(replace(SECOND, **fewer), "100 of 400 in one, such as faces/0300.png")
    truth = np.where(np.arange(400) == 5, (SECOND.truth + 1) % 4, SECOND.truth)
    _refused(replace(SECOND, truth=truth), "1 of 400 labels differ, such as that of faces/0005.png")
    names = ("anger", "fear", "happiness", "contempt")
    _refused(replace(SECOND, names=names), "their classes differ", "contempt")


def test_a_name_that_is_there_twice_is_refused() -> None:
    twice = replace(SECOND, files=[*SECOND.files[:-1], SECOND.files[0]])
    with pytest.raises(InputError, match=r"second: cannot be compared: faces/0000.png is there 2"):
        compare(replace(FIRST, files=FIRST.files[::-1]), twice)


@pytest.mark.parametrize("count", [1, 5])
def test_few_faces_and_classes_that_are_missing_go_into_json(count: int) -> None:
    found = as_dict(compare(_test("one", count), _test("second", count)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert count == 5 or found["per_class"]["fear"]["recall"]["value"] is None
