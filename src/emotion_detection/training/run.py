"""A training, from a config to the files of a run."""

import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from emotion_detection.config import DataConfig, TrainConfig, as_dict, data_fields
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.data.exclude import exclude
from emotion_detection.errors import InputError, TrainingError
from emotion_detection.training.augment import augmentation
from emotion_detection.training.batches import FaceBatches
from emotion_detection.training.callbacks import (
    KeepBest,
    SaveOnSigterm,
    StopEarly,
    StopWhenNotFinite,
)
from emotion_detection.training.checkpoint import DurableCheckpointIO, read_checkpoint
from emotion_detection.training.finish import finish
from emotion_detection.training.history import History
from emotion_detection.training.network import ModelSpec, freshly_seeded, parameter_count
from emotion_detection.training.progress_bar import RunProgress
from emotion_detection.training.provenance import provenance
from emotion_detection.training.start import start_from
from emotion_detection.training.task import EmotionTask

NOT_THE_USERS = (
    "logger",
    "callbacks",
    "plugins",
    "max_epochs",
    "default_root_dir",
    "enable_checkpointing",
    "use_distributed_sampler",
    "fast_dev_run",
    "overfit_batches",
    "reload_dataloaders_every_n_epochs",
    "model_registry",
)
"""Fields of Lightning's Trainer that this project sets itself."""

_EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # a batch is one index operation: workers would cost
    ".*smaller than the logging interval.*",  # figures are logged an epoch, not a step
    ".*dataloader is not resumable.*",  # the order of batches goes on by itself
    ".*exists and is not empty.*",  # a resumed run's folder
    ".*LeafSpec.*",  # from torch's exporter
)


@dataclass(frozen=True)
class Run:
    """A finished training.

    Args:
        folder: ``models/RUN`` with checkpoints, ``model.onnx`` and records.
        logs: ``logs/RUN`` with the curves.
        metrics: figures of the best checkpoint on validation.
    """

    folder: Path
    logs: Path
    metrics: dict[str, Any]


def train(config: TrainConfig, resume: str | Path | None = None) -> Run:
    """Train a network; validate it every epoch; export the best.

    The test split is not opened.

    Args:
        config: the recipe and the data.
        resume: a run's folder to go on with; ``config`` is then that run's own
            (:func:`resumed_config`).

    Returns:
        The run. In processes but the first of several, its figures are empty.

    Raises:
        InputError: bad data or settings.
        TrainingError: the training cannot go on; the checkpoints before are whole.
    """
    # the recipe must not decide which decoded faces are used: one cache for all trainings
    dataset = load(DataConfig(**data_fields(as_dict(config))))
    config = dataclasses.replace(config, data=dataset.source)
    faces = _faces(dataset, config)
    first = getattr(rank_zero_only, "rank", 0) == 0
    folder = Path(resume) if resume else _new_folder(config, make=first)
    logs = Path(config.logs) / folder.name
    if resume:
        _check_same_data(folder, dataset)
        if (done := _already_finished(folder, config)) is not None:
            print(f"{folder}: is finished; nothing to do", file=sys.stderr)
            return Run(folder, logs, done)
    history = History(logs)
    with _quiet_lightning():
        sigterm = SaveOnSigterm(folder)
        trainer = _trainer(config, folder, logs, [history, sigterm])
        task = _task(config, dataset)
        if first:
            _say_start(config, dataset, faces, task, trainer)
            _write_records(config, dataset, folder, resumed=bool(resume))
        started = time.perf_counter()
        _fit(trainer, task, FaceBatches(faces["train"], faces["validation"], config), folder)
        if sigterm.asked:
            raise SystemExit(143)
        if not trainer.is_global_zero:
            return Run(folder, logs, {})
        seconds = time.perf_counter() - started
        metrics = finish(config, dataset, faces["validation"], folder, logs, history.rows, seconds)
    return Run(folder, logs, metrics)


