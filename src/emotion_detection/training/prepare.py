"""What a training starts from: its faces, and the task with its network."""

import sys
from dataclasses import dataclass
from pathlib import Path

from emotion_detection.config import DataConfig, TrainConfig, as_dict, data_fields
from emotion_detection.data import Dataset, Faces, joined, load
from emotion_detection.data.exclude import exclude
from emotion_detection.errors import InputError
from emotion_detection.training.augment import augmentation
from emotion_detection.training.losses import class_weights
from emotion_detection.training.network import ModelSpec, freshly_seeded
from emotion_detection.training.start import load_teachers, start_from
from emotion_detection.training.task import EmotionTask


@dataclass(frozen=True)
class Prepared:
    """The data of a training.

    Args:
        dataset: with the first label set.
        other: the same faces with the second one, or None.
        faces: of the training and the validation split, with the labels of both.
    """

    dataset: Dataset
    other: Dataset | None
    faces: dict[str, Faces]


def prepare(config: TrainConfig) -> Prepared:
    """Open training and validation faces; the test split stays closed.

    Raises:
        InputError: bad data, or no training faces of a class.
    """
    dataset = load(config)
    other = None
    faces = {name: dataset.split(name) for name in ("train", "validation")}
    if config.also is not None:
        # 'auto' may have downloaded it meanwhile: the very same place
        same = data_fields(as_dict(config)) | {"data": dataset.source, "labels": config.also}
        other = load(DataConfig(**same))
        faces = {
            name: joined(one, other.split(name), other.label_set) for name, one in faces.items()
        }
    if config.exclude:
        faces = exclude(faces, Path(config.exclude))
    if missing := dataset.missing_classes(faces["train"]):
        raise InputError(
            f"{dataset.source}: no training faces of {', '.join(missing)}; "
            "add some, or name the classes to keep with --classes"
        )
    if missing := dataset.missing_classes(faces["validation"]):
        print(f"warning: no validation faces of {', '.join(missing)}", file=sys.stderr)
    return Prepared(dataset, other, faces)


def make_task(config: TrainConfig, prepared: Prepared, resume: str | Path | None) -> EmotionTask:
    """Make the task: a fresh network, or one that starts from other weights.

    Args:
        config: the recipe.
        prepared: its data.
        resume: a run's folder to go on with: what the run started from is in its checkpoint.

    Raises:
        InputError: no such run, teacher or published weights, or they do not fit.
    """
    dataset, other, train_faces = prepared.dataset, prepared.other, prepared.faces["train"]
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
    if config.frozen and not (config.init or config.pretrained):
        print("warning: --frozen true freezes random weights: say --init too", file=sys.stderr)
    record = {
        "config": as_dict(config),
        "data": {
            "source": dataset.source,
            "label_set": dataset.label_set,
            "hash": dataset.hash,
            "sizes": dataset.sizes,
            "also": {other.label_set: {"hash": other.hash, "sizes": other.sizes}} if other else {},
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
