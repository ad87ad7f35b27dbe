"""The networks, and the presets that name them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from emotion_detection.config import TrainConfig, find_preset, list_presets
from emotion_detection.data.synthetic import make_synthetic_source
from emotion_detection.errors import InputError
from emotion_detection.training import train
from emotion_detection.training.batches import Batch
from emotion_detection.training.network import (
    NETWORKS,
    ModelSpec,
    build,
    build_seeded,
    count_multiply_adds,
    count_parameters,
    scale_to_unit,
    take_weights,
)
from emotion_detection.training.task import EmotionTask

SEVEN = tuple("abcdefg")
CLASSES = {"demo": 7, "own": 3, "fer2013": 7, "ferplus": 8, "both": 8}


def spec(**options: Any) -> ModelSpec:
    usual = {"network": "baseline", "labels": SEVEN, "channels": 1, "size": 48, "dropout": 0.5}
    return ModelSpec(**{**usual, **options})


def test_baseline_has_the_layers_that_were_asked_for() -> None:
    kinds = [type(layer) for layer in build(spec()).modules()]
    block = [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    layers = [kind for kind in kinds if kind.__module__.startswith("torch.nn")]
    assert [kind for kind in layers if kind is not nn.Sequential] == [
        *(block * 3),
        *(nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear),
    ]


def test_baseline_has_324007_parameters() -> None:
    assert count_parameters(build(spec())) == 324_007


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "channels", "classes"), [(48, 1, 7), (16, 3, 2), (51, 1, 12)])
def test_every_network_takes_its_declared_input(
    name: str, size: int, channels: int, classes: int
) -> None:
    labels = tuple(map(str, range(classes)))
    declared = spec(network=name, size=size, channels=channels, labels=labels)
    network = build(declared).eval()
    for count in (1, 5):
        logits = network(torch.rand(count, channels, size, size))
        assert logits.shape == (count, classes)
        assert logits.dtype == torch.float32
    assert network.head.out_features == classes


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_go_by_the_seed_alone(name: str) -> None:
    one, again, other = (build_seeded(spec(network=name), seed) for seed in (1, 1, 2))
    for key, weight in one.state_dict().items():
        assert torch.equal(weight, again.state_dict()[key])
    assert not torch.equal(one.head.weight, other.head.weight)


def test_weights_are_taken_where_name_and_shape_agree() -> None:
    eight, seven = build_seeded(spec(labels=(*SEVEN, "h")), 1), build_seeded(spec(), 2)
    own = seven.head.weight.clone()
    assert take_weights(seven, eight.state_dict()) == ["head.weight", "head.bias"]
    assert torch.equal(seven.head.weight, own)
    assert torch.equal(seven.features[0].weight, eight.features[0].weight)


def test_dropout_is_as_asked_and_off_when_evaluating() -> None:
    network = build(spec(dropout=0.25))
    assert network.hidden[3].p == 0.25
    face = torch.rand(1, 1, 48, 48)
    assert torch.equal(network.eval()(face), network(face))


def test_pixels_become_numbers_from_0_to_1() -> None:
    unit = scale_to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8))
    torch.testing.assert_close(unit, torch.tensor([0.0, 0.2, 1.0]))


def test_a_spec_comes_back_from_plain_values() -> None:
    values = yaml.safe_load(yaml.safe_dump(spec().as_dict()))
    assert ModelSpec.from_dict(values) == spec()


def test_the_optimizer_is_adam_at_the_asked_rate() -> None:
    task = EmotionTask(build(spec()), spec(), TrainConfig(learning_rate=0.02))
    optimizer = task.configure_optimizers()
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]["lr"] == 0.02


def test_a_process_without_rows_of_a_batch_adds_nothing() -> None:
    task = EmotionTask(build(spec()), spec(), TrainConfig())
    images, labels = torch.zeros(3, 1, 48, 48, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)
    for rows in (slice(0, 3), slice(0, 0)):
        batch = Batch(images[rows], labels[rows], None, None, {}, torch.tensor(1.0))
        task.validation_step(batch, 0)
    assert torch.isfinite(task.val_loss.compute())
    assert float(task.val_loss.weight) == 3


def test_the_baseline_preset_is_the_seeds_recipe() -> None:
    config = TrainConfig(**yaml.safe_load(Path(find_preset("baseline")).read_text()))
    assert (config.network, config.size, config.channels) == ("baseline", 48, 1)
    assert (config.learning_rate, config.batch_size, config.epochs) == (0.001, 32, 20)
    assert "precision" not in config.trainer
    strengths = ("flip", "rotate", "shift", "scale", "brightness", "contrast", "erase")
    assert all(getattr(config, name) == 0 for name in strengths)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"--preset nosuch: .*baseline"):
        find_preset("nosuch")


@pytest.mark.parametrize("preset", list_presets())
def test_a_preset_says_what_it_costs(preset: str) -> None:
    text = Path(find_preset(preset)).read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    declared = spec(network=values["network"], size=values["size"], channels=values["channels"])
    network = build(declared)
    millions = count_parameters(network) / 1e6, count_multiply_adds(network, declared) / 1e6
    said = f"{millions[0]:.2f} M parameters, {millions[1]:.1f} M multiply-adds a face."
    assert said in " ".join(text.replace("#", " ").split())


@pytest.fixture(scope="module")
def sources(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_faces: Callable[..., np.ndarray],
    write_csv: Any,
    write_votes: Any,
    write_manifest: Any,
) -> dict[str, dict[str, str]]:
    place = tmp_path_factory.mktemp("presets")
    usages = ["Training"] * 16 + ["PublicTest"] * 8 + ["PrivateTest"] * 8
    splits = ["train"] * 16 + ["validation"] * 8 + ["test"] * 8
    faces = tiny_faces(32)
    write_csv(place / "fer", faces, [row % 7 for row in range(32)], usages)
    write_votes(place / "fer", np.eye(10, dtype=int)[np.arange(32) % 8] * 10, usages)
    own = write_manifest(place / "own", faces, [f"mood {row % 3}" for row in range(32)], splits)
    return {
        "demo": {"data": "demo"},
        "own": {"data": str(own)},
        "fer2013": {"data": str(place / "fer")},
        "ferplus": {"data": str(place / "fer"), "labels": "ferplus"},
        "both": {"data": str(place / "fer"), "labels": "ferplus", "extra_labels": "fer2013"},
    }


LARGE = {"large": [pytest.mark.slow, pytest.mark.release], "resnet18": [pytest.mark.slow]}
"""Presets that take many times longer than the others, and their marks."""

LONG = {("compact", "both"), ("quick", "both"), ("baseline", "own")}
"""Pairs whose halves are tried in other pairs too."""

PAIRS = [
    pytest.param(
        preset,
        source,
        marks=LARGE.get(preset, [pytest.mark.slow] if (preset, source) in LONG else []),
    )
    for preset in list_presets()
    for source in CLASSES
    # every source meets the baseline, every preset one source that sets all its outputs, and the
    # presets of this project's own network one without anything of FER-2013
    if preset == "baseline" or source == "both" or (source == "own" and preset not in LARGE)
]


@pytest.mark.parametrize(("preset", "source"), PAIRS)
def test_every_preset_trains_on_every_kind_of_data(
    preset: str,
    source: str,
    sources: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    skip_artifacts: Callable[..., None],
) -> None:
    monkeypatch.setattr(
        "emotion_detection.data.locate.make_synthetic_source",
        lambda size: make_synthetic_source(size, count=70),
    )
    values = yaml.safe_load(Path(find_preset(preset)).read_text(encoding="utf-8"))
    assert values["preset"] == preset
    places = {name: str(tmp_path / name) for name in ("models", "logs", "cache")}
    # seconds each: both heads and the intensity of every preset, one head of one
    exported = source == "both" or (preset, source) == ("baseline", "own")
    if not exported:
        skip_artifacts(monkeypatch)
    few = {"limit_train_batches": 1, "limit_val_batches": 1, **values.get("trainer", {})}
    run = train(TrainConfig(**{**values, **places, **sources[source], "epochs": 1, "trainer": few}))
    if exported:
        assert (run.folder / "model.onnx").stat().st_size > 10_000
    assert run.folder.name.startswith(preset)
    assert run.metrics["training"]["epochs"] == 1
    assert len(run.metrics["labels"]) == CLASSES[source]


@pytest.mark.parametrize("pretrained", [True, False, "weights.safetensors"])
def test_what_is_pretrained_reaches_the_network(
    pretrained: bool | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BuiltError(Exception):
        pass

    def build_nothing(spec: ModelSpec, seed: int, given: bool | str) -> None:
        raise BuiltError(given)

    monkeypatch.setattr(
        "emotion_detection.data.locate.make_synthetic_source",
        lambda size: make_synthetic_source(size, count=70),
    )
    monkeypatch.setattr("emotion_detection.training.setup.build_seeded", build_nothing)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.safetensors").touch()  # that it is there is checked before the faces
    places = {name: str(tmp_path / name) for name in ("models", "logs", "cache")}
    config = TrainConfig(network="resnet18", data="demo", pretrained=pretrained, **places)
    with pytest.raises(BuiltError) as built:
        train(config)
    assert built.value.args == (pretrained,)
