"""Tests' folders with scores that are known, and reports made of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_detection.labels import FER2013
from emotion_detection.metrics.agreement import compute_intensity_metrics, compute_vote_metrics
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.classification import compute_classification_metrics
from emotion_detection.training.temperature import apply_temperature

TEMPERATURE = 0.8


def _scores(
    count: int, classes: int = 7, seed: int = 0, sharpness: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Scores float32 (count, classes) and labels int64 (count,) that follow them."""
    generator = np.random.default_rng(seed)
    scores = np.exp(sharpness * generator.standard_normal((count, classes)))
    scores /= scores.sum(axis=1, keepdims=True)
    labels = (scores.cumsum(axis=1) < generator.random((count, 1))).sum(axis=1)
    return scores.astype(np.float32), np.minimum(labels, classes - 1).astype(np.int64)


def _write(
    folder: Path,
    scores: np.ndarray,
    truth: np.ndarray,
    names: Sequence[str] = FER2013,
    files: Sequence[str] | None = None,
    shares: np.ndarray | None = None,
    intensity: np.ndarray | None = None,
    wanted: np.ndarray | None = None,
    **changes: Any,
) -> Path:
    """Write what a test would leave, without a model."""
    files = files or [f"face-{row:05d}.png" for row in range(len(truth))]
    columns = {
        "file": pa.array(files),
        "label": pa.array([names[label] for label in truth]),
        "scores": pa.array(list(scores), pa.list_(pa.float32())),
        "intensity": pa.nulls(len(truth), pa.float32()) if intensity is None else intensity,
    }
    metrics = compute_classification_metrics(scores, truth, names) | {
        "data": {"source": "nowhere", "label_set": "own", "hash": "0" * 64},
        "split": "test",
        "model": "models/nowhere/best.ckpt",
        "parameters": 1000,
        "tta": False,
        "temperature": [TEMPERATURE],
        "before_temperature": compute_calibration_metrics(
            apply_temperature(scores, 1 / TEMPERATURE), truth
        ),
        "command": "emotion test --model models/nowhere --split test",
        "code": {"version": "0", "commit": None, "changed": None},
        "seconds": 1.0,
    }
    if wanted is not None and intensity is not None:
        columns["wanted_intensity"] = pa.array(wanted, from_pandas=True)
        metrics["intensity"] = compute_intensity_metrics(intensity, wanted)
    if shares is not None:
        columns["vote_shares"] = pa.array(list(shares), pa.list_(pa.float32()))
        metrics["vote_shares"] = compute_vote_metrics(scores, shares, names, 10)
        metrics["data"]["label_set"] = "ferplus"
    table = pa.table(columns).replace_schema_metadata({"labels": json.dumps(list(names))})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "predictions.parquet")
    (folder / "metrics.json").write_text(json.dumps(metrics | changes))
    return folder


def _votes(truth: np.ndarray, classes: int, seed: int = 0) -> np.ndarray:
    """Shares of ten raters, float32 (N, classes); most saw the label."""
    generator = np.random.default_rng(seed)
    chances = np.full((len(truth), classes), 0.3 / classes)
    chances[np.arange(len(truth)), truth] += 0.7
    return (generator.multinomial(10, chances) / 10).astype(np.float32)


@pytest.fixture(scope="session")
def some_scores() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """``some_scores(count, classes=7, seed=0, sharpness=1.5)``: calibrated scores and labels."""
    return _scores


@pytest.fixture(scope="session")
def write_tested() -> Callable[..., Path]:
    """``write_tested(folder, scores, truth, names, ...)``: the folder of a test."""
    return _write


@pytest.fixture(scope="session")
def some_votes() -> Callable[..., np.ndarray]:
    """``some_votes(truth, classes, seed=0)``: shares of ten raters."""
    return _votes
