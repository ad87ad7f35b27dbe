"""The ONNX file: what it holds, that it agrees with torch, that a bad one is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.external_data_helper import uses_external_data

from emotion_detection import __version__
from emotion_detection.errors import TrainingError
from emotion_detection.labels import FER2013
from emotion_detection.training import export
from emotion_detection.training.checkpoint import LoadedCheckpoint
from emotion_detection.training.export import export_onnx
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.network_scores import DeployedNetwork, compute_outputs

RECORD = {"data": {"source": "somewhere", "hash": "abc", "options": {"data": "somewhere"}}}
METRICS = {"accuracy": 0.5, "split": "validation"}
WARM = {"own": 2.0}


def _trained(seed: int = 0, channels: int = 1) -> LoadedCheckpoint:
    spec = ModelSpec("baseline", FER2013, channels, 24, 0.5)
    network = build_seeded(spec, seed).eval()
    with torch.no_grad():  # fresh weights alone score all faces nearly alike
        network.get_submodule("head").weight.mul_(40)
    return LoadedCheckpoint(network, spec, RECORD, Path("best.ckpt"))


def _faces(count: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, channels, 24, 24), dtype=np.uint8)


def _scores(path: Path, faces: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"faces": faces})[0]


@pytest.fixture(scope="module")
def trained() -> LoadedCheckpoint:
    return _trained()


@pytest.fixture(scope="module")
def exported(trained: LoadedCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(trained, path, _faces(20), METRICS)
    return path


@pytest.fixture(scope="module")
def colour() -> LoadedCheckpoint:
    return _trained(channels=3)


def _warm(trained: LoadedCheckpoint) -> LoadedCheckpoint:
    return replace(trained, temperatures=WARM)


class Written(NamedTuple):
    """A file, torch's program that it was saved from, and the difference that was returned."""

    path: Path
    program: Any
    difference: float


@pytest.fixture(scope="module")
def warm(colour: LoadedCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """For colour, compared on one face, at temperature 2."""
    programs = []
    real = torch.onnx.export

    def kept(*arguments: Any, **options: Any) -> Any:
        programs.append(real(*arguments, **options))
        return programs[-1]

    path = tmp_path_factory.mktemp("warm") / "model.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", kept)
        difference = export_onnx(_warm(colour), path, _faces(1, channels=3))
    return Written(path, programs[0], difference)


@pytest.fixture
def exporter_is_quick(warm: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's exporter gives what it gave before."""
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: warm.program)


def test_everything_is_in_one_file(exported: Path) -> None:
    graph = onnx.load(exported, load_external_data=False).graph
    assert graph.initializer
    assert not any(uses_external_data(tensor) for tensor in graph.initializer)
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]


