"""A run that was killed and resumed ends as the one that never was, to the bit."""

import csv
import itertools
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import Run, read_resumed_config, train
from emotion_detection.training.checkpoint import read_checkpoint
from emotion_detection.training.run_folder import check_checkpoints, is_finished, run_folder

# runs in a process of its own, and sends itself a signal at the same place every time
DYING = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from emotion_detection.config import TrainConfig
from emotion_detection.training import checkpoint, task
from emotion_detection.training import training_run as run

# a background job of a shell inherits it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.stderr = open(said, "w")
run.finish_training = lambda *_, **__: {}
batches, lasts = 0, 0

def strike():
    os.kill(os.getpid(), number)

def training_step(self, batch, batch_idx, original=task.EmotionTask.training_step):
    global batches
    batches += 1
    if where == f"batch {batches}":
        strike()
    return original(self, batch, batch_idx)

original_save = checkpoint.DurableCheckpointIO.save_checkpoint

def save_checkpoint(self, state, path, storage_options=None):
    global lasts
    name = os.path.basename(path)
    lasts += name == "last.ckpt"
    if where == f"before {name} {lasts}":
        strike()
    return original_save(self, state, path)

def fsync(handle, original=os.fsync):
    if where == f"writing last.ckpt {lasts}":
        strike()
    return original(handle)

task.EmotionTask.training_step = training_step
checkpoint.DurableCheckpointIO.save_checkpoint = save_checkpoint
os.fsync = fsync
try:
    run.train(TrainConfig(**values), resume=resume)
except KeyboardInterrupt:
    sys.exit(130)
if where == "the end":
    strike()
