"""How often the files of the networks are opened when a detector or a command starts."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector, pretrained
from emotion_detection.errors import InputError

COUNT_OPENS = """
import collections, json, os, sys
opens = collections.Counter()

def count(event, arguments):
    path = arguments[0] if event == "open" else None
    if isinstance(path, str) and path.endswith(".onnx"):
        opens[os.path.basename(path)] += 1

sys.addaudithook(count)
"""
"""Counts the opens of ONNX files in a process; the hook cannot be removed, so it has its own."""

DETECTOR = """
import numpy as np
from emotion_detection import EmotionDetector
print(json.dumps(opens))
detector = EmotionDetector(*sys.argv[1:])
print(json.dumps(opens))
for _ in range(2):
    detector.detect(np.zeros((40, 40, 3), np.uint8))
print(json.dumps(opens))
"""

PREDICT = """
from emotion_detection.cli import main
assert main(["predict", *sys.argv[1:]]) == 0
print(json.dumps(opens))
"""

SERVER = """
import numpy as np
from emotion_detection import EmotionDetector
from emotion_detection.serving.server import make_server
from emotion_detection.serving.server_settings import Settings
make_server(EmotionDetector(*sys.argv[1:], threads=1), Settings())
print(json.dumps(opens))
"""


def _count(code: str, *words: str) -> list[dict[str, int]]:
    """Return the counts that some code prints as JSON, one object a line."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_OPENS + code, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture
def own_model(tmp_path: Path) -> str:
    shutil.copy(pretrained.find_model(), tmp_path / "own.onnx")
    return str(tmp_path / "own.onnx")


def test_a_detector_opens_each_network_once() -> None:
    imported, made, used = _count(DETECTOR)
    assert imported == {}
    assert made == {"model.onnx": 1}
    assert used == {"model.onnx": 1, "centerface.onnx": 1}


def test_a_detector_opens_a_model_of_ones_own_once(own_model: str) -> None:
    assert _count(DETECTOR, own_model)[1:] == [
        {"own.onnx": 1},
        {"own.onnx": 1, "centerface.onnx": 1},
    ]


@pytest.mark.parametrize("more", [(), ("--out", "rows.csv", "--annotate", "drawn")])
def test_predict_opens_each_network_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_model: str, more: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save("a.png")
    model = ("--model", own_model) if more else ()
    name = "own.onnx" if more else "model.onnx"
    *_, opens = _count(PREDICT, "a.png", *model, *more)
    assert opens == {name: 1, "centerface.onnx": 1}


def test_a_server_opens_the_model_once(own_model: str) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    (opens,) = _count(SERVER, own_model)
    assert opens == {"own.onnx": 1, "centerface.onnx": 1}


def test_the_hash_is_of_the_bytes_that_run(own_model: str) -> None:
    detector = EmotionDetector(own_model, threads=1)
    expected = pretrained.read_record()["files"]["model.onnx"]["sha256"]
    assert detector.model.sha256 == expected == EmotionDetector(threads=1).model.sha256
    assert detector.model.path == Path(own_model)
    assert json.loads(detector.model.metadata["labels"]) == list(detector.labels)
    Path(own_model).write_bytes(b"another one")
    assert detector.model.sha256 == expected
    with pytest.raises(InputError, match="cannot be read as an ONNX model"):
        EmotionDetector(own_model)