def test_input_and_output_are_as_promised(exported: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    (faces,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (faces.name, faces.type) == ("faces", "tensor(uint8)")
    assert (scores.name, scores.type) == ("scores", "tensor(float)")
    assert faces.shape[1:] == [1, 24, 24]
    assert scores.shape[1:] == [7]
    assert isinstance(faces.shape[0], str)
    assert faces.shape[0] == scores.shape[0]


@pytest.mark.parametrize("count", [1, 2, 257])
def test_any_number_of_faces_gives_torchs_scores(
    exported: Path, trained: LoadedCheckpoint, count: int
) -> None:
    faces = _faces(count, seed=count)
    scores = _scores(exported, faces)
    assert (scores.shape, scores.dtype) == ((count, 7), np.float32)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    ours = compute_outputs(trained.network, trained.spec, faces)["scores"]
    np.testing.assert_allclose(scores, ours, atol=1e-5)


def test_scores_depend_on_the_face(exported: Path) -> None:
    assert np.ptp(_scores(exported, _faces(50)), axis=0).max() > 0.01


def test_colour_faces_have_three_channels(warm: Written) -> None:
    session = onnxruntime.InferenceSession(str(warm.path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == [3, 24, 24]
    declared = json.loads(session.get_modelmeta().custom_metadata_map["input"])
    assert (declared["channels"], declared["color"]) == (3, "RGB")


def test_metadata_says_what_a_reader_needs(exported: Path, trained: LoadedCheckpoint) -> None:
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    assert metadata.pop("version") == __version__
    values = {name: json.loads(text) for name, text in metadata.items()}
    assert values["labels"] == list(FER2013)
    assert values["input"] == {
        "layout": "NCHW",
        "dtype": "uint8",
        "channels": 1,
        "height": 24,
        "width": 24,
        "color": "grey",
    }
    assert values["temperature"] == 1
    assert values["training_data"] == RECORD["data"]
    assert values["metrics"] == METRICS
    assert values["parameters"] == sum(p.numel() for p in trained.network.parameters())


def test_the_temperature_divides_the_logits_in_the_graph(
    warm: Written, colour: LoadedCheckpoint
) -> None:
    faces = _faces(30, channels=3, seed=9)
    with torch.inference_mode():
        logits = colour.network(torch.from_numpy(faces).float() / 255)
    expected = torch.softmax(logits / 2, dim=1).numpy()
    np.testing.assert_allclose(_scores(warm.path, faces), expected, atol=1e-5)
    assert expected.max() < torch.softmax(logits, dim=1).max()
    properties = {p.key: p.value for p in onnx.load(warm.path).metadata_props}
    assert json.loads(properties["temperature"]) == 2


def test_the_returned_difference_is_that_of_the_file(
    warm: Written, colour: LoadedCheckpoint
) -> None:
    sample = _faces(1, channels=3)
    with torch.inference_mode():
        ours = DeployedNetwork(colour.network, colour.spec, WARM)(torch.from_numpy(sample))[
            0
        ].numpy()
    assert warm.difference == pytest.approx(np.abs(ours - _scores(warm.path, sample)).max())
    assert warm.difference < 1e-5


@pytest.mark.usefixtures("exporter_is_quick")
def test_a_file_that_scores_otherwise_is_refused_and_the_older_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the older file")
    other_weights = _trained(seed=1, channels=3)
    with pytest.raises(TrainingError, match="not written: onnxruntime and torch differ by") as say:
        export_onnx(_warm(other_weights), path, _faces(10, channels=3))
    assert str(path) in str(say.value)
    assert "at most 0.0001 is allowed" in str(say.value)
    assert path.read_bytes() == b"the older file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("exporter_is_quick")
def test_scores_that_are_no_numbers_are_refused(
    tmp_path: Path, colour: LoadedCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_difference", lambda *_: float("nan"))
    with pytest.raises(TrainingError, match="not written"):
        export_onnx(colour, tmp_path / "model.onnx", _faces(10, channels=3))
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("exporter_is_quick")
@pytest.mark.parametrize("place", ["missing/model.onnx", "file/model.onnx", "folder.onnx"])
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, colour: LoadedCheckpoint, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.onnx").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TrainingError, match="cannot be written") as say:
        export_onnx(_warm(colour), tmp_path / place, _faces(2, channels=3))
    assert str(tmp_path / place) in str(say.value)
    assert sorted(tmp_path.iterdir()) == before


def test_the_file_runs_where_torch_is_not_installed(
    exported: Path, trained: LoadedCheckpoint
) -> None:
    code = """
import json, sys
sys.modules["torch"] = None  # makes each import of it fail
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
faces = np.arange(2 * 24 * 24).astype(np.uint8).reshape(2, 1, 24, 24)
print(json.dumps(session.run(None, {"faces": faces})[0].tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported)], capture_output=True, text=True, check=True
    )
    faces = np.arange(2 * 24 * 24).astype(np.uint8).reshape(2, 1, 24, 24)
    expected = compute_outputs(trained.network, trained.spec, faces)["scores"]
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-5)


def test_the_file_says_nothing_of_where_the_code_lies(exported: Path) -> None:
    content = exported.read_bytes()
    for place in (str(Path(torch.__file__).parent), ".py", "stack_trace"):
        assert place.encode() not in content
