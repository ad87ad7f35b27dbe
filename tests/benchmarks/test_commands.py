"""All benchmarks as commands: help, names, user errors; and what they share."""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT / "benchmarks").with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if path.stem != "__init__"
]
COMMANDS = [
    name
    for name in MODULES
    if "def main(" in (ROOT / "benchmarks" / f"{name.replace('.', '/')}.py").read_text("utf-8")
]
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def common(load_benchmark: Load) -> ModuleType:
    return load_benchmark("common")


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, load_benchmark: Load, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_benchmark(name)
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"python -m benchmarks.{name} [-h]" in shown
    assert (module.__doc__ or "").partition("\n")[0] in shown
    text = Path(module.__file__ or "").read_text("utf-8")
    assert f"python -m benchmarks.{name}" in text.partition("import ")[0], "no usage in docstring"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_one_line(
    name: str, load_benchmark: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        load_benchmark(name).main(["--nosuch"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"{name.rpartition('.')[2]}: ")


def test_names_are_unique() -> None:
    counts = Counter(name.rpartition(".")[2] for name in MODULES)
    assert [name for name, count in counts.items() if count > 1] == []


def test_the_readme_lists_every_command() -> None:
    text = (ROOT / "benchmarks/README.md").read_text("utf-8")
    folder, listed = "", set()
    for line in text.splitlines():
        if heading := re.match(r"### `benchmarks\.(\w+)`", line):
            folder = f"{heading[1]}." if "," not in line else ""
        elif line.startswith("| `"):
            cell = line.split("|")[1]
            listed |= {f"{folder}{name}" for name in re.findall(r"`([\w.]+)`", cell)}
    assert sorted(set(COMMANDS) - listed) == []
    assert [name for name in sorted(listed) if name not in {*COMMANDS, "a", "b", "c"}] == []


def test_commands_in_docs_and_results_are_there() -> None:
    files = [*ROOT.glob("*.md"), ROOT / "Makefile", *(ROOT / "docs").rglob("*.md")]
    files += [*(ROOT / "docs/results").glob("*.json"), ROOT / "benchmarks/README.md"]
    named = {
        name
        for file in files
        for name in re.findall(r"python -m\s+benchmarks\.([\w.]*\w)", file.read_text("utf-8"))
    }
    assert len(named) > 20
    assert sorted(named - {*COMMANDS, "FOLDER.NAME"}) == []


def test_user_errors_are_one_line(common: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def main(error: Exception) -> int:
        raise error

    run = common.report_errors(main)
    missing = FileNotFoundError(2, "No such file or directory", "a.json")
    for error, line in (
        (common.InputError("--rounds 0: too few"), "--rounds 0: too few"),
        (missing, "a.json: No such file or directory"),
    ):
        assert run(error) == 2
        assert capsys.readouterr().err == f"test_commands: {line}\n"
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError())


def test_least_values(common: ModuleType) -> None:
    options = argparse.Namespace(rounds=1, faces=None)
    common.check_least(options, rounds=1, faces=64)
    with pytest.raises(common.InputError, match="--rounds 1: must be at least 2"):
        common.check_least(options, rounds=2)


@pytest.mark.parametrize(
    ("content", "part"), [(None, "no such file; run it first"), ("{", "Expecting")]
)
def test_a_missing_or_broken_result_is_named(
    common: ModuleType, tmp_path: Path, content: str | None, part: str
) -> None:
    path = tmp_path / "result.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(common.InputError, match=rf"result\.json: {part}"):
        common.read_json(path, "run it first")


def test_results_are_written_and_read(common: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    assert common.read_result(None) == common.read_result(path) == {}
    values: dict[str, Any] = {"rounds": 3, "machine": common.describe_machine()}
    common.write_json(path, values)
    assert common.read_result(path) == values == json.loads(path.read_text())
    assert path.read_text().endswith("}\n")


def test_summaries(common: ModuleType) -> None:
    found = common.spread([4.0, 1.0, 2.0])
    assert found == {"median": 2.0, "min": 1.0, "max": 4.0}
    assert common.format_spread(found, 1, 1000) == "2,000.0 (1,000.0-4,000.0)"
    row = {"accuracy": 0.87, "accuracy_ci95": [0.858, 0.8817]}
    assert common.format_accuracy(row) == "0.8700 (0.8580-0.8817)"
    rows = common.sample_rows(10, 4, 0)
    assert sorted(set(rows)) == list(rows)
    assert list(common.sample_rows(3, 9, 0)) == [0, 1, 2]


def test_a_part_that_fails_ends_the_benchmark(common: ModuleType) -> None:
    with pytest.raises(SystemExit) as stop:
        common.run_part(common.__file__.replace("common", "nosuch"))
    assert stop.value.code == 1
