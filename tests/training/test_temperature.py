"""Temperature: against scipy's minimum, and what a training does with it."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.training import Run, train
from emotion_detection.training.checkpoint import load_trained, read_checkpoint
from emotion_detection.training.network_scores import compute_outputs
from emotion_detection.training.task import CHECKPOINT_KEY
from emotion_detection.training.temperature import apply_temperature, fit_temperature


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def case(seed: int, factor: float, count: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, scores and labels; the labels are drawn from the logits divided by a factor."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (count, 7)) * factor
    labels = np.array([generator.choice(7, p=row) for row in softmax(logits / factor)])
    return logits, softmax(logits).astype(np.float32), labels


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_minimum_that_scipy_finds(factor: float, seed: int) -> None:
    logits, scores, labels = case(seed, factor)

    def nll(temperature: float) -> float:
        tempered = logits / temperature
        highest = tempered.max(axis=1)
        sums = highest + np.log(np.exp(tempered - highest[:, None]).sum(axis=1))
        return float((sums - tempered[np.arange(len(labels)), labels]).mean())

    found = minimize_scalar(nll, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-7})
    assert fit_temperature(scores, labels) == pytest.approx(found.x, rel=1e-3)
    assert found.x == pytest.approx(factor, rel=0.15)


def test_it_changes_no_decision() -> None:
    _, scores, labels = case(0, 3.0)
    after = apply_temperature(scores, fit_temperature(scores, labels))
    assert np.array_equal(after.argmax(axis=1), scores.argmax(axis=1))
    assert after.dtype == np.float32
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_the_calibration_error_falls_where_scores_are_overconfident_or_underconfident(
    factor: float,
) -> None:
    _, scores, labels = case(1, factor)
    before = compute_calibration_metrics(scores, labels)
    after = compute_calibration_metrics(
        apply_temperature(scores, fit_temperature(scores, labels)), labels
    )
    assert before["ece"] > 0.1
    assert after["ece"] < before["ece"] / 3
    assert after["nll"] < before["nll"]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_it_is_a_division_of_the_logits(temperature: float) -> None:
    logits, scores, _ = case(2, 1.0, 200)
    np.testing.assert_allclose(
        apply_temperature(scores, temperature), softmax(logits / temperature), atol=2e-6
    )


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_it_can_be_taken_back(temperature: float) -> None:
    _, scores, _ = case(3, 1.0, 200)
    there = apply_temperature(scores, temperature)
    assert np.abs(there - scores).max() > 0.05
    np.testing.assert_allclose(apply_temperature(there, 1 / temperature), scores, atol=1e-6)


def test_scores_of_zero_stay_numbers() -> None:
    scores = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert np.isfinite(apply_temperature(scores, 20.0)).all()


@pytest.fixture(scope="module")
def done(striped: Callable[..., TrainConfig], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(
        striped(tmp_path_factory.mktemp("calibrated"), epochs=4, dropout=0.0, learning_rate=0.003)
    )


def test_a_training_writes_the_temperature_and_the_figures_before_it(done: Run) -> None:
    metrics = json.loads((done.folder / "metrics.json").read_text())
    before = metrics["before_temperature"]
    assert before.keys() == {"ece", "nll", "brier"}
    assert 0.05 < metrics["temperature"] < 20
    assert metrics["temperature"] != pytest.approx(1, abs=1e-3)
    assert metrics["nll"] < before["nll"]
    assert load_trained(done.folder).temperatures == {"own": metrics["temperature"]}


def test_the_figures_before_it_are_those_of_the_plain_network(
    done: Run, striped: Callable[..., TrainConfig]
) -> None:
    faces = load(striped(done.folder)).split("validation")
    best = load_trained(done.folder)
    plain = compute_outputs(best.network, best.spec, faces.images)["scores"]
    assert done.metrics["before_temperature"] == pytest.approx(
        compute_calibration_metrics(plain, faces.labels), abs=1e-5
    )
    warm = compute_outputs(best.network, best.spec, faces.images, best.temperatures)["scores"]
    for name, value in compute_calibration_metrics(warm, faces.labels).items():
        assert done.metrics[name] == pytest.approx(value, abs=1e-5)
    np.testing.assert_allclose(
        apply_temperature(plain, done.metrics["temperature"]), warm, atol=1e-5
    )


def test_checkpoint_and_onnx_file_hold_the_same_temperature(
    done: Run, striped: Callable[..., TrainConfig]
) -> None:
    images = load(striped(done.folder)).split("validation").images
    models = [open_model(done.folder / name) for name in ("best.ckpt", "model.onnx")]
    assert models[0].temperatures == models[1].temperatures
    one, other = (model.outputs(images)["scores"] for model in models)
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_nothing_else_of_the_checkpoint_is_changed_by_it(done: Run) -> None:
    best, last = (read_checkpoint(done.folder / name) for name in ("best.ckpt", "last.ckpt"))
    assert "temperatures" not in last[CHECKPOINT_KEY]
    assert best.keys() == last.keys()
    assert best[CHECKPOINT_KEY].keys() == {
        *last[CHECKPOINT_KEY],
        "temperatures",
        "readouts",
    }
