"""A few hundred faces of one's own: training from nothing against fine-tuning the shipped model.

    python -m benchmarks.training.finetune --data FER2013 [--precision 32-true] \
        [--out docs/results/finetune.json]

The user here has faces that the shipped model was not trained on, and classes of another kind:
PublicTest's faces, sorted by their own labels into pleasant (happiness), unpleasant (anger,
disgust, fear, sadness) and neither (neutral); surprise is left out. 300 train, 100 validate, 1,000
test. Both ways run the preset ``compact``, each at the learning rate that is best on the 100.
PublicTest served to choose the shipped model's epoch and temperature, nothing else.
"""

import csv
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import Parser, name_command, report_errors, write_json
from benchmarks.training.corrupt_cost import PRECISIONS
from emotion_detection import pretrained
from emotion_detection.config import DataConfig, TrainConfig, read_preset
from emotion_detection.data import load
from emotion_detection.evaluation import evaluate
from emotion_detection.io.processes import describe_processor
from emotion_detection.labels import FER2013
from emotion_detection.training import train

OWN = {
    **dict.fromkeys(("anger", "disgust", "fear", "sadness"), "unpleasant"),
    "happiness": "pleasant",
    "neutral": "neither",
}
SIZES = {"train": 300, "validation": 100, "test": 1000}
OPTIONS: dict[str, Any] = {"epochs": 20, "batch_size": 32}
KEPT = ("accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "n")
RATES = (0.05, 0.01, 0.002)
"""Each way takes the one that is best on its validation faces."""


def write_own(data: DataConfig, place: Path, seed: int) -> Path:
    """Write some held-back faces as a user's own pictures, with a manifest.

    Args:
        data: FER-2013 with its own labels.
        place: folder for them.
        seed: which faces.

    Returns:
        The manifest.
    """
    faces = load(data).split("validation")
    names = [OWN.get(FER2013[label]) for label in faces.labels]
    rows = np.flatnonzero([name is not None for name in names])
    rows = np.random.default_rng(seed).permutation(rows)[: sum(SIZES.values())]
    splits = [split for split, count in SIZES.items() for _ in range(count)]
    manifest = place / "faces.csv"
    place.mkdir(parents=True)
    with manifest.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "emotion", "split"))
        for row, split in zip(rows, splits, strict=True):
            Image.fromarray(faces.images[row, 0]).save(place / f"{row}.png")
            table.writerow((f"{row}.png", names[row], split))
    return manifest


def compare(manifest: Path, work: Path, seed: int, precision: str) -> dict[str, Any]:
    """Train both ways at each learning rate; test the one that validation chose.

    Returns:
        For each way accuracy, its interval, n, the chosen rate and its validation accuracy.
    """
    preset = read_preset("compact") | {"trainer": {"precision": precision}}
    del preset["learning_rate"]
    found = {}
    for way, init in (("from nothing", None), ("fine-tuned", "pretrained")):
        places = {name: str(work / name) for name in ("models", "logs", "cache")}
        given = {**preset, **OPTIONS, **places, "data": str(manifest), "seed": seed, "init": init}
        runs = [(train(TrainConfig(**given, learning_rate=rate)), rate) for rate in RATES]
        best, rate = max(runs, key=lambda one: (one[0].metrics["accuracy"], -one[0].metrics["nll"]))
        metrics = evaluate([best.folder]).metrics
        found[way] = {
            **{key: metrics[key] for key in KEPT},
            "learning_rate": rate,
            "val_accuracy": best.metrics["accuracy"],
        }
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Compare over seeds, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16-mixed")
    parser.add_out()
    options = parser.parse_args(words)
    runs, load = [], os.getloadavg()
    data = DataConfig(data=options.data, cache=options.cache)
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as work:
            manifest = write_own(data, Path(work) / "own", seed)
            runs.append({"seed": seed, **compare(manifest, Path(work), seed, options.precision)})
    for run in runs:
        print(*(f"{way}: {run[way]['accuracy']:.4f}" for way in ("from nothing", "fine-tuned")))
    if options.out:
        result = {
            "command": f"{name_command(__file__)} --data DATA --precision {options.precision}",
            "data": "FER-2013's PublicTest, three classes of the user's own",
            "sizes": SIZES,
            "options": OPTIONS,
            "learning_rates": RATES,
            "load_before": load,
            "hardware": describe_processor(),
            "model": pretrained.read_record()["files"][pretrained.WEIGHTS]["sha256"],
            "runs": runs,
        }
        write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
