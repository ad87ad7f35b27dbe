"""Seconds of training until validation accuracy first reaches a mark: the usual way, and `quick`.

    python -m benchmarks.training.time_to_accuracy --data FER2013 [--seeds 3] [--threads 1 \
        --workers 0]

a  The seed's recipe as people write it (way a of ``epoch_time.py``): a folder of PNG files,
   ``ImageFolder``, ``DataLoader``, a plain loop with ``loss.item()``; the network `baseline`, Adam
   0.001, batches of 32, float32, 20 epochs.
b  :func:`emotion_detection.training.train` itself with the preset `quick`, whose YAML says all of
   it: network, size of the faces, recipe, precision. Lightning, checks and checkpoints count. Only
   its progress lines and the closing export are left out, and it validates more often.

The clock runs from just before the first step; importing, decoding and writing the PNG files come
before. It stands still while all validation faces are looked at, four times an epoch (with (b) the
averaged weights are, as in any training with a moving average). A mark counts as reached at the
first such look that is as good; a run that never gets there says so, and its ratio is then a lower
bound: all of its seconds over those of the other. The labels are those that stand with the faces.
The test split is not opened.

Each run is a process of its own, both ways in turn, seed by seed; a ratio is of one seed's two
runs. The result is written after every run.
"""

import argparse
import json
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common import (
    Parser,
    check_least,
    format_spread,
    get_load,
    name_command,
    read_json,
    report_errors,
    run_part,
    spread,
    write_json,
)
from benchmarks.training.accuracy_ways import WAYS, Run, prepare, way_a, way_b
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError

MARKS = (0.523, 0.55, 0.60)


def reached(run: Run) -> dict[str, float | None]:
    """Return for each mark the seconds of the first look that was as good, or None."""
    seen = list(zip(run["curve"]["seconds"], run["curve"]["accuracy"], strict=True))
    return {
        f"{mark:.3f}": next((seconds for seconds, accuracy in seen if accuracy >= mark), None)
        for mark in MARKS
    }


def compare(runs: list[Run]) -> dict[str, Any]:
    """Set the two ways of each seed against each other.

    Returns:
        For each mark the seconds of each way's runs (None: not reached), and of those seeds whose
        (b) got there the ratios a/b with median, least and greatest; 'lower_bounds' says of each
        ratio whether (a) never got there, so that all of its seconds were taken.
    """
    marks: dict[str, Any] = {}
    for mark in (f"{mark:.3f}" for mark in MARKS):
        ways = {way: {r["seed"]: r for r in runs if r["way"] == way} for way in WAYS}
        pairs = [(ways["a"][seed], run) for seed, run in ways["b"].items() if seed in ways["a"]]
        pairs = [(a, b) for a, b in pairs if b["reached"][mark] is not None]
        ratios = [(a["reached"][mark] or a["seconds"]) / b["reached"][mark] for a, b in pairs]
        marks[mark] = {
            **{way: [r["reached"][mark] for r in own.values()] for way, own in ways.items()},
            "ratios": [round(ratio, 2) for ratio in ratios],
            "lower_bounds": [a["reached"][mark] is None for a, _ in pairs],
        }
        if ratios:
            marks[mark] |= spread(ratios, 2)
    return marks


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    count = result["faces"]["validation"]
    title = f"seconds until validation accuracy ({count:,} faces): median (least-greatest)"
    table = Table("accuracy", *WAYS.values(), "times as fast", title=title)
    for mark, row in result["marks"].items():
        ratio = "-"
        if row["ratios"]:
            at_least = "at least " if any(row["lower_bounds"]) else ""
            ratio = at_least + format_spread(row, 1)
        table.add_row(f"{float(mark):g}", *(_words(row[way]) for way in WAYS), ratio)
    console = Console()
    console.print(table)
    for run in result["runs"]:
        best = max(run["curve"]["accuracy"])
        line = (
            f"{run['way']}, seed {run['seed']}: best {best:.4f}, whole run {run['seconds']:.0f} s"
        )
        console.print(line, highlight=False)


