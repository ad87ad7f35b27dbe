"""Make the shipped model of a run: ONNX file, weights, and their record, inside the package.

The run must have been tested by ``test.py``, on the labels of both its heads, in every way of
:data:`WAYS`: the record's figures are read from the files that those tests wrote.
'make reproduce' does all of it, from the dataset on.

    python -m benchmarks.release.ship models/shipped
"""

import dataclasses
import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.torch import save

from benchmarks.common import (
    Parser,
    format_accuracy,
    read_json,
    report_errors,
    write_json,
)
from emotion_detection import __version__, pretrained
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.evaluation.evaluate import name_way
from emotion_detection.io.files import write_atomic
from emotion_detection.postprocessing import Prior
from emotion_detection.training.checkpoint import LoadedCheckpoint, load_trained
from emotion_detection.training.export import SAMPLE, export_onnx

PACKAGE = Path(pretrained.__file__).parent
SLICE = 500
"""Test faces, from the first on, whose accuracy a test of the package computes again."""

KEPT = (
    *("accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "ece", "nll", "brier", "n"),
    *("temperature", "before_temperature", "without_duplicates", "intensity", "vote_shares"),
    *("per_class", "tta", "views", "prior", "bias"),
)
ON_VALIDATION = ("accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "n")
WAYS: dict[str, tuple[tuple[int, Prior], ...]] = {
    "ferplus": ((1, "natural"), (2, "natural"), (4, "natural"), (4, "balanced")),
    "fer2013": ((1, "natural"), (2, "natural"), (4, "natural")),
}
"""Views and prior of the tests of each label set."""
FILTERS = {
    "ferplus": "a majority among FER+'s ten raters (Barsoum et al. 2016)",
    "fer2013": "none: all faces of PrivateTest",
}


def ship(run: Path, place: Path, trial: bool = False) -> dict[str, Any]:
    """Write the three files and return the record.

    Args:
        run: ``models/RUN``.
        place: where they go.
        trial: accept code that is in no commit: nobody will use the files.

    Raises:
        InputError: no such run, it was not tested, or its code is in no commit.
    """
    made, validation = _read(run / "provenance.json"), _read(run / "metrics.json")
    if made["code"]["changed"] and not trial:
        raise InputError(f"{run}: was trained with files that no commit has")
    figures = [_figure(run, labels, *way) for labels, ways in WAYS.items() for way in ways]
    trained = _anonymous(load_trained(run))
    images = load(_data(run)).split("validation").images
    sample = images[np.linspace(0, len(images) - 1, SAMPLE).astype(int)]
    short = {
        f"{f['labels']}{name_way(f['views'], f['prior'])}": {
            k: f[k] for k in ("accuracy", "balanced_accuracy", "macro_f1", "ece", "n")
        }
        for f in figures
    }
    place.mkdir(parents=True, exist_ok=True)
    export_onnx(trained, place / pretrained.MODEL, sample, short)
    weights = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    spec = json.dumps(trained.spec.as_dict())
    write_atomic(place / pretrained.WEIGHTS, save(weights, {"format": "pt", "spec": spec}))
    record = _record(trained, made, validation, figures, place)
    write_json(place / pretrained.RECORD, record)
    return record


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = read_json(path, "train and test the run first")
    return values


def _data(run: Path) -> DataConfig:
    return DataConfig(**load_trained(run).record["data"]["options"])


def _anonymous(trained: LoadedCheckpoint) -> LoadedCheckpoint:
    """Call the data by its name: where it lay on one machine helps nobody."""
    data = trained.record["data"]
    options = data["options"] | {"data": "fer2013", "cache": DataConfig.cache}
    named = data | {"source": "fer2013", "options": options, "also": _also(trained)}
    return dataclasses.replace(trained, record=trained.record | {"data": named})


def _also(trained: LoadedCheckpoint) -> dict[str, Any]:
    """Return hash and sizes of the data with the other label sets."""
    options = trained.record["data"]["options"]
    found = {}
    for name in trained.spec.also:
        dataset = load(DataConfig(**(options | {"labels": name})))
        found[name] = {"hash": dataset.hash, "sizes": dataset.sizes}
    return found


def _figure(run: Path, labels: str, views: int, prior: Prior) -> dict[str, Any]:
    folder = run / "test" / f"{labels}-test{name_way(views, prior)}"
    metrics = _read(folder / "metrics.json")
    if not str(metrics["model"]).endswith("best.ckpt"):
        raise InputError(f"{folder}: its test is of {metrics['model']}, not of best.ckpt")
    table = pq.read_table(folder / "predictions.parquet").slice(0, SLICE)
    scores = np.array(table["scores"].to_pylist(), np.float32)
    called = [metrics["labels"][place] for place in scores.argmax(axis=1)]
    right = [one == other for one, other in zip(called, table["label"].to_pylist(), strict=True)]
    command = f"python test.py --model models/{run.name} --labels {labels}"
    command += ("" if views == 1 else f" --views {views}") + (
        "" if prior == "natural" else f" --prior {prior}"
    )
    return {
        "command": command,
        "data": "FER-2013, PrivateTest",
        "labels": labels,
        "filter": FILTERS[labels],
        **{name: metrics[name] for name in KEPT if name in metrics},
        "slice": {
            "faces": len(right),
            "right": sum(right),
            "mean_top_score": float(scores.max(axis=1).mean()),
        },
    }


def _named(command: str) -> str:
    """Return a command without the place of the data."""
    words = shlex.split(command)
    if "--data" in words:
        words[words.index("--data") + 1] = "FER2013"
    return shlex.join(["python", *words])


def _record(
    trained: LoadedCheckpoint,
    made: dict[str, Any],
    validation: dict[str, Any],
    figures: list[dict[str, Any]],
    place: Path,
) -> dict[str, Any]:
    spec, machine = trained.spec, made["machine"]
    files = {name: (place / name).read_bytes() for name in (pretrained.MODEL, pretrained.WEIGHTS)}
    config = trained.record["config"]
    recipe = {k: v for k, v in config.items() if k not in ("data", "cache", "models", "logs")}
    return {
        "name": f"{spec.network}-{spec.label_set}",
        "version": __version__,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
        "labels": {name: list(labels) for name, labels in spec.label_sets.items()},
        "input": spec.input,
        "parameters": validation["parameters"],
        "multiply_adds": validation["multiply_adds"],
        "training": {
            "command": _named(made["command"]),
            "again": "make reproduce",
            **({"averaged": made["averaged"]} if "averaged" in made else {}),
            "config": recipe,
            "data_hash": made["data"]["hash"],
            "code_version": f"{made['code']['version']} {made['code']['commit']}",
            "seconds": validation["training"]["seconds"],
            "best_epoch": validation["training"]["best_epoch"],
            "hardware": f"{machine['gpu'] or machine['processor']}, "
            f"{machine['torch_threads']} thread(s)",
            "packages": made["packages"],
            "validation": {
                "ferplus": {k: validation[k] for k in ON_VALIDATION},
                "fer2013": {k: validation["also"]["fer2013"][k] for k in ON_VALIDATION},
                "temperatures": trained.temperatures,
                "readouts": {name: one.as_dict() for name, one in trained.readouts.items()},
            },
        },
        "figures": figures,
        "licence": "MIT, as the rest of the package",
        "rights": "Trained on FER-2013 (Goodfellow et al. 2013): faces gathered by an image search "
        "for a Kaggle competition, for research. Nobody asked the people shown, and the pictures' "
        "own rights are not known. FER+'s votes are under the MIT licence. The faces are not in "
        "this package; whether a model trained on them may be used for a purpose is for its user "
        "to find out.",
        "intended_use": "Research and teaching; describing the expression that raters would see "
        "in a face, on the user's own machine. Not for judging what people feel, think or intend, "
        "and not for decisions about them.",
        "limits": "An expression is no feeling (Barrett et al. 2019). Raters themselves agree "
        "little on fear, disgust and contempt. Small grey faces from the web of 2013; how it does "
        "on groups of people was not measured.",
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Make it."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("run", type=Path, help="the run's folder below models/")
    parser.add_argument("--place", type=Path, default=PACKAGE, help="folder for the files")
    parser.add_argument("--trial", action="store_true", help="also of code that is in no commit")
    options = parser.parse_args(words)
    record = ship(options.run, options.place, options.trial)
    for name, file in record["files"].items():
        print(f"{options.place / name}  {file['bytes'] / 1e6:.2f} MB  {file['sha256'][:12]}")
    for figure in record["figures"]:
        print(
            f"{figure['command']}: {format_accuracy(figure)}, n={figure['n']}, "
            f"ECE {figure['ece']:.4f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
