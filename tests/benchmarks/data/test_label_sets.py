"""The benchmark of two label sets: what it sums up, what it reads, and what it refuses."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def label_sets(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("data.label_sets")


def _round(*seconds: float) -> dict[str, list[dict[str, Any]]]:
    steps = [{"seconds": s, "cpu_seconds": s / 2, "megabytes": 90.0} for s in seconds]
    return {"first": steps}


def test_medians_of_each_label_set_and_their_sum(label_sets: ModuleType) -> None:
    found = label_sets.summarize([_round(4, 1), _round(6, 3), _round(50, 2)])["first"]
    assert [(one["seconds"], one["cpu_seconds"]) for one in found["sets"]] == [(6, 3), (2, 1)]
    assert found["sums"] == {"seconds": 8, "cpu_seconds": 4}
    assert [one["megabytes"] for one in found["sets"]] == [90, 90]


def test_what_its_processes_do_reads_both_label_sets(
    label_sets: ModuleType,
    tmp_path: Path,
    tiny_set: Any,
    write_csv: Any,
    write_votes: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_csv(tmp_path / "fer", *tiny_set)
    write_votes(tmp_path / "fer", np.eye(10, dtype=int)[np.arange(42) % 7] * 9, tiny_set.usages)
    places = [str(tmp_path / "fer"), str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", ["-c", *places, *label_sets.ORDER])
    exec(label_sets.READ, {})
    steps = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [step["labels"] for step in steps] == ["ferplus", "fer2013"]
    assert [step["sizes"]["train"] for step in steps] == [28, 28]
    assert 0 < steps[0]["megabytes"] <= steps[1]["megabytes"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--data", "nowhere"], "--data nowhere: no such file or folder"),
        (["--data", ".", "--rounds", "0"], "--rounds 0: must be at least 1"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    part: str,
    label_sets: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert label_sets.main(words) == 2
    assert capsys.readouterr().err.splitlines() == [f"label_sets: {part}"]
