"""What the page is told of its model: that it fits the files that the page loads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from emotion_detection import EmotionDetector
from emotion_detection.errors import InputError
from emotion_detection.images.opening import MAX_PIXELS
from emotion_detection.inference import face_detector
from emotion_detection.inference.browser_export import describe_browser_model, read_browser_files
from emotion_detection.inference.face_detector import MODEL_SHA256
from emotion_detection.results import list_columns
from emotion_detection.training_record import SYNTHETIC_NOTE


@pytest.mark.parametrize("label_set", ["ferplus", "fer2013"])
def test_it_fits_the_graph(label_set: str) -> None:
    about = json.loads(json.dumps(describe_browser_model(EmotionDetector(labels=label_set))))
    files = read_browser_files()
    session = onnxruntime.InferenceSession(files["model.onnx"].content)
    size, channels = about["input"]["size"], about["input"]["channels"]
    faces = np.zeros((2, channels, size, size), np.uint8)
    names = [value["output"] for value in about["label_sets"].values()]
    for name, scores in zip(names, session.run(names, {"faces": faces}), strict=True):
        (labels,) = (v["labels"] for v in about["label_sets"].values() if v["output"] == name)
        assert scores.shape == (2, len(labels))
    assert about["labels"] == about["label_sets"][label_set]["labels"]
    assert about["intensity"] == ("intensity" in {out.name for out in session.get_outputs()})
    assert about["columns"] == list_columns(about["labels"])
    assert set(about["colours"]) == set(about["labels"])


def test_it_has_the_settings_of_the_detector() -> None:
    detector = EmotionDetector(
        detection_size=np.int64(500),
        min_confidence=np.float32(0.5),
        min_face_size=60,
        min_score=0.45,
        certain=0.6,
    )
    thresholds = json.loads(json.dumps(describe_browser_model(detector)["thresholds"]))
    assert thresholds == {
        "working_size": 500,
        "confidence": 0.5,
        "certain": 0.6,
        "smallest": 60,
        "least_score": 0.45,
        "pixels": MAX_PIXELS,
    }


def test_it_has_the_notes_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_browser_model(EmotionDetector())["notes"] == []
    monkeypatch.setattr(EmotionDetector, "is_synthetic", True)
    assert describe_browser_model(EmotionDetector())["notes"] == [SYNTHETIC_NOTE]


def test_the_finder_is_the_one_that_was_shipped() -> None:
    content = read_browser_files()["centerface.onnx"].content
    assert hashlib.sha256(content).hexdigest() == MODEL_SHA256


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.onnx"):
        read_browser_files(tmp_path)


def test_a_damaged_finder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_detector, "MODEL_SHA256", "0" * 64)
    with pytest.raises(InputError, match="damaged"):
        read_browser_files()