"""
EXIT_CODES = {SIGKILL: -SIGKILL, SIGTERM: 143, SIGINT: 130}
Make = Callable[..., TrainConfig]
Dies = Callable[..., Path]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder.parent.parent / "logs" / folder.name / "metrics.csv").open() as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def assert_same_to_the_bit(folder: Path, other: Path) -> None:
    for name in ("best.ckpt", "last.ckpt"):
        one, two = (read_checkpoint(place / name) for place in (folder, other))
        assert one["global_step"] == two["global_step"]
        assert one["state_dict"].keys() == two["state_dict"].keys()
        for key, value in one["state_dict"].items():
            assert torch.equal(value, two["state_dict"][key]), (name, key)
        moments, others = (state["optimizer_states"][0]["state"] for state in (one, two))
        for number, moment in moments.items():
            assert all(torch.equal(moment[key], others[number][key]) for key in moment)


@pytest.fixture(scope="module", autouse=True)
def quick_and_the_same_everywhere(skip_artifacts: Any) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are equal to the bit only over as many threads
    with pytest.MonkeyPatch.context() as patch:
        skip_artifacts(patch)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def write_data(tiny_faces: Any, write_manifest: Any) -> Callable[..., Path]:
    def write(dest: Path, first: str = "a") -> Path:
        names = [first] + [("a", "b", "c")[row % 3] for row in range(1, 90)]
        splits = ["train"] * 60 + ["validation"] * 24 + ["test"] * 6
        return write_manifest(dest, tiny_faces(90, size=16), names, splits)

    return write


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, write_data: Any) -> Make:
    place = tmp_path_factory.mktemp("resume")
    usual = {
        "data": str(write_data(place / "data")),
        "size": 16,
        "epochs": 3,
        "batch_size": 16,
        **{name: str(place / name) for name in ("models", "logs", "cache")},
        "dropout": 0.5,
        "flip": 0.5,
        "rotate": 15.0,
        "shift": 0.1,
        "erase": 0.5,
    }
    return lambda **options: TrainConfig(**{**usual, **options})


@pytest.fixture(scope="module")
def unbroken(make: Make) -> Run:
    return train(make(name="unbroken"))


@pytest.fixture
def dies(tmp_path: Path) -> Dies:
    context = multiprocessing.get_context("forkserver")
    # imported once, before the first is forked off: a start of Python costs seconds
    context.set_forkserver_preload(["emotion_detection.training", "kornia.augmentation"])

    def run(config: TrainConfig, where: str, signal: int = SIGKILL, resume: Any = None) -> Path:
        said = tmp_path / "said"
        names = {"where": where, "number": signal, "resume": resume, "said": str(said)}
        child = context.Process(target=exec, args=(DYING, {**names, "values": asdict(config)}))
        child.start()
        child.join(120)
        assert child.exitcode == EXIT_CODES[signal], said.read_text()
        return Path(resume or Path(config.models) / str(config.name))

    return run


@pytest.mark.parametrize(
    "where",
    [
        *("batch 7", "before last.ckpt 2", "writing last.ckpt 2", "batch 2"),
        *("before last.ckpt 1", "before best.ckpt 1"),
    ],
)
def test_killed_and_resumed_is_equal_to_the_bit(
    make: Make, unbroken: Run, dies: Dies, where: str
) -> None:
    folder = dies(make(name=where.replace(" ", "-")), where)
    assert len(rows(folder)) < 3
    run = train(read_resumed_config(folder), resume=folder)
    assert run.folder == folder
    assert_same_to_the_bit(folder, unbroken.folder)
    assert rows(folder) == rows(unbroken.folder)
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_killed_twice_and_resumed_is_equal_to_the_bit(
    make: Make, unbroken: Run, dies: Dies
) -> None:
    folder = dies(make(name="twice"), "batch 6")
    dies(read_resumed_config(folder), "batch 6", resume=str(folder))
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, unbroken.folder)
    assert rows(folder) == rows(unbroken.folder)


@pytest.mark.parametrize("batch", [6, 8, 12])
def test_sigterm_saves_where_it_is_and_the_rest_is_equal(
    make: Make, unbroken: Run, dies: Dies, tmp_path: Path, batch: int
) -> None:
    folder = dies(make(name=f"sigterm-{batch}"), f"batch {batch}", SIGTERM)
    saved = read_checkpoint(folder / "last.ckpt")
    assert saved["global_step"] == batch
    assert f"--resume {folder}" in (tmp_path / "said").read_text()
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, unbroken.folder)
    for ours, theirs in zip(rows(folder), rows(unbroken.folder), strict=True):
        numbers = [[float(value or 0) for value in row.values()] for row in (ours, theirs)]
        np.testing.assert_allclose(*numbers, rtol=1e-6)


def test_ctrl_c_says_how_to_go_on_and_keeps_the_epochs_before(
    make: Make, unbroken: Run, dies: Dies, tmp_path: Path
) -> None:
    folder = dies(make(name="ctrl-c"), "batch 6", SIGINT)
    assert f"--resume {folder}" in (tmp_path / "said").read_text()
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, unbroken.folder)


def test_sigterm_between_accumulated_batches_loses_no_gradient(make: Make, dies: Dies) -> None:
    options = {"epochs": 2, "trainer": {"accumulate_grad_batches": 2}}
    whole = train(make(name="accumulated", **options))
    folder = dies(make(name="accumulated-sigterm", **options), "batch 5", SIGTERM)
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 3
    train(read_resumed_config(folder), resume=folder)
    assert_same_to_the_bit(folder, whole.folder)


def test_a_run_that_had_stopped_early_is_not_trained_on(make: Make, dies: Dies) -> None:
    options = {"epochs": 9, "patience": 1, "learning_rate": 1e-9}
    folder = dies(make(name="early", **options), "the end")
    assert len(rows(folder)) == 2
    assert train(read_resumed_config(folder), resume=folder).metrics["training"]["epochs"] == 2


def test_patience_can_be_raised(make: Make, dies: Dies) -> None:
    options = {"epochs": 9, "patience": 1, "learning_rate": 1e-9}
    folder = dies(make(name="patient", **options), "the end")
    run = train(read_resumed_config(folder, {"patience": 3}), resume=folder)
    assert run.metrics["training"]["epochs"] == 4


def test_a_finished_run_has_nothing_to_do_and_reports_it(unbroken: Run, capsys: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in unbroken.folder.iterdir()}
    assert train(read_resumed_config(unbroken.folder), resume=unbroken.folder) == unbroken
    assert "is finished; nothing to do" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in unbroken.folder.iterdir()}


def test_more_epochs_go_on_as_if_asked_from_the_start(make: Make, unbroken: Run) -> None:
    short = train(make(name="short", epochs=2))
    train(read_resumed_config(short.folder, {"epochs": 3}), resume=short.folder)
    assert_same_to_the_bit(short.folder, unbroken.folder)
    assert read_resumed_config(short.folder).epochs == 3


@pytest.mark.parametrize("changed", [{"seed": 1}, {"learning_rate": 0.1, "epochs": 5}])
def test_other_fields_cannot_be_changed(unbroken: Run, changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(changed))} cannot be changed"):
        read_resumed_config(unbroken.folder, changed)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--resume .*: no config\.yaml there"):
        read_resumed_config(tmp_path)


def test_a_broken_config_is_reported_in_one_line(tmp_path: Path) -> None:
    for text in ("epochs: [", "no_such_field: 1", "just words"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(InputError, match=r"config\.yaml"):
            read_resumed_config(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock for time limits that goes on by a second whenever it is read: once a step."""
    ticks = itertools.count()
    fake = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("emotion_detection.training.callbacks.time", fake)


# an epoch has four batches, and reads the clock once more as it starts
@pytest.mark.parametrize(("seconds", "step"), [(2, 2), (4, 4), (7, 6)])
def test_a_time_limit_saves_where_it_is_and_the_rest_is_equal(
    make: Make, unbroken: Run, clock: None, seconds: int, step: int, capsys: Any
) -> None:
    limit = {"max_time": f"00:00:00:{seconds:02}"}
    run = train(make(name=f"limited-{seconds}", trainer=limit))
    assert f"stopped by --trainer.max_time after step {step}; go on" in capsys.readouterr().err
    assert run.metrics["training"]["ended_by"] == "max_time"
    assert run.metrics["n"] == 24
    assert len(rows(run.folder)) < 3
    train(read_resumed_config(run.folder, {"trainer": {}}), resume=run.folder)
    assert "nothing to do" not in capsys.readouterr().err
    assert_same_to_the_bit(run.folder, unbroken.folder)
    assert len(rows(run.folder)) == 3
    assert "nothing to do" in _resumed_again(run.folder, capsys)


