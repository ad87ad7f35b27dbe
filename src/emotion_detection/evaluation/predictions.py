"""Predict a split of labelled faces with models, by the data's classes.

On several processes (torchrun) each face is scored by one of them.
"""

import atexit
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch.distributed as dist

from emotion_detection.config import DataConfig, config_to_dict
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.errors import InputError
from emotion_detection.evaluation.model_loading import Model
from emotion_detection.labels import class_key, find_positions, shared_classes
from emotion_detection.postprocessing import Postprocessing, Prior
from emotion_detection.training.temperature import undo_postprocessing
from emotion_detection.views import make_views

Scores = npt.NDArray[np.float32]


def _place() -> tuple[int, int]:
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def own_rows(count: int) -> npt.NDArray[np.int64]:
    """Return the rows that this process scores, int64: every ``processes``-th, no row twice."""
    process, processes = _place()
    return np.arange(process, count, processes)


def gather_rows(scores: Scores, count: int) -> Scores | None:
    """Gather the scores of all processes in the first.

    Args:
        scores: float32 (rows of this process, classes), in the order of :func:`own_rows`.
        count: rows of all processes together.

    Returns:
        float32 (count, classes) in the first process, None in the others.
    """
    process, processes = _place()
    if processes == 1:
        return scores
    if not dist.is_initialized():
        # kept until the end: a second connection between processes can fail
        dist.init_process_group("gloo", timeout=timedelta(days=1))
        atexit.register(dist.destroy_process_group)
    parts: list[Scores] | None = [scores] * processes if process == 0 else None
    dist.gather_object(scores, parts)
    dist.barrier()
    if parts is None:
        return None
    whole = np.empty((count, scores.shape[1]), np.float32)
    for number, part in enumerate(parts):
        whole[number::processes] = part
    return whole


_PART = 4096
"""Faces per block; whole batches, so that scores do not depend on the block size."""


@dataclass(frozen=True)
class Predicted:
    """Predictions, averaged over the models.

    Args:
        scores: float32 (N, classes).
        before: scores before temperature scaling.
        intensity: float32 (N,), of the models that predict it, or None.
        truth: int64 (N,), the true classes.
        names: class names.
        temperatures: temperature of each model.
        biases: for each model, the bias added to the scaled logits, one number per class; empty for
            none.
    """

    scores: Scores
    before: Scores
    intensity: npt.NDArray[np.float32] | None
    truth: npt.NDArray[np.int64]
    names: Sequence[str]
    temperatures: list[float]
    biases: list[list[float]]


@dataclass(frozen=True)
class Matched:
    """Models and the faces of a split.

    Args:
        models: opened models.
        faces: the split's faces in each model's input size.
        label_sets: the label set of each model.
        names: the class names to test on.
        truth: int64 (N,), the true classes.
    """

    models: Sequence[Model]
    faces: Sequence[Faces]
    label_sets: Sequence[str]
    names: tuple[str, ...]
    truth: npt.NDArray[np.int64]


def match(
    models: Sequence[Model],
    config: DataConfig,
    dataset: Dataset,
    split: str,
    classes: tuple[str, ...] | None = None,
) -> Matched:
    """Match models with the faces of a split.

    A model with several label sets uses that of the data, if it has it.

    Args:
        models: opened models.
        config: the data settings.
        dataset: the data.
        split: the split.
        classes: the class names to test on; None: the data's or the models' own.

    Raises:
        InputError: the models have different classes, or no class in common with the data.
    """
    faces = dataset.split(split)
    label_sets = [model.label_set_for(dataset.label_set) for model in models]
    first = models[0].label_sets[label_sets[0]]
    if any(
        {class_key(label) for label in model.label_sets[name]} != set(map(class_key, first))
        for model, name in zip(models, label_sets, strict=True)
    ):
        raise InputError("--model: models of different classes cannot be averaged")
    names, truth = _classes(dataset, faces, first, classes)
    own = [_at_its_size(model, config, dataset, split, faces) for model in models]
    return Matched(models, own, label_sets, names, truth)


def predict(
    models: Sequence[Model],
    config: DataConfig,
    dataset: Dataset,
    split: str,
    views: int = 1,
    prior: Prior = "natural",
    classes: tuple[str, ...] | None = None,
) -> Predicted | None:
    """Predict the faces of a split.

    Args:
        models: opened models; the scores are averaged.
        config: the data settings.
        dataset: the data.
        split: the split.
        views: number of views per face whose scores are averaged.
        prior: class frequencies that the scores assume.
        classes: the class names to test on; None: the data's or the models' own.

    Returns:
        None in all processes but the first of several.

    Raises:
        InputError: as for :func:`match`.
    """
    matched = match(models, config, dataset, split, classes)
    names, label_sets = matched.names, matched.label_sets
    _warn(names, matched.truth, models[0].label_sets[label_sets[0]])
    rows = own_rows(len(matched.truth))
    scores, before, strengths = zip(
        *(
            _outputs(model, label_set, faces, rows, views, prior, names)
            for model, label_set, faces in zip(models, label_sets, matched.faces, strict=True)
        ),
        strict=True,
    )
    known = [column for column in strengths if not np.isnan(column).any()]
    means = [
        np.mean(column, axis=0, dtype=np.float32) for column in (scores, before, known or strengths)
    ]
    # gathered in one call: processes wait for one another only once
    gathered = gather_rows(np.concatenate(means, axis=1), len(matched.truth))
    if gathered is None:
        return None
    count = len(names)
    return Predicted(
        scores=np.ascontiguousarray(gathered[:, :count]),
        before=np.ascontiguousarray(gathered[:, count:-1]),
        intensity=gathered[:, -1].copy() if known else None,
        truth=matched.truth,
        names=names,
        temperatures=[
            model.temperatures.get(name, 1.0)
            for model, name in zip(models, label_sets, strict=True)
        ],
        biases=[_bias(model, name, names) for model, name in zip(models, label_sets, strict=True)],
    )


