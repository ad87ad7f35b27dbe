"""How long an epoch of training takes: as people write it, with this project, and at the least.

    python -m benchmarks.training.epoch_time --data PATH [--faces N] [--rounds 3]

Three ways train the same network on the CPU, on the same faces, in batches of the same size:

a  A folder of PNG files; torchvision's ImageFolder with four transforms; a shuffling DataLoader
   with two workers; a plain loop that adds up ``loss.item()``.
b  :func:`emotion_detection.training.train` without validation. Its time is the run's own: from an
   epoch's start to its figures, with order and batches drawn, Lightning, checks, callbacks and
   progress; without start-up, decoding (done once), checkpoints and the closing export.
c  The floor: a bare loop on one resident float32 batch, as many and as large steps as an epoch.

Each way is a process of its own. A round runs all three, every other round in reverse, so that a
slow spell of the machine hits them alike; ratios are taken within a round. Nothing cold is timed:
(a) and (c) first take 20 steps, (b) an epoch. Memory is the largest resident set (``getrusage``)
of the process, and for (a) of its larger worker too, which shares pages with it. This process
imports no torch: a child would inherit its peak.
"""

import argparse
import functools
import itertools
import json
import multiprocessing.util
import sys
import tempfile
import time
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.common import (
    Parser,
    check_least,
    describe_machine,
    format_spread,
    get_load,
    name_command,
    read_json,
    report_errors,
    run_part,
    spread,
    write_json,
)

WAYS = {"a": "PNG folder, DataLoader", "b": "this project", "c": "bare loop, one batch"}
WARM_UP, LEAST_FACES = 20, 64