def _resumed_again(folder: Path, capsys: Any) -> str:
    train(read_resumed_config(folder), resume=folder)
    return str(capsys.readouterr().err)


def test_a_time_limit_is_of_each_start(make: Make, unbroken: Run, clock: None) -> None:
    folder = train(make(name="each", trainer={"max_time": "00:00:00:07"})).folder
    assert read_checkpoint(folder / "last.ckpt")["global_step"] < 12
    assert (
        train(read_resumed_config(folder), resume=folder).metrics["training"]["ended_by"]
        == "epochs"
    )
    assert_same_to_the_bit(folder, unbroken.folder)


def test_a_run_of_an_earlier_version_that_a_limit_had_stopped_goes_on(
    unbroken: Run, tmp_path: Path
) -> None:
    folder = _copied(unbroken, tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["training"]["ended_by"]
    config = read_resumed_config(folder)
    for epochs, finished in ((3, True), (2, False)):
        metrics["training"]["epochs"] = epochs
        (folder / "metrics.json").write_text(json.dumps(metrics))
        assert (is_finished(folder, config) is not None) is finished
    (folder / "metrics.json").write_text("{")
    # files are written whole: a broken one is damage, which the user should know of
    with pytest.raises(InputError, match=r"metrics\.json: cannot be read as JSON"):
        is_finished(folder, config)


def _copied(run: Run, place: Path) -> Path:
    return Path(shutil.copytree(run.folder, place / "models" / run.folder.name))


def test_without_its_last_checkpoint_a_run_is_refused_and_keeps_the_rest(
    unbroken: Run, tmp_path: Path
) -> None:
    folder = _copied(unbroken, tmp_path)
    (folder / "last.ckpt").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=r"last\.ckpt is missing beside best\.ckpt.*--init "):
        train(read_resumed_config(folder, {"epochs": 4}), resume=folder)
    (folder / "best.ckpt").unlink()
    with pytest.raises(InputError, match=r"last\.ckpt is missing beside metrics\.json"):
        train(read_resumed_config(folder, {"epochs": 4}), resume=folder)
    del before["best.ckpt"]
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_best_checkpoint_that_is_missing_is_refused_unless_the_last_is_it(
    unbroken: Run, tmp_path: Path
) -> None:
    folder = _copied(unbroken, tmp_path)
    whole = (folder / "best.ckpt").read_bytes()
    (folder / "best.ckpt").unlink()
    last = read_checkpoint(folder / "last.ckpt")
    state = last["callbacks"]["KeepBest"]
    state["best_epoch"] = last["epoch"]
    torch.save(last, folder / "last.ckpt")
    check_checkpoints(folder)
    assert (folder / "best.ckpt").read_bytes() == (folder / "last.ckpt").read_bytes()
    (folder / "best.ckpt").unlink()
    state["best_epoch"] = 0
    torch.save(last, folder / "last.ckpt")
    with pytest.raises(InputError, match=r"best\.ckpt is missing, the weights of epoch 1"):
        check_checkpoints(folder)
    (folder / "best.ckpt").write_bytes(whole)
    check_checkpoints(folder)


def test_a_run_is_meant_by_its_last_checkpoint_but_by_no_other_file(unbroken: Run) -> None:
    assert run_folder(unbroken.folder / "last.ckpt") == unbroken.folder
    with pytest.raises(InputError, match=r"resumed from its last\.ckpt: --resume .*--init .*best"):
        run_folder(unbroken.folder / "best.ckpt")


def test_changed_data_are_noticed_without_the_record_too(
    make: Make, tmp_path: Path, write_data: Any
) -> None:
    data = write_data(tmp_path / "data")
    run = train(make(name="unrecorded", data=str(data), epochs=1))
    (run.folder / "provenance.json").unlink()
    write_data(tmp_path / "data", first="b")
    with pytest.raises(InputError, match="is not the data that this run began with"):
        train(read_resumed_config(run.folder, {"epochs": 2}), resume=run.folder)


def test_changed_data_are_refused(make: Make, tmp_path: Path, write_data: Any) -> None:
    data = write_data(tmp_path / "data")
    run = train(make(name="changed", data=str(data), epochs=1))
    write_data(tmp_path / "data", first="b")
    with pytest.raises(InputError, match="is not the data that this run began with"):
        train(read_resumed_config(run.folder, {"epochs": 2}), resume=run.folder)


def test_a_corrupted_checkpoint_is_named(make: Make) -> None:
    run = train(make(name="spoiled", epochs=1))
    (run.folder / "last.ckpt").write_bytes((run.folder / "last.ckpt").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be read as a checkpoint"):
        train(read_resumed_config(run.folder, {"epochs": 2}), resume=run.folder)
