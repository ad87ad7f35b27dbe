"""Exponential moving average of the weights, which is validated and saved."""

import functools
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


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
