"""The benchmark of seconds until an accuracy: what it sums up, and that it runs."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emotion_detection.data.synthetic import make_synthetic_faces

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.time_to_accuracy")


@pytest.fixture(scope="module")
def ways(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.accuracy_ways")


@pytest.fixture
def measure(run_benchmark: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    return functools.partial(run_benchmark, "training.time_to_accuracy", cwd=tmp_path)


def _seen(benchmark: ModuleType, way: str, seed: int, *looks: tuple[float, float]) -> Any:
    seconds, accuracy = ([look[place] for look in looks] for place in (0, 1))
    run = {"way": way, "seed": seed, "seconds": seconds[-1]}
    run["curve"] = {"seconds": seconds, "accuracy": accuracy}
    return run | {"reached": benchmark.reached(run)}


def test_a_mark_is_reached_at_the_first_measurement_that_is_as_good(benchmark: ModuleType) -> None:
    run = _seen(benchmark, "a", 0, (1.0, 0.5), (2.0, 0.55), (3.0, 0.54), (4.0, 0.59))
    assert run["reached"] == {"0.523": 2.0, "0.550": 2.0, "0.600": None}


def test_ratios_are_of_one_seeds_runs_and_bounds_are_distinguished(benchmark: ModuleType) -> None:
    runs = [
        _seen(benchmark, "a", 0, (100.0, 0.53), (300.0, 0.54)),
        _seen(benchmark, "b", 0, (10.0, 0.55), (50.0, 0.58)),
        _seen(benchmark, "a", 1, (100.0, 0.51), (400.0, 0.56)),
        _seen(benchmark, "b", 1, (20.0, 0.53), (40.0, 0.61)),
        _seen(benchmark, "a", 2, (100.0, 0.51), (500.0, 0.60)),  # its partner is still to come
    ]
    marks = benchmark.compare(runs)
    assert marks["0.523"]["ratios"] == [10.0, 20.0]
    assert marks["0.523"]["lower_bounds"] == [False, False]
    assert [marks["0.523"][name] for name in ("median", "min", "max")] == [15.0, 10.0, 20.0]
    # (a) never got there with seed 0: all of its 300 s count
    assert marks["0.550"]["a"] == [None, 400.0, 500.0]
    assert marks["0.550"]["ratios"] == [30.0, 10.0]
    assert marks["0.550"]["lower_bounds"] == [True, False]
    # (b) never got there with seed 0: no ratio
    assert marks["0.600"]["b"] == [None, 40.0]
    assert marks["0.600"]["ratios"] == [10.0]
    assert marks["0.600"]["lower_bounds"] == [True]


def test_files_of_seeds_are_joined(benchmark: ModuleType, tmp_path: Path) -> None:
    def write(name: str, seed: int, threads: int = 1) -> str:
        looks = [("a", (100.0, 0.53)), ("b", (10.0 * (seed + 1), 0.53))]
        runs = [_seen(benchmark, way, seed, look) for way, look in looks]
        about = {"machine": {"threads": threads}, "faces": {"validation": 7}}
        own = {"command": f"measure {seed}", "date": f"2026-0{9 - seed}", "seeds": [0, 1, 2]}
        text = json.dumps({**own, **about, "marks": {}, "runs": runs})
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    out = tmp_path / "out.json"
    words = ["--out", str(out), "--join", write("a.json", 1)]
    assert benchmark.main([*words, write("b.json", 0)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert (result["seeds"], result["command"]) == ([0, 1], "measure 1; measure 0")
    assert [(run["seed"], run["way"]) for run in result["runs"]] == [
        *((0, "a"), (0, "b"), (1, "a"), (1, "b"))
    ]
    assert result["marks"]["0.523"]["ratios"] == [10.0, 5.0]
    before = out.read_bytes()
    for other in (write("c.json", 1), write("d.json", 2, threads=2)):
        assert benchmark.main([*words, other]) == 2
    assert out.read_bytes() == before


def test_nothing_to_compare(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [_seen(benchmark, "b", 0, (10.0, 0.3))]
    marks = benchmark.compare(runs)
    assert marks["0.523"] == {"a": [], "b": [None], "ratios": [], "lower_bounds": []}
    benchmark.show({"faces": {"validation": 7}, "marks": marks, "runs": runs})
    shown = capsys.readouterr().out
    assert "not reached" in shown
    assert "b, seed 0: best 0.3000" in shown


def test_the_usual_way_is_the_seeds_recipe(ways: ModuleType) -> None:
    config = ways.usual()
    assert (config.network, config.size, config.epochs, config.batch_size) == (
        "baseline",
        48,
        20,
        32,
    )
    assert (config.optimizer, config.learning_rate, config.trainer) == ("adam", 0.001, {})
    assert config.schedule == "constant"
    assert not any((config.weight_decay, config.flip, config.label_smoothing, config.ema))


def test_quick_keeps_the_presets_precision(ways: ModuleType) -> None:
    config = ways.quick(seed=3, trainer={"devices": 1})
    assert (config.preset, config.network, config.seed) == ("quick", "quick", 3)
    assert config.trainer == {"precision": "bf16-mixed", "devices": 1}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--seeds", "0"], "--seeds 0"),
        (["--epochs", "0"], "--epochs 0"),
        (["--threads", "0"], "--threads 0"),
        (["--workers", "-1"], "--workers -1"),
        (["--seeds", "many"], "--seeds"),
        (["--spin"], "--spin"),
        pytest.param(["--data", "nowhere"], "nowhere", marks=pytest.mark.slow),
        (["--out", "file/result.json"], "file"),
    ],
)
def test_bad_input_is_one_line(
    benchmark: ModuleType,
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
    assert get_exit_code(benchmark.main, ["--out", "result.json", "--cache", "cache", *words]) == 2
    error = capfd.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_help(measure: Callable[..., Any]) -> None:
    done = measure("--help")
    assert done.returncode == 0
    assert "--quick-only" in done.stdout
    assert "--part" not in done.stdout


@pytest.mark.release
@pytest.mark.slow
@pytest.mark.parametrize("quick_only", [False, True])
def test_both_ways_are_measured_on_synthetic_faces(
    measure: Callable[..., Any], tmp_path: Path, write_csv: Callable[..., Path], quick_only: bool
) -> None:
    drawn = make_synthetic_faces(182)
    usages = ["Training"] * 154 + ["PublicTest"] * 14 + ["PrivateTest"] * 14
    write_csv(tmp_path / "faces", drawn.faces, drawn.labels.tolist(), usages)
    out = tmp_path / "results" / "result.json"
    words = ["--data", "faces", "--cache", "cache", "--seeds", "1", "--epochs", "2", "--threads"]
    words += ["1", "--workers", "0", "--out", str(out), *["--quick-only"] * quick_only]
    done = measure(*words)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text(encoding="utf-8"))
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert str(tmp_path) not in json.dumps(result)
    assert result["command"].startswith(
        "python -m benchmarks.training.time_to_accuracy --data DATA "
    )
    assert (result["data"], result["labels"]) == ("FER-2013 CSV", "fer2013")
    assert result["faces"] == {"train": 154, "validation": 14}
    assert len(result["classes"]) == 7
    assert result["seeds"] == [0]
    assert result["machine"]["threads"] == 1
    assert result["machine"]["processor"]
    assert result["versions"]["torch"]
    ways = "b" if quick_only else "ab"
    assert list(result["ways"]) == list(ways)
    assert [run["way"] for run in result["runs"]] == list(ways)
    assert result["ways"]["b"]["parameters"] < 324_007
    looks = {"a": (5, 2), "b": (2, result["ways"]["b"]["recipe"]["epochs"])}  # an epoch, epochs
    for run in result["runs"]:
        an_epoch, epochs = looks[run["way"]]
        curve = run["curve"]
        assert {len(column) for column in curve.values()} == {an_epoch * epochs}
        assert curve["epoch"][an_epoch - 1 :: an_epoch] == list(range(1, epochs + 1))
        assert curve["seconds"] == sorted(curve["seconds"])
        assert 0 < curve["seconds"][0] < run["seconds"] == curve["seconds"][-1]
        assert all(0 <= accuracy <= 1 for accuracy in curve["accuracy"])
        assert set(run["reached"]) == set(result["marks"])
    if not quick_only:
        assert result["ways"]["a"]["parameters"] == 324_007
        assert 0 < result["runs"][0]["loading_seconds"] < result["runs"][0]["seconds"]
    for row in result["marks"].values():
        assert len(row["b"]) == 1
        assert len(row["ratios"]) == (not quick_only and row["b"] != [None])
    assert max(map(len, done.stdout.splitlines())) <= 80 + len(str(out))
