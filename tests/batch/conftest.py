"""Small crops on disk, and how they are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from emotion_detection import pretrained
from emotion_detection.batch.classify import Settings
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.local_engine import Pull, Task
from emotion_detection.data.synthetic import make_synthetic_faces


def _write_crops(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [str(folder / f"{number:04d}.png") for number in range(count)]
    for name, face in zip(names, make_synthetic_faces(count).faces, strict=True):
        Image.fromarray(face).save(name)
    return names


@pytest.fixture(scope="session")
def write_crops() -> Callable[[Path, int], list[str]]:
    """``write_crops(folder, count)``: drawn faces as PNG; their names, in order."""
    return _write_crops


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of 40 drawn faces."""
    return _write_crops(tmp_path_factory.mktemp("crops"), 40)


@pytest.fixture(scope="session")
def settings() -> Callable[..., Settings]:
    """``settings(**changes)``: crops, read by the shipped model."""

    def make(**changes: Any) -> Settings:
        model = pretrained.read_model()
        values = {
            "model": str(model.path),
            "sha256": model.sha256,
            "labels": None,
            "detection_size": 640,
            "min_confidence": 0.5,
            "min_face_size": 24.0,
            "crops": True,
        }
        return Settings(**{**values, **changes})

    return make


def _pull_tasks(names: list[str], size: int) -> Pull:
    starts = iter(range(0, len(names), size))

    def pull() -> Task | None:
        start = next(starts, None)
        if start is None:
            return None
        return Task(start // size, start, tuple(map(Entry, names[start : start + size])))

    return pull


@pytest.fixture(scope="session")
def pull_tasks() -> Callable[[list[str], int], Pull]:
    """``pull_tasks(names, size)``: what an engine pulls its tasks from, ``size`` files each."""
    return _pull_tasks
