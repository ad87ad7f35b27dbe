"""Measure how long two label sets of the same faces take to read, and how much disk they use.

python -m benchmarks.data.label_sets --data FER2013 [--before SRC] \
    [--out docs/results/label_sets.json]
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import emotion_detection
from benchmarks.common import Parser, describe_machine, report_errors, write_json
from emotion_detection.errors import InputError
from emotion_detection.training.provenance import describe_code

ORDER = ("ferplus", "fer2013")
"""As ``train --labels ferplus --also fer2013`` reads them."""

READ = """
import json, sys, time
from pathlib import Path
from emotion_detection.config import DataConfig
from emotion_detection.data import load
data, cache = sys.argv[1:3]
steps = []
for labels in sys.argv[3:]:
    wall, cpu = time.perf_counter(), time.process_time()
    dataset = load(DataConfig(data=data, cache=cache, labels=labels))
    train = dataset.split("train")
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    files = [path for path in Path(cache).rglob("*") if path.is_file()]
    steps.append({
        "labels": labels,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "hash": dataset.hash,
        "sizes": dataset.sizes,
    })
print(json.dumps(steps))
"""
"""What a process of its own does; it runs with older versions of the package too."""


@report_errors
def main(words: list[str] | None = None) -> int:
    """Read both label sets, several times; print and write what it took."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--data", type=Path, required=True, help="FER-2013 with fer2013new.csv")
    parser.add_argument("--before", type=Path, help="src folder of an older version, beside this")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_out()
    options = parser.parse_args(words)
    versions = {"now": Path(emotion_detection.__file__).parents[1]}
    if options.before:
        versions = {"before": options.before, **versions}
    _check(options)
    rounds = [
        {name: _read_twice(src, options.data) for name, src in versions.items()}
        for _ in range(options.rounds)
    ]
    result = {
        "command": shlex.join(["python", "-m", "benchmarks.data.label_sets", *_words(options)]),
        "data": "FER-2013, all splits, 48 x 48 grey; a fresh cache each time",
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "code": describe_code(),
        "machine": {
            "system": platform.platform(),
            **describe_machine(),
            "load_after": os.getloadavg()[0],
        },
        **{name: summarize([one[name] for one in rounds]) for name in versions},
    }
    print(json.dumps({name: result[name] for name in versions}, indent=2))
    if options.out:
        write_json(options.out, result)
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.rounds < 1:
        raise InputError(f"--rounds {options.rounds}: must be at least 1")
    for name in ("data", "before"):
        place = getattr(options, name)
        if place is not None and not place.exists():
            raise InputError(f"--{name} {place}: no such file or folder")


def _words(options: argparse.Namespace) -> list[str]:
    # places are those of this machine, and no one else's
    words = ["--data", "FER2013", "--rounds", str(options.rounds)]
    return [*words, *(["--before", "SRC"] if options.before else [])]


def _read_twice(src: Path, data: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the label sets into a fresh cache, then start again with that cache."""
    with tempfile.TemporaryDirectory() as folder:
        starts = ("first", "second")
        return {start: _read(src, data, Path(folder) / "cache") for start in starts}


def _read(src: Path, data: Path, cache: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-c", READ, str(data.absolute()), str(cache), *ORDER]
    environment = {**os.environ, "PYTHONPATH": str(src.absolute())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{src}: {(done.stderr.splitlines() or ['it failed'])[-1]}")
    steps: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return steps


def summarize(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians over rounds, for each start.

    Args:
        rounds: 'first' or 'second' (start) -> a dict for each label set.

    Returns:
        The same with the medians of seconds and CPU seconds, and 'sums' over both label sets.
    """
    found: dict[str, Any] = {}
    for start, steps in rounds[0].items():
        taken = [[one[start][k] for one in rounds] for k in range(len(steps))]
        sets = [
            {**step, **{name: _median(name, own) for name in ("seconds", "cpu_seconds")}}
            for step, own in zip(steps, taken, strict=True)
        ]
        sums = {
            name: round(sum(one[name] for one in sets), 2) for name in ("seconds", "cpu_seconds")
        }
        found[start] = {"sets": sets, "sums": sums}
    return found


def _median(name: str, steps: list[dict[str, Any]]) -> float:
    return round(float(statistics.median(step[name] for step in steps)), 2)


if __name__ == "__main__":
    sys.exit(main())