def _words(values: list[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "not reached" if values else "-"
    text = format_spread(spread(there), 1)
    return text if len(there) == len(values) else f"{text}, {len(there)} of {len(values)} runs"


def _run_part(what: str, options: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    env = {} if options.threads is None else {"OMP_NUM_THREADS": str(options.threads)}
    return run_part(__file__, *words, "--part", what, "--work", str(options.work), env=env)


def _part(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.part == "prepare":
        return prepare(options.work, options)
    way, seed = options.part[0], int(options.part[1:])
    return {"a": way_a, "b": way_b}[way](options.work, seed, options)


def measure(options: argparse.Namespace, words: list[str]) -> None:
    """Run both ways with all seeds; write after every run, print at the end."""
    options.out.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=options.out.parent).close()  # say at once what cannot be written
    result: dict[str, Any] = {
        "command": _command(options),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": list(range(options.first, options.first + options.seeds)),
    }
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        options.work = Path(name)
        result |= _run_part("prepare", options, words) | {"marks": {}, "runs": []}
        for seed in result["seeds"]:
            for way in options.ways:
                load = get_load()
                run = _run_part(f"{way}{seed}", options, words)
                about = {"way": way, "seed": seed, "load_before": load, "reached": reached(run)}
                result["runs"].append(about | run)
                result["marks"] = compare(result["runs"])
                write_json(options.out, result)
    show(result)
    print(f"written: {options.out}")


def joined(paths: list[Path]) -> dict[str, Any]:
    """Return one result of several files, whose runs were side by side or one after another.

    Raises:
        InputError: they are of other machines, data or recipes, or a run stands in two of them.
    """
    results = [read_json(path) for path in paths]
    own = ("command", "date", "seeds", "runs", "marks")
    about = [{k: v for k, v in result.items() if k not in own} for result in results]
    runs = [run for result in results for run in result["runs"]]
    places = [(run["seed"], run["way"]) for run in runs]
    if any(one != about[0] for one in about) or len(set(places)) < len(places):
        raise InputError("--join: files of other machines, data or recipes, or a run twice")
    runs.sort(key=lambda run: (run["seed"], run["way"]))
    commands = "; ".join(result["command"] for result in results)
    times = {"command": commands, "date": min(result["date"] for result in results)}
    seeds = sorted({seed for seed, _ in places})
    return {**times, "seeds": seeds, **about[0], "marks": compare(runs), "runs": runs}


def _command(options: argparse.Namespace) -> str:
    """Return the command, without the places of this machine."""
    words = [f"--seeds {options.seeds}", f"--epochs {options.epochs}"]
    words += [] if options.threads is None else [f"--threads {options.threads}"]
    words += [f"--first {options.first}"] * bool(options.first)
    words += [f"--workers {options.workers}"] + ["--quick-only"] * options.quick_only
    return f"{name_command(__file__)} --data DATA {' '.join(words)}"


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, or do one part of it where ``--part`` says so."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--data", default="auto", help="as train.py's; default: auto")
    parser.add_argument("--cache", default=TrainConfig.cache, help="as train.py's")
    parser.add_argument("--seeds", type=int, default=3, help="how many; default: 3")
    parser.add_argument("--first", type=int, default=0, help="the first seed; default: 0")
    parser.add_argument("--join", nargs="+", type=Path, metavar="FILE", help="files of seeds")
    parser.add_argument("--epochs", type=int, default=20, help="of the usual way; default: 20")
    parser.add_argument("--threads", type=int, help="default: as many as PyTorch takes by itself")
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader; default: 2")
    parser.add_argument("--quick-only", action="store_true", help="leave the usual way out")
    parser.add_out("time_to_accuracy.json")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = sys.argv[1:] if words is None else words
    options = parser.parse_args(given)
    options.ways = ["b"] if options.quick_only else ["a", "b"]
    check_least(options, seeds=1, first=0, epochs=1, threads=1, workers=0)
    if options.part:
        print(json.dumps(_part(options)))
    elif options.join:
        result = joined(options.join)
        write_json(options.out, result)
        show(result)
    else:
        measure(options, given)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the run's process and folder go too
    sys.exit(main())
