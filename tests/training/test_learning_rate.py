"""The learning rate that a range test finds."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import learning_rate, train
from emotion_detection.training.learning_rate import find_learning_rate
from emotion_detection.training.setup import make_task, prepare
from emotion_detection.training.training_run import _find_learning_rate

Make = Callable[..., TrainConfig]
CPU = torch.device("cpu")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], float]], None]:
    """``steps(loss_of)``: let the range test see these smoothed losses of learning rates."""

    def replace(loss_of: Callable[[float], float]) -> None:
        rates = [10.0 ** (k / 4 - 6) for k in range(29)]
        pairs = [(rate, loss_of(rate)) for rate in rates]
        monkeypatch.setattr(learning_rate, "_range_test", lambda *_: iter(pairs))

    return replace


def _found(striped: Make, place: Path) -> float:
    config = striped(place)
    prepared = prepare(config)
    task = make_task(config, prepared, None)
    return find_learning_rate(task, prepared.faces["train"], config, CPU)


def test_it_is_a_tenth_of_the_rate_of_the_lowest_loss(
    striped: Make, tmp_path: Path, steps: Any
) -> None:
    steps(lambda rate: 1 + abs(rate - 0.1) if rate < 1 else float("inf"))
    assert _found(striped, tmp_path) == 0.01


def test_what_comes_after_the_loss_has_exploded_does_not_count(
    striped: Make, tmp_path: Path, steps: Any
) -> None:
    steps(lambda rate: {True: 2 - rate, False: 9.0}[rate <= 0.1] if rate < 5 else 0.0)
    assert _found(striped, tmp_path) == 0.01


def test_where_nothing_is_learnt_it_is_reported(striped: Make, tmp_path: Path, steps: Any) -> None:
    steps(lambda rate: 1 + rate)
    with pytest.raises(InputError, match="the loss falls at no learning rate"):
        _found(striped, tmp_path)


def test_several_processes_are_refused() -> None:
    several: Any = SimpleNamespace(world_size=2)
    nothing: Any = None
    with pytest.raises(InputError, match="works in one process"):
        _find_learning_rate(TrainConfig(), nothing, nothing, several)


@pytest.mark.usefixtures("without_export")
def test_a_run_trains_by_it_records_it_and_is_the_same_as_if_it_were_given(
    striped: Make, tmp_path: Path
) -> None:
    found = train(striped(tmp_path, name="found", epochs=1, find_learning_rate=True))
    recorded = yaml.safe_load((found.folder / "config.yaml").read_text())
    assert recorded["find_learning_rate"] is False
    assert 1e-5 < recorded["learning_rate"] < 0.1
    given = striped(tmp_path, name="given", epochs=1, learning_rate=recorded["learning_rate"])
    other = train(given)
    assert other.metrics["training"]["last_train_loss"] == pytest.approx(
        found.metrics["training"]["last_train_loss"], rel=1e-6
    )
