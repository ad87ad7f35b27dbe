"""Images in TensorBoard: a batch of augmented faces, and the confusion matrix on validation.

They go to TensorBoard's files alone, which stay on this machine; other loggers may send what they
are given to a server.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

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
