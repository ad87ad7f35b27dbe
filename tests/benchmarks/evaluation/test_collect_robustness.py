"""Tests under corruption in one record, and their tables."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from emotion_detection.evaluation.corruptions import CORRUPTIONS
from emotion_detection.evaluation.robustness import (
    compute_corrupted_calibration,
    compute_robustness_metrics,
)


@pytest.fixture(scope="module")
def script(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("evaluation.collect_robustness")


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    """A corruptions.json of 50 faces, of which those of class 0 are named rightly."""
    truth = np.arange(50) % 2
    columns = 1 + 5 * len(CORRUPTIONS)
    record = compute_robustness_metrics(np.zeros((50, columns), np.int64), truth, ("sad", "glad"))
    record |= {
        "command": "emotion test --model pretrained --data '/home/me/my faces' --corruptions",
        "data": {"source": "/home/me/my faces", "label_set": "own", "hash": "0"},
        "mean_score": {"clean": 0.9, **dict.fromkeys(CORRUPTIONS, [0.5] * 5)},
        "labels": ["sad", "glad"],
        "seed": 0,
        "code": {"version": "1", "commit": "abc", "changed": False},
        "seconds": 1.0,
    }
    path = tmp_path / "corruptions.json"
    path.write_text(json.dumps(record))
    return path


def test_tests_are_brought_together_without_places(script: ModuleType, test_file: Path) -> None:
    found = script.collect([f"{test_file}=the model"])
    assert "/home" not in json.dumps(found)
    test = found["tests"]["the model"]
    assert test["command"] == "emotion test --model pretrained --data FER2013 --corruptions"
    assert test["mean_corruption_accuracy"] == 0.5
    assert test["code"] == {"version": "1", "commit": "abc", "changed": False}
    assert found["scales"]["jpeg"]["strengths"] == [40, 20, 12, 7, 3]
    assert len(found["scales"]) == 16


def test_tests_of_other_names_stay(script: ModuleType, test_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    for name in ("first", "second", "first"):
        assert script.main([f"{test_file}={name}", "--out", str(out)]) == 0
    assert list(json.loads(out.read_text())["tests"]) == ["first", "second"]


def test_the_tables_match_the_file(
    script: ModuleType, test_file: Path, load_benchmark: Callable[[str], ModuleType]
) -> None:
    tables = load_benchmark("docs.robustness_tables")
    said = tables.robustness(script.collect([f"{test_file}=the model"]))
    assert "| the model (50) | 0.5000 (0." in said
    assert said.count(" | 0.500 / 0.500 / 0.333 |") == 16 + 5  # kinds and strengths
    assert "| strength 5, all kinds | 0.500 / 0.500 / 0.333 |" in said
    assert "| low resolution | 0.500 / 0.500 / 0.333 |" in said


def test_the_kind_that_costs_most_is_the_first(
    script: ModuleType, test_file: Path, load_benchmark: Callable[[str], ModuleType]
) -> None:
    found = script.collect([f"{test_file}=one view", f"{test_file}=four views"])
    one, four = found["tests"].values()
    four["views"] = 4
    one["corruptions"]["hat"]["accuracy"] = [0.5, 0.4, 0.3, 0.2, 0.1]
    said = load_benchmark("docs.robustness_tables").robustness(found)
    _, _, kinds = said.partition("| mean of | one view |\n")  # four views: in the first table
    assert kinds.splitlines()[6] == "| hat | 0.300 / 0.500 / 0.333 |"
    assert "| four views (50) | " in said


def test_the_tables_show_calibration_and_rare_classes(
    script: ModuleType, test_file: Path, load_benchmark: Callable[[str], ModuleType]
) -> None:
    tables = load_benchmark("docs.robustness_tables")
    record = json.loads(test_file.read_text())
    right = np.tile(np.arange(50) % 2 == 0, (1 + 5 * len(CORRUPTIONS), 1)).T
    scores = np.full(right.shape, 0.7, np.float32)
    after = compute_corrupted_calibration(right, scores, np.where(right, scores, 1 - scores))
    sharp = np.full(right.shape, 0.9, np.float32)
    after["before_temperature"] = compute_corrupted_calibration(
        right, sharp, np.where(right, sharp, 1 - sharp)
    )
    test_file.write_text(json.dumps(record | {"calibration": after}))
    found = script.collect([f"{test_file}=the model"])
    said = tables.robustness(found)
    # all are named 'sad', half of them rightly: recall 1 and 0, F1 2/3 and 0
    assert ") / 0.5000 / 0.3333 | 0.5000 / 0.5000 / 0.3333 | " in said
    assert " | 0.2000 → 0.2000 (T = 1: 0.4000 → 0.4000) | " in said
    halves = ", ".join(f"{after['accuracy_at_coverage'][one]:.3f}" for one in ("0.5", "0.2"))
    assert f" | {halves} |" in said
    assert "Empty cells" not in said
    for one in ("clean", *CORRUPTIONS):  # as versions before wrote it
        place = found["tests"]["the model"]
        (place["clean"] if one == "clean" else place["corruptions"][one]).pop("macro_f1")
    del found["tests"]["the model"]["calibration"]
    said = tables.robustness(found)
    assert ") / 0.5000 | 0.5000 / 0.5000 | " in said
    assert "these tests did not write macro F1. Empty cells: not written." in said
    assert said.count(" | 0.500 / 0.500 |") == 16 + 5


@pytest.mark.parametrize("content", [None, "no JSON", '{"corruptions": {"fog": {}}}'])
def test_another_file_is_refused(
    script: ModuleType,
    content: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, out = tmp_path / "other.json", tmp_path / "out.json"
    if content is not None:
        place.write_text(content)
    assert script.main([str(place), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(place) in said
    assert not out.exists()


def test_the_image_is_drawn(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "corruptions.png"
    assert script.main(["--picture", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