def prepare(work: Path, data: str, faces: int | None) -> dict[str, Any]:
    """Write faces, drawn at random, as ``work/faces/train/CLASS/*.png``; say what they are.

    Raises:
        InputError: there is no such data, or not that many faces.
    """
    import numpy as np
    import torch
    from PIL import Image

    from emotion_detection.config import TrainConfig
    from emotion_detection.data import load
    from emotion_detection.errors import InputError

    config = TrainConfig(data=data)
    dataset = load(config)
    parts = {"train": dataset.split("train"), "val": dataset.split("validation")}
    count = len(parts["train"]) if faces is None else faces
    if not LEAST_FACES <= count <= len(parts["train"]):
        raise InputError(f"--faces {count}: must be {LEAST_FACES} to {len(parts['train'])}")
    parts["test"] = parts["val"]  # else the project splits some of the training faces off
    for split, part in parts.items():
        rows = np.random.default_rng(0).permutation(len(part))
        for row in rows[: count if split == "train" else LEAST_FACES]:
            folder = work / "faces" / split / f"class{part.labels[row]}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part.images[row, 0]).save(folder / f"{row:07d}.png")
    return {
        "data": dataset.kind,
        "data_hash": dataset.hash,
        "faces": count,
        "classes": len(dataset.labels),
        "network": config.network,
        "batch_size": config.batch_size,
        "steps": -(-count // config.batch_size),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def network_and_adam(classes: int) -> tuple[Any, Any]:
    """Make both as the project does, but without loading Lightning with them."""
    from torch.optim import Adam

    import emotion_detection
    from emotion_detection.config import TrainConfig

    package = sys.modules["emotion_detection.training"] = types.ModuleType("training")
    package.__path__ = [str(Path(emotion_detection.__path__[0], "training"))]
    from emotion_detection.training.network import ModelSpec, build_seeded

    config, labels = TrainConfig(), tuple(map(str, range(classes)))
    spec = ModelSpec(config.network, labels, config.channels, config.size, config.dropout)
    network = build_seeded(spec, config.seed)
    return network, Adam(network.parameters(), lr=config.learning_rate)


def _peak() -> float:
    """Return the largest resident set of this process so far, in MiB."""
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _note_peak_at_exit(work: Path, number: int) -> None:
    # not RUSAGE_CHILDREN of the process above: torch's import starts larger children
    note = work / f"worker-{number}"
    multiprocessing.util.Finalize(None, lambda: note.write_text(f"{_peak()}"), exitpriority=0)


def way_a(work: Path, setting: dict[str, Any]) -> float:
    """Return the seconds of an epoch as people write it."""
    from torch.nn import functional
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    network, optimizer = network_and_adam(setting["classes"])
    # the network scales by itself; Normalize is here because people have it
    steps = [transforms.Grayscale(), transforms.Resize(48), transforms.ToTensor()]
    transform = transforms.Compose([*steps, transforms.Normalize((0.5,), (0.5,))])
    folder = datasets.ImageFolder(str(work / "faces" / "train"), transform)
    loader: DataLoader[Any] = DataLoader(
        folder,
        setting["batch_size"],
        shuffle=True,
        num_workers=2,
        worker_init_fn=functools.partial(_note_peak_at_exit, work),
    )
    for most in (WARM_UP, None):
        running, started = 0.0, time.perf_counter()
        for images, labels in itertools.islice(loader, most):
            optimizer.zero_grad()
            loss: Any = functional.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
    return time.perf_counter() - started


def way_b(work: Path, setting: dict[str, Any]) -> float:
    """Return the seconds of this project's second epoch."""
    from emotion_detection.config import TrainConfig
    from emotion_detection.training import train

    folders: dict[str, Any] = {name: str(work / name) for name in ("cache", "models", "logs")}
    trainer = {"accelerator": "cpu", "devices": 1, "limit_val_batches": 0}
    config = TrainConfig(data=str(work / "faces"), epochs=2, trainer=trainer, **folders)
    # without the end of the run, whose export would set the peak of the memory
    with mock.patch(
        "emotion_detection.training.training_run.finish_training", autospec=True
    ) as finish:
        train(config)
    rows = next(value for value in finish.call_args.args if isinstance(value, list))
    return float(rows[1]["seconds"])


def way_c(work: Path, setting: dict[str, Any]) -> float:
    """Return the seconds of an epoch's steps on one batch."""
    import torch
    from torch.nn import functional

    network, optimizer = network_and_adam(setting["classes"])
    size = setting["batch_size"]
    images, labels = torch.rand(size, 1, 48, 48), torch.randint(setting["classes"], (size,))
    last = setting["faces"] - size * (setting["steps"] - 1)
    for sizes in ([size] * WARM_UP, [size] * (setting["steps"] - 1) + [last]):
        started = time.perf_counter()
        for count in sizes:
            optimizer.zero_grad()
            loss: Any = functional.cross_entropy(network(images[:count]), labels[:count])
            loss.backward()
            optimizer.step()
    return time.perf_counter() - started


def measure(way: str, work: Path) -> dict[str, float]:
    """Run one way in this process; return 'seconds' and the peaks of memory in MiB."""
    setting = read_json(work / "setting.json")
    result = {"seconds": {"a": way_a, "b": way_b, "c": way_c}[way](work, setting)}
    result["memory_mib"] = _peak()
    if way == "a":
        peaks = [float(note.read_text()) for note in work.glob("worker-*")]
        result["worker_memory_mib"] = max(peaks)
    return result


def _spread(values: list[float]) -> dict[str, Any]:
    return {**spread(values, 12), "rounds": values}


def summarise(rounds: list[dict[str, dict[str, float]]], faces: int) -> dict[str, Any]:
    """Sum up what :func:`measure` returned for each way in each round.

    Returns:
        'ways' with the spread of each figure; 'ratios' with the spread of each round's own.
    """
    ways: dict[str, Any] = {}
    for way, what in WAYS.items():
        own = [one[way] | {"faces_per_second": faces / one[way]["seconds"]} for one in rounds]
        ways[way] = {"what": what} | {name: _spread([one[name] for one in own]) for name in own[0]}
    ratios = {
        f"{x}/{y}": _spread([one[x]["seconds"] / one[y]["seconds"] for one in rounds])
        for x, y in ("ab", "bc")
    }
    return {"ways": ways, "ratios": ratios}


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    title = f"{result['faces']:,} faces an epoch: median (least-greatest) of {result['rounds']}"
    table = Table("way", "seconds an epoch", "faces/s", "peak MiB", title=title)
    for way, row in result["ways"].items():
        memory, worker = row["memory_mib"]["median"], row.get("worker_memory_mib")
        workers = f" + 2 x {worker['median']:.0f}" if worker else ""
        speed = f"{row['faces_per_second']['median']:,.0f}"
        name = f"{way}  {row['what']}"
        table.add_row(name, format_spread(row["seconds"], 2), speed, f"{memory:.0f}{workers}")
    console = Console()
    console.print(table)
    for name, ratio in result["ratios"].items():
        console.print(f"{name}: {format_spread(ratio, 3)}", highlight=False)


def _run_way(way: str, work: Path, *words: str) -> dict[str, Any]:
    return run_part(__file__, "--way", way, "--work", str(work), *words)


def _command(faces: int | None, rounds: int) -> str:
    """Return the command, without the places of this machine."""
    some = "" if faces is None else f" --faces {faces}"
    return f"{name_command(__file__)} --data DATA{some} --rounds {rounds}"


def compare(data: str, faces: int | None, rounds: int, out: Path) -> None:
    """Measure all ways in all rounds; write and print the result."""
    out.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out.parent).close()  # what cannot be written is said at once
    record = {
        "command": _command(faces, rounds),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_machine(),
        "load_before": get_load(),
        "rounds": rounds,
    }
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        work = Path(name)
        some = [] if faces is None else ["--faces", str(faces)]
        setting = _run_way("prepare", work, "--data", data, *some)
        (work / "setting.json").write_text(json.dumps(setting), encoding="utf-8")
        measured: list[dict[str, Any]] = []
        for number in range(rounds):
            measured.append({})
            for way in sorted(WAYS, reverse=number % 2 == 1):
                measured[-1][way] = one = _run_way(way, work)
                print(f"round {number + 1}: {way} {one['seconds']:.2f} s", file=sys.stderr)
    result = record | setting | summarise(measured, setting["faces"])
    write_json(out, result)
    show(result)
    print(f"written: {out}")


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, or run one way where ``--way`` says so."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--data", default="auto", help="as train.py's; default: auto")
    parser.add_argument("--faces", type=int, help="training faces; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_out("training.json")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    check_least(options, rounds=1)
    if options.way == "prepare":
        print(json.dumps(prepare(options.work, options.data, options.faces)))
    elif options.way:
        print(json.dumps(measure(options.way, options.work)))
    else:
        compare(options.data, options.faces, options.rounds, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
