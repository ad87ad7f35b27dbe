"""Trainings with and without the faces that an audit lists, compared on validation."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from emotion_detection.config import DataConfig, TrainConfig, read_preset
from emotion_detection.data import Faces
from emotion_detection.evaluation import evaluate
from emotion_detection.io.files import write_atomic
from emotion_detection.metrics.statistics import bootstrap_paired_difference
from emotion_detection.training import train

LABELS = ("fer2013", "ferplus")
SEEDS = (0, 1)
"""Of the trainings."""

RECIPE: dict[str, Any] = {"preset": "quick", "epochs": 8}


def write_names(path: Path, names: list[str]) -> Path:
    """Write names as an exclude file."""
    write_atomic(path, "".join(f"{name}\n" for name in ["file", *names]))
    return path


def exclude_files(
    listed: list[str], found: list[str], faces: Faces, work: Path
) -> dict[str, Path | None]:
    """Write the lists that trainings leave out.

    Args:
        listed: names of the faces that the audit lists by itself.
        found: of all that it found.
        faces: the training faces.
        work: folder for the lists.

    Returns:
        For each way of training its list, None: all faces.
    """
    drawn = np.random.default_rng(0).permutation(np.array(faces.names))
    ways: dict[str, Path | None] = {"all faces": None}
    for name, names in (("the listed", listed), ("all found", found)):
        ways[f"without {name}"] = write_names(work / f"{name.split()[-1]}.csv", names)
        chosen = sorted(drawn[: len(names)].tolist())
        path = work / f"random-{len(names)}.csv"
        ways[f"without {len(names):,} random faces"] = write_names(path, chosen)
    return ways


def train_ways(
    ways: dict[str, Path | None], data: DataConfig, work: Path, seeds: tuple[int, ...] = SEEDS
) -> None:
    """Train each way with each seed, unless that was done before, and test on validation."""
    for seed in seeds:
        for way, listed in ways.items():
            folder = run_folder(work, way, seed)
            if not (folder / "metrics.json").exists():
                values = {
                    **read_preset(RECIPE["preset"]),
                    "epochs": RECIPE["epochs"],
                    "data": data.data,
                    "cache": data.cache,
                    "seed": seed,
                    "exclude": None if listed is None else str(listed),
                    "name": folder.name,
                    "models": str(folder.parent),
                    "logs": str(work / "logs"),
                }
                begun = (folder / "config.yaml").exists()
                train(TrainConfig(**values), resume=folder if begun else None)
            for labels in LABELS:
                out = folder / labels
                if not (out / "metrics.json").exists():
                    changes = {"cache": data.cache}
                    evaluate([folder], data.data, labels, "validation", out=out, changes=changes)


def run_folder(work: Path, way: str, seed: int) -> Path:
    """Return the run of a way of training."""
    return work / "models" / f"{'-'.join(way.split()).replace(',', '')}-{seed}"


def compare_ways(ways: dict[str, Path | None], work: Path) -> dict[str, Any]:
    """Return each way's accuracy on validation, and its difference from all faces.

    The interval of a difference is over faces, of the mean over seeds: how much two seeds may
    differ by themselves is not in it.
    """
    result: dict[str, Any] = {}
    for labels in LABELS:
        first = None
        for way, listed in ways.items():
            rights = []
            for seed in SEEDS:
                table = pq.read_table(run_folder(work, way, seed) / labels / "predictions.parquet")
                names = json.loads(table.schema.metadata[b"labels"])
                scores = np.stack(table["scores"].to_numpy())
                best = np.array(names)[scores.argmax(axis=1)]
                rights.append(best == np.array(table["label"].to_pylist()))
            mean = np.mean(rights, axis=0)
            first = mean if first is None else first
            gain = bootstrap_paired_difference(first, mean)
            row = result.setdefault(way, {"left_out": _length(listed)})
            row[labels] = {
                "accuracies": [float(right.mean()) for right in rights],
                "accuracy": float(mean.mean()),
                **_read_class_means(run_folder(work, way, seed) / labels for seed in SEEDS),
                "gain": gain.value,
                "gain_ci95": [gain.low, gain.high],
                "n": len(mean),
            }
    return result


def _read_class_means(tests: Iterable[Path]) -> dict[str, float]:
    """Return balanced accuracy and macro F1 of tests, each averaged."""
    metrics = [json.loads((one / "metrics.json").read_text(encoding="utf-8")) for one in tests]
    return {
        name: float(np.mean([one[name] for one in metrics]))
        for name in ("balanced_accuracy", "macro_f1")
    }


def _length(listed: Path | None) -> int:
    return len(listed.read_text(encoding="utf-8").splitlines()) - 1 if listed else 0
