"""A training small enough to be done many times."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.config import TrainConfig

CLASSES = ("calm", "glad", "sad")


@pytest.fixture(scope="session")
def striped_data(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_faces: Callable[..., np.ndarray],
    write_manifest: Callable[..., Path],
) -> Path:
    """60 faces to train, 30 to validate, 6 to test, of three classes.

    A stripe tells the class, but of every fourth face; every sixth has no intensity.
    """
    generator = np.random.default_rng(5)
    faces, labels = tiny_faces(96, size=16), generator.integers(0, 3, 96)
    labels[:3] = labels[60:63] = 0, 1, 2
    told = np.where(np.arange(96) % 4, labels, generator.integers(0, 3, 96))
    for face, label in zip(faces, told, strict=True):
        stripe = face[5 * label :][:5]
        stripe[:] = stripe // 2 + 70
    splits = ["train"] * 60 + ["validation"] * 30 + ["test"] * 6
    strengths = [round(float(x), 3) if k % 6 else "" for k, x in enumerate(generator.random(96))]
    folder = tmp_path_factory.mktemp("striped")
    return write_manifest(folder, faces, [CLASSES[k] for k in labels], splits, strengths)


@pytest.fixture(scope="session")
def striped(tmp_path_factory: pytest.TempPathFactory, striped_data: Path) -> Callable[..., Any]:
    """``striped(place, **fields)``: a quick recipe for those faces; files go below the place."""
    cache = tmp_path_factory.mktemp("striped-cache")

    def make(place: Path, **fields: Any) -> TrainConfig:
        usual = {
            "data": str(striped_data),
            "cache": str(cache),
            "models": str(place / "models"),
            "logs": str(place / "logs"),
            "size": 16,
            "epochs": 2,
            "batch_size": 16,
            "intensity_weight": 0.0,
        }
        trainer = {"accelerator": "cpu", "enable_progress_bar": False}
        return TrainConfig(**usual | fields | {"trainer": trainer | fields.get("trainer", {})})

    return make


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch, skip_artifacts: Any) -> None:
    """Train without an ONNX file and curves."""
    skip_artifacts(monkeypatch)
