"""The step size's rise and fall, what weight decay pulls at, which optimizer is taken."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from emotion_detection.config import TrainConfig
from emotion_detection.training import train
from emotion_detection.training.network import ModelSpec, build
from emotion_detection.training.task import (
    EmotionTask,
    compute_learning_rate_factor,
    make_optimizer,
    make_schedule,
)

SPEC = ModelSpec("quick", ("a", "b", "c"), 1, 16, 0.0)


def sizes(steps: int = 1000, **fields: Any) -> list[float]:
    config = TrainConfig(**fields)
    return [compute_learning_rate_factor(config, step, steps) for step in range(steps)]


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_it_rises_to_the_highest_and_falls_to_nearly_nothing(schedule: str) -> None:
    values = sizes(schedule=schedule, warmup=0.2)
    assert values[0] == pytest.approx(1 / 200)
    assert values[199] == values[200] == max(values) == 1
    assert all(one < other for one, other in pairwise(values[:200]))
    assert all(one > other for one, other in pairwise(values[200:]))
    assert 0 < values[-1] < 0.01


def test_the_rise_is_straight() -> None:
    values = sizes(schedule="cosine", warmup=0.2)[:200]
    assert values == pytest.approx([(step + 1) / 200 for step in range(200)])


def test_linear_falls_in_a_straight_line_and_cosine_in_half_a_wave() -> None:
    linear, cosine = sizes(schedule="linear"), sizes(schedule="cosine")
    assert linear == pytest.approx([1 - step / 1000 for step in range(1000)])
    assert cosine[500] == pytest.approx(0.5)
    assert cosine[250] == pytest.approx((1 + 2**-0.5) / 2)
    assert [1 - cosine[1000 - step] for step in range(1, 1000)] == pytest.approx(cosine[1:])


def test_constant_stays_after_the_rise() -> None:
    assert set(sizes(schedule="constant")) == {1.0}
    assert set(sizes(schedule="constant", warmup=0.3)[299:]) == {1.0}


@settings(deadline=None)  # a busy machine is no fault
@given(
    steps=st.integers(1, 400),
    warmup=st.floats(0, 0.9),
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
)
def test_every_step_of_any_training_is_above_zero_and_at_most_the_highest(
    steps: int, warmup: float, schedule: str
) -> None:
    values = sizes(steps, schedule=schedule, warmup=warmup)
    assert min(values) > 0
    assert max(values) <= 1
    assert (
        0
        <= compute_learning_rate_factor(TrainConfig(schedule=schedule, warmup=warmup), steps, steps)
        <= 1
    )


def test_the_schedule_sets_the_optimizers_rate() -> None:
    config = TrainConfig(learning_rate=0.2, schedule="linear", warmup=0.4)
    optimizer = make_optimizer(build(SPEC), config)
    schedule = make_schedule(optimizer, config, 10)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [0.05, 0.1, 0.15, 0.2, 0.2, 0.2 * 5 / 6, 0.2 * 4 / 6, 0.1, 0.2 / 3, 0.2 / 6]
    assert rates == pytest.approx(expected)


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_training_steps_by_the_schedule_to_its_end(
    striped: Callable[..., TrainConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accumulated: int,
) -> None:
    rates: list[list[float]] = []

    def note(self: EmotionTask, optimizer: torch.optim.Optimizer) -> None:
        rates.append([group["lr"] for group in optimizer.param_groups])

    monkeypatch.setattr(EmotionTask, "on_before_optimizer_step", note)
    config = striped(
        tmp_path,
        schedule="cosine",
        warmup=0.25,
        weight_decay=0.1,
        learning_rate=0.01,
        trainer={"accumulate_grad_batches": accumulated},
    )
    train(config)
    steps = 8 // accumulated  # 2 epochs of 60 faces in batches of 16
    expected = [0.01 * compute_learning_rate_factor(config, step, steps) for step in range(steps)]
    assert [rate[0] for rate in rates] == pytest.approx(expected)
    assert [rate[1] for rate in rates] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)],
)
def test_the_asked_optimizer_is_made(name: Any, kind: type) -> None:
    optimizer = make_optimizer(build(SPEC), TrainConfig(optimizer=name, learning_rate=0.02))
    assert type(optimizer) is kind
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0}
    if name == "sgd":
        assert optimizer.param_groups[0]["nesterov"]
        assert optimizer.param_groups[0]["momentum"] == 0.9


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_weight_decay_is_for_what_has_more_than_one_dimension(name: Any) -> None:
    network = build(SPEC)
    optimizer = make_optimizer(network, TrainConfig(optimizer=name, weight_decay=0.3))
    decays = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(decays)
    for place, parameter in network.named_parameters():
        assert decays.pop(id(parameter)) == (0.3 if parameter.ndim > 1 else 0.0), place
    assert not decays


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_decay_shrinks_weights_and_leaves_biases_and_norms(name: Any) -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {key: value.clone() for key, value in network.named_parameters()}
    config = TrainConfig(optimizer=name, weight_decay=0.3, learning_rate=0.5)
    optimizer = make_optimizer(network, config)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, value in network.named_parameters():
        # Nesterov's first step takes the gradient, here the pull, 1 + 0.9 times
        share = 1 if value.ndim == 1 else 1 - 0.5 * 0.3 * (1.9 if name == "sgd" else 1)
        torch.testing.assert_close(value.data, before[key] * share)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_what_is_frozen_is_not_the_optimizers(decay: float) -> None:
    config = TrainConfig(frozen=True, weight_decay=decay)
    task = EmotionTask(build(SPEC), SPEC, config)
    optimizer = task.configure_optimizers()
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in task.network.get_submodule("head").parameters()}
