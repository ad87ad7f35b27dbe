"""Tiny faces, a recipe of seconds, and audits of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.evaluation.audit.audited_faces import AuditedFaces, load_audited_faces
from emotion_detection.evaluation.audit.folds import OutOfFold, predict_out_of_fold

CLASSES = ("calm", "glad", "sad")


@pytest.fixture(scope="session")
def tiny_data(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_faces: Callable[..., np.ndarray],
    marked: Callable[..., np.ndarray],
    write_manifest: Callable[..., Path],
) -> Path:
    """90 faces to train, 12 to validate, 6 to test; the last 6 of train copy the first 6.

    The first three copies have another label than what they copy, and face 20 is blank.
    """
    labels = np.arange(108) % 3
    faces = marked(tiny_faces(108, size=16), labels, 3)
    faces[84:90] = faces[:6]
    faces[20] = 7
    labels[84:87] = (labels[:3] + 1) % 3
    labels[87:90] = labels[3:6]
    splits = ["train"] * 90 + ["validation"] * 12 + ["test"] * 6
    folder = tmp_path_factory.mktemp("tiny")
    return write_manifest(folder, faces, [CLASSES[label] for label in labels], splits)


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny-cache")


@pytest.fixture(scope="session")
def recipe(tiny_data: Path, tiny_cache: Path) -> Callable[..., TrainConfig]:
    """``recipe(**fields)``: two epochs of the baseline on 16 px."""

    def make(**fields: Any) -> TrainConfig:
        usual = {
            "data": str(tiny_data),
            "cache": str(tiny_cache),
            "size": 16,
            "epochs": 2,
            "batch_size": 16,
            "intensity_weight": 0.0,
            "trainer": {"accelerator": "cpu", "enable_progress_bar": False},
        }
        return TrainConfig(**usual | fields)

    return make


@contextmanager
def _without_curves() -> Iterator[None]:
    """Leave out the curves, and refuse an ONNX file: no fold's model is exported."""

    def export(*_: object) -> float:
        raise AssertionError("a fold's model is exported")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("emotion_detection.training.final_steps.export_onnx", export)
        patched.setattr("emotion_detection.training.final_steps.draw_curves", lambda *_: None)
        yield


@pytest.fixture(autouse=True)
def without_curves() -> Iterator[None]:
    """For each of these tests, and no others."""
    with _without_curves():
        yield


@pytest.fixture(scope="session")
def in_folds(recipe: Callable[..., TrainConfig]) -> Callable[..., tuple[OutOfFold, AuditedFaces]]:
    """``in_folds(out, count=2, **fields)`` -> the out-of-fold predictions, and the faces."""

    def judge(out: Path, count: int = 2, **fields: Any) -> tuple[OutOfFold, AuditedFaces]:
        config = recipe(**fields)
        dataset = load(config)
        looked = load_audited_faces(dataset, ("train", "validation"))
        with _without_curves():
            return predict_out_of_fold(config, dataset, looked, count, out), looked

    return judge


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, in_folds: Callable[..., Any]
) -> tuple[OutOfFold, AuditedFaces, Path]:
    """Predictions in two folds, the faces, and where the trainings lie; not to be changed."""
    out = tmp_path_factory.mktemp("whole")
    return (*in_folds(out), out)
