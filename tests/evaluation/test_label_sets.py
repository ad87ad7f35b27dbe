"""Which label set is tested, and what is told of temperature, intensity and votes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy import stats

from emotion_detection.cli import main
from emotion_detection.data import load
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.labels import FER2013, FERPLUS
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.export import export_onnx
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.network_scores import compute_outputs
from emotion_detection.training.task import CHECKPOINT_KEY

TEMPERATURES = {"ferplus": 2.0, "fer2013": 0.5}
BOTH = ModelSpec("baseline", FERPLUS, 1, 16, 0.0, "ferplus", {"fer2013": FER2013}, intensity=True)


@pytest.fixture(scope="module")
def data(
    tmp_path_factory: pytest.TempPathFactory, tiny_faces: Any, write_csv: Any, write_votes: Any
) -> Path:
    """40 faces to test, 8 to train and to validate; of every tenth raters saw no face."""
    usages = ["Training"] * 8 + ["PublicTest"] * 8 + ["PrivateTest"] * 40
    rows, place = np.arange(56), tmp_path_factory.mktemp("sets") / "fer"
    counts = np.random.default_rng(0).multinomial(3, np.ones(8) / 8, 56)
    counts[rows, rows % 8] += 7
    counts = np.concatenate([counts, np.zeros((56, 2), int)], axis=1)
    counts[::10] = np.eye(10, dtype=int)[9] * 10
    write_csv(place, tiny_faces(56, seed=4), (rows % 7).tolist(), usages)
    return write_votes(place, counts, usages).parent


@pytest.fixture(scope="module")
def write_model(config: Callable[..., Any], data: Path) -> Callable[..., Path]:
    def write(folder: Path, spec: ModelSpec = BOTH, seed: int = 0, **own: Any) -> Path:
        network = build_seeded(spec, seed)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        # fresh weights alone score all faces nearly alike
        weights["network.head.weight"] = weights["network.head.weight"] * 30
        options = {"data": str(data), "labels": "ferplus", "size": 16}
        options["cache"] = config(data, "x").cache
        state = {"spec": spec.as_dict(), "record": {"data": {"options": options}}, **own}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "best.ckpt"
        torch.save({"state_dict": weights, CHECKPOINT_KEY: state}, path)
        return path

    return write


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), temperatures=TEMPERATURES)


@pytest.fixture(scope="module")
def exported(model: Path) -> Path:
    path = model.parent / "other" / "model.onnx"
    path.parent.mkdir()
    trained = load_trained(model)
    export_onnx(trained, path, np.random.default_rng(0).integers(0, 256, (9, 1, 16, 16), np.uint8))
    return path


def faces_of(config: Any, data: Path, labels: str, split: str = "test") -> Any:
    return load(config(data, "x", size=16, labels=labels)).split(split)


def said_of(model: Path, faces: Any, temperatures: dict[str, float]) -> dict[str, np.ndarray]:
    trained = load_trained(model)
    return compute_outputs(trained.network, trained.spec, faces.images, temperatures)


@pytest.mark.parametrize("file", ["model", "exported"])
@pytest.mark.parametrize(
    ("labels", "names", "output"),
    [("ferplus", FERPLUS, "scores"), ("fer2013", FER2013, "scores_fer2013")],
)
def test_the_head_of_the_asked_labels_is_tested(
    file: str,
    labels: str,
    names: tuple[str, ...],
    output: str,
    model: Path,
    data: Path,
    config: Any,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    scores_in: Callable[[Path], np.ndarray],
) -> None:
    done = evaluate([request.getfixturevalue(file)], labels=labels, out=tmp_path)
    faces = faces_of(config, data, labels)
    expected = said_of(model, faces, TEMPERATURES)[output]
    np.testing.assert_allclose(scores_in(tmp_path), expected, atol=1e-4)
    assert done.metrics["labels"] == list(names)
    assert done.metrics["n"] == len(faces) == {"ferplus": 36, "fer2013": 40}[labels]
    right = (expected.argmax(axis=1) == faces.labels).mean()
    assert done.metrics["accuracy"] == pytest.approx(right, abs=1e-6)
    assert done.metrics["temperature"] == [TEMPERATURES[labels]]
    before = compute_calibration_metrics(said_of(model, faces, {})[output], faces.labels)
    assert done.metrics["before_temperature"] == pytest.approx(before, abs=2e-4)
    assert abs(done.metrics["nll"] - before["nll"]) > 0.01


def test_without_asking_the_first_set_is_tested(model: Path, tmp_path: Path) -> None:
    assert evaluate([model], out=tmp_path).metrics["labels"] == list(FERPLUS)


def test_both_sets_results_lie_side_by_side(model: Path) -> None:
    folders = [evaluate([model], labels=labels).folder for labels in ("ferplus", "fer2013")]
    assert [folder.name for folder in folders] == ["ferplus-test", "fer2013-test"]


def test_intensity_and_vote_fractions_are_compared_with_the_raters(
    model: Path, data: Path, config: Any, tmp_path: Path
) -> None:
    metrics = evaluate([model], out=tmp_path).metrics
    faces = faces_of(config, data, "ferplus")
    said = said_of(model, faces, TEMPERATURES)
    expected = stats.pearsonr(said["intensity"], faces.intensity).statistic
    assert metrics["intensity"]["pearson"] == pytest.approx(expected, abs=1e-4)
    assert metrics["intensity"]["n"] == 36
    assert "raters_reliability" in metrics["intensity"]
    assert list(metrics["vote_shares"]) == list(FERPLUS)
    for column, name in enumerate(FERPLUS):
        expected = stats.spearmanr(said["scores"][:, column], faces.shares[:, column]).statistic
        assert metrics["vote_shares"][name]["spearman"] == pytest.approx(expected, abs=1e-4)
    table = pq.read_table(tmp_path / "predictions.parquet")
    np.testing.assert_allclose(table["intensity"].to_numpy(), said["intensity"], atol=1e-5)


def test_labels_without_votes_tell_neither(model: Path, tmp_path: Path) -> None:
    metrics = evaluate([model], labels="fer2013", out=tmp_path).metrics
    assert not {"intensity", "vote_shares"} & metrics.keys()
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert table["intensity"].null_count == 0  # the model says one all the same


def test_a_model_without_intensity_says_none(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    plain = ModelSpec("baseline", FERPLUS, 1, 16, 0.0, "ferplus")
    metrics = evaluate([write_model(tmp_path / "run", plain)], out=tmp_path / "out").metrics
    assert "intensity" not in metrics
    assert "vote_shares" in metrics
    assert metrics["temperature"] == [1.0]
    table = pq.read_table(tmp_path / "out" / "predictions.parquet")
    assert table["intensity"].null_count == 36


def test_models_with_one_and_with_two_sets_are_averaged_over_the_common_one(
    model: Path,
    write_model: Callable[..., Path],
    data: Path,
    config: Any,
    tmp_path: Path,
    scores_in: Callable[[Path], np.ndarray],
) -> None:
    turned = tuple(reversed(FER2013))
    one = ModelSpec("baseline", turned, 1, 16, 0.0, "fer2013")
    path = write_model(tmp_path / "run", one, seed=5)
    evaluate([model, path], labels="fer2013", out=tmp_path / "out")
    faces = faces_of(config, data, "fer2013")
    first = said_of(model, faces, TEMPERATURES)["scores_fer2013"]
    second = said_of(path, faces, {})["scores"][:, ::-1]
    np.testing.assert_allclose(scores_in(tmp_path / "out"), (first + second) / 2, atol=1e-5)


def test_mirrored_faces_are_averaged_in_the_asked_set_too(
    model: Path, data: Path, config: Any, tmp_path: Path, scores_in: Callable[[Path], np.ndarray]
) -> None:
    evaluate([model], labels="fer2013", tta=True, out=tmp_path)
    trained, faces = load_trained(model), faces_of(config, data, "fer2013")
    plain, mirrored = (
        compute_outputs(trained.network, BOTH, images, TEMPERATURES)["scores_fer2013"]
        for images in (faces.images, faces.images[..., ::-1])
    )
    np.testing.assert_allclose(scores_in(tmp_path), (plain + mirrored) / 2, atol=1e-5)


def test_the_command_tests_the_asked_set(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["test", "--model", str(model), "--labels", "fer2013", "--out", str(tmp_path)]
    assert main(words) == 0
    assert "test accuracy: " in capsys.readouterr().out.splitlines()[-1]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["labels"] == list(FER2013)
    assert metrics["data"]["label_set"] == "fer2013"


def test_checkpoint_and_onnx_file_declare_the_same(model: Path, exported: Path) -> None:
    one, other = open_model(model), open_model(exported)
    for name in ("label_sets", "labels", "temperatures", "channels", "size", "parameters"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.label_set_for("fer2013") == "fer2013"
    assert one.label_set_for("own") == "ferplus"


@pytest.mark.parametrize("command", ["test", "report"])
def test_labels_that_nobody_named_are_not_blamed(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--model", "pretrained"] if command == "test" else ["pretrained"]
    words = [command, *models, "--data", "demo", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "add --labels original" in said
    assert said.count("\n") == 1
    assert main([*words, "--labels", "ferplus"]) == 2
    assert "--labels ferplus: synthetic faces have no votes" in capsys.readouterr().err