def resumed_config(folder: str | Path, changes: dict[str, Any] | None = None) -> TrainConfig:
    """Return the config of a run that is to be gone on with.

    Args:
        folder: ``models/RUN``.
        changes: fields to change; only 'epochs', 'patience' and 'trainer' may.

    Raises:
        InputError: there is no such run, or another field is to be changed.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise InputError(f"--resume {folder}: no config.yaml there; a run's folder is needed")
    try:
        config = TrainConfig(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is no config of this version: {reason}") from None
    changes = changes or {}
    if fixed := sorted(set(changes) - {"epochs", "patience", "trainer"}):
        raise InputError(
            f"--resume goes on with the run as it was: --{fixed[0]} cannot be changed "
            "(only --epochs, --patience and --trainer.*)"
        )
    return dataclasses.replace(config, **changes)


def _faces(dataset: Dataset, config: TrainConfig) -> dict[str, Faces]:
    faces = {name: dataset.split(name) for name in ("train", "validation")}
    if config.exclude:
        faces = exclude(faces, Path(config.exclude))
    if missing := dataset.missing_classes(faces["train"]):
        raise InputError(
            f"{dataset.source}: no training faces of {', '.join(missing)}; "
            "add some, or take the class out of the data"
        )
    if missing := dataset.missing_classes(faces["validation"]):
        print(f"warning: no validation faces of {', '.join(missing)}", file=sys.stderr)
    return faces


def _new_folder(config: TrainConfig, make: bool) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    wanted = config.name or f"{config.preset}-{stamp}"
    place = Path(config.models)
    if not make:
        return place / wanted
    try:
        for number in range(1, 100):
            folder = place / (wanted if number == 1 else f"{wanted}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if config.name:
                    raise InputError(
                        f"--name {config.name}: {folder} exists; choose another name, or go on "
                        f"with it by --resume {folder}"
                    ) from None
                continue
            (Path(config.logs) / folder.name).mkdir(parents=True, exist_ok=True)
            return folder
    except OSError as error:
        raise InputError(
            f"{error.filename or place}: cannot be written: {error.strerror}; "
            "choose other folders with --models and --logs"
        ) from None
    raise InputError(f"{place}: a hundred runs named {wanted} already")


def _check_same_data(folder: Path, dataset: Dataset) -> None:
    try:
        record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except OSError:
        return  # killed before it was written: nothing was trained
    if record["data"]["hash"] != dataset.hash:
        raise InputError(
            f"--resume {folder}: {dataset.source} is not the data that this run began with; "
            "start a new run, with --init to keep the weights"
        )


def _already_finished(folder: Path, config: TrainConfig) -> dict[str, Any] | None:
    try:
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except OSError:
        return None
    return metrics if metrics["training"]["asked_epochs"] >= config.epochs else None


def _trainer(config: TrainConfig, folder: Path, logs: Path, callbacks: list[Callback]) -> Trainer:
    callbacks = [*callbacks, StopWhenNotFinite(), KeepBest(folder)]
    fields = {"num_sanity_val_steps": 0, "enable_model_summary": False, **config.trainer}
    if taken := sorted(set(config.trainer) & set(NOT_THE_USERS)):
        raise InputError(f"--trainer.{taken[0]}: cannot be set; this project sets it itself")
    if fields.get("enable_progress_bar") is not False:
        callbacks.append(RunProgress(config.batch_size))
    if config.patience is not None:
        if fields.get("limit_val_batches") == 0:
            raise InputError("--patience needs validation: not with --trainer.limit_val_batches 0")
        callbacks.insert(0, StopEarly(config.patience))
    try:
        trainer = Trainer(
            max_epochs=config.epochs,
            logger=TensorBoardLogger(logs.parent, name="", version=logs.name),
            callbacks=callbacks,
            plugins=[DurableCheckpointIO()],
            default_root_dir=folder,
            use_distributed_sampler=False,
            **fields,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise _refused(error) from None
    cores = os.cpu_count() or 1
    if trainer.strategy.root_device.type == "cpu" and trainer.num_devices > cores:
        # each is a whole Python process: a slip of the finger can bring a machine to a halt
        raise InputError(
            f"--trainer.devices {trainer.num_devices}: this machine has {cores} processor cores"
        )
    return trainer


def _refused(error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:300]
    return InputError(f"--trainer.*: Lightning's Trainer refuses: {reason}")


def _task(config: TrainConfig, dataset: Dataset) -> EmotionTask:
    spec = ModelSpec(
        network=config.network,
        labels=dataset.labels,
        channels=config.channels,
        size=config.size,
        dropout=config.dropout,
    )
    network = freshly_seeded(spec, config.seed)
    if config.init:
        start_from(network, spec, config.init)
    record = {
        "config": as_dict(config),
        "data": {
            "source": dataset.source,
            "label_set": dataset.label_set,
            "hash": dataset.hash,
            "sizes": dataset.sizes,
            "options": data_fields(as_dict(config)),
        },
    }
    return EmotionTask(network, spec, config, augmentation(config), record)


def _fit(trainer: Trainer, task: EmotionTask, batches: FaceBatches, folder: Path) -> None:
    last = folder / "last.ckpt"
    if last.exists():
        read_checkpoint(last)  # says clearly what is wrong with it, if anything is
    try:
        trainer.fit(
            task, datamodule=batches, ckpt_path=last if last.exists() else None, weights_only=True
        )
    except SystemExit as stop:
        if stop.code != 1:
            raise
        # Lightning turns Ctrl-C into this, and leaves the next one without effect
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if last.exists():
            print(f"go on with: python train.py --resume {folder}", file=sys.stderr)
        raise KeyboardInterrupt from None
    except (MisconfigurationException, ValueError) as error:
        if trainer.global_step or not task.config.trainer:
            raise
        raise _refused(error) from None  # what only shows once the data is there
    except OSError as error:
        where = error.filename or folder
        raise TrainingError(
            f"{where}: {error.strerror or error}; the checkpoints are whole"
        ) from None


def _write_records(config: TrainConfig, dataset: Dataset, folder: Path, resumed: bool) -> None:
    record = provenance(config, dataset)
    path = folder / "provenance.json"
    if resumed and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        record = {**before, "resumed": [*before.get("resumed", []), record]}
    _write(path, json.dumps(record, indent=2))
    # without its name, so that the file runs again as it stands
    values = as_dict(dataclasses.replace(config, name=None))
    _write(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def _say_start(
    config: TrainConfig,
    dataset: Dataset,
    faces: dict[str, Faces],
    task: EmotionTask,
    trainer: Trainer,
) -> None:
    device = trainer.strategy.root_device.type
    parts = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    print(
        f"data: {dataset.kind}: {len(faces['train']):,} training and {len(faces['validation']):,} "
        f"validation faces, {len(dataset.labels)} classes\n"
        f"network: {config.network}, {parameter_count(task.network):,} parameters; "
        f"{config.epochs} epochs of batches of {config.batch_size} on {device}{parts}",
        file=sys.stderr,
        flush=True,
    )


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out Lightning's chatter; what it warns of beyond the expected is shown."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
