"""A model that was trained on synthetic faces says so wherever it predicts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from emotion_detection import EmotionDetector, cli
from emotion_detection.training_record import SYNTHETIC_NOTE


@pytest.fixture(scope="module")
def synthetic(grey: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose record names synthetic faces."""
    model = onnx.load(grey.path)
    for entry in model.metadata_props:
        if entry.key == "training_data":
            entry.value = json.dumps({"label_set": "demo"})
    path = tmp_path_factory.mktemp("synthetic") / "model.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def crops(tmp_path: Path, squares: Callable[..., np.ndarray]) -> list[str]:
    """Names of two images."""
    names = [str(tmp_path / f"{number}.png") for number in range(2)]
    for name, pixels in zip(names, squares(2), strict=True):
        Image.fromarray(pixels).save(name)
    return names


def test_the_model_knows_it(synthetic: Path, grey: Any) -> None:
    assert EmotionDetector(synthetic).is_synthetic
    assert not EmotionDetector(grey.path).is_synthetic
    assert not EmotionDetector().is_synthetic


def test_predict_reports_it_once_and_each_result_has_it(
    synthetic: Path, crops: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "--crops", "--json", "--model", str(synthetic), *crops]) == 0
    out, err = capsys.readouterr()
    assert err.count(SYNTHETIC_NOTE) == 1
    assert [json.loads(line)["notes"] for line in out.splitlines()] == [[SYNTHETIC_NOTE]] * 2


def test_other_models_say_nothing(
    grey: Any, crops: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "--crops", "--json", "--model", str(grey.path), *crops]) == 0
    out, err = capsys.readouterr()
    assert "synthetic" not in out + err


def test_an_image_without_a_face_has_no_note(synthetic: Path) -> None:
    assert EmotionDetector(synthetic).detect(np.zeros((64, 64, 3), np.uint8)).notes == ()
