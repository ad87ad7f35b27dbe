"""Callbacks: save the best epoch, stop on NaN, on SIGTERM and after a time limit.

With ``--ema``, an exponential moving average of the weights is validated and saved.
"""

import functools
import math
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, WeightAveraging
from torch import Tensor
from torch.nn.utils import get_total_norm

from emotion_detection.errors import TrainingError


class _OnDevice(WeightAveraging):
    """Lightning's weight averaging, with the copy on the device of the weights."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the copy to where the weights are."""
        assert self._average_model is not None
        self._average_model.to(pl_module.device)


def make_moving_average(decay: float) -> WeightAveraging:
    """Create Lightning's callback with an exponential moving average over steps.

    In the first steps the decay is lower, (1 + step) / (10 + step), so that fresh weights are soon
    forgotten: without it the average of a short run is mostly its random start.

    Args:
        decay: fraction of the average that is kept in each step.
    """
    return _OnDevice(multi_avg_fn=functools.partial(_update, decay))


@torch.no_grad()
def _update(decay: float, averaged: list[Tensor], current: list[Tensor], step: Any) -> None:
    count = float(step)
    share = 1 - min(decay, (1 + count) / (10 + count))
    if averaged[0].is_floating_point():
        # of another type where a precision plugin has turned the module's since
        same = [new.to(old.dtype) for old, new in zip(averaged, current, strict=True)]
        torch._foreach_lerp_(averaged, same, share)
    else:  # counters
        torch._foreach_copy_(averaged, current)


class KeepBest(Checkpoint):
    """Writes ``best.ckpt`` (highest validation accuracy, ties by lower loss) and ``last.ckpt``.

    Lightning's ModelCheckpoint compares one value and names files by version; this compares two.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best: tuple[float, float] = (-math.inf, -math.inf)
        self.best_epoch = -1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; the best first, so that a crash in between repeats the epoch and both."""
        metrics = trainer.callback_metrics
        accuracy = float(metrics.get("val_accuracy", math.nan))
        loss = float(metrics.get("val_loss", math.nan))
        unknown = math.isnan(accuracy)  # validation was left out, always or this time
        if (unknown and math.isinf(self.best[0])) or (accuracy, -loss) > self.best:
            self.best = self.best if unknown else (accuracy, -loss)
            is_first = self.best_epoch < 0
            self.best_epoch = trainer.current_epoch
            if is_first:
                # best.ckpt never stands without last.ckpt, see check_checkpoints in run_folder
                trainer.save_checkpoint(self.folder / "last.ckpt")
            trainer.save_checkpoint(self.folder / "best.ckpt")
            if is_first:
                return
        trainer.save_checkpoint(self.folder / "last.ckpt")

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a resumed run."""
        return {"best": list(self.best), "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best epoch of a resumed run."""
        accuracy, loss = state_dict["best"]
        self.best, self.best_epoch = (accuracy, loss), state_dict["best_epoch"]


class StopEarly(EarlyStopping):
    """Early stopping on validation accuracy, with the same result in a resumed run.

    Lightning's own takes the old patience from the checkpoint, and trains on after having stopped.

    Args:
        patience: epochs without a better accuracy.
    """

    def __init__(self, patience: int) -> None:
        super().__init__("val_accuracy", mode="max", patience=patience, min_delta=0.0)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count, but not a patience that was changed since."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop where the run that is resumed had stopped."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class StopWhenNotFinite(Callback):
    """Stop before a step with a non-finite gradient, which would corrupt the weights."""

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check the norm of the gradient, which is NaN if any part is."""
        if trainer.precision == "16-mixed":
            return  # the loss scaler skips infinite gradients by design: check the loss
        groups = optimizer.param_groups
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        if not torch.isfinite(get_total_norm(gradients)):
            raise _not_finite(trainer, trainer.global_step + 1)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """With a loss scaler, look at the loss: the scaler has left out the step if it is NaN."""
        if trainer.precision == "16-mixed" and not torch.isfinite(outputs["loss"]):
            raise _not_finite(trainer, trainer.global_step)


def _not_finite(trainer: Trainer, step: int) -> TrainingError:
    return TrainingError(
        f"step {step} (epoch {trainer.current_epoch + 1}): the loss or its gradient is not a "
        "finite number; the weights were left as they were, and earlier checkpoints "
        "are intact. Start again with a lower --learning_rate"
    )


class TimeLimitError(Exception):
    """A training was stopped by the time limit; ``last.ckpt`` has its state."""


class SaveAndStop(Callback):
    """On SIGTERM or after a time limit, saves at the end of the current step and stops.

    SIGTERM ends the process with exit code 143, the time limit raises :class:`TimeLimitError`. The
    limit is of this start alone. Lightning's own Timer counts all starts together, and stops
    within an epoch as if the epoch had ended.

    Args:
        folder: the run's folder; ``last.ckpt`` is written there.
        hint: whether to print how to resume the run.
        seconds: time limit; None: there is none.
    """

    def __init__(self, folder: Path, hint: bool = True, seconds: float | None = None) -> None:
        self.folder = folder
        self.hint = hint
        self.asked = False
        self.seconds = seconds
        self._end = float("inf")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handler, and start the clock.

        Lightning puts the old handler back when it is done.
        """
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._note)
        if self.seconds is not None:
            self._end = time.monotonic() + self.seconds

    def _note(self, number: int, frame: Any) -> None:
        self.asked = True

    def _agreed(self, trainer: Trainer) -> bool:
        # every process must stop at the same step, whichever of them has a reason
        own = self.asked or time.monotonic() >= self._end
        return bool(trainer.strategy.reduce_boolean_decision(own, all=False))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save in the middle of an epoch; after the last batch, the end of the epoch saves."""
        # gradients that wait for further batches are in no checkpoint
        whole_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if whole_step and self._agreed(trainer) and not trainer.is_last_batch:
            trainer.save_checkpoint(self.folder / "last.ckpt")
            self._leave(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave between two epochs: the one before is saved."""
        if trainer.current_epoch and self._agreed(trainer):
            self._leave(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave after the last epoch: only the end of the run is left to do."""
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            self._leave(trainer)

    def _leave(self, trainer: Trainer) -> None:
        is_sigterm = bool(trainer.strategy.reduce_boolean_decision(self.asked, all=False))
        if trainer.is_global_zero:
            why = "SIGTERM" if is_sigterm else "--trainer.max_time"
            how = f"; go on with: python train.py --resume {self.folder}" if self.hint else ""
            print(
                f"stopped by {why} after step {trainer.global_step}{how}",
                file=sys.stderr,
                flush=True,
            )
        if is_sigterm:
            raise SystemExit(128 + signal.SIGTERM)
        best = next(each for each in trainer.checkpoint_callbacks if isinstance(each, KeepBest))
        if best.best_epoch < 0:  # within the first epoch: save a model too
            trainer.save_checkpoint(self.folder / "best.ckpt")
        raise TimeLimitError
