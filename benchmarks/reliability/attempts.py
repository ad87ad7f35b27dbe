"""Count how often each promise of docs/reliability.md is tried: by tests, and by benchmarks.

    python -m benchmarks.reliability.attempts [--out docs/results/attempts.json]

- **Cases** of the tests that check a promise: pytest collects them, nothing runs. A parametrised
  test is a case for each set of values.
- **Examples** that Hypothesis draws in ``make test-all``, by the limit of each test.
- **Measured**: attempts and failures in the files of other benchmarks, which are copied from there.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks.common import (
    RESULTS,
    ROOT,
    Parser,
    name_command,
    read_json,
    report_errors,
    write_json,
)
from emotion_detection.errors import InputError

PROMISES: dict[str, tuple[str, ...]] = {
    "Nothing is sent to other machines": (r"tests/privacy/test_no_telemetry.py::_asks_.*strace",),
    "No foreign code runs": (
        "tests/test_planted_payloads.py",
        "tests/training/test_nothing_lost.py::pickle|_url_|no_checkpoint|cannot_be_built",
        "tests/inference/test_model.py::refused|damaged|not_fetched|looked_at",
    ),
    "A killed command loses nothing": (
        "tests/benchmarks/reliability/test_kills.py::test_killed",
        "tests/commands/test_predict.py::test_killed",
        "tests/training/test_resume.py::test_(killed|sigterm|ctrl_c)",
        "tests/evaluation/audit/test_folds.py::killed|cut_short",
    ),
    "A killed command leaves no process behind": (
        "tests/io/test_parent_process.py",
        "tests/benchmarks/reliability/test_kills.py::test_killed",
    ),
    "No face is lost or duplicated": (
        "tests/batch/test_local_engine.py::killed",
        "tests/batch/test_job.py::died|kill|missing|afterwards",
        "tests/batch/test_ray_engine.py::killed|same_table|one_process",
    ),
    "A resumed training is bit-identical": (
        "tests/training/test_resume.py::equal|go_on_as_if|loses_no_gradient",
    ),
    "A full disk keeps the older checkpoint": (
        "tests/training/test_nothing_lost.py::disk|keeps_the_older|replace_the_older",
    ),
    "A hostile image costs little": (
        "tests/images/test_headers.py::refused|metadata|limits",
        "tests/images/test_png_chunks.py",
        "tests/images/test_ppm_and_tga.py::refused",
        "tests/images/test_frames.py::refused|loop|not_opened_to_count|limit_is_told",
        "tests/images/test_container_boxes.py",
    ),
    "Later damage does not cost the first image": (
        r"tests/images/test_frames.py::test_the_first_.*_read",
    ),
    "Truncated and damaged files are named as such": ("tests/images/test_damage.py",),
    "A hostile Parquet file costs little": ("tests/data/test_parquet_pages.py",),
    "The server answers damaged images with 4xx, never 500": (
        "tests/serving/test_fuzz.py::damaged|openapi",
    ),
    "SIGTERM loses no accepted request": (
        "tests/serving/test_lifecycle.py::accepted|drains|told_to_stop",
    ),
    "No cell of a table is a formula": (
        "tests/inference/test_table_files.py::formula",
        "tests/io/test_files.py::formula|cell|anything_else",
    ),
}
"""The promises, by their first words in the table of the page, and the tests that it names. In
files with other tests, a pattern behind ``::`` finds the names of those that try the promise."""

Values = dict[str, Any]


def _count_kills(values: Values) -> tuple[int, int]:
    total = values["total"].values()
    return sum(one["kills"] for one in total), sum(one["failures"] for one in total)


def _count_left_behind(values: Values) -> tuple[int, int]:
    total = values["total"].values()
    return sum(one["kills"] for one in total), sum(one["left_behind"] for one in total)


def _count_bodies(values: Values) -> tuple[int, int]:
    found = values["damaged"]["figures"]
    return found["bodies"], found["failures"]


def _count_accepted(values: Values) -> tuple[int, int]:
    stops = values["stop"]["figures"]
    accepted = sum(one["accepted"] for one in stops)
    return accepted, accepted - sum(one["received_whole"] for one in stops)


def _count_bombs(values: Values) -> tuple[int, int]:
    memory = values["memory"]
    wrong = {code: n for code, n in memory["statuses"].items() if int(code) >= 500}
    return memory["requests"], sum(wrong.values())


MEASURED: dict[str, tuple[str, str, Callable[[Values], tuple[int, int]]]] = {
    "A killed command loses nothing": ("reliability.json", "kills", _count_kills),
    "A killed command leaves no process behind": ("reliability.json", "kills", _count_left_behind),
    "A hostile image costs little": ("bombs.json", "requests", _count_bombs),
    "The server answers damaged images with 4xx, never 500": (
        *("serving.json", "bodies"),
        _count_bodies,
    ),
    "SIGTERM loses no accepted request": ("serving.json", "requests", _count_accepted),
}
"""For promises that a benchmark tries: its file, what it counts, and how it is read."""


class Collected:
    """A plugin of pytest that keeps the collected tests.

    Args:
        tests: file, name, and Hypothesis's examples, 0 for other tests.
    """

    def __init__(self) -> None:
        self.tests: list[tuple[str, str, int]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the tests."""
        for item in session.items:
            test: Any = getattr(item, "obj", None)
            drawn = 0
            if getattr(test, "is_hypothesis_test", False):
                drawn = test._hypothesis_internal_use_settings.max_examples
            self.tests.append((item.path.relative_to(ROOT).as_posix(), item.name, drawn))


def collect() -> list[tuple[str, str, int]]:
    """Collect the tests of all promises, with the settings of ``make test-all``."""
    files = sorted({place.partition("::")[0] for places in PROMISES.values() for place in places})
    found = Collected()
    words = ["--collect-only", "-qq", "-p", "no:cacheprovider", "--hypothesis-profile=full"]
    code = pytest.main([*words, *files], plugins=[found])
    if code != pytest.ExitCode.OK:
        raise InputError(f"the tests cannot be collected: {code!r}")
    return found.tests


def count_attempts(tests: Sequence[tuple[str, str, int]]) -> dict[str, Values]:
    """Return the attempts at each promise.

    Args:
        tests: collected tests: file, name, and Hypothesis's examples.

    Raises:
        ValueError: a pattern finds no test.
    """
    found: dict[str, Values] = {}
    for promise, places in PROMISES.items():
        cases = examples = 0
        for place in places:
            file, _, pattern = place.partition("::")
            own = [n for name, test, n in tests if name == file and re.search(pattern, test)]
            if not own:
                raise ValueError(f"{place}: there is no such test")
            cases, examples = cases + len(own), examples + sum(own)
        files = [place.partition("::")[0] for place in places]
        found[promise] = {"files": files, "cases": cases, "examples": examples}
        if promise in MEASURED:
            file, what, read = MEASURED[promise]
            values = read_json(RESULTS / file)
            attempts, failures = read(values)
            found[promise]["measured"] = {
                "file": file,
                "what": what,
                "attempts": attempts,
                "failures": failures,
            }
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Count, and write the file."""
    parser = Parser(__doc__, __file__)
    parser.add_out("attempts.json")
    asked = parser.parse_args(words)
    os.chdir(ROOT)
    promises = count_attempts(collect())
    write_json(asked.out, {"command": name_command(__file__), "promises": promises})
    return 0


if __name__ == "__main__":
    sys.exit(main())
