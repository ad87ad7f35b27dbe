"""``make reproduce``: the whole chain on a few synthetic faces, killed once in each step."""

import hashlib
import itertools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emotion_detection import cli, pretrained
from emotion_detection.evaluation import corruptions, robustness
from emotion_detection.evaluation.corruptions import STRENGTHS

Load = Callable[[str], ModuleType]

KILL_AT = {
    "train teacher-0": "last.ckpt",
    "train student": "best.ckpt",
    "train robust": "metrics.json",
    "average_runs shipped": "model.onnx",
}
"""File that a step dies at, just before it is in its place; others die at their first."""


@pytest.fixture(scope="module")
def script(load_benchmark: Load) -> ModuleType:
    return load_benchmark("release.reproduce")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two corruptions instead of sixteen."""
    kept = {name: corruptions.CORRUPTIONS[name] for name in ("darkness", "shift")}
    for module in (corruptions, robustness):
        monkeypatch.setattr(module, "CORRUPTIONS", kept)


class Killed(BaseException):
    """Ends a step as a kill does: nothing that handles errors handles it."""


class Runner:
    """Run the commands of steps in this process.

    Args:
        load: imports a benchmark.
        kill: kill each step at its first run.
    """

    def __init__(self, load: Load, kill: bool = False) -> None:
        self._load, self._kill = load, kill
        self.begun: set[str] = set()
        self.killed: list[str] = []

    def __call__(self, command: list[str]) -> int:
        script, *words = command
        if script == "-m":
            module, *words = words
            script = module.rpartition(".")[2]
        # a training is known by its name, as it is by the folder that it is resumed in
        named = next((w for o, w in itertools.pairwise(words) if o == "--name"), None)
        step = f"{Path(script).stem} {named or ' '.join(words)}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [script, *words])
            if self._kill and step not in self.begun and "--resume" not in words:
                self.begun.add(step)
                patch.setattr(os, "replace", self._dying_replace(step))
            if command[0] != "-m":
                return cli.main([Path(script).stem, *words])
            code: int = self._load(module.partition(".")[2]).main(words)
            return code

    def _dying_replace(self, step: str) -> Callable[..., None]:
        replace, last = os.replace, KILL_AT.get(step)

        def replace_or_die(source: Any, target: Any) -> None:
            if step not in self.killed and last in (None, Path(target).name):
                self.killed.append(step)
                raise Killed(step)
            replace(source, target)

        return replace_or_die


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        yield path.name, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.release
@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_the_whole_chain_goes_through_and_goes_on_after_kills(
    script: ModuleType,
    load_benchmark: Load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--trial", "56", "--teachers", "1", "--place", "made"]
    runner = Runner(load_benchmark, kill=True)
    starts = 0
    while True:
        starts += 1
        assert starts < 40, runner.killed
        try:
            assert script.main(words, run=runner) == 0
            break
        except Killed:
            assert not Path("made/card.md").exists()
    # three trainings, the choice, the average, seven tests, and four files of the package
    assert len(runner.killed) == starts - 1 == 16
    assert sorted({step.split()[0] for step in runner.killed}) == [
        *("average_runs", "collect_robustness", "label_agreement", "model_card"),
        *("robust_training", "ship", "test", "train"),
    ]
    assert "the package's files are in made" in capsys.readouterr().out

    names = [pretrained.CARD, pretrained.MODEL, pretrained.RECORD, pretrained.ROBUSTNESS]
    assert sorted(path.name for path in Path("made").iterdir()) == [*names, pretrained.WEIGHTS]
    record = json.loads(Path("made", pretrained.RECORD).read_text(encoding="utf-8"))
    ways = {(row["labels"], row["views"], row["prior"]) for row in record["figures"]}
    assert len(ways) == len(record["figures"]) == 7
    assert ("ferplus", 4, "balanced") in ways
    assert {row["n"] for row in record["figures"]} == {14}
    assert [one["run"] for one in record["training"]["averaged"]] == [
        *("models/trial/robust", "models/trial/student")
    ]
    best = json.loads(Path("models/trial/choice.json").read_text(encoding="utf-8"))["best"]
    assert record["training"]["averaged"][0]["share"] == best["share"]
    told = json.loads(Path("made", pretrained.ROBUSTNESS).read_text(encoding="utf-8"))
    assert told["model_sha256"] == record["files"][pretrained.MODEL]["sha256"]
    assert sorted(told["tests"]) == ["fer2013", "ferplus"]
    before = told["tests"]["ferplus"]["calibration"]["before_temperature"]
    assert len(before["corruptions"]["shift"]["ece"]) == len(STRENGTHS)
    assert "## Robustness" in Path("made", pretrained.CARD).read_text(encoding="utf-8")

    made = dict(_digests(Path("made")))
    again = Runner(load_benchmark, kill=True)
    assert script.main(words, run=again) == 0  # nothing is left to do
    assert again.begun == set()
    assert dict(_digests(Path("made"))) == made


def _step(script: ModuleType, tmp_path: Path, what: str, ended_by: str | None) -> Any:
    done = tmp_path / f"{what}.json"
    if ended_by is not None:
        done.write_text(json.dumps({"training": {"ended_by": ended_by}}))
    return script.Step(what, done, lambda: ["train.py"], 36_000.0)


def test_the_hours_are_those_of_the_steps_that_are_left(script: ModuleType, tmp_path: Path) -> None:
    steps = [
        _step(script, tmp_path, "training a", "epochs"),
        _step(script, tmp_path, "training b", "max_time"),  # goes on
        _step(script, tmp_path, "testing", None),
    ]
    told = script.describe_hours(steps, rate=10.0)
    assert told.startswith("2 of 3 steps are left: about 2.0 hours on this machine if nothing")
    assert told.endswith("(10 faces/s of training)")
    assert "GPU" in script.describe_hours(steps, rate=None)


def test_a_training_that_ran_out_of_time_ends_the_call(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [_step(script, tmp_path, "training a", None), _step(script, tmp_path, "testing", None)]
    commands: list[list[str]] = []

    def run(command: list[str]) -> int:
        commands.append(command)
        _step(script, tmp_path, "training a", "max_time")
        return 0

    assert script.run_steps(steps, 9.0, run) == 0
    assert commands == [["train.py", "--trainer.max_time", "0:09:00"]]
    assert "the same command goes on here" in capsys.readouterr().out


def test_the_commands_are_shown(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "measure_rate", lambda: 500.0)
    assert script.main(["--data", "fer", "--show", "--teachers", "2"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"about \d+\.\d hours on this machine if nothing else runs \(500 faces/s", out)
    assert "python train.py --data fer --labels ferplus --extra_labels fer2013" in out
    assert "--teacher models/teacher-0 models/teacher-1" in out
    assert "--shares SHARE REST" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--trial", "55"], "--trial 55: must be at least 56"),
        (["--teachers", "-1"], "--teachers -1"),
    ],
)
def test_bad_input_is_one_line(
    script: ModuleType, words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main(words) == 2
    out, err = capsys.readouterr()
    assert part in err
    assert (out, err.count("\n")) == ("", 1)
