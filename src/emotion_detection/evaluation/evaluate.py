"""``python test.py``: a model on labelled faces, from files to figures."""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig, as_dict, data_fields
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.data.duplicates import NEAR, copies_in
from emotion_detection.data.ferplus import RATERS
from emotion_detection.emotions import positions
from emotion_detection.errors import InputError
from emotion_detection.evaluation.figures import draw_confusion
from emotion_detection.evaluation.models import Model, newest_run, open_model
from emotion_detection.evaluation.processes import gather_rows, own_rows
from emotion_detection.files import write_whole
from emotion_detection.training.calibration import retempered
from emotion_detection.training.intensity import intensity_figures, share_figures
from emotion_detection.training.metrics import accuracy_interval, calibration, figures

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Test:
    """What a test found.

    Args:
        folder: where ``metrics.json``, ``predictions.parquet`` and ``confusion.png`` were written.
        metrics: what ``metrics.json`` holds. Empty in all processes but the first of several.
    """

    folder: Path
    metrics: dict[str, Any]


def evaluate(
    models: Sequence[str | Path] = (),
    data: str | None = None,
    labels: str | None = None,
    split: str = "test",
    tta: bool = False,
    out: str | Path | None = None,
    changes: dict[str, Any] | None = None,
    runs: str | Path = "models",
) -> Test:
    """Test models on labelled faces; the scores of several are averaged.

    Args:
        models: run folders, checkpoints or ONNX files; none: the newest run.
        data: source of the faces; None: the one that the first model was trained on.
        labels: 'fer2013' or 'ferplus'; None: those that the first model was trained on.
        split: 'test', 'validation' or 'train'.
        tta: average with the scores of the mirrored face.
        out: folder for the results; None: in the first model's folder.
        changes: further fields of :class:`~emotion_detection.config.DataConfig` to change.
        runs: folder where the newest run is looked for.

    Raises:
        InputError: no such model, data or split, or models and data share no class.
    """
    opened = [open_model(place) for place in (models or [newest_run(Path(runs))])]
    given = {"data": data, "labels": labels} | (changes or {})
    config = _data_config(opened[0], {k: v for k, v in given.items() if v is not None})
    dataset = load(config)
    faces = dataset.split(split)
    label_sets = [model.label_set_for(dataset.label_set) for model in opened]
    first = opened[0].label_sets[label_sets[0]]
    if any(
        set(model.label_sets[name]) != set(first)
        for model, name in zip(opened, label_sets, strict=True)
    ):
        raise InputError("--model: models of different classes cannot be averaged")
    names, truth = _classes(dataset, faces, first)
    rows = own_rows(len(faces))
    parts = [
        _outputs(model, label_set, _at_its_size(model, config, split, faces), rows, tta, names)
        for model, label_set in zip(opened, label_sets, strict=True)
    ]
    gathered = [
        gather_rows(np.mean(column, axis=0, dtype=np.float32), len(faces))
        for column in zip(*parts, strict=True)
    ]
    if any(column is None for column in gathered):  # another process has them all
        return Test(Path(), {})
    scores, before, strength = (column for column in gathered if column is not None)
    intensity = None if np.isnan(strength).any() else strength[:, 0]
    metrics = figures(scores, truth, names)
    metrics |= _record(dataset, split, opened, tta) | {
        "temperature": [
            model.temperatures.get(name, 1.0)
            for model, name in zip(opened, label_sets, strict=True)
        ],
        "before_temperature": calibration(before, truth),
    }
    metrics |= _followed(dataset, faces, names, scores, intensity)
    if split != "train" and dataset.sizes["train"] and _trained_on(opened[0], dataset):
        metrics["without_duplicates"] = _without_duplicates(dataset, faces, scores, truth)
    folder = Path(out) if out else _default_folder(opened, config, dataset, split, tta)
    _write(folder, metrics, faces, Predicted(scores, intensity, truth, names))
    return Test(folder, metrics)


