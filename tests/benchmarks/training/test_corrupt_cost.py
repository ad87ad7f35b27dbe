"""The benchmark of ``--corrupt``: what it sums up, and that it times steps of a training."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.corrupt_cost")


def test_ratios_are_taken_within_a_round(script: ModuleType) -> None:
    # the third round was a slow one: its own ratio is like the others'
    taken = {0.0: [1.0, 1.0, 10.0], 1.0: [1.5, 1.4, 16.0]}
    found = script.summarize(taken, faces=128)
    assert found["1"]["ratio"]["median"] == 1.5
    assert (found["1"]["ratio"]["min"], found["1"]["ratio"]["max"]) == (1.4, 1.6)
    assert found["0"]["ratio"] == dict.fromkeys(("median", "low", "high", "min", "max"), 1.0)
    assert found["0"]["faces_per_second"] == 128
    assert found["1"]["seconds"]["median"] == 1.5


def test_steps_are_timed_and_shown_in_the_table(
    script: ModuleType, load_benchmark: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    out = tmp_path / "cost.json"
    words = ["--preset", "quick", "--amounts", "0", "1", "--rounds", "2", "--out", str(out)]
    assert script.main(words) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["amounts"]) == ["0", "1"]
    for row in result["amounts"].values():
        assert 0 < row["seconds"]["min"] <= row["seconds"]["median"] <= row["seconds"]["max"]
        assert row["ratio"]["min"] > 0
    assert (result["rounds"], result["faces"]) == (2, script.TrainConfig(preset="quick").batch_size)
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    table = load_benchmark("docs.training_tables").corrupt_cost(result)
    median = result["amounts"]["1"]["ratio"]["median"]
    assert f"| 1 | {1000 * result['amounts']['1']['seconds']['median']:.0f} (" in table
    assert f"{median:.2f} (" in table
    assert result["command"] in table


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--rounds", "1"], "--rounds 1: must be at least 2"),
        (["--amounts", "0"], "--amounts 0: must be two or more from 0 to 1"),
        (["--amounts", "0", "2"], "--amounts 0 2: must be"),
        (["--preset", "none"], "none"),
    ],
)
def test_bad_input_is_one_line(
    script: ModuleType, words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main(words) == 2
    out, err = capsys.readouterr()
    assert part in err
    assert err.count("\n") == 1
    assert out == ""
