"""The examples in docstrings and in docs/python.md run, and every public name has one."""

import doctest
import importlib
import inspect
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import emotion_detection
from emotion_detection import EmotionDetector, Explanation, Face, Result

ROOT = Path(__file__).resolve().parents[1]

MODULES = (
    *("", "errors", "images.arrays", "images.file_objects", "labels"),
    *("other_libraries", "palette", "results", "inference.cameras"),
    *("inference.emotion_detector", "inference.devices", "inference.explain"),
    *("inference.image_batches", "inference.result_output", "inference.detector_settings"),
)

NEEDED = {"results": ("pandas", "supervision"), "inference.emotion_detector": ("av",)}
"""What the examples of a module need beside the package."""


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    return EmotionDetector(threads=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder that holds ``photo.jpg``."""
    shutil.copy(ROOT / "docs/images/astronaut.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write_clip(path: Path) -> None:
    from emotion_detection.inference.video_writer import VideoWriter

    frame = np.asarray(Image.open("photo.jpg"))
    with VideoWriter(path, 10) as video:
        for number in range(5):
            video.write(frame, number / 10)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str, detector: EmotionDetector, folder: Path) -> None:
    for needed in NEEDED.get(name, ()):
        with warnings.catch_warnings():  # supervision advises to install OpenCV
            warnings.simplefilter("ignore")
            pytest.importorskip(needed, reason=f"{needed} is not installed")
    module = importlib.import_module(f"emotion_detection.{name}".removesuffix("."))
    if name == "inference.emotion_detector":
        _write_clip(folder / "clip.mp4")
    given = {"detector": detector, "np": np, "Image": Image}
    done = doctest.testmod(module, extraglobs=given, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted > 0
    assert done.failed == 0, "see the output above"


def _public() -> Iterator[tuple[str, Any]]:
    for name in emotion_detection.__all__:
        if name != "__version__":
            yield name, getattr(emotion_detection, name)
    for kind in (EmotionDetector, Explanation, Face, Result):
        for name, member in vars(kind).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                yield f"{kind.__name__}.{name}", member


def test_every_public_name_has_an_example() -> None:
    assert [name for name, what in _public() if ">>> " not in (what.__doc__ or "")] == []


def test_the_examples_of_the_python_page_run(folder: Path) -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 5
    names: dict[str, Any] = {}
    for block in blocks:
        # what needs a camera, a GPU or another package says so in its first line
        if not block.startswith("# needs "):
            exec(compile(block, "docs/python.md", "exec"), names)
    assert isinstance(names["result"], Result)


def test_the_python_page_names_all_that_is_public() -> None:
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    assert [name for name, _ in _public() if name.rpartition(".")[2] not in page] == []
