"""The shipped model: found, checked, and what its record says of it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection import EmotionDetector, pretrained
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013, FERPLUS

CONTENTS = {"model.onnx": b"the model", "weights.safetensors": b"the weights"}
FIELDS = {
    "name",
    "version",
    "files",
    "labels",
    "input",
    "parameters",
    "multiply_adds",
    "training",
    "figures",
    "licence",
    "rights",
    "intended_use",
    "limits",
}
SHIPPED = Path(pretrained.__file__).parent
PLACES: list[Callable[[], Path]] = [pretrained.find_model, pretrained.find_weights]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole set of files, which stands for the shipped ones."""
    files = {}
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (tmp_path / "record.json").write_text(json.dumps({"name": "tiny", "files": files}))
    monkeypatch.setattr(pretrained, "_folder", lambda: tmp_path)
    return tmp_path


def _refused(ask: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as say:
        ask()
    assert "\n" not in str(say.value)
    assert "reinstall the package: pip install" in str(say.value)
    return str(say.value)


def test_whole_files_are_found(folder: Path) -> None:
    assert pretrained.find_model() == folder / "model.onnx"
    assert pretrained.find_weights() == folder / "weights.safetensors"
    assert pretrained.read_record()["name"] == "tiny"


@pytest.mark.parametrize("ask", PLACES)
@pytest.mark.parametrize("content", [b"", b"the mode", b"another model"])
def test_a_damaged_file_is_refused(folder: Path, ask: Callable[[], Path], content: bytes) -> None:
    path = ask()
    path.write_bytes(content)
    assert f"{path}: damaged" in _refused(ask)


@pytest.mark.parametrize("ask", PLACES)
def test_a_missing_file_is_named(folder: Path, ask: Callable[[], Path]) -> None:
    path = ask()
    path.unlink()
    assert f"{path}: missing" in _refused(ask)
    path.mkdir()
    assert f"{path}: cannot be read" in _refused(ask)


@pytest.mark.parametrize("ask", [*PLACES, pretrained.read_record, EmotionDetector])
def test_without_a_record_there_is_no_model(folder: Path, ask: Callable[[], Any]) -> None:
    (folder / "record.json").unlink()
    assert f"{folder / 'record.json'}: missing, a part of the shipped model" in _refused(ask)


@pytest.mark.parametrize("ask", [*PLACES, pretrained.read_record])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', b"\xff\xfe\x00"])
def test_a_damaged_record_is_refused(
    folder: Path, ask: Callable[[], Any], text: str | bytes
) -> None:
    (folder / "record.json").write_bytes(text.encode() if isinstance(text, str) else text)
    assert "record.json: damaged" in _refused(ask)


@pytest.mark.parametrize("files", [{}, {"model.onnx": "abc"}, {"model.onnx": {"bytes": 9}}])
def test_a_record_that_does_not_name_a_file_vouches_for_none(
    folder: Path, files: dict[str, Any]
) -> None:
    (folder / "record.json").write_text(json.dumps({"files": files}))
    assert "model.onnx: damaged" in _refused(pretrained.find_model)


def test_a_damaged_model_is_not_run(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"another model")
    assert "model.onnx: damaged" in _refused(EmotionDetector)


def test_the_shipped_files_are_those_of_the_record() -> None:
    record = pretrained.read_record()
    assert set(record) == FIELDS
    assert set(record["files"]) == set(CONTENTS)
    for path in (pretrained.find_model(), pretrained.find_weights()):
        assert path.stat().st_size == record["files"][path.name]["bytes"]


def test_the_shipped_model_is_what_its_record_says() -> None:
    record, detector = pretrained.read_record(), EmotionDetector(threads=1)
    assert {name: list(labels) for name, labels in detector.label_sets.items()} == record["labels"]
    assert list(detector.label_sets) == list(record["labels"])
    assert detector.label_sets == {"ferplus": FERPLUS, "fer2013": FER2013}
    declared = record["input"]
    assert detector.input == (declared["height"], declared["channels"])
    assert declared["height"] == declared["width"]
    assert record["parameters"] > 0
    assert record["multiply_adds"] > 0
    for name in ("licence", "rights", "intended_use", "limits"):
        assert record[name]
    assert record["figures"]
    words = record["training"]["command"]
    words = words.split() if isinstance(words, str) else words
    assert not any(word.startswith("/") for word in words)


@pytest.mark.parametrize("labels", ["ferplus", "fer2013"])
def test_the_shipped_model_scores_crops_of_any_size(labels: str) -> None:
    detector = EmotionDetector(threads=1, labels=labels)
    generator = np.random.default_rng(0)
    for shape in [(48, 48), (64, 100, 3), (20, 20)]:
        scores = detector.classify(generator.integers(0, 256, (5, *shape), dtype=np.uint8))
        assert scores.shape == (5, len(detector.labels))
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert detector.classify(np.zeros((0, 48, 48), np.uint8)).shape == (0, len(detector.labels))


def test_the_shipped_model_tells_intensity_from_0_to_1() -> None:
    detector = EmotionDetector(threads=1)
    assert detector.has_intensity
    crops = np.random.default_rng(0).integers(0, 256, (20, 48, 48), dtype=np.uint8)
    intensity = detector.intensity(crops)
    assert (intensity >= 0).all()
    assert (intensity <= 1).all()


def test_the_shipped_weights_are_those_of_the_network() -> None:
    content = pretrained.find_weights().read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header.pop("__metadata__", None)
    numbers = sum(int(np.prod(tensor["shape"])) for tensor in header.values())
    assert numbers >= pretrained.read_record()["parameters"]


def test_finding_the_model_loads_nothing_heavy() -> None:
    code = (
        "import sys, emotion_detection.pretrained\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "safetensors", "numpy", "PIL", "onnxruntime", "yaml"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("labels", ["ferplus", "fer2013"])
def test_a_slice_of_the_record_is_computed_again(
    labels: str, fer2013_root: Path, fer2013_cache: Path
) -> None:
    figure = next(
        row
        for row in pretrained.read_record()["figures"]
        if row["labels"] == labels and not row["tta"]
    )
    dataset = load(DataConfig(data=str(fer2013_root), labels=labels, cache=str(fer2013_cache)))
    count = figure["slice"]["faces"]
    faces = dataset.split("test")
    scores = EmotionDetector(labels=labels, threads=1).classify(faces.images[:count, 0])
    right = int((scores.argmax(axis=1) == faces.labels[:count]).sum())
    # another processor may round another way: a face on the edge
    assert abs(right - figure["slice"]["right"]) <= 1
    assert scores.max(axis=1).mean() == pytest.approx(figure["slice"]["mean_top_score"], abs=1e-3)


@pytest.mark.release
@pytest.mark.slow
@pytest.mark.real_data
def test_classify_gives_the_accuracy_that_test_py_gives(
    fer2013_root: Path, fer2013_cache: Path, tmp_path: Path
) -> None:
    from emotion_detection.evaluation import evaluate

    cache = str(fer2013_cache)
    tested = evaluate(
        models=["pretrained"],
        data=str(fer2013_root),
        labels="ferplus",
        split="validation",
        out=tmp_path,
        changes={"cache": cache},
    )
    faces = load(DataConfig(data=str(fer2013_root), labels="ferplus", cache=cache))
    split = faces.split("validation")
    called = EmotionDetector().classify(split.images[:, 0]).argmax(axis=1)
    assert tested.metrics["n"] == len(called) == 3199
    assert tested.metrics["accuracy"] == float((called == split.labels).mean())
