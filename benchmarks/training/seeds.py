"""Bring runs that differ in their seed together: one JSON, one table, the first one's curves.

Each run must have been tested by ``test.py``, plainly and with ``--tta``; the figures are read from
the files that training and test wrote, none is computed here but means and spreads.

    python -m benchmarks.training.seeds models/baseline-seed0 models/baseline-seed1 \
        models/baseline-seed2
    python -m benchmarks.docs.readme
"""

import csv
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import (
    ROOT,
    Parser,
    read_json,
    report_errors,
    write_json,
)
from emotion_detection.errors import InputError
from emotion_detection.training.history import draw_curves

_IN_TABLE = {
    "val_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
    "tta_accuracy": "test, flip TTA",
    "test_accuracy_without_duplicates": "test without duplicates",
    "test_balanced_accuracy": "test, balanced accuracy",
    "test_macro_f1": "test, macro F1",
}
"""Metrics in the order of the table's rows, and their names there."""


def collect(runs: list[Path], test: str) -> dict[str, Any]:
    """Read the figures of runs.

    Args:
        runs: folders below ``models/``.
        test: name of the test's folder in each, as ``fer2013-test``.

    Returns:
        Plain values: a row a run, the mean and spread over them, and where they come from.

    Raises:
        InputError: a run was not tested, or the runs are of different data, code or recipe.
    """
    rows = [_row(run, test) for run in runs]
    origins = [row.pop("origin") for row in rows]
    for key in ("data_hash", "commit", "recipe"):
        if len({json.dumps(origin[key], sort_keys=True) for origin in origins}) > 1:
            raise InputError(f"the runs differ in {key}")
    return {
        "runs": rows,
        "mean": {name: statistics.fmean(row[name] for row in rows) for name in _IN_TABLE},
        "stdev": {
            name: statistics.stdev(row[name] for row in rows) if len(rows) > 1 else None
            for name in _IN_TABLE
        },
        "origin": origins[0],
    }


def _row(run: Path, test: str) -> dict[str, Any]:
    def read(name: str) -> dict[str, Any]:
        values: dict[str, Any] = read_json(run / name, "train and test the run first")
        return values

    validation, made = read("metrics.json"), read("provenance.json")
    plain, mirrored = read(f"test/{test}/metrics.json"), read(f"test/{test}-tta/metrics.json")
    if made["code"]["changed"]:
        raise InputError(f"{run}: was trained with files that no commit has")
    if not str(plain["model"]).endswith("best.ckpt"):
        raise InputError(f"{run}: its test is of {plain['model']}, not of best.ckpt")
    recipe = {k: v for k, v in _config(run).items() if k not in ("seed", "name", "data")}
    training = validation["training"]
    return {
        "seed": made["seed"],
        "val_accuracy": validation["accuracy"],
        "val_balanced_accuracy": validation["balanced_accuracy"],
        "val_macro_f1": validation["macro_f1"],
        "val_n": validation["n"],
        "best_epoch": training["best_epoch"],
        "first_train_loss": training["first_train_loss"],
        "last_train_loss": training["last_train_loss"],
        "training_seconds": training["seconds"],
        "test_accuracy": plain["accuracy"],
        "test_accuracy_ci95": plain["accuracy_ci95"],
        "test_n": plain["n"],
        "tta_accuracy": mirrored["accuracy"],
        "tta_accuracy_ci95": mirrored["accuracy_ci95"],
        "test_balanced_accuracy": plain["balanced_accuracy"],
        "test_macro_f1": plain["macro_f1"],
        "tta_balanced_accuracy": mirrored["balanced_accuracy"],
        "tta_macro_f1": mirrored["macro_f1"],
        "test_ece": plain["ece"],
        "test_accuracy_without_duplicates": plain["without_duplicates"]["accuracy"],
        "test_n_without_duplicates": plain["without_duplicates"]["n"],
        "test_exact_duplicates": plain["without_duplicates"]["exact"],
        "origin": {
            "command": _command(made["command"]),
            "data": made["data"]["kind"],
            "data_hash": made["data"]["hash"],
            "labels": plain["data"]["label_set"],
            "split": plain["split"],
            "commit": made["code"]["commit"],
            "packages": made["packages"],
            "machine": made["machine"],
            "recipe": recipe,
            "parameters": validation["parameters"],
        },
    }


def _command(command: str) -> str:
    """Return a training's command without what differs from seed to seed and place to place."""
    return "python " + re.sub(
        r"(--data) \S+", r"\1 FER2013", re.sub(r" --(seed|name) \S+", "", command)
    )


def _config(run: Path) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    return values


def markdown(result: dict[str, Any]) -> str:
    """Return the table as README shows it."""
    seeds = ", ".join(str(row["seed"]) for row in result["runs"])
    lines = [f"| metric | mean ± s.d. | seeds {seeds} |", "| --- | --- | --- |"]
    for name, words in _IN_TABLE.items():
        if values := [row[name] for row in result["runs"] if name in row]:
            each = ", ".join(f"{value:.4f}" for value in values)
            lines.append(f"| {words} | {_summarize(values)} | {each} |")
    origin, first = result["origin"], result["runs"][0]
    machine = origin["machine"]
    minutes = statistics.median(row["training_seconds"] for row in result["runs"]) / 60
    lines += [
        "",
        f"`{origin['command']} --seed S`, `python test.py`, `python test.py --tta`: FER-2013 with "
        f"its own labels, checkpoint chosen on PublicTest, PrivateTest with {first['test_n']:,} "
        f"faces ({first['test_n_without_duplicates']:,} without duplicates of training faces); "
        f"{machine['processor']}, {machine['cores']} cores, torch {origin['packages']['torch']}, "
        f"{minutes:.0f} minutes per training, shared with other work.{_note(result)} "
        "[baseline.json](docs/results/baseline.json).",
    ]
    return "\n".join(lines)


def _summarize(values: list[float]) -> str:
    """Return mean and standard deviation, if there is one."""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}"


def _note(result: dict[str, Any]) -> str:
    """Return a note on a missing row."""
    known = all("test_balanced_accuracy" in row for row in result["runs"])
    return "" if known else " These runs did not keep balanced accuracy."


@report_errors
def main(words: list[str] | None = None) -> int:
    """Collect, write the JSON and the first run's curves, print the table."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, trained and tested")
    parser.add_argument("--test", default="fer2013-test", help="the test's folder in each run")
    parser.add_out("baseline.json")
    parser.add_argument("--curves", type=Path, default=ROOT / "docs/images/baseline-curves.png")
    options = parser.parse_args(words)
    result = collect(options.runs, options.test)
    first = options.runs[0]
    with (first.parents[1] / "logs" / first.name / "metrics.csv").open() as file:
        rows: list[dict[str, float | int | None]] = [
            {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
        ]
    write_json(options.out, result)
    draw_curves(rows, options.curves, f"baseline, seed {result['runs'][0]['seed']}")
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
