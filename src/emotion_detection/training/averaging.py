"""A moving average of the weights, which is what is validated and kept."""

from typing import Any

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


def moving_average(decay: float) -> WeightAveraging:
    """Make Lightning's callback with an exponential moving average over steps.

    In the first steps the decay is lower, (1 + step) / (10 + step), so that fresh weights are soon
    forgotten: without it the average of a short run is mostly its random start.

    Args:
        decay: share of the average that stays in a step.
    """

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], step: Any) -> None:
        count = float(step)
        share = 1 - min(decay, (1 + count) / (10 + count))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, share)
        else:  # counters
            torch._foreach_copy_(averaged, current)

    return WeightAveraging(multi_avg_fn=update)
