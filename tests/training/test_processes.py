"""Several processes step on the batches of one, and count every validation face once."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emotion_detection.training.batches import Order
from emotion_detection.training.checkpoint import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
DDP = ("--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port")

counts = st.integers(1, 200)
sizes = st.integers(1, 40)
processes = st.integers(1, 8)


def parts(count: int, size: int, seed: int | None, several: int) -> list[list[Any]]:
    """Return, for each batch, the rows and weight of each process."""
    each = [list(Order(count, size, seed, process, several)) for process in range(several)]
    assert len({len(order) for order in each}) == 1
    return list(map(list, zip(*each, strict=True)))


@given(counts, sizes, processes, st.integers(0, 5))
def test_processes_share_out_the_batches_of_one(
    count: int, size: int, several: int, seed: int
) -> None:
    alone = [set(rows.tolist()) for rows, _ in Order(count, size, seed)]
    shared = parts(count, size, seed, several)
    for batch, whole in zip(shared, alone, strict=False):
        rows = np.concatenate([part for part, _ in batch]).tolist()
        assert len(rows) == len(set(rows))
        assert set(rows) == whole
    # only a last batch that would leave a process without a row is left out
    assert [len(whole) < several for whole in alone[len(shared) :]] in ([], [True])
    assert len(Order(count, size, seed, 0, several)) == len(shared)


@given(counts, sizes, processes)
def test_validation_takes_each_row_once(count: int, size: int, several: int) -> None:
    batches = parts(count, size, None, several)
    rows = np.concatenate([part for batch in batches for part, _ in batch])
    assert sorted(rows.tolist()) == list(range(count))


@given(st.integers(1, 200), st.integers(8, 40), processes)
def test_averaging_over_processes_gives_the_mean_of_the_batch(
    count: int, size: int, several: int
) -> None:
    losses = np.random.default_rng(0).random(count)
    for batch in parts(count, size, 0, several):
        rows = np.concatenate([part for part, _ in batch])
        averaged = np.mean([losses[part].sum() * weight for part, weight in batch])
        assert averaged == pytest.approx(losses[rows].mean())


def test_an_uneven_tail_is_shared_unevenly() -> None:
    (*_, last) = parts(21, 8, None, 2)
    assert [part.tolist() for part, _ in last] == [[16, 18, 20], [17, 19]]


def test_a_last_row_is_left_out_of_training_by_two_but_not_of_validation() -> None:
    assert len(parts(17, 8, 0, 2)) == 2
    assert len(parts(17, 8, None, 2)) == 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Any, write_manifest: Any) -> Path:
    # 67 of 16 leaves a batch of 3, and 257 of 256 one face for two processes
    splits = ["train"] * 67 + ["validation"] * 257 + ["test"] * 6
    names = [("a", "b", "c")[row % 3] for row in range(len(splits))]
    place = tmp_path_factory.mktemp("processes") / "data"
    return write_manifest(place, tiny_faces(len(splits), size=16), names, splits)


def run(place: Path, data: Path, name: str, *words: str, start: tuple[str, ...] = ()) -> Path:
    options = {
        "data": data,
        "size": 16,
        "batch_size": 16,
        "epochs": 4,
        "dropout": 0,
        "name": name,
        "cache": place / "cache",
        "trainer.max_steps": 20,
    }
    said = [f"--{key}={value}" for key, value in options.items()]
    done = subprocess.run(
        [sys.executable, *start, str(ROOT / "train.py"), *said, *words],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().splitlines()[-1] == f"run: models/{name}"
    assert done.stdout.count("run: ") == 1
    assert "Traceback" not in done.stderr
    return place / "models" / name


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def alone(data: Path) -> Path:
    return run(data.parent.parent, data, "alone")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ddp", pytest.param("torchrun", marks=pytest.mark.release)])
def test_two_processes_end_as_one_does(data: Path, alone: Path, how: str) -> None:
    start = (*TORCHRUN, free_port()) if how == "torchrun" else ()
    both = run(data.parent.parent, data, how, *DDP, start=start)
    ours, theirs = (read_checkpoint(place / "last.ckpt") for place in (both, alone))
    assert ours["global_step"] == theirs["global_step"] == 20
    for name, weight in ours["state_dict"].items():
        torch.testing.assert_close(weight, theirs["state_dict"][name], rtol=0, atol=1e-5)
    for one, two in zip(curves(both), curves(alone), strict=True):
        assert one["step"] == two["step"]
        assert float(one["val_accuracy"]) == pytest.approx(float(two["val_accuracy"]), abs=1e-6)
        for name in ("train_loss", "train_accuracy", "val_loss"):
            assert float(one[name]) == pytest.approx(float(two[name]), abs=1e-5)


def curves(run: Path) -> list[dict[str, str]]:
    with (run.parent.parent / "logs" / run.name / "metrics.csv").open() as file:
        return list(csv.DictReader(file))