@dataclass(frozen=True)
class Predicted:
    """What the models said of the faces.

    Args:
        scores: float32 (N, classes).
        intensity: float32 (N,), or None.
        truth: int64 (N,), the true classes.
        names: class names.
    """

    scores: Scores
    intensity: npt.NDArray[np.float32] | None
    truth: npt.NDArray[np.int64]
    names: Sequence[str]


def _followed(
    dataset: Dataset,
    faces: Faces,
    names: Sequence[str],
    scores: Scores,
    intensity: npt.NDArray[np.float32] | None,
) -> dict[str, Any]:
    """Return how intensity and scores follow what the data knows of them, where it does."""
    raters = RATERS if dataset.label_set == "ferplus" else None
    found: dict[str, Any] = {}
    if intensity is not None and faces.intensity is not None:
        found["intensity"] = intensity_figures(intensity, faces.intensity, raters)
    if raters and faces.shares is not None and tuple(names) == dataset.labels:
        found["vote_shares"] = share_figures(scores, faces.shares, names, raters)
    return found


def _data_config(model: Model, given: dict[str, Any]) -> DataConfig:
    trained_on = model.training_data.get("options", {})
    known = {f.name for f in fields(DataConfig)}
    values = {k: v for k, v in data_fields(trained_on).items() if k in known} | given
    if "data" not in values:
        raise InputError(f"{model.path}: does not say what it was trained on; name it with --data")
    return DataConfig(**(values | {"size": model.size, "channels": model.channels}))