def _bias(model: Model, label_set: str, names: Sequence[str]) -> list[float]:
    """Return the bias of a model's logits in the order of the class names; empty: none."""
    bias = model.readouts.get(label_set, Postprocessing()).bias
    if not bias:
        return []
    return [
        0.0 if place is None else bias[place]
        for place in find_positions(names, model.label_sets[label_set])
    ]


def _classes(
    dataset: Dataset, faces: Faces, known: tuple[str, ...], asked: tuple[str, ...] | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the class names to test on, and the true labels as positions in them.

    For a dataset with a known label set (FER-2013, FER+) these are the dataset's classes: a class
    that only the model has is dropped and the scores are renormalised. For a user's own faces they
    are the model's classes, so that a folder of two emotions does not become a two-class problem,
    and the classes that only the data has. Requested classes override both.
    """
    shared = shared_classes(dataset.labels, known)
    if not shared:
        raise InputError(
            f"{dataset.source}: its classes ({', '.join(dataset.labels)}) are not the model's "
            f"({', '.join(known)})"
        )
    names = dataset.labels
    if dataset.label_set == "own":
        names = (*known, *(label for label in dataset.labels if label not in shared))
    names = asked or names
    place = find_positions(dataset.labels, names)
    if unknown := [name for name, at in zip(dataset.labels, place, strict=True) if at is None]:
        raise InputError(
            f"{dataset.source}: {', '.join(unknown)} is not among the classes to test on "
            f"({', '.join(names)})"
        )
    return names, np.array(place, np.int64)[faces.labels]


def _warn(names: Sequence[str], truth: npt.NDArray[np.int64], known: Sequence[str]) -> None:
    """Print the classes without faces, unknown to the model, or not requested."""
    for number, (name, place) in enumerate(zip(names, find_positions(names, known), strict=True)):
        count = int((truth == number).sum())
        if not count:
            print(f"warning: no faces of {name} in this split", file=sys.stderr)
        elif place is None:
            print(
                f"warning: the model does not know {name}: its {count} faces count as mistakes",
                file=sys.stderr,
            )
    dropped = [
        name for name, at in zip(known, find_positions(known, names), strict=True) if at is None
    ]
    if dropped:
        print(f"note: {', '.join(dropped)} is not among these labels: dropped", file=sys.stderr)


def _at_its_size(
    model: Model, config: DataConfig, dataset: Dataset, split: str, faces: Faces
) -> Faces:
    """Load the faces in a model's input size.

    Raises:
        InputError: some faces can only be read at one of the sizes.
    """
    if (model.size, model.channels) == (config.size, config.channels):
        return faces
    values = config_to_dict(config) | {"size": model.size, "channels": model.channels}
    own = load(DataConfig(**values)).split(split)
    if split in dataset.kept and len(own) > int(dataset.kept[split].max(initial=-1)):
        own = own.keep(dataset.kept[split])
    if list(own.names) != list(faces.names):
        raise InputError(
            f"{model.path}: at its {model.size} px other faces of {config.data} are in the "
            f"{split} split; test it alone, or let the data say its splits"
        )
    return own


def _outputs(
    model: Model,
    label_set: str,
    faces: Faces,
    rows: npt.NDArray[np.int64],
    views: int,
    prior: Prior,
    names: Sequence[str],
) -> tuple[Scores, Scores, npt.NDArray[np.float32]]:
    """Return a model's predictions of some rows; see :func:`predict_by_class`."""
    if not len(rows):  # more processes than faces
        empty = np.zeros((0, len(names)), np.float32)
        return empty, empty, np.zeros((0, 1), np.float32)
    # in blocks, since the faces and their views may not fit in memory
    parts = [
        predict_by_class(
            faces.draw(rows[start : start + _PART]), model, label_set, views, prior, names
        )
        for start in range(0, len(rows), _PART)
    ]
    scores, before, intensity = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return scores, before, intensity


def predict_by_class(
    images: npt.NDArray[np.uint8],
    model: Model,
    label_set: str,
    views: int,
    prior: Prior,
    names: Sequence[str],
) -> tuple[Scores, Scores, npt.NDArray[np.float32]]:
    """Return a model's predictions of faces uint8 (N, C, H, W), at least one.

    Returns:
        Scores after and before temperature scaling, each float32 (N, names), and the intensity,
        float32 (N, 1); NaN if the model predicts none.
    """
    said = [model.outputs(view) for view in make_views(images, views)]
    scores = [outputs[model.output_name(label_set)] for outputs in said]
    temperature = model.temperatures.get(label_set, 1.0)
    readout = model.readouts.get(label_set, Postprocessing())
    before = [undo_postprocessing(part, temperature, readout.bias) for part in scores]
    places = find_positions(names, model.label_sets[label_set])
    unknown = np.full(len(images), np.nan, np.float32)
    intensity = np.mean([outputs.get("intensity", unknown) for outputs in said], axis=0)
    return (
        _aligned(readout.combine(scores, prior), places),
        _aligned(np.mean(before, axis=0, dtype=np.float32), places),
        intensity.astype(np.float32)[:, None],
    )


def _aligned(scores: Scores, places: Sequence[int | None]) -> Scores:
    """Reorder and renormalise scores; 0 for classes that the model lacks."""
    aligned = np.zeros((len(scores), len(places)), np.float32)
    for column, place in enumerate(places):
        if place is not None:
            aligned[:, column] = scores[:, place]
    aligned /= np.maximum(aligned.sum(axis=1, keepdims=True), 1e-12)
    return aligned
