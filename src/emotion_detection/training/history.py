"""Training curves: one row per epoch, as CSV and PNG, complete also after a resumed run.

Lightning's CSV logger deletes what a resumed run had written, so the rows travel in the
checkpoint: a resumed run has exactly those of the epochs that it does not repeat.
"""

import csv
import io
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from emotion_detection.io.files import write_atomic

COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


class History(Checkpoint):
    """Collect one row per epoch and write ``metrics.csv``.

    A subclass of ``Checkpoint``, since Lightning calls only those after the metrics of an epoch are
    computed. It runs before the callback that saves, so that the checkpoint contains the row.

    Args:
        folder: where ``metrics.csv`` goes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float | int | None]] = []
        self._start = time.perf_counter()
        self._validated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows so far: those of epochs that are repeated go."""
        if trainer.is_global_zero:
            self._write()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()
        self._validated = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record that this epoch was validated."""
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row."""
        metrics = trainer.callback_metrics
        row: dict[str, float | int | None] = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(time.perf_counter() - self._start, 3),
        }
        for name in COLUMNS[2:6]:
            # Lightning keeps the metrics of an earlier epoch if one is not validated
            known = name in metrics and (self._validated or not name.startswith("val_"))
            row[name] = float(metrics[name]) if known else None
        self.rows.append(row)
        if trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.folder / "metrics.csv", text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """Return the rows."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a resumed run's rows."""
        self.rows = [dict(row) for row in state_dict["rows"]]


def draw_curves(rows: list[dict[str, float | int | None]], path: Path, title: str) -> None:
    """Draw loss and accuracy over the epochs as a PNG.

    Args:
        rows: a row an epoch, with :data:`COLUMNS`.
        path: the image.
        title: said above it.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=150)
    figure.suptitle(title, fontsize=11)
    for place, name in enumerate(("loss", "accuracy")):
        axes = figure.add_subplot(1, 2, place + 1)
        for part, colour, words in (
            ("train", "#8a8f98", "training"),
            ("val", "#1f6feb", "validation"),
        ):
            points = [
                (row["epoch"], row[f"{part}_{name}"])
                for row in rows
                if row[f"{part}_{name}"] is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, label=words, marker=".", lw=1.6)
        axes.set_xlabel("epoch")
        axes.set_ylabel("cross entropy" if name == "loss" else name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if rows:  # a run that was stopped within its first epoch has none
        figure.axes[0].legend(frameon=False, fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    write_atomic(path, image.getvalue())
