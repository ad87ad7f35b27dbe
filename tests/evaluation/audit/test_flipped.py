"""Flipped labels are found: the real command on drawn faces, half as many as the benchmark's.

With half the faces to learn from the networks are worse: seven of ten are asked for here, and eight
of ten of the benchmark (``test_measure.py``).
"""

import csv
from pathlib import Path

import pytest

from emotion_detection.cli import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_seven_of_ten_of_the_first_named_labels_were_flipped(tmp_path, load_script):
    drawn = load_script(ROOT / "benchmarks/audit_drawn.py")
    flipped = drawn.write_flipped(tmp_path / "drawn", faces=1000, flipped=100, seed=7)
    words = ["data", "audit", str(tmp_path / "drawn/faces.csv"), "--rank", "self_confidence"]
    words += ["--out", str(tmp_path / "audit"), "--cache", str(tmp_path / "cache")]
    assert main([*words, *drawn.DRAWN_RECIPE.split()]) == 0
    with (tmp_path / "audit/audit.csv").open(newline="", encoding="utf-8") as file:
        first = [row for row in csv.DictReader(file) if row["reason"] == "label"][:100]
    assert len(first) == 100
    assert sum(row["file"] in flipped for row in first) >= 70
