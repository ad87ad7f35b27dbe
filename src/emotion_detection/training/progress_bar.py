"""Show the progress of a training: one line per epoch, and one bar on a terminal."""

import math
import sys
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH_SECONDS = 0.2


class RunProgress(ProgressBar, Checkpoint):
    """Show epoch, loss, validation accuracy, faces per second and time left.

    A subclass of ``Checkpoint``, for the same reason as :class:`.history.History`.

    Args:
        batch_size: faces a step, over all processes.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self._enabled = True
        self._bar: Progress | None = None
        self._seen = 0
        self._since = time.perf_counter()
        self._next = 0.0
        self._epoch_start = 0.0
        self._validated = False

    def disable(self) -> None:
        """Show nothing; Lightning asks this of all processes but the first."""
        self._enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock (a run resumed in an epoch does not start that one) and open the bar."""
        self._epoch_start = self._since = time.perf_counter()
        if not self._enabled or not sys.stderr.isatty():
            return
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("loss {task.fields[loss]}  val acc {task.fields[accuracy]}"),
            TextColumn("{task.fields[speed]} faces/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            expand=True,
        )
        self._bar.start()
        steps = _steps(trainer)
        fields: dict[str, Any] = {"loss": "-", "accuracy": "-", "speed": "-"}
        fields["epoch"] = _epoch(trainer)
        self._bar.add_task("", total=steps, completed=trainer.global_step, **fields)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_start = self._since = time.perf_counter()
        self._validated = False
        self._seen = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, a few times a second at most."""
        self._seen += self.batch_size
        now = time.perf_counter()
        if self._bar is None or now < self._next:
            return
        self._next = now + REFRESH_SECONDS
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        self._show(
            trainer,
            loss=f"{float(loss):.3f}",
            speed=f"{self._seen / max(now - self._since, 1e-9):,.0f}",
        )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the new validation accuracy."""
        self._validated = True
        if self._bar is not None and "val_accuracy" in trainer.callback_metrics:
            self._show(trainer, accuracy=f"{trainer.callback_metrics['val_accuracy']:.4f}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print a line, on a terminal above the bar."""
        if not self._enabled:
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = time.perf_counter() - self._epoch_start
        val = (
            f"  val loss {metrics['val_loss']:.4f}  val acc {metrics['val_accuracy']:.4f}"
            if self._validated and "val_loss" in metrics  # else they are of an epoch before
            else ""
        )
        left = seconds * max(0, (trainer.max_epochs or 0) - trainer.current_epoch - 1)
        loss = metrics.get("train_loss", math.nan)
        line = (
            f"epoch {_epoch(trainer)}  loss {loss:.4f}{val}  "
            f"{self._seen / max(seconds, 1e-9):,.0f} faces/s"
        )
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(f"{line}  {left / 60:.1f} min left", file=sys.stderr, flush=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._show(trainer)
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error is on a separate line."""
        self._close()

    def _show(self, trainer: Trainer, **fields: Any) -> None:
        assert self._bar is not None
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=trainer.global_step, epoch=_epoch(trainer), **fields)
        self._bar.refresh()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _epoch(trainer: Trainer) -> str:
    last = trainer.max_epochs
    return f"{min(trainer.current_epoch + 1, last or 10**9)}/{last}"


def _steps(trainer: Trainer) -> float | None:
    if trainer.max_steps > 0:
        return trainer.max_steps
    if trainer.max_epochs is None:
        return None
    return trainer.num_training_batches * trainer.max_epochs / trainer.accumulate_grad_batches
