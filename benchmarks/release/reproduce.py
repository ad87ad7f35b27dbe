"""Make the shipped model from the dataset alone: every step, resumable, each one told.

    python -m benchmarks.release.reproduce --data fer2013 [--teachers 4] [--place DIR] [--minutes 9]
    python -m benchmarks.release.reproduce --trial 64    # all of it on synthetic faces, in minutes

1. With ``--teachers N``: N teachers of the preset `large`, each at a seed of its own.
2. ``plain``: the preset `compact` without corruption, from random weights: 100 epochs. With
   teachers ``student``, distilled from their mean scores: 300 epochs.
3. ``robust``: fine-tuned from it with corrupted faces: 20 epochs.
4. The shares of both in the average are chosen on validation.
5. ``shipped``: the weights of both, averaged; calibrated on validation.
6. Every test that the record quotes, three of them under corruption too.
7. The package's files: network, weights, record, robustness table and card.

A step that is done is passed over, one that was cut off goes on: run the same command again. The
first lines say how many hours the steps take on this machine, from a few timed steps of training.
Without a GPU leave the teachers out: one of them takes as long as a hundred of the others. With a
GPU, all of it takes about half an hour; ``--minutes`` bounds one call.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.common import ROOT, Parser, read_json, report_errors
from benchmarks.release.ship import WAYS
from emotion_detection.errors import InputError
from emotion_detection.evaluation.evaluate import name_way
from emotion_detection.io.files import write_atomic

PLAIN, STUDENT, ROBUST, SHIPPED = "plain", "student", "robust", "shipped"
TRAINING_FACES, TEST_FACES, VALIDATION_FACES = 28_709, 3_589, 3_589

CORRUPTED = (("ferplus", 1), ("ferplus", 4), ("fer2013", 1))
"""Label set and views of the tests that are also done under corruption."""

TESTS_A_STEP = 3.0
"""Faces that are tested in the time of training on one: there are no gradients."""

EPOCHS: Mapping[str, int] = MappingProxyType(
    {"teacher": 100, "plain": 100, "student": 300, "robust": 20}
)

LEAST_TRIAL = 56
"""Training faces of a trial: a quarter as many are tested, and every class must be among them."""


class Recipe(NamedTuple):
    """What is trained, on what, and where it goes.

    Args:
        data: FER-2013 with FER+'s votes.
        place: folder for the package's files.
        models: folder of the runs.
        logs: folder of their curves.
        teachers: how many; 0: none.
        epochs: of each training, by 'teacher', 'plain', 'student' and 'robust'.
        teacher: preset and options of a teacher.
        more: options of every training.
        faces: on which the candidates are compared under corruption.
        trial: whether the result is for nobody's use.
    """

    data: str
    place: Path
    models: Path
    logs: Path
    teachers: int = 0
    epochs: Mapping[str, int] = EPOCHS
    teacher: tuple[str, ...] = ("--preset", "large")
    more: tuple[str, ...] = ()
    faces: int = 400
    trial: bool = False


class Step(NamedTuple):
    """A step of the chain.

    Args:
        what: what it does, in words.
        done: the last file that it writes.
        command: returns what is run; called when the steps before are done.
        work: about how many faces a network of the preset `compact` is trained on in that time.
    """

    what: str
    done: Path
    command: Callable[[], list[str]]
    work: float = 0.0

    @property
    def is_training(self) -> bool:
        """Whether ``--minutes`` applies."""
        return self.what.startswith("training ")

    def is_done(self) -> bool:
        """Return True if nothing is left to do; a training that ran out of time goes on."""
        if not self.done.exists():
            return False
        if not self.is_training:
            return True
        metrics = read_json(self.done)
        return bool(metrics["training"]["ended_by"] != "max_time")


def plan(recipe: Recipe) -> list[Step]:
    """Return the steps, in order."""
    runs = {name: recipe.models / name for name in (PLAIN, STUDENT, ROBUST, SHIPPED)}
    shipped = runs[SHIPPED]
    steps, first = _first_trainings(recipe)
    robust = ["--learning_rate", "0.02", "--warmup", "0.05", "--ema", "0.999"]
    steps.append(
        _training(
            recipe,
            *(ROBUST, "with corrupted faces"),
            [*("--preset", "compact", "--init", str(first)), *robust, "--seed", "1"],
        )
    )
    choice = recipe.models / "choice.json"
    chosen = [*_script("release.robust_training"), str(runs[ROBUST]), "--before", str(first)]
    chosen += ["--data", recipe.data, "--faces", str(recipe.faces), "--out", str(choice)]
    evaluations = 4 * (80 * recipe.faces + 8 * VALIDATION_FACES)
    steps.append(
        Step(
            "choosing the shares of both on validation",
            choice,
            partial(list, chosen),
            evaluations / TESTS_A_STEP,
        )
    )

    def average() -> list[str]:
        shares = ["SHARE", "REST"]  # as --show prints it before they are chosen
        if choice.exists():
            share = read_json(choice)["best"]["share"]
            shares = [f"{share:g}", f"{1 - share:g}"]
        return [
            *(*_script("release.average_runs"), str(runs[ROBUST]), str(first), "--shares", *shares),
            *("--name", SHIPPED, "--models", str(recipe.models), "--logs", str(recipe.logs)),
        ]

    steps.append(Step("averaging both", shipped / "averaged.json", average))
    return [*steps, *_tests(recipe, shipped), *_package(recipe, shipped)]


def _first_trainings(recipe: Recipe) -> tuple[list[Step], Path]:
    """Return the trainings without corruption, and the run that is fine-tuned."""
    if not recipe.teachers:
        words = ["--preset", "compact", "--corrupt", "0"]
        return [_training(recipe, PLAIN, "without corruption", words)], recipe.models / PLAIN
    fast = ["--batch_size", "512", "--learning_rate", "0.1"]
    teachers = [f"teacher-{seed}" for seed in range(recipe.teachers)]
    steps = [
        _training(
            recipe,
            *(name, f"teacher {seed}"),
            [*recipe.teacher, *fast, "--corrupt", "0.3", "--seed", str(seed)],
        )
        for seed, name in enumerate(teachers)
    ]
    words = ["--preset", "compact", *fast, "--ema", "0.999", "--teacher"]
    words += [*(str(recipe.models / name) for name in teachers), "--teacher_weight", "0.8"]
    return [*steps, _training(recipe, STUDENT, "the student", words)], recipe.models / STUDENT


def _training(recipe: Recipe, name: str, what: str, words: list[str]) -> Step:
    run, kind = recipe.models / name, name.partition("-")[0]
    epochs = recipe.epochs[kind]
    start = [
        *("--data", recipe.data, "--labels", "ferplus", "--extra_labels", "fer2013"),
        *(*words, "--epochs", str(epochs), *recipe.more, "--name", name),
        *("--models", str(recipe.models), "--logs", str(recipe.logs)),
    ]

    def command() -> list[str]:
        resumed = ["--resume", str(run)] if (run / "config.yaml").exists() else start
        return [str(ROOT / "train.py"), *resumed]

    # a face costs a teacher 35 times as many multiply-adds; a student asks its teachers as well
    cost = {"teacher": 35.0, "student": 1 + 12.0 * recipe.teachers}.get(kind, 1.0)
    done = run / "metrics.json"
    return Step(f"training {what}", done, command, cost * epochs * TRAINING_FACES)


def _tests(recipe: Recipe, shipped: Path) -> list[Step]:
    steps = []
    for labels, ways in WAYS.items():
        for views, prior in ways:
            folder = shipped / "test" / f"{labels}-test{name_way(views, prior)}"
            corrupted = prior == "natural" and (labels, views) in CORRUPTED
            words = [str(ROOT / "test.py"), "--model", str(shipped), "--labels", labels]
            words += ["--views", str(views), "--prior", prior]
            words += ["--corruptions"] if corrupted else []
            what = f"testing by {labels}, {views} view(s), {prior} prior"
            steps.append(
                Step(
                    what + (", also under corruption" if corrupted else ""),
                    folder / ("corruptions.json" if corrupted else "metrics.json"),
                    partial(list, words),
                    views * TEST_FACES * (81 if corrupted else 1) / TESTS_A_STEP,
                )
            )
    return steps


def _package(recipe: Recipe, shipped: Path) -> list[Step]:
    agreement, robustness = shipped / "agreement.json", shipped / "robustness.json"
    tests = []
    for labels, views in CORRUPTED:
        folder = shipped / "test" / f"{labels}-test{name_way(views, 'natural')}"
        tests.append(f"{folder / 'corruptions.json'}={labels}, {views} view(s)")
    card = [*_script("release.model_card"), "--package", str(recipe.place)]
    card += ["--robustness", str(robustness), "--agreement", str(agreement)]
    ship = [*_script("release.ship"), str(shipped), "--place", str(recipe.place)]
    commands: list[tuple[str, Path, list[str]]] = [
        (
            "the tests under corruption, together",
            robustness,
            [*_script("evaluation.collect_robustness"), *tests, "--out", str(robustness)],
        ),
        (
            "how often both label sets agree",
            agreement,
            [*_script("data.label_agreement"), "--data", recipe.data, "--out", str(agreement)],
        ),
        (
            "network, weights and record",
            recipe.place / "record.json",
            ship + ["--trial"] * recipe.trial,
        ),
        ("card and robustness table", recipe.place / "card.md", card),
    ]
    return [Step(what, done, partial(list, words)) for what, done, words in commands]


def _script(name: str) -> list[str]:
    """Return how Python is asked to run another benchmark, as ``release.ship``."""
    return ["-m", f"benchmarks.{name}"]


def measure_rate(rounds: int = 3) -> float | None:
    """Return the faces that the preset `compact` is trained on per second; None with a GPU.

    By processor time, so that other work on the machine at this moment does not count.
    """
    import torch

    from benchmarks.training.corrupt_cost import time_steps
    from emotion_detection.config import TrainConfig, read_preset

    if torch.cuda.is_available():
        return None
    (taken,) = time_steps("compact", [0.0], rounds, "32-true", warm_up=1).values()
    seconds = statistics.median(taken) / torch.get_num_threads()
    return TrainConfig(**read_preset("compact")).batch_size / seconds


def describe_hours(steps: list[Step], rate: float | None) -> str:
    """Return in a line how long the steps that are left take.

    Args:
        steps: all steps.
        rate: result of :func:`measure_rate`.
    """
    left = [step for step in steps if not step.is_done()]
    told = f"{len(left)} of {len(steps)} steps are left"
    if rate is None:
        return f"{told}; with a GPU about half an hour"
    hours = sum(step.work for step in left) / rate / 3600
    return (
        f"{told}: about {hours:.1f} hours on this machine if nothing else runs "
        f"({rate:.0f} faces/s of training)"
    )


def make_trial(faces: int, place: Path | None, teachers: int) -> Recipe:
    """Write synthetic faces in the format of FER-2013 and FER+; return a recipe of seconds.

    Raises:
        InputError: too few faces.
    """
    if faces < LEAST_TRIAL:
        raise InputError(f"--trial {faces}: must be at least {LEAST_TRIAL} training faces")
    models = Path("models", "trial")
    write_trial_faces(models / "data", faces)
    quick = ("--batch_size", "32", "--trainer.precision", "32-true")
    return Recipe(
        data=str(models / "data"),
        place=place or models / SHIPPED / "package",
        models=models,
        logs=Path("logs", "trial"),
        teachers=teachers,
        epochs=dict.fromkeys(("teacher", "plain", "student", "robust"), 1),
        teacher=("--preset", "baseline"),
        more=(*quick, "--trainer.enable_progress_bar", "false"),
        faces=8,
        trial=True,
    )


def write_trial_faces(folder: Path, faces: int) -> None:
    """Write ``fer2013.csv`` and ``fer2013new.csv`` of synthetic faces, unless both are there."""
    from emotion_detection.data.synthetic import make_synthetic_faces
    from emotion_detection.labels import FER2013, FERPLUS

    table, votes = folder / "fer2013.csv", folder / "fer2013new.csv"
    if table.exists() and votes.exists():
        return
    counts = {"Training": faces, "PublicTest": faces // 4, "PrivateTest": faces // 4}
    usages = [usage for usage, count in counts.items() for _ in range(count)]
    made = make_synthetic_faces(len(usages))
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
    assert set(names) == set(FERPLUS)
    lines, told = ["emotion,pixels,Usage"], [",".join(["Usage,Image name", *names, "unknown,NF"])]
    for row, usage in enumerate(usages):
        label = int(made.labels[row])
        lines.append(f"{label},{' '.join(map(str, made.faces[row].ravel()))},{usage}")
        # every ninth face shows contempt to the raters, which FER-2013's labels do not have
        majority = "contempt" if row % 9 == 8 else FER2013[label]
        own = ",".join("9" if name == majority else "0" for name in names)
        told.append(f"{usage},fer{row:07d}.png,{own},1,0")
    write_atomic(votes, "\n".join(told) + "\n")
    write_atomic(table, "\n".join(lines) + "\n")


def run_steps(steps: list[Step], minutes: float | None, run: Callable[[list[str]], int]) -> int:
    """Do every step that is not done yet; return the exit code.

    Args:
        steps: in order.
        minutes: after which no training goes on; None: no limit.
        run: runs Python with words, and returns the exit code.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    for number, step in enumerate(steps, 1):
        if step.is_done():
            print(f"== {number}/{len(steps)} {step.what}: done", flush=True)
            continue
        command = step.command()
        print(f"== {number}/{len(steps)} {step.what}: {_show(command)}", flush=True)
        if end is not None and step.is_training:
            left = max(0, round(end - time.monotonic()))
            if left < 30:
                print("time is up; the same command goes on here")
                return 0
            command = [*command, "--trainer.max_time", str(timedelta(seconds=left))]
        if code := run(command):
            print(f"stopped in step {number}; the same command goes on there", file=sys.stderr)
            return code
        if step.is_training and not step.is_done():
            print("time is up; the same command goes on here")
            return 0
    return 0


