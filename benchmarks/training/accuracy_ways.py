"""The two ways that ``time_to_accuracy.py`` sets side by side, and the clock that they run by."""

import argparse
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.common import describe_machine
from emotion_detection.config import TrainConfig, read_preset
from emotion_detection.errors import InputError

WAYS = {"a": "the usual way", "b": "preset quick"}
LOOKS = 4  # an epoch
PLACES = ("data", "cache", "models", "logs", "name", "seed", "init")
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "kornia", "numpy", "pillow")
Run = dict[str, Any]


def quick(**fields: Any) -> TrainConfig:
    """Return the preset's config with some fields set; those of ``trainer`` join the preset's."""
    values = read_preset("quick")
    trainer = {**values.get("trainer", {}), **fields.pop("trainer", {})}
    return TrainConfig(**{**values, **fields, "trainer": trainer})


def usual(**fields: Any) -> TrainConfig:
    """Return the seed's recipe: the defaults, which are the preset `baseline`'s."""
    return TrainConfig(preset="baseline", **fields)


def prepare(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Decode the faces in both sizes; write those of (a) as ``work/faces/CLASS/*.png``.

    Returns:
        What is measured and on what, for the result.

    Raises:
        InputError: there is no such data, or it cannot be trained on.
    """
    import torch
    from PIL import Image

    from emotion_detection.data import load
    from emotion_detection.training.network import (
        ModelSpec,
        build,
        count_multiply_adds,
        count_parameters,
    )

    ways: dict[str, Any] = {}
    for way, config in _configs(options).items():
        dataset = load(config)
        faces = dataset.split("train")
        dataset.split("validation")  # refuses what has none
        if missing := dataset.missing_classes(faces):
            raise InputError(f"{options.data}: no training faces of {', '.join(missing)}")
        classes, shape = dataset.labels, (config.channels, config.size, config.dropout)
        spec = ModelSpec(config.network, classes, *shape, label_set=dataset.label_set)
        network = build(spec)
        ways[way] = {
            "what": WAYS[way],
            "parameters": count_parameters(network),
            "multiply_adds": count_multiply_adds(network, spec),
            "data_hash": dataset.hash,
            "recipe": {name: value for name, value in vars(config).items() if name not in PLACES},
        }
        if way == "a":
            for row, label in enumerate(faces.labels):
                # ImageFolder numbers the classes by the order of their folders' names
                folder = work / "faces" / f"{label:05d}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(faces.images[row, 0]).save(folder / f"{row:07d}.png")
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "data": dataset.kind,
        "labels": dataset.label_set,
        "classes": list(dataset.labels),
        "faces": {name: dataset.sizes[name] for name in ("train", "validation")},
        "machine": {
            **describe_machine(),
            "threads": torch.get_num_threads(),
            "workers": options.workers,
        },
        "versions": {"python": platform.python_version(), **versions},
        "ways": ways,
    }


def _configs(options: argparse.Namespace) -> dict[str, TrainConfig]:
    place = {"data": options.data, "cache": options.cache}
    configs = {"a": usual(**place, epochs=options.epochs), "b": quick(**place)}
    return {way: configs[way] for way in options.ways}


class Looks:
    """A run's clock, and what was seen each time it stood still.

    Args:
        what: the run, for the lines that say how it goes.
        steps: of an epoch.
    """

    def __init__(self, what: str, steps: int) -> None:
        self.what, self.steps = what, steps
        self.every = max(1, steps // LOOKS)
        self.curve: dict[str, list[float]] = {"epoch": [], "seconds": [], "accuracy": []}
        self._seconds, self._since = 0.0, 0.0

    def start(self) -> None:
        """Let the clock run."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Let it stand still."""
        self._seconds += time.perf_counter() - self._since

    def note(self, step: int, accuracy: float) -> None:
        """Add an accuracy, and say it once an epoch."""
        values = (round(step / self.steps, 4), round(self._seconds, 3), round(accuracy, 5))
        for column, value in zip(self.curve.values(), values, strict=True):
            column.append(value)
        if (step % self.steps or self.steps) > self.steps - self.every:
            print(
                f"{self.what}: epoch {values[0]:5.2f}, {values[1]:7.1f} s, accuracy {accuracy:.4f}",
                file=sys.stderr,
                flush=True,
            )

    def result(self) -> Run:
        """Return the curve and the seconds of the last look."""
        return {"seconds": self.curve["seconds"][-1], "curve": self.curve}


def way_a(work: Path, seed: int, options: argparse.Namespace) -> Run:
    """Train as people write it; 'loading_seconds' are those spent waiting for faces."""
    import torch
    from torch.nn import functional
    from torch.optim import Adam
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    from emotion_detection.data import load
    from emotion_detection.training.network import ModelSpec, build_seeded, scale_to_unit

    config = _configs(options)["a"]
    dataset = load(config)
    validation = dataset.split("validation")
    shape = (config.channels, config.size, config.dropout)
    network = build_seeded(ModelSpec(config.network, dataset.labels, *shape), seed)
    optimizer = Adam(network.parameters(), lr=config.learning_rate)
    # no Normalize: the network scales by itself, as the seed's did
    steps = [transforms.Grayscale(), transforms.Resize(config.size), transforms.ToTensor()]
    folder = datasets.ImageFolder(str(work / "faces"), transforms.Compose(steps))
    loader: DataLoader[Any] = DataLoader(
        folder, config.batch_size, shuffle=True, num_workers=options.workers
    )

    def accuracy() -> float:
        network.eval()
        right = 0
        with torch.inference_mode():
            for first in range(0, len(validation), 256):
                rows = slice(first, first + 256)
                logits = network(scale_to_unit(torch.from_numpy(validation.images[rows].copy())))
                right += int((logits.argmax(1).numpy() == validation.labels[rows]).sum())
        network.train()
        return right / len(validation)

    looks = Looks(f"a, seed {seed}", len(loader))
    step, running, loading = 0, 0.0, 0.0
    looks.start()
    for _ in range(config.epochs):
        batches, place = iter(loader), 0
        while True:
            waiting = time.perf_counter()
            batch = next(batches, None)
            loading += time.perf_counter() - waiting
            if batch is None:
                break
            images, labels = batch
            optimizer.zero_grad()
            loss: Any = functional.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            step, place = step + 1, place + 1
            if place % looks.every == 0:
                looks.stop()
                looks.note(step, accuracy())
                looks.start()
    return looks.result() | {"loading_seconds": round(loading, 3)}


def way_b(work: Path, seed: int, options: argparse.Namespace) -> Run:
    """Train with the preset."""
    from pytorch_lightning import Callback, LightningModule, Trainer

    from emotion_detection.data import load
    from emotion_detection.training import train
    from emotion_detection.training.lightning_trainer import make_trainer

    class Clock(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            looks.start()

        def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            looks.stop()

        def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            looks.note(trainer.global_step, float(trainer.callback_metrics["val_accuracy"]))
            looks.start()

    def with_clock(
        config: TrainConfig, folder: Path, logs: Path, callbacks: Any, loggers: Any
    ) -> Trainer:
        return make_trainer(config, folder, logs, [*callbacks, Clock()], loggers)

    config = _configs(options)["b"]
    looks = Looks(f"b, seed {seed}", -(-load(config).sizes["train"] // config.batch_size))
    places: dict[str, Any] = {name: str(work / name) for name in ("models", "logs")}
    trainer = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
    trainer["val_check_interval"] = looks.every
    with (
        mock.patch("emotion_detection.training.training_run.make_trainer", with_clock),
        mock.patch(
            "emotion_detection.training.training_run.finish_training", autospec=True
        ),  # export, figures
    ):
        train(quick(data=options.data, cache=options.cache, seed=seed, **places, trainer=trainer))
    return looks.result()