def _classes(
    dataset: Dataset, faces: Faces, known: tuple[str, ...]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the class names to test on, and the true labels as positions in them.

    On a dataset with a label set of its own (FER-2013, FER+) these are its classes: a class that
    only the model knows is dropped and the rest renormalised. On a user's own faces they are the
    model's, so that a folder of two emotions does not become a two-class problem.
    """
    shared = set(dataset.labels) & set(known)
    if not shared:
        raise InputError(
            f"{dataset.source}: its classes ({', '.join(dataset.labels)}) are not the model's "
            f"({', '.join(known)})"
        )
    names = dataset.labels
    if dataset.label_set == "own" and shared == set(dataset.labels):
        names = known
    place = np.array(positions(dataset.labels, names), np.int64)
    truth = place[faces.labels]
    for name in names:
        count = int((truth == names.index(name)).sum())
        if not count:
            print(f"warning: no faces of {name} in this split", file=sys.stderr)
        elif name not in shared:
            print(
                f"warning: the model does not know {name}: its {count} faces count as mistakes",
                file=sys.stderr,
            )
    if dropped := [name for name in known if name not in names]:
        print(f"note: {', '.join(dropped)} is not among these labels: dropped", file=sys.stderr)
    return names, truth


def _at_its_size(model: Model, config: DataConfig, split: str, faces: Faces) -> Faces:
    """Return the faces, read at a model's own input.

    Raises:
        InputError: near-duplicates differ at that size, and with them a split that was drawn.
    """
    if (model.size, model.channels) == (config.size, config.channels):
        return faces
    values = as_dict(config) | {"size": model.size, "channels": model.channels}
    own = load(DataConfig(**values)).split(split)
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
    tta: bool,
    names: Sequence[str],
) -> tuple[Scores, Scores, npt.NDArray[np.float32]]:
    """Return what a model says of some rows.

    Returns:
        Its scores, and its scores before temperature, each float32 (rows, names), and its
        intensity, float32 (rows, 1), NaN where it has none.
    """
    if not len(rows):  # more processes than faces
        empty = np.zeros((0, len(names)), np.float32)
        return empty, empty, np.zeros((0, 1), np.float32)
    # rows in order: a slice of the memory map where one process has all of them
    images = faces.images if len(rows) == len(faces) else faces.images[rows]
    views = [images, images[..., ::-1]] if tta else [images]
    said = [model.outputs(view) for view in views]
    scores = [outputs[model.output_name(label_set)] for outputs in said]
    temperature = model.temperatures.get(label_set, 1.0)
    before = [retempered(part, 1 / temperature) for part in scores]
    places = positions(names, model.label_sets[label_set])
    unknown = np.full(len(rows), np.nan, np.float32)
    intensity = np.mean([outputs.get("intensity", unknown) for outputs in said], axis=0)
    return (
        _aligned(np.mean(scores, axis=0, dtype=np.float32), places),
        _aligned(np.mean(before, axis=0, dtype=np.float32), places),
        intensity.astype(np.float32)[:, None],
    )


def _aligned(scores: Scores, places: Sequence[int | None]) -> Scores:
    """Return scores in the order of the places, renormalised; 0 where there is none."""
    aligned = np.zeros((len(scores), len(places)), np.float32)
    for column, place in enumerate(places):
        if place is not None:
            aligned[:, column] = scores[:, place]
    aligned /= np.maximum(aligned.sum(axis=1, keepdims=True), 1e-12)
    return aligned


def _record(dataset: Dataset, split: str, models: list[Model], tta: bool) -> dict[str, Any]:
    paths = [model.path.as_posix() for model in models]
    return {
        "data": {"source": dataset.source, "label_set": dataset.label_set, "hash": dataset.hash},
        "split": split,
        "model": paths[0] if len(paths) == 1 else paths,
        "parameters": sum(model.parameters for model in models),
        "tta": tta,
    }


def _without_duplicates(
    dataset: Dataset, faces: Faces, scores: Scores, truth: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Return the accuracy on the faces that have no exact or near copy among the training faces."""
    train = dataset.split("train")
    exact, near = copies_in(faces.digests, faces.thumbnails, train.digests, train.thumbnails)
    right = (scores.argmax(axis=1) == truth)[~near]
    return {
        "measure": f"correlation of 8 x 8 thumbnails with a training face of at least {NEAR}",
        "exact": int(exact.sum()),
        "exact_or_near": int(near.sum()),
        "n": len(right),
        "accuracy": float(right.mean()) if len(right) else None,
        "accuracy_ci95": list(accuracy_interval(right)) if len(right) else None,
    }


def _trained_on(model: Model, dataset: Dataset) -> bool:
    """Say whether a model was trained on this data's training split."""
    known = model.training_data
    source = known.get("options", {}).get("data")
    return known.get("hash") == dataset.hash or source == dataset.source


def _default_folder(
    models: list[Model], config: DataConfig, dataset: Dataset, split: str, tta: bool
) -> Path:
    name = f"{config.labels}-{split}"
    # what is not the model's own data, or not the run's best, must not overwrite its figures
    if not _trained_on(models[0], dataset):
        name += f"-{Path(dataset.source).stem}"
    if models[0].path.stem not in ("best", "model"):
        name += f"-of-{models[0].path.stem}"
    if len(models) > 1:
        name += f"-mean-of-{len(models)}"
    return models[0].path.parent / "test" / (name + ("-tta" if tta else ""))


def _printable(name: str) -> str:
    """Return a file's name as valid UTF-8: Linux allows names that are not."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _write(folder: Path, metrics: dict[str, Any], faces: Faces, predicted: Predicted) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, intensity = predicted.names, predicted.intensity
    nothing = pa.nulls(len(predicted.truth), pa.float32())
    table = pa.table(
        {
            "file": pa.array([_printable(name) for name in faces.names], pa.string()),
            "label": pa.array([names[label] for label in predicted.truth], pa.string()),
            "scores": pa.array(list(predicted.scores), pa.list_(pa.float32())),
            "intensity": nothing if intensity is None else pa.array(intensity),
        }
    ).replace_schema_metadata({"labels": json.dumps(list(names))})
    try:
        predictions = io.BytesIO()
        pq.write_table(table, predictions)
        write_whole(folder / "predictions.parquet", predictions.getvalue())
        picture = draw_confusion(np.array(metrics["confusion"]), names, metrics)
        write_whole(folder / "confusion.png", picture)
        write_whole(folder / "metrics.json", json.dumps(metrics, indent=2))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: the results cannot be written: {reason}") from None
