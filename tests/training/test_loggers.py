"""Loggers, what TensorBoard shows, and the line an epoch on a terminal."""

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import Run, loggers, read_resumed_config, train
from emotion_detection.training.history import COLUMNS
from emotion_detection.training.loggers import draw_counts, tile_faces

Make = Callable[..., TrainConfig]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture(scope="module")
def run(striped: Make, tmp_path_factory: pytest.TempPathFactory, terminal: Terminal) -> Run:
    """Two epochs with two loggers, shown on a terminal; then a third one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emotion_detection.training.final_steps.export_onnx", lambda *_: 0.0)
        patch.setattr(sys, "stderr", terminal)
        recipe = striped(
            tmp_path_factory.mktemp("loggers"),
            name="logged",
            schedule="cosine",
            rotate=10.0,
            logger=["tensorboard", "csv"],
            trainer={"enable_progress_bar": True},
        )
        first = train(recipe)
        return train(read_resumed_config(first.folder, {"epochs": 3}), resume=first.folder)


@pytest.fixture(scope="module")
def events(run: Run) -> EventAccumulator:
    found = EventAccumulator(str(run.logs), size_guidance={"images": 0, "scalars": 0})
    return found.Reload()


def test_tensorboard_has_grouped_names(run: Run, events: EventAccumulator) -> None:
    names = {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "learning_rate", "epoch"}
    assert set(events.Tags()["scalars"]) == names
    kept = rows(run.logs / "metrics.csv")
    for name in ("train/loss", "val/accuracy", "learning_rate"):
        shown = [event.value for event in events.Scalars(name)]
        own = [float(row[name.replace("/", "_")]) for row in kept]
        assert shown == pytest.approx(own, rel=1e-6)


def test_tensorboard_shows_faces_and_the_confusion_matrix(events: EventAccumulator) -> None:
    assert set(events.Tags()["images"]) == {"train/augmented_faces", "val/confusion"}
    (faces,) = events.Images("train/augmented_faces")
    image = Image.open(io.BytesIO(faces.encoded_image_string))
    assert image.size == (8 * 16, 2 * 16)  # a batch of 16 faces of 16 px
    assert np.asarray(image).std() > 5
    assert len(events.Images("val/confusion")) == 3


def test_the_csv_logger_keeps_what_an_earlier_start_wrote(run: Run) -> None:
    for version, epochs in (("version_0", 2), ("version_1", 1)):
        found = rows(run.logs / "csv" / version / "metrics.csv")
        assert sum(row["val_accuracy"] != "" for row in found) == epochs


def test_the_history_keeps_its_columns(run: Run) -> None:
    kept = rows(run.logs / "metrics.csv")
    assert tuple(kept[0]) == COLUMNS
    assert [row["epoch"] for row in kept] == ["1", "2", "3"]


def test_a_line_an_epoch_stays_on_the_terminal(run: Run, terminal: Terminal) -> None:
    text = terminal.getvalue()
    kept = rows(run.logs / "metrics.csv")
    for place, row in enumerate(kept, 1):
        told = f"loss {float(row['train_loss']):.4f}  val loss {float(row['val_loss']):.4f}"
        total = 2 if place < 3 else 3
        assert f"epoch {place}/{total}  {told}" in text


def test_no_logger_leaves_the_history_alone(
    striped: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotion_detection.training.final_steps.export_onnx", lambda *_: 0.0)
    done = train(striped(tmp_path, epochs=1, logger=[]))
    assert {path.name for path in done.logs.iterdir()} == {"metrics.csv", "curves.png"}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_named_before_faces_are_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", "nosuch", "--logger", "csv", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"emotion: --logger {name} needs {name}")
    assert f"[{name}]" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--logger", "neptune"], "--logger neptune: must be tensorboard, csv, wandb or mlflow"),
        (["--trainer.logger", "false"], "--trainer.logger: say --logger with tensorboard"),
    ],
)
def test_other_loggers_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", "nosuch", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_logger_that_cannot_start_leaves_no_run(
    striped: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(logs: Path) -> Any:
        asked.append(logs.name)
        raise RuntimeError("api_key not configured\nat great length")

    monkeypatch.setitem(loggers._MAKERS, "wandb", refuse)
    monkeypatch.setattr(loggers, "check_loggers", lambda names: None)
    monkeypatch.setattr("emotion_detection.training.training_run.check_loggers", lambda names: None)
    with pytest.raises(InputError, match=r"--logger wandb: cannot start: api_key not configured$"):
        train(striped(tmp_path, name="refused", logger=["wandb"]))
    assert not (tmp_path / "models" / "refused").exists()
    assert asked == ["refused"]  # each start would be a run on the server


def test_mlflow_goes_to_the_server_that_is_named_or_to_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = loggers.choose_mlflow_store(tmp_path / "a")
    assert first == (f"sqlite:///{tmp_path}/a/mlflow.db", f"file://{tmp_path}/a/mlruns")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", first[0])  # as MLflow sets it
    assert loggers.choose_mlflow_store(tmp_path / "b")[0] == f"sqlite:///{tmp_path}/b/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert loggers.choose_mlflow_store(tmp_path / "b") == ("http://127.0.0.1:5000", None)


def test_a_grid_has_the_faces_in_their_order() -> None:
    faces = torch.arange(10).float().reshape(10, 1, 1, 1).expand(10, 1, 2, 3) / 255
    grid = tile_faces(faces)
    assert grid.shape == (4, 24, 1)
    assert grid[0, ::3, 0].tolist() == list(range(8))
    assert grid[2, ::3, 0].tolist() == [8, 9, 0, 0, 0, 0, 0, 0]


def test_a_confusion_matrix_is_darkest_where_most_faces_are() -> None:
    pixels = draw_counts(np.array([[9, 1], [0, 4]]), ["calm", "glad"])
    cells = pixels[:88, 96:].reshape(2, 44, 2, 44, 3).mean(axis=(1, 3, 4))
    assert cells[1, 1] < cells[0, 0] < cells[0, 1] < cells[1, 0]
    assert pixels[88:].min() < 50  # names
