"""Learning curves of a few short epochs, and steps a second, for networks too slow to train whole.

    python benchmarks/preset_curves.py NAME --data FER2013 --epochs 3 --batches 32
        [--out docs/results/preset_curves.json] [-- OPTIONS OF train.py]

For example ``NAME`` = large with ``-- --preset large``. Each epoch takes that many batches of other
training faces; validation is on all of PublicTest. Rows of other names stay in
``--out``. Test faces are not read. The learning rate's schedule is that of the few epochs.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from emotion_detection.cli import main as emotion
from emotion_detection.errors import InputError
from emotion_detection.files import write_whole
from emotion_detection.training.provenance import processor

ROOT = Path(__file__).resolve().parents[1]


def train_briefly(data: str, epochs: int, batches: int, words: list[str]) -> dict[str, Any]:
    """Train, and return the curve.

    Raises:
        InputError: the training was refused; its line is on standard error.
    """
    with tempfile.TemporaryDirectory(prefix="curve-") as name:
        places = [f"--{kind}={Path(name) / kind}" for kind in ("models", "logs")]
        asked = [
            *("train", "--data", data, "--epochs", str(epochs), "--name", "curve", *places),
            f"--trainer.limit_train_batches={batches}",
            *("--trainer.enable_progress_bar", "false", *words),
        ]
        if code := emotion(asked):
            raise InputError(f"'emotion {' '.join(asked)}' ended with {code}")
        config = json.loads((Path(name) / "models/curve/metrics.json").read_text(encoding="utf-8"))
        text = (Path(name) / "logs/curve/metrics.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    columns = ("train_loss", "val_loss", "val_accuracy", "seconds")
    curve = {name: [round(float(row[name]), 4) for row in rows] for name in columns}
    steps = [int(row["step"]) for row in rows]
    return {
        "curve": curve,
        "steps_per_second": round(steps[-1] / sum(curve["seconds"]), 3),
        "validation_faces": config["n"],
        "accuracy_ci95": config["accuracy_ci95"],
    }


def main(words: list[str] | None = None) -> int:
    """Train, print and write."""
    given = sys.argv[1:] if words is None else words
    own, _, options = " ".join(given).partition(" -- ")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="of the row")
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batches", type=int, default=32, help="of training faces, an epoch")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/preset_curves.json")
    asked = parser.parse_args(own.split())
    found = train_briefly(asked.data, asked.epochs, asked.batches, options.split())
    command = f"python benchmarks/preset_curves.py {asked.name} --data FER2013"
    row = {
        "command": f"{command} --epochs {asked.epochs} --batches {asked.batches} -- {options}",
        "batches": asked.batches,
        **found,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__.partition("+")[0],
    }
    print(json.dumps(row))
    rows = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    write_whole(asked.out, json.dumps({**rows, asked.name: row}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
