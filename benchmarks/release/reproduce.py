"""Make the shipped model from the dataset alone: every step, resumable, each one told.

1. ``plain``: the preset `compact`, without corruption, from random weights: 100 epochs.
2. ``robust``: fine-tuned from it with corrupted faces: 20 epochs.
3. ``shipped``: the weights of both, averaged; calibrated on validation.
4. Every test that the record quotes, and the files of the package.

A step that is done is passed over, one that was cut off goes on: run the same command again. On two
cores of 2020 it takes about four hours, on older ones up to ten.

    python -m benchmarks.release.reproduce --data fer2013

With a GPU, a better model can be distilled (about half an hour): teachers of the preset `large` at
several seeds, then `compact` from their mean scores, on corrupted faces that the teachers see
clean. ``--minutes`` bounds one call; the same command goes on where it stopped:

    python -m benchmarks.release.reproduce --data fer2013 --teachers 4 --minutes 9
"""

import shlex
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.common import Parser
from benchmarks.release.ship import WAYS
from emotion_detection.evaluation.evaluate import name_way

PLAIN, ROBUST, SHIPPED = "plain", "robust", "shipped"
SHARES = ("0.7", "0.3")
"""Of the fine-tuned and of the plain weights; chosen on validation (docs/results.md)."""


def plan(data: str) -> list[tuple[str, Path, list[str]]]:
    """Return the steps: what is done, the file that tells it is, and its command."""
    both = ["--data", data, "--labels", "ferplus", "--extra_labels", "fer2013"]
    compact = ["train.py", "--preset", "compact", *both]
    robust = ["--epochs", "20", "--learning_rate", "0.02", "--warmup", "0.05", "--ema", "0.999"]
    runs = {name: Path("models", name) for name in (PLAIN, ROBUST, SHIPPED)}
    steps = [
        (
            "training without corruption",
            runs[PLAIN] / "metrics.json",
            _go_on(runs[PLAIN], [*compact, "--corrupt", "0", "--name", PLAIN]),
        ),
        (
            "fine-tuning with corrupted faces",
            runs[ROBUST] / "metrics.json",
            _go_on(
                runs[ROBUST],
                [*compact, "--init", str(runs[PLAIN]), *robust, "--seed", "1", "--name", ROBUST],
            ),
        ),
        (
            "averaging both",
            runs[SHIPPED] / "metrics.json",
            [
                *("-m", "benchmarks.release.average_runs", str(runs[ROBUST]), str(runs[PLAIN])),
                *("--shares", *SHARES, "--name", SHIPPED),
            ],
        ),
    ]
    for labels, ways in WAYS.items():
        for views, prior in ways:
            steps.append(
                (
                    f"testing by {labels}, {views} view(s), {prior} prior",
                    runs[SHIPPED] / "test" / f"{labels}-test{name_way(views, prior)}/metrics.json",
                    [
                        *("test.py", "--model", str(runs[SHIPPED]), "--labels", labels),
                        *("--views", str(views), "--prior", prior),
                    ],
                )
            )
    package = runs[SHIPPED] / "package"
    command = ["-m", "benchmarks.release.ship", str(runs[SHIPPED]), "--place", str(package)]
    return [*steps, ("the package's files", package / "record.json", command)]


def distillation(data: str, teachers: int) -> list[tuple[str, Path, list[str]]]:
    """Return the steps of a distilled model: teachers at several seeds, then the student."""
    both = ["--data", data, "--labels", "ferplus", "--extra_labels", "fer2013"]
    fast = ["--batch_size", "512", "--learning_rate", "0.1"]
    runs = [Path("models", f"teacher-{seed}") for seed in range(teachers)]
    steps = [
        (
            f"teacher {seed}",
            run / "metrics.json",
            _go_on(
                run,
                [
                    *("train.py", "--preset", "large", *both, *fast, "--corrupt", "0.3"),
                    *("--epochs", "100", "--seed", str(seed), "--name", run.name),
                ],
            ),
        )
        for seed, run in enumerate(runs)
    ]
    student = Path("models", "student")
    command = [
        *("train.py", "--preset", "compact", *both, *fast, "--epochs", "300", "--ema", "0.999"),
        *("--teacher", *map(str, runs), "--teacher_weight", "0.8", "--name", student.name),
    ]
    return [*steps, ("student", student / "metrics.json", _go_on(student, command))]


def _go_on(run: Path, command: list[str]) -> list[str]:
    """Return the command that resumes a run that was cut off, else the one that starts it."""
    started = (run / "config.yaml").exists()
    return ["train.py", "--resume", str(run)] if started else command


def main(words: list[str] | None = None) -> int:
    """Do every step that is not done yet."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--data", default="fer2013", help="FER-2013 with FER+'s votes beside it")
    parser.add_argument("--teachers", type=int, default=0, help="distil from so many (GPU)")
    parser.add_argument("--minutes", type=float, help="stop a training after so many")
    parser.add_argument("--show", action="store_true", help="print the commands alone")
    options = parser.parse_args(words)
    steps = distillation(options.data, options.teachers) if options.teachers else plan(options.data)
    end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    for number, (what, done, command) in enumerate(steps, 1):
        state = "done" if done.exists() else shlex.join(["python", *command])
        print(f"== {number}/{len(steps)} {what}: {state}", flush=True)
        if options.show or done.exists():
            continue
        if end is not None and command[0] == "train.py":
            left = max(0, round(end - time.monotonic()))
            if left < 30:
                print("time is up; the same command goes on here")
                return 0
            # Lightning adds up the time of all starts, so a run that goes on needs a new limit
            command = [*command, "--trainer.max_time", str(timedelta(seconds=left))]
        code = subprocess.run([sys.executable, *command]).returncode
        if code:
            print(f"stopped in step {number}; the same command goes on there", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
