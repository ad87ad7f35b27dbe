"""How often each promise of docs/reliability.md is tried."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def attempts(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("reliability.attempts")


def test_each_promise_of_the_page_is_counted_by_the_tests_that_it_names(
    attempts: ModuleType,
) -> None:
    root = attempts.ROOT
    text = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("## Promises")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| **")]
    assert len(rows) == len(attempts.PROMISES)
    for row, (promise, places) in zip(rows, attempts.PROMISES.items(), strict=True):
        assert row.startswith(f"| **{promise}")
        for name in {place.partition("::")[0] for place in places}:
            assert name in row or str(Path(name).parent) in row
            assert (root / name).is_file()


def test_counts_are_of_the_named_tests_and_of_the_measured_files(attempts: ModuleType) -> None:
    values = json.loads((attempts.RESULTS / "attempts.json").read_text(encoding="utf-8"))
    tests = [
        (place.partition("::")[0], name, 7)
        for places in attempts.PROMISES.values()
        for place in places
        for name in ("test_nothing_of_it",)
    ]
    with pytest.raises(ValueError, match="there is no such test"):
        attempts.count_attempts(tests)
    for promise, (file, what, read) in attempts.MEASURED.items():
        source = json.loads((attempts.RESULTS / file).read_text(encoding="utf-8"))
        found = values["promises"][promise]["measured"]
        assert (found["attempts"], found["failures"]) == read(source)
        assert (found["file"], found["what"]) == (file, what)