def _show(command: list[str]) -> str:
    """Return a command as one types it in the project's folder."""
    return shlex.join(["python", *(word.removeprefix(f"{ROOT}/") for word in command)])


def _run(command: list[str]) -> int:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *command], env=env).returncode


def _recipe(options: argparse.Namespace) -> Recipe:
    if options.teachers < 0:
        raise InputError(f"--teachers {options.teachers}: must be 0 or more")
    if options.trial is not None:
        return make_trial(options.trial, options.place, options.teachers)
    models = Path("models")
    place = options.place or models / SHIPPED / "package"
    return Recipe(options.data, place, models, Path("logs"), options.teachers)


@report_errors
def main(words: list[str] | None = None, run: Callable[[list[str]], int] = _run) -> int:
    """Say what is left to do, and do it."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--data", default="fer2013", help="FER-2013 with FER+'s votes beside it")
    parser.add_argument("--teachers", type=int, default=0, help="distil from so many (GPU)")
    parser.add_argument("--minutes", type=float, help="stop a training after so many")
    parser.add_argument("--place", type=Path, help="folder for the files of the package")
    parser.add_argument(
        "--trial",
        type=int,
        metavar="FACES",
        help="go through everything with so many synthetic faces, one epoch each, in models/trial/",
    )
    parser.add_argument("--show", action="store_true", help="say what is left to do, and end")
    options = parser.parse_args(words)
    recipe = _recipe(options)
    steps = plan(recipe)
    if recipe.trial:
        print(f"a trial on synthetic faces: minutes, and nothing in {recipe.place} is of use")
    else:
        print(describe_hours(steps, measure_rate()), flush=True)
    if options.show:
        for number, step in enumerate(steps, 1):
            state = "done" if step.is_done() else _show(step.command())
            print(f"== {number}/{len(steps)} {step.what}: {state}")
        return 0
    code = run_steps(steps, options.minutes, run)
    if not code and all(step.is_done() for step in steps):
        print(f"the package's files are in {recipe.place}")
    return code


if __name__ == "__main__":
    sys.exit(main())
