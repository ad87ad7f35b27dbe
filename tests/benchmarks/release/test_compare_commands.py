"""The comparison of commands with an older commit: equal inputs, refused options, its table."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("release.compare_commands")


def test_the_inputs_are_the_same_each_time(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("FACES", 20), ("TRAINING", 14), ("FILES", 2), ("CROPS", 3)):
        monkeypatch.setattr(benchmark, name, count)
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        benchmark.make_inputs(tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append(
            {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}
        )
    assert contents[0] == contents[1]
    kinds = [name.partition("/")[0] for name in contents[0]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"crops": 3, "faces": 20, "images": 2}


def test_a_command_that_fails_ends_the_comparison(benchmark: Any, tmp_path: Path) -> None:
    with pytest.raises(benchmark.InputError, match="nosuch"):
        benchmark.time_command(benchmark.ROOT / "src", tmp_path, ("predict", "nosuch"))


def test_every_part_takes_turns_and_is_written(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []

    def time_part(part: str, newer: bool, source: Path, inputs: Path) -> float:
        turns.append((part, newer, source.name))
        return 3.0 if newer else 2.0

    monkeypatch.setattr(benchmark, "time_part", time_part)
    monkeypatch.setattr(benchmark, "make_inputs", lambda folder: None)
    monkeypatch.setattr(benchmark, "extract", lambda commit, folder: Path("older"))
    out = tmp_path / "found.json"
    words = ["--commit", "HEAD", "--rounds", "2", "--parts", "training", "--out", str(out)]
    assert benchmark.main(words) == 0
    assert [(part, newer) for part, newer, _ in turns] == [
        ("training", newer) for newer in (True, False, False, True)
    ]
    part = json.loads(out.read_text())["parts"]["training"]
    assert part["ratio"] == {"median": 1.5, "min": 1.5, "max": 1.5}


def test_the_unknown_commit_is_one_line(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    assert benchmark.main(["--commit", "nosuch", "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("compare_commands: --commit nosuch: ")
    assert not out.exists()
