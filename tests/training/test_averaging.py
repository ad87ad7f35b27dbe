"""The moving average of the weights: by hand, in validation, and over an interruption."""

import csv
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.training import Run, read_resumed_config, train
from emotion_detection.training.checkpoint import load_trained, network_weights, read_checkpoint
from emotion_detection.training.network import build, scale_to_unit
from emotion_detection.training.task import EmotionTask

Make = Callable[..., TrainConfig]
Weights = dict[str, Tensor]

# everything at once that keeps a state of its own, or draws at random
WHOLE_RECIPE: dict[str, Any] = {
    "network": "quick",
    "epochs": 3,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "weight_decay": 0.001,
    "schedule": "cosine",
    "warmup": 0.2,
    "ema": 0.9,
    "mixup": 0.4,
    "dropout": 0.3,
    "flip": 0.5,
    "label_smoothing": 0.1,
    "class_balance": 0.5,
    "intensity_weight": 0.5,
    "trainer": {"precision": "bf16-mixed"},
}


@pytest.fixture(scope="module", autouse=True)
def quick_and_the_same_everywhere(skip_artifacts: Any) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are equal to the bit only over as many threads
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        skip_artifacts(patch)
        yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """The network's weights after each step of a training."""
    seen: list[Weights] = []

    def note(self: EmotionTask, *_: Any) -> None:
        seen.append({key: value.clone() for key, value in self.network.state_dict().items()})

    monkeypatch.setattr(EmotionTask, "on_train_batch_end", note)
    return seen


def averaged(steps: list[Weights], decay: float) -> Weights:
    average = {key: value.double() for key, value in steps[0].items()}
    for count, weights in enumerate(steps[1:], 1):
        keep = min(decay, (1 + count) / (10 + count))
        average = {key: keep * average[key] + (1 - keep) * weights[key] for key in average}
    return average


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_the_kept_weights_are_the_average_of_all_steps(
    striped: Make, tmp_path: Path, steps: list[Weights], decay: float
) -> None:
    recipe = {"network": "quick", "epochs": 1, "batch_size": 8, "ema": decay}
    run = train(striped(tmp_path, **recipe))
    assert len(steps) == 8
    kept = network_weights(read_checkpoint(run.folder / "best.ckpt"))
    for key, value in averaged(steps, decay).items():
        if kept[key].is_floating_point():
            torch.testing.assert_close(kept[key].double(), value, rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(kept[key], steps[-1][key])  # a counter
    assert not torch.equal(kept["head.weight"], steps[-1]["head.weight"])
    current = read_checkpoint(run.folder / "last.ckpt")["current_model_state"]
    assert torch.equal(current["network.head.weight"], steps[-1]["head.weight"])


def test_steps_of_several_batches_count_once(
    striped: Make, tmp_path: Path, steps: list[Weights]
) -> None:
    recipe = {"network": "quick", "epochs": 1, "batch_size": 8, "ema": 0.999}
    run = train(striped(tmp_path, **recipe, trainer={"accumulate_grad_batches": 2}))
    kept = network_weights(read_checkpoint(run.folder / "best.ckpt"))
    expected = averaged(steps[1::2], 0.999)["head.weight"].float()
    torch.testing.assert_close(kept["head.weight"], expected)


def test_validation_uses_the_average(striped: Make, tmp_path: Path, steps: list[Weights]) -> None:
    config = striped(tmp_path, network="quick", epochs=1, ema=0.98, learning_rate=0.01)
    run = train(config)
    faces = load(config).split("validation")
    images, labels = scale_to_unit(torch.from_numpy(np.array(faces.images))), faces.labels
    best = load_trained(run.folder)
    last = build(best.spec).eval()
    last.load_state_dict(steps[-1])
    with torch.no_grad():
        losses = [
            float(functional.cross_entropy(network(images), torch.from_numpy(labels)))
            for network in (best.network, last)
        ]
    with (run.logs / "metrics.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["val_loss"]) == pytest.approx(losses[0], abs=1e-5)
    assert abs(losses[1] - losses[0]) > 1e-3


def test_training_goes_on_from_the_weights_and_not_from_the_average(
    striped: Make, tmp_path: Path, steps: list[Weights]
) -> None:
    for name, decay in (("with", 0.9), ("without", 0.0)):
        train(striped(tmp_path, name=name, network="quick", ema=decay))
    half = len(steps) // 2
    for one, other in zip(steps[:half], steps[half:], strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def unbroken(striped: Make, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(striped(tmp_path_factory.mktemp("unbroken"), name="unbroken", **WHOLE_RECIPE))


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``breaks(batch, how)``: in this batch of a training something happens, once."""
    original, seen = EmotionTask.training_step, [0]

    def set_up(batch: int, how: Callable[[], Any]) -> None:
        def training_step(self: EmotionTask, *arguments: Any) -> Tensor:
            seen[0] += 1
            if seen[0] == batch:
                how()
            return original(self, *arguments)

        monkeypatch.setattr(EmotionTask, "training_step", training_step)

    return set_up


def assert_same_to_the_bit(folder: Path, other: Path) -> None:
    for name in ("best.ckpt", "last.ckpt"):
        one, two = (read_checkpoint(place / name) for place in (folder, other))
        assert one["lr_schedulers"] == two["lr_schedulers"]
        for part in ("state_dict", "current_model_state", "averaging_state"):
            assert one[part].keys() == two[part].keys()
            for key, value in one[part].items():
                assert torch.equal(value, two[part][key]), (name, part, key)


def fails() -> None:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("batch", [pytest.param(5, marks=pytest.mark.slow), 7])
def test_a_crashed_and_resumed_run_ends_as_the_unbroken_one(
    striped: Make, tmp_path: Path, unbroken: Run, breaks: Callable[..., Any], batch: int
) -> None:
    breaks(batch, fails)
    with pytest.raises(ZeroDivisionError):
        train(striped(tmp_path, name="broken", **WHOLE_RECIPE))
    folder = tmp_path / "models" / "broken"
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 4
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, unbroken.folder)


def test_a_run_that_sigterm_stopped_in_an_epoch_ends_as_the_unbroken_one(
    striped: Make, tmp_path: Path, unbroken: Run, breaks: Callable[..., Any]
) -> None:
    breaks(6, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(striped(tmp_path, name="stopped", **WHOLE_RECIPE))
    folder = tmp_path / "models" / "stopped"
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 6
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, unbroken.folder)


def test_the_recipe_of_these_tests_averages_and_learns(unbroken: Run) -> None:
    best = read_checkpoint(unbroken.folder / "last.ckpt")
    head = "network.head.weight"
    assert not torch.equal(best["state_dict"][head], best["current_model_state"][head])
    assert all(torch.isfinite(value).all() for value in best["state_dict"].values())
