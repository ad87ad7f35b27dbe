"""``--find_learning_rate``: a learning rate from a short range test (Smith 2017)."""

import copy
import math
from collections.abc import Iterator

import torch
from lightning_fabric.utilities import move_data_to_device

from emotion_detection.config import TrainConfig
from emotion_detection.data import Faces
from emotion_detection.errors import InputError
from emotion_detection.training.batches import Batch, Order, draw_batch
from emotion_detection.training.task import EmotionTask, make_optimizer

STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
BELOW = 10.0
"""Factor between the learning rate of the lowest loss and the suggested one."""

_SMOOTHING = 0.9
_DIVERGED = 4.0


def find_learning_rate(
    task: EmotionTask, faces: Faces, config: TrainConfig, device: torch.device
) -> float:
    """Train a copy with a learning rate that rises in each step, and suggest one.

    The task itself, and the state of all random numbers, stay as they are.

    Args:
        task: the task to train.
        faces: training faces.
        config: the recipe.
        device: where to compute.

    Returns:
        A tenth of the learning rate at which the smoothed loss was lowest, rounded to two digits.

    Raises:
        InputError: the loss falls at no learning rate.
    """
    rates: list[float] = []
    losses: list[float] = []
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed)
        for rate, loss in _range_test(copy.deepcopy(task).to(device), faces, config, device):
            rates.append(rate)
            losses.append(loss)
            if not loss < _DIVERGED * min(losses):
                break
    lowest = losses.index(min(losses))
    if not losses[lowest] < losses[0]:
        raise InputError(
            "--find_learning_rate: the loss falls at no learning rate; look at the faces and their "
            "labels ('emotion data info'), or give --learning_rate"
        )
    return float(f"{rates[lowest] / BELOW:.2g}")


def _range_test(
    task: EmotionTask, faces: Faces, config: TrainConfig, device: torch.device
) -> Iterator[tuple[float, float]]:
    """Yield the learning rate and the smoothed loss of each step."""
    task.train()
    task.on_train_start()
    task.on_train_epoch_start()
    optimizer = make_optimizer(task.network, config)
    smoothed = 0.0
    for step, batch in zip(range(STEPS), _batches(faces, config), strict=False):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = task.training_step(move_data_to_device(batch, device), step)
        torch.autograd.backward(loss)
        optimizer.step()
        smoothed = _SMOOTHING * smoothed + (1 - _SMOOTHING) * float(loss.detach())
        value = smoothed / (1 - _SMOOTHING ** (step + 1))
        yield rate, value if math.isfinite(value) else math.inf


def _batches(faces: Faces, config: TrainConfig) -> Iterator[Batch]:
    """Yield training batches in the order of the first epochs, without end."""
    order = Order(len(faces), config.batch_size, config.seed)
    while True:
        for rows, weight in order:
            yield draw_batch(faces, rows, weight)
        order.set_epoch(order.epoch + 1)
