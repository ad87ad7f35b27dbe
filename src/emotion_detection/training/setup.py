"""Prepare a training: the faces, and the task with the network."""

import sys
from dataclasses import dataclass
from pathlib import Path

from emotion_detection.config import DataConfig, TrainConfig, config_to_dict, data_config_fields
from emotion_detection.data import Dataset, Faces, join_splits, load
from emotion_detection.data.exclude import exclude_faces
from emotion_detection.errors import InputError
from emotion_detection.training.augmentation import make_augmentation, make_corruption
from emotion_detection.training.initial_weights import load_teachers, start_from
from emotion_detection.training.losses import compute_class_frequencies, compute_class_weights
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.run_paths import record_path
from emotion_detection.training.task import EmotionTask
from emotion_detection.training.trained_faces import leave_out_trained, open_sources


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
    if dataset.too_few:
        more = f" (and {len(dataset.too_few) - 1} more)" if len(dataset.too_few) > 1 else ""
        raise InputError(
            f"{dataset.source}: {dataset.too_few[0]}{more}: faces that belong together, as "
            "duplicates or images of one person, share a split, and faces of earlier data keep "
            "theirs until --split_seed changes; else add faces, change --validation_fraction, "
            "--test_fraction or --person, or give the splits yourself"
        )
    # initial weights must not be validated on faces that they were trained on
    sources = open_sources(config.init, config.teacher)
    dataset = leave_out_trained(dataset, "validation", sources, config)
    other = None
    faces = {name: dataset.split(name) for name in ("train", "validation")}
    if config.extra_labels is not None:
        # 'auto' may have downloaded it meanwhile: the very same place
        same = data_config_fields(config_to_dict(config)) | {
            "data": dataset.source,
            "labels": config.extra_labels,
        }
        other = leave_out_trained(load(DataConfig(**same)), "validation", sources, config)
        faces = {
            name: join_splits(one, other.split(name), other.label_set)
            for name, one in faces.items()
        }
    if config.exclude:
        faces = exclude_faces(faces, Path(config.exclude))
    if missing := dataset.missing_classes(faces["train"]):
        raise InputError(
            f"{dataset.source}: no training faces of {', '.join(missing)}; "
            "add some, or name the classes to keep with --classes"
        )
    if missing := dataset.missing_classes(faces["validation"]):
        print(f"warning: no validation faces of {', '.join(missing)}", file=sys.stderr)
    return Prepared(dataset, other, faces)


def make_task(config: TrainConfig, prepared: Prepared, resume: str | Path | None) -> EmotionTask:
    """Create the task, with random or given initial weights.

    Args:
        config: the recipe.
        prepared: the data.
        resume: folder of a run to resume, whose initial weights are in the checkpoint.

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
    network = build_seeded(spec, config.seed, False if begun else config.pretrained)
    if config.init and not begun:
        start_from(network, spec, config.init)
    if config.frozen and not (config.init or config.pretrained):
        print("warning: --frozen true freezes random weights: say --init too", file=sys.stderr)
    values = config_to_dict(record_path(config, Path(resume)) if resume else config)
    record = {
        "config": values,
        "class_frequencies": compute_class_frequencies(train_faces, spec),
        "data": {
            "source": values["data"],
            "label_set": dataset.label_set,
            "hash": dataset.hash,
            "sizes": dataset.sizes,
            "also": {other.label_set: {"hash": other.hash, "sizes": other.sizes}} if other else {},
            "options": data_config_fields(values),
        },
    }
    return EmotionTask(
        network,
        spec,
        config,
        make_augmentation(config),
        record,
        compute_class_weights(train_faces, spec, config.class_balance),
        load_teachers(config.teacher, spec),
        make_corruption(config),
    )
