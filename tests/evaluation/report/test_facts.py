"""Every number of a report against another implementation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from emotion_detection.evaluation.report.facts import (
    compute_model_facts,
    find_least_confident,
    find_most_confident_errors,
    undo_temperature,
)
from emotion_detection.evaluation.report.test_runs import ReportRequest, open_test
from emotion_detection.evaluation.saved_tests import SavedTest, read_test
from emotion_detection.labels import FERPLUS

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    some_scores: Make,
    some_votes: Make,
    write_tested: Make,
) -> Path:
    scores, truth = some_scores(900, 8)
    shares = some_votes(truth, 8)
    wanted = (1 - shares[:, 6]).astype(np.float32)
    noise = np.random.default_rng(5).normal(0, 0.1, len(truth))
    intensity = np.clip(wanted + noise, 0, 1).astype(np.float32)
    wanted[:10] = np.nan
    return write_tested(
        tmp_path_factory.mktemp("facts") / "all-test",
        scores,
        truth,
        FERPLUS,
        shares=shares,
        intensity=intensity,
        wanted=wanted,
    )


@pytest.fixture(scope="module")
def test(folder: Path) -> SavedTest:
    return read_test(folder)


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict[str, Any]:
    return compute_model_facts(open_test(str(folder), ReportRequest()), 0.8)


def test_each_class_is_what_scikit_learn_finds(facts: dict[str, Any], test: SavedTest) -> None:
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
        test.truth, test.called, labels=range(8)
    )
    for place, name in enumerate(FERPLUS):
        one = facts["per_class"][name]
        assert one["precision"]["value"] == pytest.approx(precision[place])
        assert one["recall"]["value"] == pytest.approx(recall[place])
        assert one["f1"]["value"] == pytest.approx(f1[place])
        assert one["n"] == support[place]
        assert all(one[m]["low"] <= one[m]["value"] <= one[m]["high"] for m in ("recall", "f1"))
    found = sklearn_metrics.confusion_matrix(test.truth, test.called)
    assert facts["test"]["confusion"] == found.tolist()


def test_areas_are_what_scikit_learn_finds(facts: dict[str, Any], test: SavedTest) -> None:
    for place, name in enumerate(FERPLUS):
        is_class, scores = test.truth == place, test.scores[:, place]
        roc, recalled = facts["roc"][name], facts["precision_recall"][name]
        assert roc["area"] == pytest.approx(sklearn_metrics.roc_auc_score(is_class, scores))
        expected = sklearn_metrics.average_precision_score(is_class, scores)
        assert recalled["area"] == pytest.approx(expected)


def test_calibration_is_what_scikit_learn_and_the_definition_give(
    facts: dict[str, Any], test: SavedTest
) -> None:
    wanted = np.eye(8)[test.truth]
    scores = test.scores.astype(np.float64)
    assert facts["test"]["nll"] == pytest.approx(
        sklearn_metrics.log_loss(test.truth, scores / scores.sum(axis=1, keepdims=True)), rel=1e-5
    )
    assert facts["test"]["brier"] == pytest.approx(((scores - wanted) ** 2).sum(axis=1).mean())
    confidence, right = test.scores.max(axis=1), test.right
    places = np.digitize(confidence, np.linspace(0, 1, 16)[1:-1])
    gaps = [
        abs(right[places == b].mean() - confidence[places == b].mean()) * (places == b).mean()
        for b in range(15)
        if (places == b).any()
    ]
    after = facts["reliability"]["after"]
    assert after["ece"] == pytest.approx(sum(gaps), abs=1e-6)
    assert after["ece"] == pytest.approx(facts["test"]["ece"], abs=1e-6)
    assert sum(one["n"] for one in after["bins"]) == len(test.truth)


def test_scores_before_temperature_give_the_figures_that_the_test_found(
    facts: dict[str, Any], test: SavedTest
) -> None:
    before = undo_temperature(test)
    assert before is not None
    expected = facts["test"]["before_temperature"]["ece"]
    assert facts["reliability"]["before"]["ece"] == pytest.approx(expected, abs=1e-6)
    logits = np.log(test.scores.astype(np.float64)) * 0.8
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(before, softmax, atol=1e-6)


@pytest.mark.parametrize("changes", [{"temperature": [1.0, 2.0]}, {"tta": True}])
def test_a_mean_of_scores_does_not_tell_those_before_temperature(
    tmp_path: Path, some_scores: Make, write_tested: Make, changes: dict[str, Any]
) -> None:
    place = write_tested(tmp_path / "mean-test", *some_scores(50), **changes)
    found = compute_model_facts(open_test(str(place), ReportRequest()), 0.9)
    assert found["reliability"]["before"] is None


def test_the_threshold_answers_as_many_as_it_can_at_the_target_accuracy(
    facts: dict[str, Any], test: SavedTest
) -> None:
    chosen, confidence = facts["coverage"]["chosen"], test.scores.max(axis=1)
    assert facts["coverage"]["chosen_on"] == "test"
    answered = confidence >= np.float32(chosen["threshold"])
    assert chosen["coverage"] == pytest.approx(answered.mean())
    assert chosen["accuracy"]["value"] == pytest.approx(test.right[answered].mean())
    assert chosen["accuracy"]["value"] >= 0.8
    more = [level for level in np.unique(confidence) if level < np.float32(chosen["threshold"])]
    assert all(test.right[confidence >= level].mean() < 0.8 for level in more)


def test_the_threshold_is_chosen_on_validation_where_that_was_tested(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    write_tested(tmp_path / "own-test", *some_scores(400, seed=1))
    write_tested(tmp_path / "own-validation", *some_scores(400, seed=2), split="validation")
    found = compute_model_facts(open_test(str(tmp_path / "own-test"), ReportRequest()), 0.8)[
        "coverage"
    ]
    assert found["chosen_on"] == "validation"
    other = read_test(tmp_path / "own-validation")
    sure = other.scores.max(axis=1) >= np.float32(found["chosen"]["threshold"])
    assert other.right[sure].mean() >= 0.8
    test = read_test(tmp_path / "own-test")
    sure = test.scores.max(axis=1) >= np.float32(found["chosen"]["threshold"])
    assert found["chosen"]["accuracy"]["value"] == pytest.approx(test.right[sure].mean())


def test_an_accuracy_that_no_threshold_reaches_is_reported(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    scores, truth = some_scores(60)
    place = write_tested(tmp_path / "wrong-test", scores, (scores.argmax(axis=1) + 1) % 7)
    assert (
        compute_model_facts(open_test(str(place), ReportRequest()), 0.9)["coverage"]["chosen"]
        is None
    )
    assert len(truth) == 60


def test_people_are_the_mean_fraction_of_raters_who_named_the_label(
    facts: dict[str, Any], test: SavedTest
) -> None:
    assert test.vote_shares is not None
    own = test.vote_shares[np.arange(len(test.truth)), test.truth]
    found = facts["raters"]
    assert found["value"] == pytest.approx(own.mean())
    spread = 1.96 * own.std() / np.sqrt(len(own))
    assert found["low"] == pytest.approx(own.mean() - spread, abs=0.002)
    assert found["high"] == pytest.approx(own.mean() + spread, abs=0.002)


def test_intensity_is_what_scipy_finds(facts: dict[str, Any], test: SavedTest) -> None:
    assert test.intensity is not None
    assert test.wanted_intensity is not None
    known = ~np.isnan(test.wanted_intensity)
    ours, wanted = test.intensity[known], test.wanted_intensity[known]
    found = facts["intensity"]
    assert found["n"] == 890
    assert found["pearson"] == pytest.approx(stats.pearsonr(ours, wanted).statistic, abs=1e-5)
    assert found["spearman"] == pytest.approx(stats.spearmanr(ours, wanted).statistic, abs=1e-5)
    assert sum(one["n"] for one in found["bins"]) == 890
    for one in found["bins"]:
        own = ours[np.abs(wanted - one["wanted"]) < 1e-4]
        assert one["n"] == len(own)
        assert one["median"] == pytest.approx(np.median(own), abs=1e-6)


def test_scores_by_vote_fraction_are_their_means(facts: dict[str, Any], test: SavedTest) -> None:
    assert test.vote_shares is not None
    for place, name in enumerate(FERPLUS):
        found = facts["vote_shares"][name]
        shares, scores = test.vote_shares[:, place], test.scores[:, place]
        assert found["pearson"] == pytest.approx(stats.pearsonr(scores, shares).statistic, abs=1e-5)
        for one in found["bins"]:
            assert one["mean"] == pytest.approx(scores[np.isclose(shares, one["wanted"])].mean())


def test_the_galleries_are_the_most_confident_errors_and_the_least_confident_faces(
    test: SavedTest,
) -> None:
    confidence = test.scores.max(axis=1)
    wrong = find_most_confident_errors(test, 5)
    assert not test.right[wrong].any()
    assert sorted(confidence[~test.right])[-5:] == sorted(confidence[wrong])
    assert sorted(confidence)[:5] == sorted(confidence[find_least_confident(test, 5)])
