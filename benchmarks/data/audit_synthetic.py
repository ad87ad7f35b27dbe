"""Drawn faces of which some have another label than they were drawn with, and what is found."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import read_json
from emotion_detection.audit_options import RANKS
from emotion_detection.cli import main as main_command
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013

DRAWN = {"faces": 2000, "flipped": 200}
"""Training faces of the drawn set, and how many of them get another label."""

DRAWN_RECIPE = (
    "--preset compact --init pretrained --epochs 10 --batch_size 64 --learning_rate 0.02 "
    "--erase 0 --brightness 0 --contrast 0 --folds 3 --test_fraction 0 --lead 0"
)
"""Options of the drawn faces' audit: the shipped network is fine-tuned, as with few faces."""


def write_flipped(place: Path, faces: int, flipped: int, seed: int) -> set[str]:
    """Draw faces, give some of them another label, and write them with a manifest.

    Args:
        place: folder for ``faces.csv`` and the pictures.
        faces: number of training faces; a fifth as many, with right labels, validate.
        flipped: how many training faces get one of the other labels at random.
        seed: of the faces and of what is flipped.

    Returns:
        The names of those that were flipped.
    """
    count = faces + faces // 5
    drawn = make_synthetic_faces(count, seed, 48)
    generator = np.random.default_rng(seed)
    labels = drawn.labels.copy()
    wrong = generator.choice(faces, flipped, replace=False)
    labels[wrong] = (labels[wrong] + generator.integers(1, len(FER2013), flipped)) % len(FER2013)
    place.mkdir(parents=True, exist_ok=True)
    with (place / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "emotion", "split"))
        for row in range(count):
            Image.fromarray(drawn.faces[row]).save(place / f"{row:05d}.png")
            split = "train" if row < faces else "validation"
            table.writerow((f"{row:05d}.png", FER2013[labels[row]], split))
    return {f"{row:05d}.png" for row in wrong}


def read_list(path: Path) -> list[dict[str, str]]:
    """Read ``audit.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def audit_drawn(work: Path, seed: int = 7) -> dict[str, Any]:
    """Flip labels of drawn faces, audit them by the command, and count what it found first."""
    flipped = write_flipped(work / "drawn", **DRAWN, seed=seed)
    found = {}
    for rank in RANKS:
        words = ["data", "audit", str(work / "drawn/faces.csv"), "--rank", rank]
        words += ["--out", str(work / "drawn-audit"), "--cache", str(work / "cache")]
        if code := main_command([*words, *DRAWN_RECIPE.split()]):
            raise InputError(f"emotion data audit ended with {code}")
        first = read_list(work / "drawn-audit/audit.csv")[: DRAWN["flipped"]]
        hits = sum(row["file"] in flipped for row in first)
        found[rank] = {"named": len(first), "flipped": hits, "share": hits / len(first)}
    record = read_json(work / "drawn-audit/audit.json")
    return {
        "command": f"emotion data audit FACES --rank RANK {DRAWN_RECIPE}",
        **DRAWN,
        "seed": seed,
        "out_of_fold_accuracy": record["out_of_fold"]["accuracy"],
        "first": found,
    }
