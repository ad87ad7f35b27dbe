"""Tiny trained runs and the faces they were trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from emotion_detection.config import TrainConfig, config_to_dict, data_config_fields
from emotion_detection.data import load
from emotion_detection.training import Run, train
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.task import CHECKPOINT_KEY

OWN_CLASSES = ("bored", "keen", "tired")


def _marked(faces: np.ndarray, labels: Sequence[int], classes: int) -> np.ndarray:
    """Let the brightness of each face's left side tell its class, so that there is to learn."""
    faces = faces.copy()
    for face, label in zip(faces, labels, strict=True):
        face[:, : faces.shape[2] // 2] //= 4
        face[:, : faces.shape[2] // 2] += np.uint8(180 * label // max(classes - 1, 1))
    return faces


@pytest.fixture(scope="session")
def marked() -> Callable[..., np.ndarray]:
    """``marked(faces, labels, classes)``: the faces with something to learn in them."""
    return _marked


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where data, cache and runs of these tests lie."""
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="session")
def write_classes(png: Callable[..., bytes]) -> Callable[..., Path]:
    """``write_classes(dest, faces, labels, names)``: dest/<name>/0000.png and so on."""

    def write(dest: Path, faces: np.ndarray, labels: Sequence[int], names: Sequence[str]) -> Path:
        for row, (face, label) in enumerate(zip(faces, labels, strict=True)):
            (dest / names[label]).mkdir(parents=True, exist_ok=True)
            (dest / names[label] / f"{row:04d}.png").write_bytes(png(face))
        return dest

    return write


@pytest.fixture(scope="session")
def own_data(
    place: Path, tiny_faces: Callable[..., np.ndarray], write_classes: Callable[..., Path]
) -> Path:
    """150 faces of three classes with names of their own, in folders."""
    labels = [row % 3 for row in range(150)]
    faces = _marked(tiny_faces(150, size=24), labels, 3)
    return write_classes(place / "own", faces, labels, OWN_CLASSES)


@pytest.fixture(scope="session")
def fer_data(
    place: Path, tiny_faces: Callable[..., np.ndarray], write_csv: Callable[..., Path]
) -> Path:
    """A small fer2013.csv: 112 faces to train, 28 to validate, 56 to test."""
    usages = ["Training"] * 112 + ["PublicTest"] * 28 + ["PrivateTest"] * 56
    labels = [row % 7 for row in range(196)]
    return write_csv(place / "fer", _marked(tiny_faces(196, seed=1), labels, 7), labels, usages)


@pytest.fixture(scope="session")
def config(place: Path) -> Callable[..., TrainConfig]:
    """``config(data, name, **fields)``: a quick recipe that writes to this session's folders."""

    def make(data: Path, name: str, **fields: Any) -> TrainConfig:
        folders = {key: str(place / key) for key in ("models", "logs", "cache")}
        trainer = {"accelerator": "cpu", "enable_progress_bar": False}
        return TrainConfig(
            **{"data": str(data), "name": name, "size": 24, "epochs": 2, "batch_size": 16}
            | folders
            | {"trainer": trainer}
            | fields
        )

    return make


@pytest.fixture(scope="session")
def own_run(own_data: Path, config: Callable[..., TrainConfig]) -> Run:
    """Trained on ``own_data``."""
    return train(config(own_data, "own"))


@pytest.fixture(scope="session")
def fer_run(fer_data: Path, config: Callable[..., TrainConfig]) -> Run:
    """Trained on ``fer_data``."""
    return train(config(fer_data, "fer", size=16))


@pytest.fixture(scope="session")
def write_checkpoint(config: Callable[..., TrainConfig]) -> Callable[..., Path]:
    """``write_checkpoint(path, labels, data, seed=0, size=16)``: untrained, quickly made."""

    def write(path: Path, labels: Sequence[str], data: Path, seed: int = 0, size: int = 16) -> Path:
        spec = ModelSpec("baseline", tuple(labels), 1, size, 0.5)
        network = build_seeded(spec, seed)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        # fresh weights alone score all faces nearly alike
        weights["network.head.weight"] = weights["network.head.weight"] * 40
        recipe = config(data, path.parent.name, size=size)
        record = {"data": {"options": data_config_fields(config_to_dict(recipe))}}
        path.parent.mkdir(parents=True, exist_ok=True)
        own = {"spec": spec.as_dict(), "record": record}
        torch.save({"state_dict": weights, CHECKPOINT_KEY: own}, path)
        return path

    return write


@pytest.fixture(scope="session")
def images_of(config: Callable[..., TrainConfig]) -> Callable[..., np.ndarray]:
    """``images_of(data, size, split="test")``: its faces, uint8 (N, 1, size, size)."""

    def images(data: Path, size: int, split: str = "test") -> np.ndarray:
        return np.array(load(config(data, "read", size=size)).split(split).images)

    return images


@pytest.fixture(scope="session")
def scores_in() -> Callable[[Path], np.ndarray]:
    """``scores_in(folder)``: float32 (N, classes) of its predictions.parquet."""

    def scores(folder: Path) -> np.ndarray:
        column = pq.read_table(folder / "predictions.parquet")["scores"]
        return np.array(column.to_pylist(), np.float32)

    return scores
