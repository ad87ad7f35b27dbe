"""Optimizers and learning rate schedules."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from emotion_detection.config import TrainConfig


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Create the optimizer of a network's trained parameters.

    Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019; SGD with Nesterov's momentum.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": trained}]
    if config.weight_decay:
        # biases and norms are few and must be free to take any size
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.learning_rate, weight_decay=0.0)


def compute_learning_rate_factor(config: TrainConfig, step: int, steps: int) -> float:
    """Return a step's learning rate as a fraction of the peak.

    Args:
        config: schedule and warm-up.
        step: number of the step, from 0.
        steps: number of all steps.
    """
    rising = config.warmup * steps
    if step + 1 < rising:
        return (step + 1) / rising
    if config.schedule == "constant":
        return 1.0
    done = min(1.0, max(0.0, step - rising) / max(1.0, steps - rising))
    return 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int) -> LambdaLR:
    """Create the schedule, with one value per step."""
    return LambdaLR(optimizer, lambda step: compute_learning_rate_factor(config, step, steps))
