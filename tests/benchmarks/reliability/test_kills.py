"""Commands killed at random moments: the short form of ``benchmarks/reliability/kills.py``.

The seed is printed with each failure; ``CRASH_SECONDS`` makes it longer, ``CRASH_SEED`` repeats it.
"""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SECONDS = float(os.environ.get("CRASH_SECONDS", "120"))
SEED = int(os.environ.get("CRASH_SEED", str(random.SystemRandom().randrange(10**6))))

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="who is left behind is read from /proc"
)


@pytest.fixture(scope="module")
def reliability(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("reliability.kills")


@pytest.mark.slow
def test_killed_commands_lose_nothing(run_benchmark: Callable[..., Any], tmp_path: Path) -> None:
    # in a process of its own: forks of this one would have its threads
    out = tmp_path / "counts.json"
    words = ["--kills", "1000", "--seconds", str(SECONDS / 3)]
    words += ["--commands", "predict", "train", "export", "--seed", str(SEED), "--out", str(out)]
    done = run_benchmark("reliability.kills", *words, cwd=tmp_path, OMP_NUM_THREADS="1")
    print(f"CRASH_SEED={SEED}", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    total = json.loads(out.read_text())["total"]
    assert sorted(total) == ["export", "predict", "train"]
    assert all(own["kills"] > 0 and own["failures"] == 0 for own in total.values())


def test_what_is_lost_or_half_written_is_found(reliability: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"accuracy": 1, "seconds": 3}')
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "run" / ".table.csv.77.part").write_text("a,")
    whole = reliability.contents(tmp_path)
    assert set(whole) == {"a.json", "run/table.csv"}
    (tmp_path / "a.json").write_text('{"seconds": 9, "accuracy": 1}')
    assert reliability.differing(whole, reliability.contents(tmp_path)) is None
    (tmp_path / "run" / "table.csv").write_text("a,b\n1,2\n1,2\n")
    (tmp_path / "more.csv").write_text("")
    other = reliability.differing(whole, reliability.contents(tmp_path))
    assert other == "more.csv, run/table.csv"
    (tmp_path / "a.json").write_text('{"accuracy": 1, "sec')
    with pytest.raises(ValueError, match=r"a\.json is not whole"):
        reliability.contents(tmp_path)


def test_counts_of_several_calls_are_added_up(reliability: ModuleType) -> None:
    line: dict[str, Any] = {
        "command": "train",
        "kills": 3,
        "failures": 1,
        "left_behind": 0,
        "temporary_files": 2,
    }
    line["slowest_end_seconds"] = 0.5
    other = {**line, "command": "test", "slowest_end_seconds": 2.5}
    total = reliability.add_up([line, other, line])
    counts = {"kills": 6, "failures": 2, "left_behind": 0, "temporary_files": 4}
    assert total["train"] == {**counts, "slowest_end_seconds": 0.5}
    assert (total["test"]["kills"], total["test"]["slowest_end_seconds"]) == (3, 2.5)


@pytest.fixture(scope="module")
def attempts(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("reliability.attempts")


def test_each_promise_of_the_page_is_counted_by_the_tests_that_it_names(
    attempts: ModuleType,
) -> None:
    text = (attempts.ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("## Promises")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| **")]
    assert len(rows) == len(attempts.PROMISES)
    for row, (promise, places) in zip(rows, attempts.PROMISES.items(), strict=True):
        assert row.startswith(f"| **{promise}")
        for name in {place.partition("::")[0] for place in places}:
            assert name in row or str(Path(name).parent) in row
            assert (attempts.ROOT / name).is_file()


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
