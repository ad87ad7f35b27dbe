"""Commands killed at random moments and run again: is anything lost, doubled or half-written?

    python -m benchmarks.reliability.kills [--commands predict train test report audit export]
        [--kills 200] [--seconds 300] [--seed 0] [--out docs/results/reliability.json]

Each trial begins with a fresh copy of the inputs, starts the command, kills it by SIGKILL at a
random moment of the time that it takes undisturbed, checks what it left, and runs it again
(``train`` by ``--resume``) to its end. It counts as a failure if

- a file that it left under its own name cannot be read whole,
- a process that it started is alive a minute after the kill (how long the slowest took is told: on
  a machine that is busy with other work even the start of a worker takes seconds),
- the second run does not end with exit code 0, or
- its files differ from those of an undisturbed run: same names, same content but for times.

The moments follow from the seed, which is printed with every failure. Processes are forked from
one that has imported everything that the command imports in an undisturbed run, so that the kills
meet work instead of imports: Linux and macOS alone. The results of several calls are added up in
the file, a line a call.
"""

import contextlib
import csv
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import (
    Parser,
    name_command,
    read_result,
    report_errors,
    write_json,
)
from emotion_detection.cli import main as run_emotion
from emotion_detection.data.synthetic import make_synthetic_faces

TRAIN = (
    *("train", "--data", "faces", "--size", "16", "--epochs", "3", "--batch_size", "16"),
    *("--name", "run", "--cache", "cache", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false"),
)
AUDIT = (
    *("data", "audit", "faces", "--size", "16", "--epochs", "1", "--folds", "2", "--cache"),
    *("cache", "--out", "audit", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false"),
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "predict": ("predict", "crops", "--crops", "--workers", "2", "--out", "table.csv"),
    "train": TRAIN,
    "test": ("test", "--model", "models/run"),
    "report": ("report", "models/run", "--out", "report"),
    "audit": AUDIT,
    "export": ("export", "models/run"),
}
NEEDS_RUN = {"test", "report", "export"}
CROPS, FACES = 80, 60
LEFT_SECONDS = 60.0
"""Within which everything that a killed command started must have ended."""
_IMPORTED = ("commands.predict", "commands.data_audit", "evaluation.report.report_files")
VOLATILE = {
    *("seconds", "cpu_seconds", "fit_seconds", "fit_cpu_seconds", "finished", "started", "command"),
    *("resumed", "faces_per_second", "memory_mib", "code", "date", "time", "notes"),
}
"""Keys of records whose values differ between two runs of the same; a report's notes say which of
its tests were there before."""


def make_inputs(folder: Path) -> None:
    """Write the inputs of all commands: crops, and faces of two classes in three splits."""
    (folder / "crops").mkdir(parents=True)
    for number, face in enumerate(make_synthetic_faces(CROPS).faces):
        Image.fromarray(face).save(folder / "crops" / f"{number:03d}.png")
    rng = np.random.default_rng(0)
    for number in range(FACES):
        split = ("train", "train", "validation", "test")[number % 4]
        name = ("calm", "glad")[number // 4 % 2]
        pixels = rng.integers(0, 120, (16, 16), dtype=np.uint8)
        pixels[:, :8] += 120 if name == "glad" else 0
        place = folder / "faces" / split / name
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:03d}.png")


def start(words: tuple[str, ...], folder: Path) -> int:
    """Run a command of ``emotion`` in a process, and a session, of its own; return its number.

    A command that ends by itself lists the modules that it imported in ``modules.txt``.
    """
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    os.chdir(folder)
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout, sys.stderr = (os.fdopen(one, "w", buffering=1) for one in (1, 2))
    code = 70
    try:
        code = run_emotion(list(words))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        Path("modules.txt").write_text("\n".join(sorted(sys.modules)))
        os._exit(code)


def run(words: tuple[str, ...], folder: Path) -> int:
    """Run a command to its end; return its exit code."""
    _, status = os.waitpid(start(words, folder), 0)
    return os.waitstatus_to_exitcode(status)


def import_all(names: list[str]) -> None:
    """Import modules before further processes are forked; what cannot be imported is left out."""
    for name in names:
        if name not in sys.modules:
            # names such as __main__ or of modules that a library made up
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def session_members(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def kill_after(words: tuple[str, ...], folder: Path, seconds: float) -> tuple[bool, int, float]:
    """Start a command and kill it.

    Returns:
        Whether it was alive when it was killed, how many processes it left behind, and the seconds
        until the others had ended.
    """
    pid = start(words, folder)
    time.sleep(seconds)
    ended, _ = os.waitpid(pid, os.WNOHANG)
    if ended:
        return False, 0, 0.0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    begun = time.monotonic()
    end = begun + LEFT_SECONDS
    while (left := session_members(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    took = time.monotonic() - begun
    for one in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    return True, len(left), took


def again(command: str, folder: Path) -> tuple[str, ...]:
    """Return the words with which a user goes on."""
    if command == "train" and (folder / "models" / "run" / "config.yaml").exists():
        return ("train", "--resume", "models/run")
    return COMMANDS[command]


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of each file under its own name; temporary files are left out.

    Raises:
        ValueError: one cannot be read whole.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not is_temporary(name):
            try:
                found[name] = digest(path)
            except Exception as error:
                raise ValueError(f"{name} is not whole: {error!r}") from None
    return found


def is_temporary(name: str) -> bool:
    """Return True for files that no run promises: unfinished ones, logs of events, our own."""
    parts = name.split("/")
    return (
        any(".parts" in part or ".tmp-" in part for part in parts)
        or parts[-1].endswith((".part", ".lock", ".manifest"))
        or parts[-1].startswith("events.out")
        or parts[-1] in {"said.txt", "modules.txt", "hparams.yaml", "run.log"}
    )


def digest(path: Path) -> str:
    """Return a digest of what a file says, read whole; times are left out."""
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(without_times(json.loads(content)), sort_keys=True).encode()
    elif path.name == "metrics.csv":
        rows = csv.DictReader(content.decode().splitlines())
        content = json.dumps([without_times(row) for row in rows]).encode()
    elif path.suffix == ".ckpt":
        import torch

        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        parts = [f"{k} {v.numpy().tobytes()!r}" for k, v in checkpoint["state_dict"].items()]
        content = "\n".join([str(checkpoint["global_step"]), *parts]).encode()
    elif path.suffix == ".html":
        if not content.rstrip().endswith(b"</html>"):
            raise ValueError("its end is missing")
        content = b""
    elif path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            content = image.tobytes()
    return hashlib.sha256(content).hexdigest()


def without_times(value: Any) -> Any:
    """Return a record without the keys whose values differ between two runs of the same."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in VOLATILE}
    return [without_times(one) for one in value] if isinstance(value, list) else value


class Trials:
    """The trials of one command.

    Args:
        command: its name in :data:`COMMANDS`.
        place: folder of the inputs; trials are made beside it.
        seed: of the moments.
    """

    def __init__(self, command: str, place: Path, seed: int) -> None:
        self.command, self.seed = command, seed
        self._inputs, self._trial = place / "inputs", place / "trial"
        self.counts = {"kills": 0, "ended_before": 0, "failures": 0, "left_behind": 0}
        self.counts["temporary_files"] = 0
        self.failures: list[str] = []
        self.slowest_end = 0.0
        self._reference()
        import_all((self._trial / "modules.txt").read_text().splitlines())
        begun = time.monotonic()
        self.undisturbed = self._reference()
        self.seconds = time.monotonic() - begun
        if other := differing(self.undisturbed, self._reference()):
            raise RuntimeError(f"{command}: two undisturbed runs differ in {other}")

    def _fresh(self) -> Path:
        shutil.rmtree(self._trial, ignore_errors=True)
        shutil.copytree(self._inputs, self._trial)
        return self._trial

    def _reference(self) -> dict[str, str]:
        folder = self._fresh()
        if code := run(COMMANDS[self.command], folder):
            raise RuntimeError(f"{self.command}: {code}: {(folder / 'said.txt').read_text()}")
        return contents(folder)

    def once(self, number: int) -> None:
        """Kill and run again, once."""
        moment = random.Random(f"{self.seed} {self.command} {number}").random() * self.seconds
        folder = self._fresh()
        killed, left, took = kill_after(COMMANDS[self.command], folder, moment)
        self.slowest_end = max(self.slowest_end, took)
        self.counts["kills" if killed else "ended_before"] += 1
        why = f"{left} processes left behind" if left else self._wrong(folder)
        self.counts["left_behind"] += left
        names = (path.relative_to(folder).as_posix() for path in folder.rglob("*.part"))
        self.counts["temporary_files"] += len(list(names))
        if why:
            self.counts["failures"] += 1
            text = f"{self.command}, seed {self.seed}, number {number}, {moment:.3f} s: {why}"
            self.failures.append(text)
            print(text, flush=True)

    def _wrong(self, folder: Path) -> str | None:
        """Return what is wrong with what a killed command left, or with going on from it."""
        try:
            contents(folder)
            code = run(again(self.command, folder), folder)
            if code:
                said = (folder / "said.txt").read_text().strip().splitlines()[-1:]
                return f"the second run ended with {code}: {said}"
            return differing(self.undisturbed, contents(folder))
        except ValueError as error:
            return str(error)


def differing(one: dict[str, str], other: dict[str, str]) -> str | None:
    """Return the files in which two folders differ, or None."""
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return ", ".join(names) or None


def measure(
    commands: list[str],
    kills: int,
    seconds: float,
    seed: int,
    note: Callable[[dict[str, Any]], Any],
) -> list[dict[str, Any]]:
    """Kill commands, each at most so often and so long.

    Args:
        commands: names in :data:`COMMANDS`.
        kills: of each.
        seconds: for each.
        seed: of the moments.
        note: is given each command's counts as they are ready.
    """
    for name in _IMPORTED:  # before the forks
        importlib.import_module(f"emotion_detection.{name}")
    found = []
    with tempfile.TemporaryDirectory(prefix="reliability-") as name:
        place = Path(name)
        make_inputs(place / "inputs")
        with_run = place / "with-run" / "inputs"
        for command in commands:
            if command in NEEDS_RUN and not with_run.exists():
                shutil.copytree(place / "inputs", with_run)
                if run(TRAIN, with_run):
                    raise RuntimeError((with_run / "said.txt").read_text())
            trials = Trials(command, place / ("with-run" if command in NEEDS_RUN else ""), seed)
            end = time.monotonic() + seconds
            number = 0
            while trials.counts["kills"] < kills and time.monotonic() < end:
                trials.once(number)
                number += 1
            line = {"command": command, "seed": seed, **trials.counts}
            line |= {"seconds_undisturbed": round(trials.seconds, 2), "failed": trials.failures}
            line["slowest_end_seconds"] = round(trials.slowest_end, 2)
            print(f"{command}: seed {seed}, {trials.counts}", flush=True)
            note(line)
            found.append(line)
    return found


def add_up(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the counts of each command over all calls."""
    total: dict[str, dict[str, Any]] = {}
    for line in lines:
        own = total.setdefault(line["command"], {})
        for name in ("kills", "failures", "left_behind", "temporary_files"):
            own[name] = own.get(name, 0) + line[name]
        slowest = line.get("slowest_end_seconds", 0.0)
        own["slowest_end_seconds"] = max(own.get("slowest_end_seconds", 0.0), slowest)
    return total


@report_errors
def main(words: list[str] | None = None) -> int:
    """Run the benchmark; return 1 where anything failed."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=COMMANDS)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(words)
    print(f"seed {asked.seed}", flush=True)

    def note(line: dict[str, Any]) -> None:
        if asked.out is None:
            return
        calls = read_result(asked.out).get("calls", [])
        calls.append(line)
        values = {"command": name_command(__file__), "total": add_up(calls)}
        write_json(asked.out, {**values, "calls": calls})

    found = measure(asked.commands, asked.kills, asked.seconds, asked.seed, note)
    return int(any(line["failures"] for line in found))


if __name__ == "__main__":
    sys.exit(main())
