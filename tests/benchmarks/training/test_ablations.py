"""What each ingredient is worth: the rule, going on, the page, and a real run."""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from emotion_detection import pretrained
from emotion_detection.config import TrainConfig

ROOT = Path(__file__).resolve().parents[3]
Run = dict[str, Any]


@pytest.fixture(scope="module")
def ablations(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.ablations")


@pytest.fixture(scope="module")
def rules(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("training.ablation_page")


@pytest.fixture
def fer(tiny_faces: Any, write_csv: Any, write_votes: Any, tmp_path: Path) -> Path:
    """FER-2013 of 40 faces, all with votes but two, in a folder of its own."""
    usages = ["Training"] * 24 + ["PublicTest"] * 8 + ["PrivateTest"] * 8
    votes = np.eye(10, dtype=int)[np.arange(40) % 8] * 10
    write_csv(tmp_path / "fer", tiny_faces(40), [row % 7 for row in range(40)], usages)
    write_votes(tmp_path / "fer", votes, usages, without_image=[3, 25])
    return tmp_path / "fer"


def run(row: str, seed: int, ferplus: float | None, fer2013: float | None, seconds: float) -> Run:
    figures = {"ferplus": (ferplus, 3199), "fer2013": (fer2013, 3589)}
    return {
        "row": row,
        "changes": {},
        "seed": seed,
        "figures": {
            name: {"accuracy": accuracy, "n": n, "nll": 1.0}
            for name, (accuracy, n) in figures.items()
            if accuracy is not None
        },
        "seconds": 2 * seconds,
        "cost": seconds,
        "faces": 28709,
        "machine": "one",
    }


def result(ablations: ModuleType, *runs: Run) -> dict[str, Any]:
    wholes = [run("whole", 0, 0.80, 0.70, 100.0), run("whole", 1, 0.82, 0.68, 120.0)]
    return {**ablations.SETTINGS, "seeds": [0, 1], "runs": [*wholes, *runs]}


def test_the_page_matches_the_file(ablations: ModuleType) -> None:
    files = [ROOT / f"docs/results/{name}.json" for name in ("ablations", "ablations-long")]
    said = ablations.page(*map(ablations.read, files))
    assert (ROOT / "docs/ablations.md").read_text(encoding="utf-8") == said


def test_every_version_is_one_that_train_py_takes(ablations: ModuleType, rules: ModuleType) -> None:
    fields = set(TrainConfig.__dataclass_fields__)
    assert len(ablations.ROWS) <= 12
    assert set(rules.ADDED) < set(ablations.ROWS)
    for _, changes in ablations.ROWS.values():
        assert {name.partition(".")[0] for name in changes} <= fields


@pytest.mark.parametrize(
    ("row", "accuracies", "seconds", "verdict", "gain"),
    [
        ("no-ema", [(0.795, 0.695), (0.815, 0.675)], [100, 120], "stays (gain)", 0.5),
        ("no-ema", [(0.795, 0.695), (0.815, 0.6754)], [100, 120], "goes", 0.49),
        ("no-ema", [(0.77, 0.73), (0.80, 0.70)], [100, 120], "goes", 0.0),
        ("no-ema", [(0.80, 0.70), (0.82, 0.68)], [130, 150], "stays (cheaper)", 0.0),
        ("no-ema", [(0.80, 0.70), (0.82, 0.68)], [130, 125], "goes", 0.0),
        ("fp32", [(0.79, 0.69), (0.81, 0.67)], [200, 240], "stays (gain, cheaper)", 1.0),
        ("mixup", [(0.81, 0.71), (0.83, 0.69)], [100, 120], "joins (gain)", 1.0),
        ("mixup", [(0.79, 0.69), (0.81, 0.67)], [200, 240], "stays out", -1.0),
        ("mixup", [(0.80, 0.70), (0.82, 0.68)], [80, 100], "joins (cheaper)", 0.0),
        ("no-flip", [(None, 0.69), (None, 0.66)], [100, 120], "stays (gain)", 1.5),
        ("kept", [(0.79, 0.69), (0.81, 0.67)], [99, 119], "what it drops stays (gain)", 1.0),
        ("balance", [(0.9, 0.9)], [100], "unfinished", 15.0),
    ],
)
def test_the_rule(
    ablations: ModuleType,
    rules: ModuleType,
    row: str,
    accuracies: list[tuple[float | None, float | None]],
    seconds: list[float],
    verdict: str,
    gain: float,
) -> None:
    runs = [run(row, seed, *accuracies[seed], seconds[seed]) for seed in range(len(accuracies))]
    lines = rules.compared(result(ablations, *runs))
    assert (lines[row]["verdict"], lines[row]["gain"]) == (verdict, gain)
    assert (lines["whole"]["verdict"], lines["whole"]["gain"]) == ("", None)
    assert lines["constant"]["verdict"] == "not run"


def test_times_of_other_machines_are_not_compared(ablations: ModuleType, rules: ModuleType) -> None:
    runs = [run("fp32", seed, 0.5, 0.5, 500.0) | {"machine": "other"} for seed in (0, 1)]
    line = rules.compared(result(ablations, *runs))["fp32"]
    assert (line["times"], line["verdict"]) == ([], "stays (gain)")


def test_the_page(ablations: ModuleType, tmp_path: Path) -> None:
    given = result(ablations, *(run("no-ema", seed, 0.79, 0.67, 110.0) for seed in (0, 1)))
    (tmp_path / "a.json").write_text(json.dumps(given), encoding="utf-8")
    words = ["--write-docs", "--out", str(tmp_path / "a.json"), "--docs", str(tmp_path / "a.md")]
    words += ["--longer", str(tmp_path / "none.json")]
    assert ablations.main(words) == 0
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert "| the whole recipe | 81.00 (80.00, 82.00) | 69.00 (70.00, 68.00) |  | 1.00 |  |" in text
    assert "| 79.00 (79.00, 79.00) | 67.00 (67.00, 67.00) | +2.00 | 1.01 | stays (gain) |" in text
    assert "| no erasing |  |  |  |  | not run |" in text
    for words_ in ("--epochs 12", "--seeds 0 1", "28,709", "3,199", "3,589", "0.77", " one."):
        assert words_ in text
    given["runs"][0]["figures"]["ferplus"]["accuracy"] += 0.01
    nothing = ablations.read(tmp_path / "none")
    assert ablations.page(given, nothing) != text
    assert ablations.page(nothing, nothing).count("not run") == len(ablations.ROWS) + 1
    longer = {**nothing, "epochs": 50, "seeds": [0], "runs": [run("fp32", 0, 0.7, 0.5, 9.0)]}
    _, _, below = ablations.page(given, longer).partition("## Longer trainings")
    assert "| fp32 instead of bf16 | 70.00 (70.00) | 50.00 (50.00) |  |  | unfinished |" in below
    assert "--epochs 50" in below
    assert "no erasing" not in below
    assert "not been measured yet" in below
    for accuracy, words_ in ((0.71, "they gain 1.00 points together"), (0.72, "they should go")):
        runs = [run("whole", 0, 0.72, 0.6, 9.0), run("kept", 0, accuracy, 0.59, 9.0)]
        runs[1]["figures"]["fer2013"]["accuracy"] += accuracy - 0.71
        assert words_ in ablations.page(given, {**longer, "runs": runs})


def test_it_goes_on_where_it_stopped(
    ablations: ModuleType, fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[tuple[str, int]] = []

    def once(row: str, seed: int, options: argparse.Namespace, recipe: Any) -> Run | int:
        made.append((row, seed))
        if row == "fp32":
            return seed + 1  # 1: cannot go on; 2: bad input
        return run(row, seed, 0.8, 0.7, 100.0) | {"changes": ablations.ROWS[row][1]}

    monkeypatch.setattr(ablations, "once", once)
    words = ["--data", str(fer), "--out", "out/a.json", "--rows", "no-ema", "whole"]
    assert ablations.main([*words, "--minutes", "0"]) == 0
    assert "runs left: 4" in capsys.readouterr().out
    assert not Path("out/a.json").exists()
    assert ablations.main([*words, "--seeds", "0"]) == 0
    assert made == [("whole", 0), ("no-ema", 0)]
    assert ablations.main(words) == 0
    assert made[2:] == [("whole", 1), ("no-ema", 1)]
    assert ablations.main([*words, "fp32", "--seeds", "0"]) == 1
    assert ablations.main([*words, "fp32", "--seeds", "0", "1"]) == 2
    assert made[4:] == [("fp32", 0), ("fp32", 0), ("fp32", 1)]  # bad input ends it
    text = Path("out/a.json").read_text(encoding="utf-8")
    assert len(json.loads(text)["runs"]) == 4

    capsys.readouterr()
    assert ablations.main([*words, "--epochs", "3"]) == 2
    assert "another epochs" in capsys.readouterr().err
    votes = fer / "fer2013new.csv"
    before = votes.read_text()
    votes.write_text(before.replace("10,0,0", "0,10,0", 1))
    assert ablations.main(words) == 2
    assert "another data_hash" in capsys.readouterr().err
    assert Path("out/a.json").read_text(encoding="utf-8") == text
    votes.write_text(before)
    stale = json.loads(text)
    stale["runs"][1]["changes"] = {"ema": 0.5}  # was another version: is run again
    Path("out/a.json").write_text(json.dumps(stale), encoding="utf-8")
    assert ablations.main(words) == 0
    assert made[7:] == [("no-ema", 0)]
    assert len(ablations.read(Path("out/a.json"))["runs"]) == 4


def test_files_of_runs_side_by_side_are_joined(
    ablations: ModuleType,
    rules: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def write(name: str, seed: int, **about: Any) -> str:
        runs = [run(row, seed, 0.8, 0.7, 100.0) for row in ("whole", "no-ema")]
        given = {**ablations.SETTINGS, "data_hash": "d", "seeds": [seed], "runs": runs, **about}
        (tmp_path / name).write_text(json.dumps(given), encoding="utf-8")
        return str(tmp_path / name)

    first, out = write("a.json", 0), tmp_path / "out.json"
    words = ["--out", str(out), "--join", first]
    assert ablations.main([*words, write("b.json", 1)]) == 0
    joined = json.loads(out.read_text(encoding="utf-8"))
    assert joined["seeds"] == [0, 1]
    places = [(one["row"], one["seed"]) for one in joined["runs"]]
    assert places == [("whole", 0), ("no-ema", 0), ("whole", 1), ("no-ema", 1)]
    assert rules.compared(joined)["no-ema"]["verdict"] == "goes"
    before = out.read_bytes()
    for name, seed, about in (("c.json", 0, {}), ("d.json", 1, {"data_hash": "other"})):
        assert ablations.main([*words, write(name, seed, **about)]) == 2
        assert name in capsys.readouterr().err
    assert out.read_bytes() == before


def test_the_shipped_model_stands_for_the_recipe_only_where_it_is_of_it(
    ablations: ModuleType, fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--data", str(fer), "--out", "a.json", "--shipped", "--minutes", "0"]
    epochs = pretrained.read_record()["training"]["config"]["epochs"]
    assert ablations.main([*words, "--epochs", str(epochs + 1)]) == 2
    said = capsys.readouterr().err
    assert "--shipped: the shipped model has another" in said
    assert "epochs" in said.rpartition("has another")[2]
    assert ablations.main([*words, "--epochs", str(epochs)]) == 2  # trained on other faces
    assert "--shipped: the shipped model has another" in capsys.readouterr().err
    assert not Path("a.json").exists()


def test_each_version_differs_by_its_ingredient_alone(
    ablations: ModuleType, fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from emotion_detection.commands import train

    monkeypatch.chdir(tmp_path)
    asked: list[dict[str, Any]] = []

    def keep(config: TrainConfig, resume: None) -> argparse.Namespace:
        asked.append(dataclasses.asdict(config))
        return argparse.Namespace(metrics={})

    def call(command: list[str], **_: Any) -> argparse.Namespace:
        assert Path(command[1]).samefile(ROOT / "train.py")
        train.run(command[2:])
        return argparse.Namespace(returncode=1, stderr="")

    monkeypatch.setattr("emotion_detection.training.train", keep)
    monkeypatch.setattr(ablations.subprocess, "run", call)
    assert ablations.main(["--data", str(fer), "--out", "a.json", "--seeds", "5"]) == 1
    whole = asked[0]
    assert (whole["preset"], whole["epochs"], whole["seed"]) == ("compact", 12, 5)
    assert (whole["labels"], whole["extra_labels"]) == ("ferplus", "fer2013")
    assert whole["trainer"] == {"precision": "bf16-mixed"}
    for config, (_, changes) in zip(asked, ablations.ROWS.values(), strict=True):
        other = {name for name in whole if config[name] != whole[name]} - {"models", "logs"}
        assert other <= {name.partition(".")[0] for name in changes}
        assert bool(other) == bool(changes)
        trainer = {f"trainer.{name}": value for name, value in config["trainer"].items()}
        assert changes.items() <= (config | trainer).items()


def test_bad_data_is_one_line(run_benchmark: Callable[..., Any], tmp_path: Path) -> None:
    words = ["--data", "nowhere", "--out", "a.json"]
    done = run_benchmark("training.ablations", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.release
@pytest.mark.slow
def test_a_real_run(
    ablations: ModuleType, fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--data", "fer", "--out", "a.json", "--models", "runs", "--seeds", "3"]
    words += ["--epochs", "1", "--rows", "fp32"]
    assert ablations.main(words) == 0
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert not list((tmp_path / "runs").iterdir())
    (done,) = json.loads(text)["runs"]
    assert (done["row"], done["seed"], done["faces"]) == ("fp32", 3, 24)
    assert {name: own["n"] for name, own in done["figures"].items()} == {"ferplus": 7, "fer2013": 8}
    assert done["seconds"] > 0
    assert done["cost"] > 0
    assert "unfinished" in ablations.page(json.loads(text), ablations.read(tmp_path / "none"))
    assert ablations.main(words) == 0  # nothing is left to do
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text
