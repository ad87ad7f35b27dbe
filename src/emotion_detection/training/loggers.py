"""Loggers of Lightning by their names, for ``--logger``; their metrics have grouped names.

``metrics.csv`` of :class:`.history.History` does not depend on them: it is always written.

TensorBoard also gets images: a batch of augmented faces, and the confusion matrix on validation.
They go to TensorBoard's files alone, which stay on this machine; other loggers may send what they
are given to a server.
"""

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from torch import Tensor

from emotion_detection.config import TrainConfig, config_to_dict
from emotion_detection.errors import InputError, missing_package
from emotion_detection.training.task import EmotionTask

Pixels = npt.NDArray[np.uint8]

COLUMNS = 8
"""Faces in a row of the grid."""

_CELL, _MARGIN, _TEXT = 44, 96, 12
"""Pixels of a cell of the confusion matrix, of the margin for names, and of the letters."""
_BLUE = np.array((31, 111, 235))


class LogImages(Callback):
    """Logs augmented faces once, and the confusion matrix after each validation."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the first batch as the network saw it."""
        task = cast(EmotionTask, pl_module)
        if task.first_faces is not None:
            _log(trainer, "train/augmented_faces", tile_faces(task.first_faces))
            task.first_faces = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the confusion matrix of the first label set."""
        task = cast(EmotionTask, pl_module)
        if task.confusion is not None and not trainer.sanity_checking:
            counts = task.confusion.numpy()
            _log(trainer, "val/confusion", draw_counts(counts, task.spec.labels))


def tile_faces(faces: Tensor) -> Pixels:
    """Arrange faces in a grid.

    Args:
        faces: float32 (N, C, H, W) from 0 to 1, C 1 or 3.

    Returns:
        uint8 (rows of H, 8 columns of W, C); cells without a face are black.
    """
    pixels = (faces.clamp(0, 1) * 255).round().byte().numpy()
    count, channels, height, width = pixels.shape
    rows = -(-count // COLUMNS)
    cells = np.zeros((rows * COLUMNS, channels, height, width), np.uint8)
    cells[:count] = pixels
    grid = cells.reshape(rows, COLUMNS, channels, height, width).transpose(0, 3, 1, 4, 2)
    return grid.reshape(rows * height, COLUMNS * width, channels)


def draw_counts(counts: npt.NDArray[np.int64], names: Sequence[str]) -> Pixels:
    """Draw a confusion matrix: rows are labels, columns predictions.

    Args:
        counts: (classes, classes) faces.
        names: class names.

    Returns:
        uint8 (H, W, 3); the darker a cell, the larger its fraction of the row.
    """
    classes = len(names)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = _MARGIN + classes * _CELL
    image = Image.new("RGB", (side, side), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    for (label, predicted), fraction in np.ndenumerate(fractions):
        x, y = _MARGIN + predicted * _CELL, label * _CELL
        color = tuple(int(value) for value in 255 - fraction * (255 - _BLUE))
        draw.rectangle((x, y, x + _CELL - 2, y + _CELL - 2), fill=color)
        if counts[label, predicted]:
            ink = "white" if fraction > 0.5 else "black"
            middle = (x + _CELL / 2 - 1, y + _CELL / 2 - 1)
            draw.text(middle, str(counts[label, predicted]), ink, font, anchor="mm")
    for place, name in enumerate(names):
        height = place * _CELL + _CELL / 2
        text = name if len(name) <= 14 else f"{name[:13]}…"
        draw.text((_MARGIN - 6, height), text, "black", font, anchor="rm")
        upright = Image.new("RGB", (_MARGIN, _CELL), "white")
        ImageDraw.Draw(upright).text((_MARGIN - 6, _CELL / 2), text, "black", font, anchor="rm")
        image.paste(upright.rotate(90, expand=True), (_MARGIN + place * _CELL, classes * _CELL))
    return np.asarray(image)


def _log(trainer: Trainer, name: str, pixels: Pixels) -> None:
    if not trainer.is_global_zero:
        return
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")


PROJECT = "emotion-detection"
"""Project of W&B and experiment of MLflow in which runs are logged."""

_PACKAGES = {"tensorboard": "train", "wandb": "wandb", "mlflow": "mlflow"}
"""Package of each logger that needs one, and the extra that installs it."""

_PATHS = ("data", "cache", "exclude", "init", "teacher", "models", "logs", "trainer", "pretrained")
"""Fields that may hold paths of this machine; they are not sent to W&B or MLflow."""


def group_names(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics with grouped names.

    >>> group_names({"train_loss": 1.5, "val_accuracy": 0.5, "learning_rate": 0.1})
    {'train/loss': 1.5, 'val/accuracy': 0.5, 'learning_rate': 0.1}
    """
    return {
        name.replace("_", "/", 1) if name.startswith(("train_", "val_")) else name: value
        for name, value in metrics.items()
    }


