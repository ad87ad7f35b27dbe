"""A training, from a config to the files of a run."""

import dataclasses
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only

from emotion_detection.config import DataConfig, TrainConfig, as_dict, data_fields
from emotion_detection.data import Dataset, Faces, joined, load
from emotion_detection.data.exclude import exclude
from emotion_detection.errors import InputError
from emotion_detection.training.augment import augmentation
from emotion_detection.training.batches import FaceBatches
from emotion_detection.training.callbacks import SaveOnSigterm
from emotion_detection.training.finish import finish
from emotion_detection.training.fit import close_connection, fit, make_trainer, quiet_lightning
from emotion_detection.training.folder import (
    already_finished,
    check_same_data,
    forget,
    new_folder,
    write_records,
)
from emotion_detection.training.history import History
from emotion_detection.training.losses import class_weights
from emotion_detection.training.network import (
    ModelSpec,
    check_network,
    freshly_seeded,
    parameter_count,
)
from emotion_detection.training.start import load_teachers, start_from
from emotion_detection.training.task import EmotionTask


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
            (:func:`.folder.resumed_config`).

    Returns:
        The run. In processes but the first of several, its figures are empty.

    Raises:
        InputError: bad data or settings.
        TrainingError: the training cannot go on; the checkpoints before are whole.
    """
    check_network(config.network, config.pretrained)
    dataset = load(config)
    config = dataclasses.replace(config, data=dataset.source)
    other = _other_labels(config)
    faces = _faces(dataset, other, config)
    first = getattr(rank_zero_only, "rank", 0) == 0
    with quiet_lightning():
        task = _task(config, dataset, other, faces["train"], resume)
        folder = Path(resume) if resume else new_folder(config, make=first)
        logs = Path(config.logs) / folder.name
        if resume:
            check_same_data(folder, dataset, config)
            if (done := already_finished(folder, config)) is not None:
                print(f"{folder}: is finished; nothing to do", file=sys.stderr)
                return Run(folder, logs, done)
        history, sigterm = History(logs), SaveOnSigterm(folder)
        try:
            trainer = make_trainer(config, folder, logs, [history, sigterm])
        except InputError:
            if first and not resume:
                forget(folder, logs)
            raise
        if first:
            write_records(config, dataset, folder, resumed=bool(resume))
            _say_start(config, dataset, faces, task, trainer)
        started = time.perf_counter()
        try:
            fit(trainer, task, FaceBatches(faces["train"], faces["validation"], config), folder)
            if sigterm.asked:
                raise SystemExit(128 + signal.SIGTERM)
        except SystemExit:
            close_connection()
            raise
        seconds = time.perf_counter() - started
        metrics: dict[str, Any] = {}
        try:
            if trainer.is_global_zero:
                metrics = finish(
                    config, dataset, faces["validation"], folder, logs, history.rows, seconds
                )
        finally:
            # the others wait: torchrun ends all processes as soon as one has left
            close_connection(together=True)
    return Run(folder, logs, metrics)


def _other_labels(config: TrainConfig) -> Dataset | None:
    """Open the same faces with the second label set, where one is asked for."""
    if config.also is None:
        return None
    return load(DataConfig(**(data_fields(as_dict(config)) | {"labels": config.also})))


def _faces(dataset: Dataset, other: Dataset | None, config: TrainConfig) -> dict[str, Faces]:
    """Open training and validation faces; with a second label set, with the labels of both."""
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
    if other is None:
        return faces
    others = {name: other.split(name) for name in faces}
    if config.exclude:
        others = exclude(others, Path(config.exclude))
    return {name: joined(faces[name], others[name], other.label_set) for name in faces}


def _task(
    config: TrainConfig,
    dataset: Dataset,
    other: Dataset | None,
    train_faces: Faces,
    resume: str | Path | None,
) -> EmotionTask:
    spec = ModelSpec(
        network=config.network,
        labels=dataset.labels,
        channels=config.channels,
        size=config.size,
        dropout=config.dropout,
        label_set=dataset.label_set,
        also={other.label_set: other.labels} if other else {},
        intensity=config.intensity_weight > 0 and train_faces.intensity is not None,
    )
    begun = resume is not None and (Path(resume) / "last.ckpt").exists()
    network = freshly_seeded(spec, config.seed, config.pretrained and not begun)
    if config.init and not begun:
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
    return EmotionTask(
        network,
        spec,
        config,
        augmentation(config),
        record,
        class_weights(train_faces, spec, config.class_balance),
        load_teachers(config.teacher, spec),
    )


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
