"""A training, from a config to the files of a run."""

import dataclasses
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from emotion_detection.config import TrainConfig, config_to_dict
from emotion_detection.data import Faces
from emotion_detection.errors import InputError
from emotion_detection.training.batches import FaceBatches
from emotion_detection.training.callbacks import SaveAndStop
from emotion_detection.training.final_steps import TimeTaken, finish_training
from emotion_detection.training.history import History
from emotion_detection.training.initial_weights import check_sources
from emotion_detection.training.learning_rate import STEPS, find_learning_rate
from emotion_detection.training.lightning_trainer import (
    check_trainer,
    close_connection,
    fit,
    is_slow_bf16,
    make_trainer,
    parse_time_limit,
    quiet_lightning,
)
from emotion_detection.training.loggers import check_loggers
from emotion_detection.training.network import check_network, count_parameters
from emotion_detection.training.run_folder import (
    check_checkpoints,
    check_new_folder,
    check_same_data,
    forget_run,
    is_finished,
    make_run_folder,
    run_folder,
    write_records,
)
from emotion_detection.training.setup import make_task, prepare
from emotion_detection.training.task import EmotionTask


@dataclass(frozen=True)
class Run:
    """A finished training.

    Args:
        folder: ``models/RUN`` with checkpoints, ``model.onnx`` and records.
        logs: ``logs/RUN`` with the curves.
        metrics: metrics of the best checkpoint on validation.
    """

    folder: Path
    logs: Path
    metrics: dict[str, Any]


def train(
    config: TrainConfig,
    resume: str | Path | None = None,
    hint: bool = True,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    export: bool = True,
) -> Run:
    """Train a network, validate it after every epoch, and export the best checkpoint.

    The test split is not opened.

    Args:
        config: the recipe and the data.
        resume: folder of a run to resume; ``config`` is then the run's config
            (:func:`.run_folder.read_resumed_config`).
        hint: whether to print how to resume the run if it is stopped.
        callbacks: further callbacks of Lightning, called before the project's own.
        loggers: further loggers of Lightning, beside those that ``config.logger`` names.
        export: whether to write ``model.onnx``; ``emotion export`` writes it later, too.

    Returns:
        The run; in all processes but the first, the metrics are empty.

    Raises:
        InputError: data or settings are not valid.
        TrainingError: the training cannot continue; earlier checkpoints are intact.
    """
    check_network(config.network, config.pretrained)
    check_loggers(config.logger)
    seconds = parse_time_limit(config)
    if resume:
        resume = run_folder(resume)
        if is_finished(resume, config) is None:
            check_checkpoints(resume)
    first = getattr(rank_zero_only, "rank", 0) == 0
    if not resume:
        _check_before_faces(config, first)
    prepared = prepare(config)
    dataset, faces = prepared.dataset, prepared.faces
    config = dataclasses.replace(config, data=dataset.source)
    with quiet_lightning():
        if resume:
            check_same_data(resume, prepared, config)
            if (done := is_finished(resume, config)) is not None:
                print(f"{resume}: is finished; nothing to do", file=sys.stderr)
                return Run(resume, Path(config.logs) / resume.name, done)
        task = make_task(config, prepared, resume)
        folder = resume or make_run_folder(config, make=first)
        logs = Path(config.logs) / folder.name
        history, stop = History(logs), SaveAndStop(folder, hint, seconds)
        try:
            trainer = make_trainer(config, folder, logs, [*callbacks, history, stop], loggers)
            if config.find_learning_rate:
                config = _find_learning_rate(config, task, faces["train"], trainer)
        except InputError:
            if first and not resume:
                forget_run(folder, logs)
            raise
        if first:
            write_records(config, prepared, folder, resumed=bool(resume))
            _say_start(config, dataset.kind, faces, task, trainer)
        started, busy = time.perf_counter(), time.process_time()
        try:
            batches = FaceBatches(faces["train"], faces["validation"], config)
            ended_by = fit(trainer, task, batches, folder, hint)
            if stop.asked:
                raise SystemExit(128 + signal.SIGTERM)
        except SystemExit:
            close_connection()
            raise
        took = TimeTaken(time.perf_counter() - started, time.process_time() - busy)
        metrics: dict[str, Any] = {}
        try:
            if trainer.is_global_zero:
                rows, held_out = history.rows, faces["validation"]
                metrics = finish_training(
                    config, dataset, held_out, folder, logs, rows, took, ended_by, export=export
                )
        finally:
            # the others wait: torchrun ends all processes as soon as one has left
            close_connection(together=True)
    return Run(folder, logs, metrics)


def _check_before_faces(config: TrainConfig, first: bool) -> None:
    """Check a new run's settings before data is loaded.

    Args:
        config: the recipe.
        first: whether this process makes the run's folder.

    Raises:
        InputError: a run of that name exists, a run to start from does not, or Lightning refuses
            a field, such as a GPU that is not there.
    """
    if first:
        check_new_folder(config)
    check_sources(config)
    with quiet_lightning():
        check_trainer(config)


def _find_learning_rate(
    config: TrainConfig, task: EmotionTask, faces: Faces, trainer: Trainer
) -> TrainConfig:
    """Return the config with a learning rate that was found, and give it to the task."""
    if trainer.world_size > 1:  # each process would find its own
        raise InputError(
            "--find_learning_rate: works in one process; find it on one device first, then give "
            "--learning_rate"
        )
    found = find_learning_rate(task, faces, config, trainer.strategy.root_device)
    print(f"learning rate: {found:g}, found in {STEPS} steps at most", file=sys.stderr)
    config = dataclasses.replace(config, learning_rate=found, find_learning_rate=False)
    task.config = config
    task.record["config"] = config_to_dict(config)
    return config


def _say_start(
    config: TrainConfig,
    kind: str,
    faces: dict[str, Faces],
    task: EmotionTask,
    trainer: Trainer,
) -> None:
    device = trainer.strategy.root_device.type
    parts = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    classes = " + ".join(str(len(names)) for names in task.spec.label_sets.values())
    print(
        f"data: {kind}: {len(faces['train']):,} training and {len(faces['validation']):,} "
        f"validation faces, {classes} classes\n"
        f"network: {config.network}, {count_parameters(task.network):,} parameters; "
        f"{config.epochs} epochs of batches of {config.batch_size} on {device}{parts}",
        file=sys.stderr,
        flush=True,
    )
    if is_slow_bf16(device, str(trainer.precision)):
        print(
            "note: this processor has no fast bf16: --trainer.precision 32-true is faster",
            file=sys.stderr,
        )
