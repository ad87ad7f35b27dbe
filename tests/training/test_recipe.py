"""Frozen networks, mixed faces, and the limits of the recipe's fields."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import Run, train
from emotion_detection.training.batches import Batch
from emotion_detection.training.checkpoint import load_trained, network_weights, read_checkpoint
from emotion_detection.training.network import ModelSpec, build_seeded, scale_to_unit
from emotion_detection.training.task import EmotionTask

Make = Callable[..., TrainConfig]


def kept(run: Run) -> dict[str, torch.Tensor]:
    return network_weights(read_checkpoint(run.folder / "last.ckpt"))


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("network", ["quick", "mobilenetv3_small_050"])
def test_of_a_frozen_network_the_last_layer_alone_changes(
    striped: Make, tmp_path: Path, network: str, ema: float
) -> None:
    run = train(striped(tmp_path, network=network, frozen=True, ema=ema, seed=3))
    after = kept(run)
    before = build_seeded(load_trained(run.folder).spec, 3).state_dict()
    assert after.keys() == before.keys()
    assert any("running_mean" in key for key in after)
    for key, value in before.items():
        assert torch.equal(after[key], value) != key.startswith("head."), key


@pytest.mark.usefixtures("without_export")
def test_of_a_network_that_is_not_frozen_everything_changes(striped: Make, tmp_path: Path) -> None:
    run = train(striped(tmp_path, network="quick", seed=3))
    before = build_seeded(load_trained(run.folder).spec, 3).state_dict()
    assert not [key for key, value in kept(run).items() if torch.equal(value, before[key])]


@pytest.mark.usefixtures("without_export")
def test_a_frozen_network_that_starts_from_another_keeps_its_features(
    striped: Make, tmp_path: Path
) -> None:
    first = train(striped(tmp_path, name="first", network="quick"))
    options = {"init": str(first.folder), "frozen": True, "seed": 9}
    second = train(striped(tmp_path, name="second", network="quick", **options))
    learnt = network_weights(read_checkpoint(first.folder / "best.ckpt"))
    for key, value in kept(second).items():
        assert torch.equal(value, learnt[key]) != key.startswith("head."), key


@pytest.mark.usefixtures("without_export")
def test_mixed_faces_are_mixed_alike_by_the_same_seed(striped: Make, tmp_path: Path) -> None:
    runs = {}
    for name, mixup, seed in (("a", 0.4, 0), ("b", 0.4, 0), ("c", 0.4, 1), ("d", 0.0, 0)):
        config = striped(tmp_path, name=name, mixup=mixup, seed=seed, intensity_weight=0.5)
        runs[name] = kept(train(replace(config, epochs=1, dropout=0.0)))["head.weight"]
    assert torch.isfinite(runs["a"]).all()
    assert torch.equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"], runs["c"])
    assert not torch.equal(runs["a"], runs["d"])


def test_a_mixed_face_lies_between_two_and_nearer_to_the_one_that_is_counted() -> None:
    spec = ModelSpec("quick", ("a", "b"), 1, 16, 0.0)
    seen: list[torch.Tensor] = []
    network = build_seeded(spec, 0)
    network.register_forward_pre_hook(lambda _, faces: seen.append(faces[0].clone()))
    task = EmotionTask(network, spec, TrainConfig(mixup=0.5))
    labels = torch.arange(64) % 2
    images = (labels * 200).to(torch.uint8)[:, None, None, None].repeat(1, 1, 16, 16)
    torch.manual_seed(0)
    task.training_step(Batch(images, labels, None, None, {}, torch.tensor(1.0)), 0)
    (mixed,), own = seen, scale_to_unit(images)
    assert set(images[:, 0, 0, 0].tolist()) == {0, 200}  # the data themselves are not touched
    moved = (mixed - own).abs()
    assert (moved <= scale_to_unit(torch.tensor(100)) + 1e-6).all()
    assert ((mixed >= -1e-6) & (mixed <= own.max() + 1e-6)).all()
    assert 10 < (moved[:, 0, 0, 0] > 0.01).sum() < 64


def test_a_mixed_face_costs_what_both_of_its_faces_cost_by_their_fractions() -> None:
    spec = ModelSpec("quick", ("a", "b", "c"), 1, 16, 0.0)
    network, seen = build_seeded(spec, 0), []
    network.register_forward_hook(lambda *given: seen.append(given[2].detach()))
    task = EmotionTask(network, spec, TrainConfig(mixup=0.5))
    images, labels = torch.randint(0, 256, (9, 1, 16, 16)).to(torch.uint8), torch.arange(9) % 3
    torch.manual_seed(4)
    loss = task.training_step(Batch(images, labels, None, None, {}, torch.tensor(1 / 9)), 0)
    torch.manual_seed(4)  # the same shares and partners once more
    share = torch.distributions.Beta(torch.tensor(0.5), torch.tensor(0.5)).sample((9,))
    share = torch.maximum(share, 1 - share)
    others = labels[torch.randperm(9)]
    costs = -seen[0].log_softmax(1)
    rows = torch.arange(9)
    expected = (share * costs[rows, labels] + (1 - share) * costs[rows, others]).mean()
    torch.testing.assert_close(loss.detach(), expected)
    assert float((costs[rows, labels].mean() - expected).abs()) > 1e-3


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("weight_decay", (-0.1, 11.0), (0.0, 10.0)),
        ("extra_labels_weight", (-0.1, 101.0), (0.0, 100.0)),
        ("intensity_weight", (-0.1, 101.0), (0.0, 100.0)),
        ("mixup", (-0.1, 101.0), (0.0, 100.0)),
        ("warmup", (-0.1, 0.91), (0.0, 0.9)),
        ("label_smoothing", (-0.1, 0.91), (0.0, 0.9)),
        ("ema", (-0.1, 1.0), (0.0, 0.9999)),
        ("class_balance", (-0.1, 1.1), (0.0, 1.0)),
        ("teacher_weight", (-0.1, 1.1), (0.0, 1.0)),
    ],
)
def test_a_field_beyond_its_limits_is_refused_in_a_line(name: str, bad: Any, good: Any) -> None:
    for value in (*bad, float("nan")):
        with pytest.raises(InputError, match=f"^--{name} {value}: must be between") as say:
            TrainConfig(**{name: value})
        assert "\n" not in str(say.value)
    for value in good:
        assert getattr(TrainConfig(**{name: value}), name) == value


@pytest.mark.parametrize("labels", ["fer2013", "ferplus"])
def test_the_second_label_set_must_be_another(labels: Any) -> None:
    with pytest.raises(
        InputError, match=f"--extra_labels {labels}: is the first label set already"
    ):
        TrainConfig(labels=labels, extra_labels=labels)
    assert TrainConfig(labels=labels).extra_labels is None


def test_fer2013s_own_labels_are_those_that_it_brings() -> None:
    with pytest.raises(InputError, match="--extra_labels fer2013: is the first label set"):
        TrainConfig(labels="original", extra_labels="fer2013")
    assert TrainConfig(labels="ferplus", extra_labels="original").extra_labels == "original"


@pytest.mark.parametrize(
    "words",
    [
        ["--optimizer", "lion"],
        ["--schedule", "step"],
        ["--extra_labels", "affectnet"],
        ["--ema", "1.5"],
        ["--frozen", "perhaps"],
    ],
)
def test_the_command_refuses_it_in_a_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", "demo", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert words[0].lstrip("-") in said
    assert "\n" not in said
