"""The benchmark of an epoch: what it sums up, and that it runs."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from emotion_detection.data.synthetic import make_synthetic_faces

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def training(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.epoch_time")


@pytest.fixture
def measure(run_benchmark: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    return functools.partial(run_benchmark, "training.epoch_time", cwd=tmp_path)


def _round(a: float, b: float, c: float) -> dict[str, dict[str, float]]:
    return {
        "a": {"seconds": a, "memory_mib": 300.0, "worker_memory_mib": 200.0},
        "b": {"seconds": b, "memory_mib": 400.0},
        "c": {"seconds": c, "memory_mib": 100.0},
    }


def test_medians_and_ratios(training: ModuleType) -> None:
    # the third round was a slow one: its own ratios are like the others'
    rounds = [_round(4.0, 2.0, 1.0), _round(6.0, 2.0, 2.0), _round(50.0, 20.0, 16.0)]
    result = training.summarise(rounds, faces=100)
    assert result["ways"]["a"]["seconds"] == {
        "median": 6.0,
        "min": 4.0,
        "max": 50.0,
        "rounds": [4.0, 6.0, 50.0],
    }
    assert result["ways"]["c"]["faces_per_second"]["median"] == 50.0
    assert result["ways"]["a"]["worker_memory_mib"]["median"] == 200.0
    assert "worker_memory_mib" not in result["ways"]["b"]
    assert result["ratios"]["a/b"]["rounds"] == [2.0, 3.0, 2.5]
    assert result["ratios"]["a/b"]["median"] == 2.5
    assert result["ratios"]["b/c"]["median"] == 1.25
    assert (result["ratios"]["b/c"]["min"], result["ratios"]["b/c"]["max"]) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--rounds", "0"], "--rounds 0"),
        (["--rounds", "many"], "--rounds"),
        (["--spin"], "--spin"),
        pytest.param(["--data", "nowhere"], "nowhere", marks=pytest.mark.slow),
        (["--out", "file/training.json"], "file"),
    ],
)
def test_bad_input_is_one_line(
    training: ModuleType,
    get_exit_code: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of its parts, in processes of their own
    Path("file").touch()
    assert get_exit_code(training.main, ["--out", "training.json", *words]) == 2
    error = capfd.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_help(measure: Callable[..., Any]) -> None:
    done = measure("--help")
    assert done.returncode == 0
    assert "--rounds" in done.stdout
    assert "--way" not in done.stdout


@pytest.mark.release
@pytest.mark.slow
def test_the_three_ways_are_measured_on_synthetic_faces(
    measure: Callable[..., Any], tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    drawn = make_synthetic_faces(112)
    usages = ["Training"] * 84 + ["PublicTest"] * 14 + ["PrivateTest"] * 14
    write_csv(tmp_path / "faces", drawn.faces, drawn.labels.tolist(), usages)
    out = tmp_path / "results" / "training.json"
    done = measure("--data", "faces", "--faces", "70", "--rounds", "1", "--out", str(out))
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text(encoding="utf-8"))
    assert [path.name for path in out.parent.iterdir()] == ["training.json"]
    assert (result["faces"], result["steps"], result["batch_size"]) == (70, 3, 32)
    assert (result["network"], result["classes"], result["rounds"]) == ("baseline", 7, 1)
    assert result["data"] == "FER-2013 CSV"
    assert str(tmp_path) not in json.dumps(result)
    for name in ("command", "date", "data_hash", "torch", "threads", "processor", "cores"):
        assert result[name]
    ways = result["ways"]
    for way in "abc":
        for name in ("seconds", "faces_per_second", "memory_mib"):
            assert ways[way][name]["median"] > 0
        speed = ways[way]["faces_per_second"]["median"]
        np.testing.assert_allclose(speed, 70 / ways[way]["seconds"]["median"])
    for pair, ratio in result["ratios"].items():
        first, second = (ways[way]["seconds"]["median"] for way in pair.split("/"))
        np.testing.assert_allclose(ratio["median"], first / second)
    assert ways["a"]["worker_memory_mib"]["median"] > 0
    assert "this project" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80 + len(str(out))
