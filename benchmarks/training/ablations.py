"""Which ingredient of the recipe earns its keep: the preset, and the preset with one change.

    python -m benchmarks.training.ablations --data FER2013          # goes on where it stopped
    python -m benchmarks.training.ablations --join a.json b.json    # of runs side by side, one file
    python -m benchmarks.training.ablations --epochs 100 --rows kept --seeds 0 --shipped \
        --data FER2013 --out docs/results/ablations-long.json    # beside the shipped model
    python -m benchmarks.training.ablations --write-docs            # writes docs/ablations.md

Each run is ``python train.py`` in a process of its own, measured on validation; the test split is
not opened. The result file is written after every run. On a processor a run's cost is the processor
time of its training, which other work on the machine alters less than the time on the clock.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import (
    ROOT,
    Parser,
    read_json,
    report_errors,
    write_json,
)
from benchmarks.training.ablation_page import ROWS, SETS, SETTINGS, page
from emotion_detection import pretrained
from emotion_detection.config import DataConfig, data_config_fields, read_preset, rename_fields
from emotion_detection.data import Dataset, load
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic

SEEDS = [0, 1]
KEPT = ("accuracy", "balanced_accuracy", "macro_f1", "n", "nll")
"""Metrics on validation that the file keeps of each run and label set."""


def read(path: Path) -> dict[str, Any]:
    """Return what a result file holds, or a result without runs."""
    empty = {**SETTINGS, "seeds": SEEDS, "runs": []}
    return rename_fields(read_json(path)) if path.is_file() else empty


def joined(paths: list[Path]) -> dict[str, Any]:
    """Return one result with the runs of several files, which must be of one kind.

    Raises:
        InputError: they are of different settings or data, or a run stands in two of them.
    """
    results = {path: rename_fields(read_json(path)) for path in paths}
    about: dict[str, Any] = {}
    runs: dict[tuple[str, int], Any] = {}
    for path, result in results.items():
        own = {name: value for name, value in result.items() if name not in ("seeds", "runs")}
        if about and own != about:
            raise InputError(f"{path}: is of other settings or data than {paths[0]}")
        about = own
        for run in result["runs"]:
            if (run["row"], run["seed"]) in runs:
                raise InputError(f"{path}: {run['row']}, seed {run['seed']} stands in another file")
            runs[run["row"], run["seed"]] = run
    return {**about, "seeds": sorted({seed for _, seed in runs}), "runs": list(runs.values())}


def shipped(recipe: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the shipped model's training as a run of the whole recipe.

    Raises:
        InputError: it was trained by another recipe, or on other data.
    """
    record = pretrained.read_record()
    made, labels = record["training"], options.extra_labels or options.labels
    faces = _dataset(options.data, recipe, labels)
    wanted = recipe | {
        name: getattr(options, name) for name in ("epochs", "labels", "extra_labels")
    }
    trained = rename_fields(made["config"])
    other = [name for name, value in wanted.items() if trained[name] != value]
    other += ["teacher"] * bool(made["config"]["teacher"])
    if other or made["data_hash"] != _dataset(options.data, recipe, options.labels).hash:
        raise InputError(f"--shipped: the shipped model has another {', '.join(other) or 'data'}")
    own = {name: made["validation"][name] for name in record["labels"]}
    figures = {s: {k: one[k] for k in KEPT if k in one} for s, one in own.items()}
    return {
        "row": "whole",
        "changes": {},
        "seed": made["config"]["seed"],
        "figures": figures,
        "best_epoch": made["best_epoch"],
        "seconds": made["seconds"],
        "cost": made["seconds"],
        "faces": faces.sizes["train"],
        "machine": made["hardware"],
        "commit": made["code_version"].split()[-1],
    }


def begin(options: argparse.Namespace) -> dict[str, Any]:
    """Return the result to go on with; a file with runs of other settings or data is refused."""
    recipe = read_preset(options.preset)
    about = {name: getattr(options, name) for name in SETTINGS} | {"recipe": recipe}
    about["data_hash"] = _dataset(options.data, recipe, options.labels).hash
    before = read(options.out)
    for name, value in about.items():
        if before["runs"] and before[name] != value:
            raise InputError(f"{options.out}: its runs are of another {name}; give another --out")
    seeds = {run["seed"] for run in before["runs"]} | set(options.seeds)
    return {**about, "seeds": sorted(seeds), "runs": before["runs"]}


def _dataset(data: str, recipe: dict[str, Any], labels: str) -> Dataset:
    return load(DataConfig(**{**data_config_fields(recipe), "data": data, "labels": labels}))


