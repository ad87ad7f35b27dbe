"""Learning curves of short trainings on some of FER-2013's faces, and steps a second.

For networks too slow to be trained whole on the machine at hand, and for pretrained backbones:

    python -m benchmarks.training.preset_curves NAME --data FER2013 [--faces 2048] [--epochs 3]
        [--out docs/results/preset_curves.json] [-- OPTIONS OF train.py]

For example ``NAME`` = large with ``-- --preset large``. Training takes the first faces of the
training split, validation the first quarter as many of PublicTest, at most all of it. Test faces
are not read. Rows of other names stay in ``--out``. The learning rate's schedule is that of the few
epochs.
"""

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.common import (
    Parser,
    get_load,
    name_command,
    read_json,
    read_result,
    report_errors,
    write_json,
)
from emotion_detection.cli import main as emotion
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.io.processes import describe_processor


def write_faces(data: str, faces: int, folder: Path) -> None:
    """Write the first faces of FER-2013's training and validation splits as folders of classes."""
    loaded = load(DataConfig(data=data))
    for split, count in (("train", faces), ("validation", faces // 4)):
        chosen = loaded.split(split)
        images = chosen.draw(np.arange(min(count, len(chosen))))
        for row, (image, label) in enumerate(zip(images, chosen.labels, strict=False)):
            place = folder / split / loaded.labels[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(place / f"{row}.png")


def train_briefly(data: str, faces: int, epochs: int, words: list[str]) -> dict[str, Any]:
    """Train, and return the curve.

    Raises:
        InputError: the training was refused; its line is on standard error.
    """
    with tempfile.TemporaryDirectory(prefix="curve-") as name:
        write_faces(data, faces, Path(name) / "faces")
        places = [f"--{kind}={Path(name) / kind}" for kind in ("models", "logs", "cache")]
        asked = [
            *("train", "--data", f"{name}/faces", "--epochs", str(epochs), "--name", "curve"),
            *("--trainer.enable_progress_bar", "false", *places, *words),
        ]
        if code := emotion(asked):
            raise InputError(f"'emotion {' '.join(asked)}' ended with {code}")
        found, made = (
            read_json(Path(name) / "models/curve" / file)
            for file in ("metrics.json", "provenance.json")
        )
        text = (Path(name) / "logs/curve/metrics.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    columns = ("train_loss", "val_loss", "val_accuracy", "seconds")
    curve = {name: [round(float(row[name]), 4) for row in rows] for name in columns}
    return {
        "training_faces": made["data"]["sizes"]["train"],
        "curve": curve,
        "steps": int(rows[-1]["step"]),
        # of the median epoch, validation included: this machine is shared
        "steps_per_second": round(
            int(rows[-1]["step"]) / len(rows) / float(np.median(curve["seconds"])), 3
        ),
        "validation_faces": found["n"],
        **{name: found[name] for name in ("accuracy_ci95", "balanced_accuracy", "macro_f1")},
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Train, print and write."""
    given = sys.argv[1:] if words is None else words
    own, _, options = " ".join(given).partition(" -- ")
    parser = Parser(__doc__, __file__)
    parser.add_argument("name", help="of the row")
    parser.add_argument("--data", required=True)
    parser.add_argument("--faces", type=int, default=2048, help="for training")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_out("preset_curves.json")
    asked = parser.parse_args(own.split())
    found = train_briefly(asked.data, asked.faces, asked.epochs, options.split())
    shown = " ".join(Path(word).name for word in options.split())  # no folders of this machine
    command = f"{name_command(__file__)} {asked.name} --data FER2013"
    row = {
        "command": f"{command} --faces {asked.faces} --epochs {asked.epochs} -- {shown}",
        **found,
        "processor": describe_processor(),
        "threads": torch.get_num_threads(),
        "load": get_load(),
        "torch": torch.__version__.partition("+")[0],
    }
    print(json.dumps(row))
    rows = read_result(asked.out)
    write_json(asked.out, {**rows, asked.name: row})
    return 0


if __name__ == "__main__":
    sys.exit(main())
