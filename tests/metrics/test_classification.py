"""Metrics against scikit-learn, torchmetrics and plain NumPy."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional import classification as torch_reference

from emotion_detection.metrics.calibration import BINS, LEAST_SCORE, compute_calibration_metrics
from emotion_detection.metrics.classification import compute_classification_metrics

NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SEEDS = range(12)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels; for odd seeds some classes are missing among the labels."""
    generator = np.random.default_rng(seed)
    count = int(generator.integers(30, 400))
    known = 4 if seed % 2 else len(NAMES)
    labels = generator.integers(0, known, count)
    logits = generator.normal(0, 1 + seed / 4, (count, len(NAMES)))
    logits[np.arange(count), labels] += generator.uniform(0, 3)
    return _softmax(logits), labels.astype(np.int64)


def _numpy_ece(scores: np.ndarray, labels: np.ndarray) -> float:
    highest = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == labels
    place = np.minimum((highest * 15).astype(int), 14)
    total = 0.0
    for number in range(15):
        inside = place == number
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - highest[inside].mean())
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_balanced_accuracy_and_macro_f1_are_scikit_learns(seed: int) -> None:
    scores, labels = _case(seed)
    found = compute_classification_metrics(scores, labels, NAMES)
    called, present = scores.argmax(axis=1), np.unique(labels)
    options = {"labels": present, "average": "macro", "zero_division": 0}
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, called))
    assert found["balanced_accuracy"] == pytest.approx(
        reference.recall_score(labels, called, **options)
    )
    assert found["macro_f1"] == pytest.approx(reference.f1_score(labels, called, **options))
    assert found["n"] == len(labels)


def test_balanced_accuracy_is_scikit_learns_own_when_all_classes_occur() -> None:
    scores, labels = _case(0)
    expected = reference.balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert compute_classification_metrics(scores, labels, NAMES)[
        "balanced_accuracy"
    ] == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_of_each_class_are_scikit_learns(seed: int) -> None:
    scores, labels = _case(seed)
    found = compute_classification_metrics(scores, labels, NAMES)["per_class"]
    precision, recall, f1, count = reference.precision_recall_fscore_support(
        labels, scores.argmax(axis=1), labels=range(len(NAMES)), zero_division=0
    )
    assert list(found) == list(NAMES)
    for i, name in enumerate(NAMES):
        assert found[name] == pytest.approx(
            {"recall": recall[i], "precision": precision[i], "f1": f1[i], "n": count[i]}
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_the_confusion_are_true_classes(seed: int) -> None:
    scores, labels = _case(seed)
    expected = reference.confusion_matrix(
        labels, scores.argmax(axis=1), labels=range(len(NAMES))
    ).tolist()
    assert compute_classification_metrics(scores, labels, NAMES)["confusion"] == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_nll_and_brier_are_scikit_learns(seed: int) -> None:
    scores, labels = _case(seed)
    found = compute_classification_metrics(scores, labels, NAMES)
    exact = scores.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    kept = np.maximum(exact, LEAST_SCORE)  # as stated: no score counts for less
    kept /= kept.sum(axis=1, keepdims=True)
    assert found["nll"] == pytest.approx(
        reference.log_loss(labels, kept, labels=range(len(NAMES))), abs=1e-5
    )
    wanted = labels[:, np.newaxis] == np.arange(len(NAMES))
    brier = reference.mean_squared_error(wanted.astype(float), exact) * len(NAMES)
    assert found["brier"] == pytest.approx(brier, abs=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_ece_is_that_of_fifteen_equal_bins(seed: int) -> None:
    scores, labels = _case(seed)
    assert BINS == 15
    assert compute_classification_metrics(scores, labels, NAMES)["ece"] == pytest.approx(
        _numpy_ece(scores, labels), abs=1e-5
    )


def test_a_score_of_one_and_a_rounding_error_is_still_a_score() -> None:
    scores, labels = _case(2)
    scores[0] = 0
    scores[0, labels[0]] = np.float32(1)
    above = scores.copy()
    above[0, labels[0]] = np.nextafter(np.float32(1), np.float32(2))
    assert compute_calibration_metrics(above, labels)["ece"] == pytest.approx(
        compute_calibration_metrics(scores, labels)["ece"], abs=1e-6
    )


def test_perfect_scores_have_no_error_of_any_kind() -> None:
    labels = np.arange(21, dtype=np.int64) % 7
    found = compute_classification_metrics(np.eye(7, dtype=np.float32)[labels], labels, NAMES)
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 1
    assert found["accuracy_ci95"] == [1, 1]
    assert found["ece"] == found["brier"] == found["nll"] == 0
    assert found["confusion"] == (np.eye(7, dtype=int) * 3).tolist()


def test_sure_and_wrong_scores_have_the_largest_errors_and_all_are_finite() -> None:
    labels = np.arange(21, dtype=np.int64) % 7
    found = compute_classification_metrics(
        np.eye(7, dtype=np.float32)[(labels + 1) % 7], labels, NAMES
    )
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 0
    assert found["accuracy_ci95"] == [0, 0]
    assert found["ece"] == 1
    assert found["brier"] == 2
    assert found["nll"] == pytest.approx(-np.log(LEAST_SCORE))


def test_one_face_is_enough() -> None:
    scores = np.full((1, 7), 0.1, np.float32)
    scores[0, 3] = 0.4
    found = compute_classification_metrics(scores, np.array([3]), NAMES)
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 1
    assert found["accuracy_ci95"] == [1, 1]
    assert found["n"] == 1
    assert found["ece"] == pytest.approx(0.6)
    assert found["nll"] == pytest.approx(-np.log(0.4))


def test_figures_are_plain_values() -> None:
    found = compute_classification_metrics(*_case(1), NAMES)
    numbers = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll", "brier")
    assert {name: type(found[name]) for name in numbers} == dict.fromkeys(numbers, float)
    assert {type(cell) for row in found["confusion"] for cell in row} == {int}
    assert found["labels"] == list(NAMES)


@pytest.mark.parametrize("seed", SEEDS)
def test_ece_and_confusion_are_those_of_torchmetrics(seed: int) -> None:
    scores, labels = _case(seed)
    scores[0] = np.eye(len(NAMES))[labels[0]]  # a score of exactly 1 lies on an edge
    found = compute_classification_metrics(scores, labels, NAMES)
    one, other = torch.from_numpy(scores), torch.from_numpy(labels)
    ece = torch_reference.multiclass_calibration_error(
        one.clamp(0, 1), other, len(NAMES), n_bins=BINS, norm="l1"
    )
    confusion = torch_reference.multiclass_confusion_matrix(one, other, len(NAMES))
    assert found["ece"] == pytest.approx(float(ece), abs=1e-6)
    assert found["confusion"] == confusion.tolist()
