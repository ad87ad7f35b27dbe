"""One network that learns FER+'s labels and FER-2013's at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.data import join_splits, load
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013, FERPLUS
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.training import Run, read_resumed_config, train
from emotion_detection.training.checkpoint import load_trained, network_weights, read_checkpoint
from emotion_detection.training.initial_weights import start_from
from emotion_detection.training.network import ModelSpec, build_seeded, take_apart
from emotion_detection.training.network_scores import DeployedNetwork, compute_outputs
from emotion_detection.training.task import CHECKPOINT_KEY

BOTH = ModelSpec("quick", FERPLUS, 1, 16, 0.0, "ferplus", {"fer2013": FER2013}, intensity=True)


@pytest.fixture(scope="module")
def make(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Any, write_csv: Any, write_votes: Any
) -> Callable[..., TrainConfig]:
    """70 faces to train, 35 to validate, 7 to test; of every tenth raters saw no face."""
    place = tmp_path_factory.mktemp("two")
    usages = ["Training"] * 70 + ["PublicTest"] * 35 + ["PrivateTest"] * 7
    rows = np.arange(112)
    counts = np.zeros((112, 10), int)
    counts[rows, rows % 8], counts[rows, (rows + 1) % 8] = 7, 3
    counts[::10] = np.eye(10, dtype=int)[9] * 10
    write_csv(place / "fer", tiny_faces(112), (rows % 7).tolist(), usages)
    write_votes(place / "fer", counts, usages)
    usual = {"data": str(place / "fer"), "labels": "ferplus", "extra_labels": "fer2013", "size": 16}
    usual |= {"network": "quick", "epochs": 2, "batch_size": 16, "cache": str(place / "cache")}
    trainer = {"accelerator": "cpu", "enable_progress_bar": False}

    def config(folder: Path, **fields: Any) -> TrainConfig:
        places = {name: str(folder / name) for name in ("models", "logs")}
        return TrainConfig(**usual | places | {"trainer": trainer} | fields)

    return config


@pytest.fixture(scope="module")
def done(make: Callable[..., TrainConfig], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(make(tmp_path_factory.mktemp("done")))


def validation(config: TrainConfig) -> tuple[Any, np.ndarray, np.ndarray]:
    first = load(config).split("validation")
    values = {"data": config.data, "cache": config.cache, "size": 16, "labels": "fer2013"}
    other = load(TrainConfig(**values)).split("validation")
    both = join_splits(first, other, "fer2013")
    return both, both.labels, both.also["fer2013"]


def test_the_figures_of_both_sets_are_over_the_faces_that_have_a_label(
    done: Run, make: Callable[..., TrainConfig]
) -> None:
    metrics = json.loads((done.folder / "metrics.json").read_text())
    faces, first, second = validation(make(done.folder))
    best = load_trained(done.folder)
    said = compute_outputs(best.network, best.spec, faces.images, best.temperatures)
    assert metrics["labels"] == list(FERPLUS)
    assert metrics["also"].keys() == {"fer2013"}
    other = metrics["also"]["fer2013"]
    assert other["labels"] == list(FER2013)
    for found, scores, labels in (
        (metrics, said["scores"], first),
        (other, said["scores_fer2013"], second),
    ):
        known = labels >= 0
        assert found["n"] == known.sum()
        assert found["accuracy"] == pytest.approx(
            (scores.argmax(axis=1) == labels)[known].mean(), abs=1e-6
        )
        expected = compute_calibration_metrics(scores[known], labels[known])
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert (metrics["n"], other["n"]) == (31, 35)
    assert metrics["intensity"]["n"] == 31
    assert metrics["intensity"]["raters_reliability"] <= 1


def test_each_set_has_a_temperature_of_its_own(done: Run) -> None:
    own = read_checkpoint(done.folder / "best.ckpt")[CHECKPOINT_KEY]["temperatures"]
    other = done.metrics["also"]["fer2013"]
    assert own == {"ferplus": done.metrics["temperature"], "fer2013": other["temperature"]}
    for found in (done.metrics, other):
        assert found["nll"] <= found["before_temperature"]["nll"] + 1e-6


def test_the_network_takes_every_face_that_either_set_has(done: Run) -> None:
    # 70 faces in batches of 16; FER+ alone has 63, one batch less
    assert read_checkpoint(done.folder / "last.ckpt")["global_step"] == 2 * 5


def test_the_onnx_file_has_an_output_for_each(done: Run, make: Callable[..., TrainConfig]) -> None:
    path = str(done.folder / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = {out.name: out.shape[1:] for out in session.get_outputs()}
    assert outputs == {"scores": [8], "intensity": [], "scores_fer2013": [7]}
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == list(FERPLUS)
    assert json.loads(metadata["label_set"]) == "ferplus"
    assert json.loads(metadata["also"]) == {"fer2013": list(FER2013)}
    best = load_trained(done.folder)
    assert json.loads(metadata["temperatures"]) == best.temperatures
    assert json.loads(metadata["temperature"]) == best.temperatures["ferplus"]
    images = np.array(validation(make(done.folder))[0].images)
    ours = compute_outputs(best.network, best.spec, images, best.temperatures)
    for name, values in zip(outputs, session.run(list(outputs), {"faces": images}), strict=True):
        np.testing.assert_allclose(values, ours[name], atol=1e-4)


def test_outputs_are_taken_apart_in_the_declared_order() -> None:
    network = build_seeded(BOTH, 0).eval()
    faces = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        raw = network(faces.float() / 255)
        warm = {"ferplus": 2.0, "fer2013": 0.5}
        scores, intensity, also = DeployedNetwork(network, BOTH, warm)(faces)
    parts = take_apart(BOTH, raw)
    assert torch.equal(parts.logits["ferplus"], raw[:, :8])
    assert torch.equal(parts.logits["fer2013"], raw[:, 8:15])
    torch.testing.assert_close(scores, (raw[:, :8] / 2).softmax(1))
    torch.testing.assert_close(also, (raw[:, 8:15] * 2).softmax(1))
    torch.testing.assert_close(intensity, raw[:, 15].sigmoid())
    assert ModelSpec.from_dict(json.loads(json.dumps(BOTH.as_dict()))) == BOTH


@pytest.mark.usefixtures("without_export")
def test_without_its_weight_the_second_sets_rows_stay_fresh(
    make: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    run = train(make(tmp_path, extra_labels_weight=0.0, epochs=1, seed=4))
    rows = network_weights(read_checkpoint(run.folder / "last.ckpt"))["head.weight"]
    fresh = build_seeded(load_trained(run.folder).spec, 4).state_dict()["head.weight"]
    changed = (rows != fresh).any(dim=1).tolist()
    assert changed == [True] * 8 + [False] * 7 + [True]


@pytest.mark.usefixtures("without_export")
def test_it_goes_on_where_it_was_also_from_an_earlier_version(
    make: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    whole = train(make(tmp_path, name="whole"))
    train(make(tmp_path, name="parts", epochs=1))
    parts = tmp_path / "models" / "parts"
    text = (parts / "config.yaml").read_text()
    assert text.count("extra_labels: fer2013\nextra_labels_weight: 1.0\n") == 1
    (parts / "config.yaml").write_text(text.replace("extra_labels", "also"))
    train(read_resumed_config(parts, {"epochs": 2}), resume=parts)
    one, other = (read_checkpoint(place / "last.ckpt") for place in (whole.folder, parts))
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key]), key


def test_the_wrong_way_round_is_refused(make: Callable[..., TrainConfig], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--labels ferplus --extra_labels fer2013"):
        train(make(tmp_path, labels="fer2013", extra_labels="ferplus"))
    assert not (tmp_path / "models").exists()


def test_votes_for_other_faces_are_refused_by_the_command(
    striped_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"--{name}={tmp_path / name}" for name in ("models", "logs", "cache")]
    assert main(["train", f"--data={striped_data}", "--extra_labels=ferplus", *places]) == 2
    assert "FER+ has votes for FER-2013 alone" in capsys.readouterr().err.splitlines()[-1]


def test_rows_of_the_last_layer_are_taken_by_label_set_and_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = ModelSpec("quick", FER2013, 1, 16, 0.0, "fer2013")
    learnt = build_seeded(old, 1)
    weights = {f"network.{key}": value for key, value in learnt.state_dict().items()}
    own = {"spec": old.as_dict(), "record": {}}
    torch.save({"state_dict": weights, CHECKPOINT_KEY: own}, tmp_path / "old.ckpt")
    network = build_seeded(BOTH, 2)
    fresh = network.get_submodule("head").bias.detach().clone()
    start_from(network, BOTH, str(tmp_path / "old.ckpt"))
    known = dict(zip(FER2013, learnt.get_submodule("head").bias.tolist(), strict=True))
    expected = [known.get(name, float(fresh[row])) for row, name in enumerate(FERPLUS)]
    expected += [known[name] for name in FER2013] + [float(fresh[15])]
    assert network.get_submodule("head").bias.tolist() == pytest.approx(expected)
    for key, value in learnt.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(network.state_dict()[key], value)
    assert "does not know contempt, intensity: new rows" in capsys.readouterr().err
