"""Measure what ``--corrupt`` adds to a training step, at several amounts side by side.

    python -m benchmarks.training.corrupt_cost [--amounts 0 0.5 1] [--rounds 20] [--preset compact]
        [--precision 32-true] [--out docs/results/corrupt_cost.json]

Every amount has a network, an optimizer and an augmentation of its own. A round takes one step of
each, in an order that changes from round to round, so that a slow spell of the machine affects all
of them; ratios are taken within a round. A step is the training step of this project (augmentation,
corruption, network, loss), the gradients, and the step of the optimizer, without reading the faces
and without the moving average. The faces are synthetic: the cost does not depend on what they show.
Times are processor time of this process, which other work on the machine alters less than the time
on the clock.
"""

import argparse
import statistics
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from benchmarks.common import Parser, check_least, get_load, name_command, report_errors, write_json
from emotion_detection.config import TrainConfig, read_preset
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.io.processes import describe_processor
from emotion_detection.labels import FER2013
from emotion_detection.training.augmentation import make_augmentation, make_corruption
from emotion_detection.training.batches import Batch
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.provenance import describe_code
from emotion_detection.training.task import EmotionTask, make_optimizer

WARM_UP = 2
"""Rounds that are not timed."""

PRECISIONS = ("32-true", "bf16-mixed")


class TimedTraining:
    """A training whose steps are timed one by one.

    Args:
        config: the recipe.
        precision: one of :data:`PRECISIONS`.
    """

    def __init__(self, config: TrainConfig, precision: str) -> None:
        spec = ModelSpec(config.network, FER2013, config.channels, config.size, config.dropout)
        self._task = EmotionTask(
            build_seeded(spec, config.seed),
            spec,
            config,
            make_augmentation(config),
            corruption=make_corruption(config),
        )
        self._optimizer = make_optimizer(self._task.network, config)
        self._precision = precision

    def step(self, batch: Batch, number: int) -> float:
        """Take a step and return its processor time in seconds."""
        torch.manual_seed(number)
        started = time.process_time()
        with self._autocast():
            loss: Any = self._task.training_step(batch, number)
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return time.process_time() - started

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == "bf16-mixed":
            return torch.autocast("cpu", torch.bfloat16)
        return nullcontext()


def make_batch(config: TrainConfig) -> Batch:
    """Return a batch of synthetic faces."""
    made = make_synthetic_faces(config.batch_size, size=config.size)
    images = torch.from_numpy(made.faces)[:, None].expand(-1, config.channels, -1, -1)
    labels = torch.from_numpy(made.labels.astype("int64"))
    return Batch(images.contiguous(), labels, None, None, {}, torch.tensor(1 / len(labels)))


def time_steps(
    preset: str, amounts: list[float], rounds: int, precision: str, warm_up: int = WARM_UP
) -> dict[float, list[float]]:
    """Time steps of each amount, round by round.

    Args:
        preset: name of the recipe.
        amounts: values of ``--corrupt``.
        rounds: timed steps of each.
        precision: one of :data:`PRECISIONS`.
        warm_up: rounds before these.

    Returns:
        Amount -> processor time of each step in seconds.
    """
    recipe = read_preset(preset)
    configs = {amount: TrainConfig(**(recipe | {"corrupt": amount})) for amount in amounts}
    trainings = {amount: TimedTraining(one, precision) for amount, one in configs.items()}
    batch = make_batch(configs[amounts[0]])
    taken: dict[float, list[float]] = {amount: [] for amount in amounts}
    for number in range(warm_up + rounds):
        start = number % len(amounts)
        for amount in amounts[start:] + amounts[:start]:
            # from 1: the first step of a training also keeps faces to show
            seconds = trainings[amount].step(batch, number + 1)
            if number >= warm_up:
                taken[amount].append(seconds)
    return taken


def summarize(taken: dict[float, list[float]], faces: int) -> dict[str, Any]:
    """Summarize the times of steps.

    Args:
        taken: amount -> processor time of each step in seconds, round by round; the first amount
            is what the others are compared with.
        faces: per step.

    Returns:
        Amount -> 'seconds' and 'ratio' (to the same round's step of the first amount), each with
        median, quartiles, min and max, and 'faces_per_second' of the median.
    """
    first = next(iter(taken.values()))
    found = {}
    for amount, own in taken.items():
        seconds = _spread(own)
        found[f"{amount:g}"] = {
            "seconds": seconds,
            "faces_per_second": round(faces / seconds["median"], 1),
            "ratio": _spread([one / other for one, other in zip(own, first, strict=True)]),
        }
    return found


def _spread(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    named = {"median": median, "low": low, "high": high, "min": min(values), "max": max(values)}
    return {name: round(value, 4) for name, value in named.items()}


def _check(options: argparse.Namespace) -> None:
    check_least(options, rounds=2)
    if len(set(options.amounts)) < 2 or not all(0 <= one <= 1 for one in options.amounts):
        told = " ".join(f"{one:g}" for one in options.amounts)
        raise InputError(f"--amounts {told}: must be two or more from 0 to 1")


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--amounts", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_out()
    options = parser.parse_args(words)
    load = get_load()
    _check(options)
    faces = TrainConfig(**read_preset(options.preset)).batch_size
    amounts = list(dict.fromkeys(options.amounts))
    taken = time_steps(options.preset, amounts, options.rounds, options.precision)
    asked = [f"{one:g}" for one in amounts]
    command = ["--preset", options.preset, "--amounts", *asked, "--rounds", str(options.rounds)]
    result = {
        "command": name_command(__file__, *command, "--precision", options.precision),
        "preset": options.preset,
        "precision": options.precision,
        "rounds": options.rounds,
        "faces": faces,
        "amounts": summarize(taken, faces),
        "code": describe_code(),
        "processor": describe_processor(),
        "threads": torch.get_num_threads(),
        "load_before": load,
        "torch": torch.__version__.partition("+")[0],
    }
    for amount, row in result["amounts"].items():
        print(f"{amount:>5}: {1000 * row['seconds']['median']:.0f} ms, x {row['ratio']['median']}")
    if options.out:
        write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
