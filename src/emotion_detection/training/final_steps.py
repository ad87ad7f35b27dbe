"""Finish a training: temperature, metrics on validation, ONNX file, curves, records."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emotion_detection.config import TrainConfig
from emotion_detection.data import Dataset, Faces
from emotion_detection.data.ferplus import RATERS
from emotion_detection.errors import TrainingError
from emotion_detection.io.files import write_atomic
from emotion_detection.metrics.agreement import compute_intensity_metrics
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.classification import Labels, Scores, compute_classification_metrics
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training.checkpoint import LoadedCheckpoint, load_trained, store_readouts
from emotion_detection.training.export import (
    KEPT_METRICS,
    choose_sample_rows,
    export_onnx,
    keep_sample,
)
from emotion_detection.training.history import draw_curves
from emotion_detection.training.network import ModelSpec, count_multiply_adds, count_parameters
from emotion_detection.training.network_scores import compute_outputs
from emotion_detection.training.run_folder import select_finish_options
from emotion_detection.training.temperature import apply_postprocessing, fit_temperature
from emotion_detection.views import VIEWS, make_views


class TimeTaken(NamedTuple):
    """Duration of a training.

    Args:
        seconds: on the clock.
        cpu_seconds: of all processor cores, in this process.
    """

    seconds: float
    cpu_seconds: float


def finish_training(
    config: TrainConfig,
    dataset: Dataset,
    validation: Faces,
    folder: Path,
    logs: Path,
    rows: list[dict[str, float | int | None]],
    took: TimeTaken,
    ended_by: str = "epochs",
    *,
    export: bool = True,
) -> dict[str, Any]:
    """Calibrate the best checkpoint on validation, measure and export it, write the records.

    Args:
        config: the recipe.
        dataset: the data.
        validation: the validation faces.
        folder: ``models/RUN``.
        logs: ``logs/RUN``.
        rows: the history, a row an epoch.
        took: duration of this start of the training.
        ended_by: the reason for the end: 'epochs', 'max_steps', 'patience' or 'max_time'.
        export: whether to write ``model.onnx``.

    Returns:
        The content of ``metrics.json``.

    Raises:
        TrainingError: the ONNX file does not agree with torch, or nothing can be written.
    """
    best = load_trained(folder)
    plain = compute_outputs(best.network, best.spec, validation.images)
    best = _calibrated(best, validation, plain)
    raters = RATERS if dataset.label_set == "ferplus" else None
    result = _figures(best, validation, plain, raters)
    result |= {
        "data": {"source": dataset.source, "label_set": dataset.label_set, "hash": dataset.hash},
        "split": "validation",
        "model": (folder / "best.ckpt").as_posix(),
        "parameters": count_parameters(best.network),
        "multiply_adds": count_multiply_adds(best.network, best.spec),
        "training": {
            "asked": select_finish_options(config),
            "ended_by": ended_by,
            "epochs": len(rows),
            "best_epoch": best.epoch,
            "seconds": round(sum(row["seconds"] or 0 for row in rows), 1),
            "first_train_loss": rows[0]["train_loss"] if rows else None,
            "last_train_loss": rows[-1]["train_loss"] if rows else None,
        },
    }
    sample = validation.draw(choose_sample_rows(len(validation)))
    if export:
        short = {name: result[name] for name in KEPT_METRICS}
        result["onnx_difference"] = export_onnx(best, folder / "model.onnx", sample, short)
    try:
        keep_sample(folder, sample)
        draw_curves(rows, logs / "curves.png", f"{folder.name}: {dataset.kind}")
        write_atomic(folder / "metrics.json", json.dumps(result, indent=2))
        record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        record["fit_seconds"] = round(took.seconds, 1)
        record["fit_cpu_seconds"] = round(took.cpu_seconds, 1)
        write_atomic(folder / "provenance.json", json.dumps(record, indent=2))
    except OSError as error:
        raise TrainingError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return result


def _calibrated(
    best: LoadedCheckpoint, validation: Faces, plain: dict[str, Scores]
) -> LoadedCheckpoint:
    """Fit the postprocessing of each label set, and store it in the checkpoint.

    One temperature for a single view goes into the graph, together with the adjustment for rare
    classes; one for the mean of several views is applied to that mean.
    """
    temperatures, readouts = {}, {}
    frequencies = best.record.get("class_frequencies", {})
    adjustment = best.record["config"].get("logit_adjustment", 0.0)
    for name, scores, labels in _by_label_set(best.spec, plain, validation):
        readout = Postprocessing(tuple(frequencies.get(name, ())), adjustment)
        known = labels >= 0
        temperatures[name] = fit_temperature(scores[known], labels[known], readout.bias)
        readouts[name] = readout
    best = dataclasses.replace(best, temperatures=temperatures, readouts=readouts)
    shown = [
        compute_outputs(*(best.network, best.spec, view, best.temperatures, "cpu", best.readouts))
        for view in make_views(np.asarray(validation.images), max(VIEWS))
    ]
    for name, _, labels in _by_label_set(best.spec, plain, validation):
        known, output = labels >= 0, best.spec.output_name(name)
        parts = [outputs[output][known] for outputs in shown]
        fitted = {
            views: fit_temperature(np.mean(parts[:views], axis=0), labels[known])
            for views in VIEWS
            if views > 1
        }
        readouts[name] = dataclasses.replace(readouts[name], temperatures=fitted)
    store_readouts(best.path, temperatures, readouts)
    return dataclasses.replace(best, readouts=readouts)


def _figures(
    best: LoadedCheckpoint, validation: Faces, plain: dict[str, Scores], raters: int | None
) -> dict[str, Any]:
    """Return the metrics on validation of the first label set, with further ones under 'also'."""
    results = {}
    for name, before, labels in _by_label_set(best.spec, plain, validation):
        known, temperature = labels >= 0, best.temperatures[name]
        scores = apply_postprocessing(before[known], temperature, best.readouts[name].bias)
        results[name] = {
            **compute_classification_metrics(scores, labels[known], best.spec.label_sets[name]),
            "temperature": temperature,
            "before_temperature": compute_calibration_metrics(before[known], labels[known]),
        }
    first = results.pop(best.spec.label_set)
    if "intensity" in plain and validation.intensity is not None:
        first["intensity"] = compute_intensity_metrics(
            plain["intensity"], validation.intensity, raters
        )
    return {**first, "also": results} if results else first


def _by_label_set(
    spec: ModelSpec, outputs: dict[str, Scores], validation: Faces
) -> Iterator[tuple[str, Scores, Labels]]:
    """Yield each label set's name, scores and labels (-1 where unknown)."""
    yield spec.label_set, outputs["scores"], validation.labels
    for name in spec.also:
        yield name, outputs[spec.output_name(name)], validation.also[name]
