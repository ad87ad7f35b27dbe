"""``python test.py``: a model on labelled faces, from files to figures."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from emotion_detection import pretrained
from emotion_detection.config import DataConfig, data_fields
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.data.duplicates import NEAR, copies_in
from emotion_detection.data.ferplus import RATERS
from emotion_detection.errors import InputError
from emotion_detection.evaluation.figures import draw_confusion
from emotion_detection.evaluation.models import Model, newest_run, open_model
from emotion_detection.evaluation.predict import Predicted, predict
from emotion_detection.files import write_whole
from emotion_detection.training.intensity import intensity_figures, share_figures
from emotion_detection.training.metrics import accuracy_interval, calibration, figures


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
    predicted = predict(opened, config, dataset, split, tta)
    if predicted is None:  # another process has all of it
        return Test(Path(), {})
    metrics = figures(predicted.scores, predicted.truth, predicted.names)
    metrics |= _record(dataset, split, opened, tta) | {
        "temperature": predicted.temperatures,
        "before_temperature": calibration(predicted.before, predicted.truth),
    }
    metrics |= _followed(dataset, faces, predicted)
    if split != "train" and dataset.sizes["train"] and _trained_on(opened[0], dataset):
        metrics["without_duplicates"] = _without_duplicates(
            _training_faces(opened[0], dataset, config), faces, predicted
        )
    folder = Path(out) if out else _default_folder(opened, config, dataset, split, tta)
    _write(folder, metrics, faces, predicted)
    return Test(folder, metrics)


def _followed(dataset: Dataset, faces: Faces, predicted: Predicted) -> dict[str, Any]:
    """Return how intensity and scores follow what the data knows of them, where it does."""
    raters = RATERS if dataset.label_set == "ferplus" else None
    found: dict[str, Any] = {}
    if predicted.intensity is not None and faces.intensity is not None:
        found["intensity"] = intensity_figures(predicted.intensity, faces.intensity, raters)
    if raters and faces.shares is not None and tuple(predicted.names) == dataset.labels:
        found["vote_shares"] = share_figures(
            predicted.scores, faces.shares, predicted.names, raters
        )
    return found


def _data_config(model: Model, given: dict[str, Any]) -> DataConfig:
    trained_on = model.training_data.get("options", {})
    known = {f.name for f in fields(DataConfig)}
    values = {k: v for k, v in data_fields(trained_on).items() if k in known} | given
    if "data" not in values:
        raise InputError(f"{model.path}: does not say what it was trained on; name it with --data")
    return DataConfig(**(values | {"size": model.size, "channels": model.channels}))


def _record(dataset: Dataset, split: str, models: list[Model], tta: bool) -> dict[str, Any]:
    paths = [model.path.as_posix() for model in models]
    return {
        "data": {"source": dataset.source, "label_set": dataset.label_set, "hash": dataset.hash},
        "split": split,
        "model": paths[0] if len(paths) == 1 else paths,
        "parameters": sum(model.parameters for model in models),
        "tta": tta,
    }


def _training_faces(model: Model, dataset: Dataset, config: DataConfig) -> Faces:
    """Return the faces that a model was trained on, also those without a label of this set."""
    if dataset.label_set == "ferplus" and "fer2013" in model.label_sets:
        dataset = load(replace(config, labels="fer2013"))
    return dataset.split("train")


def _without_duplicates(train: Faces, faces: Faces, predicted: Predicted) -> dict[str, Any]:
    """Return the accuracy on the faces that have no exact or near copy among the training faces."""
    exact, near = copies_in(faces.digests, faces.thumbnails, train.digests, train.thumbnails)
    right = (predicted.scores.argmax(axis=1) == predicted.truth)[~near]
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
    hashes = {known.get("hash"), *(other["hash"] for other in known.get("also", {}).values())}
    return dataset.hash in hashes or source == dataset.source


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
    # the shipped model lies in the package, where nothing is written
    shipped = models[0].path.parent == Path(pretrained.__file__).parent
    folder = Path("models", "pretrained") if shipped else models[0].path.parent
    return folder / "test" / (name + ("-tta" if tta else ""))


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