def once(row: str, seed: int, options: argparse.Namespace, recipe: dict[str, Any]) -> Any:
    """Train a version; return its figures, or the exit code of a training that failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"{row}-seed{seed}-", dir=options.models))
    given = {name: getattr(options, name) for name in SETTINGS} | {"data": options.data}
    given |= {"seed": seed, "name": "run", "models": folder, "logs": folder / "logs"}
    given |= ROWS[row][1]
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    # with two label sets, the faces of the second are trained on
    faces = _dataset(options.data, recipe, given["extra_labels"] or given["labels"]).sizes["train"]
    command = [sys.executable, str(ROOT / "train.py"), *words]
    try:
        done = subprocess.run(command, text=True, capture_output=True)
        if done.returncode:
            print(*done.stderr.splitlines()[-20:], sep="\n", file=sys.stderr)
            return done.returncode
        files = (folder / "run" / name for name in ("metrics.json", "provenance.json"))
        metrics, made = (read_json(file) for file in files)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sets = {metrics["data"]["label_set"]: metrics, **metrics.get("also", {})}
    seconds, machine = metrics["training"]["seconds"], made["machine"]
    gpu, threads = machine["gpu"] or "no GPU", machine["torch_threads"]
    return {
        "row": row,
        "changes": ROWS[row][1],
        "seed": seed,
        "figures": {s: {k: own[k] for k in KEPT} for s, own in sets.items()},
        "best_epoch": metrics["training"]["best_epoch"],
        "seconds": seconds,
        "cost": seconds if machine["gpu"] else made["fit_cpu_seconds"],
        "faces": faces,
        "faces_per_second": round(faces * options.epochs / max(seconds, 0.1), 1),
        "machine": f"{machine['processor']}, {machine['cores']} cores, {threads} of them used, "
        f"{gpu}, torch {made['packages']['torch']}",
        "commit": made["code"]["commit"],
    }


def measure(options: argparse.Namespace) -> int:
    """Run what is not in the file yet; return the exit code."""
    result, started, failed = begin(options), time.monotonic(), 0
    for folder in (options.out.parent, options.models or options.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    done = [(run["row"], run["changes"], run["seed"]) for run in result["runs"]]
    if options.shipped and not any(run["row"] == "whole" for run in result["runs"]):
        result["runs"].append(shipped(result["recipe"], options))
    wanted = [(row, s) for row in ROWS if row in options.rows for s in sorted(set(options.seeds))]
    left = [(row, seed) for row, seed in wanted if (row, ROWS[row][1], seed) not in done]
    for place, (row, seed) in enumerate(left):
        if time.monotonic() - started >= 60 * options.minutes:
            print(f"time is up; runs left: {len(left) - place}")
            break
        run, what = once(row, seed, options, result["recipe"]), f"{row}, seed {seed}"
        if isinstance(run, int):
            print(f"{what}: failed with exit code {run}", file=sys.stderr)
            if run == 1:  # this one cannot be trained; others may
                failed = 1
                continue
            return 2
        others = [one for one in result["runs"] if (one["row"], one["seed"]) != (row, seed)]
        result["runs"] = [*others, run]
        write_json(options.out, result)
        said = ", ".join(f"{name} {own['accuracy']:.4f}" for name, own in run["figures"].items())
        print(f"{place + 1}/{len(left)} {what}: {said}, {run['seconds']:.0f} s", flush=True)
    return failed


@report_errors
def main(words: list[str] | None = None) -> int:
    """Run the versions, or write the page."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--preset", default=SETTINGS["preset"])
    parser.add_argument("--data", default="fer2013", help="as train.py's")
    parser.add_argument("--labels", choices=SETS, default=SETTINGS["labels"])
    parser.add_argument("--extra_labels", choices=[*SETS, "none"], default=SETTINGS["extra_labels"])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then start no run")
    parser.add_argument("--models", type=Path, help="folder for the runs; default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="do not delete the runs")
    parser.add_out("ablations.json")
    parser.add_argument("--longer", type=Path, default=ROOT / "docs/results/ablations-long.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs/ablations.md")
    parser.add_argument("--shipped", action="store_true", help="'whole' is the shipped model")
    parser.add_argument("--join", nargs="+", type=Path, metavar="FILE", help="result files")
    parser.add_argument("--write-docs", action="store_true", help="only write the page")
    options = parser.parse_args(words)
    options.extra_labels = None if options.extra_labels == "none" else options.extra_labels
    if options.join:
        write_json(options.out, joined(options.join))
    elif not options.write_docs:
        return measure(options)
    else:
        write_atomic(options.docs, page(read(options.out), read(options.longer)))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the run's process and folder go too
    sys.exit(main())