class GroupedTensorBoard(TensorBoardLogger):
    """Lightning's logger for TensorBoard, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


class GroupedWandb(WandbLogger):
    """Lightning's logger for Weights & Biases, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


class GroupedMLFlow(MLFlowLogger):
    """Lightning's logger for MLflow, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


def check_loggers(names: Sequence[str]) -> None:
    """Check that the packages of loggers are installed.

    Raises:
        InputError: one is missing; says what installs it.
    """
    for name in names:
        if name in _PACKAGES and importlib.util.find_spec(name) is None:
            raise missing_package(f"--logger {name}", name, _PACKAGES[name])


def make_loggers(config: TrainConfig, logs: Path) -> list[Logger]:
    """Create the loggers of a run.

    Args:
        config: the recipe; its ``logger`` names them.
        logs: ``logs/RUN``. TensorBoard's files go there, CSV files into ``csv/version_N`` below it
            with a new number for each start, W&B's into ``wandb``, MLflow's into ``mlflow.db``
            beside it unless ``MLFLOW_TRACKING_URI`` names a server.

    Raises:
        InputError: a package is missing, or a logger cannot start, for example without a login.
    """
    check_loggers(config.logger)
    made = []
    for name in dict.fromkeys(config.logger):
        try:
            logger = _MAKERS[name](logs)
            if isinstance(logger, WandbLogger | MLFlowLogger):
                # connects now, so that errors show before the first epoch
                logger.log_hyperparams(
                    {k: v for k, v in config_to_dict(config).items() if k not in _PATHS}
                )
        except Exception as error:  # W&B and MLflow raise many kinds
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise InputError(f"--logger {name}: cannot start: {reason[:200]}") from None
        made.append(logger)
    return made


def _tensorboard(logs: Path) -> Logger:
    return GroupedTensorBoard(logs.parent, name="", version=logs.name)


def _csv(logs: Path) -> Logger:
    # a folder for each start: Lightning's logger deletes what an earlier one wrote
    return CSVLogger(logs, name="csv")


def _wandb(logs: Path) -> Logger:
    # a resumed run is a second run of W&B's in the same group
    return GroupedWandb(name=logs.name, group=logs.name, project=PROJECT, save_dir=logs)


def _mlflow(logs: Path) -> Logger:
    address, artifacts = choose_mlflow_store(logs.parent.absolute())
    return GroupedMLFlow(PROJECT, logs.name, tracking_uri=address, artifact_location=artifacts)


def choose_mlflow_store(folder: Path) -> tuple[str, str | None]:
    """Return where MLflow keeps runs and artifacts: the user's server, or a database here.

    A folder of files is no choice: MLflow refuses it since version 3.

    Args:
        folder: absolute, for the database ``mlflow.db``.

    Returns:
        The address of the store, and that of the artifacts; None: the server chooses.
    """
    own = os.environ.get("MLFLOW_TRACKING_URI")
    if own and own not in _CHOSEN:
        return own, None
    folder.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{folder / 'mlflow.db'}"
    _CHOSEN.add(address)
    return address, (folder / "mlruns").as_uri()


_CHOSEN = set[str]()
"""Databases of earlier runs of this process: MLflow leaves them in ``MLFLOW_TRACKING_URI``."""

_MAKERS: dict[str, Callable[[Path], Logger]] = {
    "tensorboard": _tensorboard,
    "csv": _csv,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
