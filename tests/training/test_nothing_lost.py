"""What goes wrong stops a run with its reason, and leaves whole checkpoints behind."""

import errno
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError, TrainingError
from emotion_detection.training import train
from emotion_detection.training.checkpoint import (
    DurableCheckpointIO,
    load_trained,
    network_weights,
    read_checkpoint,
)
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.task import EmotionTask

SPEC = ModelSpec("baseline", ("a", "b", "c"), channels=1, size=16, dropout=0.5)

# a limit on the size of files stands in for a full disk, and holds for its own process alone
NO_ROOM = """
import resource
from emotion_detection.errors import TrainingError
from emotion_detection.training.checkpoint import DurableCheckpointIO
import torch
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    DurableCheckpointIO().save_checkpoint({"weights": torch.ones(100_000)}, target)
except TrainingError as error:
    with open(said, "w") as file:
        file.write(str(error))
"""


class Payload:
    """Unpickled without care, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Any, write_manifest: Any) -> Path:
    names = [("a", "b", "c")[row % 3] for row in range(90)]
    splits = ["train"] * 60 + ["validation"] * 24 + ["test"] * 6
    return write_manifest(
        tmp_path_factory.mktemp("lost") / "data", tiny_faces(90, size=16), names, splits
    )


@pytest.fixture
def make(tmp_path: Path, data: Path) -> Callable[..., TrainConfig]:
    usual = {
        "data": str(data),
        "size": 16,
        "epochs": 3,
        "batch_size": 16,
        "name": "run",
        **{name: str(tmp_path / name) for name in ("models", "logs", "cache")},
    }
    return lambda **options: TrainConfig(**{**usual, **options})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "last.ckpt"
    DurableCheckpointIO().save_checkpoint({"weights": torch.ones(3)}, path)
    return path


@pytest.mark.parametrize("spoiled", ["loss", "gradient"])
def test_not_finite_stops_before_the_weights_are_corrupted(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    tasks, step = [], EmotionTask.training_step

    def poisoned(self: EmotionTask, batch: Any, batch_idx: int) -> torch.Tensor:
        tasks[:] = [self]
        loss = step(self, batch, batch_idx)
        if self.global_step == 6:
            if spoiled == "loss":
                return loss * float("nan")
            loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setattr(EmotionTask, "training_step", poisoned)
    with pytest.raises(TrainingError, match=r"step 7 \(epoch 2\).*not a finite number"):
        train(make())
    assert all(torch.isfinite(weight).all() for weight in tasks[0].network.parameters())
    for name in ("best.ckpt", "last.ckpt"):
        checkpoint = read_checkpoint(tmp_path / "models" / "run" / name)
        assert checkpoint["global_step"] == 4
        assert all(torch.isfinite(weight).all() for weight in network_weights(checkpoint).values())


def test_a_disk_that_is_full_keeps_the_older_checkpoint(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match=r"last\.ckpt: .*No space left on device.*is intact"):
        DurableCheckpointIO().save_checkpoint({"weights": torch.zeros(3)}, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.slow
def test_a_write_that_breaks_off_keeps_the_older_checkpoint(saved: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["emotion_detection.training", "kornia.augmentation"])
    names = {"target": str(saved), "said": str(tmp_path / "said")}
    child = context.Process(target=exec, args=(NO_ROOM, names))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    said = (tmp_path / "said").read_text()
    assert "last.ckpt: the checkpoint could not be saved" in said
    assert "File too large" in said
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["last.ckpt"]


def test_what_reads_back_otherwise_does_not_replace_the_older(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()
    monkeypatch.setattr("zipfile.ZipFile.testzip", lambda self: "data/0")
    with pytest.raises(TrainingError, match="data/0 reads back otherwise"):
        DurableCheckpointIO().save_checkpoint({"weights": torch.zeros(3)}, saved)
    assert saved.read_bytes() == before


def test_a_training_whose_folder_cannot_be_written_reports_it(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def denied(source: Any, target: Any) -> None:
        if Path(target).name == "last.ckpt" and Path(target).exists():
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(TrainingError, match=r"last\.ckpt: .*Permission denied.*is intact"):
        train(make())
    assert read_checkpoint(tmp_path / "models" / "run" / "last.ckpt")["global_step"] == 4


def test_a_full_disk_under_the_curves_reports_it(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "metrics.csv":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TrainingError, match=r"metrics\.csv: No space left on device"):
        train(make())


@pytest.mark.parametrize("read", [read_checkpoint, load_trained])
@pytest.mark.parametrize("url", ["http://example.org/last.ckpt", "s3://bucket/last.ckpt"])
def test_a_url_is_refused(read: Callable[[str], Any], url: str) -> None:
    with pytest.raises(InputError, match="read from disk alone"):
        read(url)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_foreign_pickle_is_refused_and_not_executed(tmp_path: Path, how: str) -> None:
    trap = {"state_dict": {}, "emotion_detection": Payload(f"touch {tmp_path / 'sprung'}")}
    path = tmp_path / "last.ckpt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, path)
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be read as a checkpoint"):
        load_trained(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [0, 10, 400, -1])
def test_a_truncated_checkpoint_is_refused(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be read as a checkpoint"):
        read_checkpoint(saved)


def test_what_is_no_checkpoint_of_this_project_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a checkpoint of this project"):
        read_checkpoint(saved)
    torch.save([1, 2], saved)
    with pytest.raises(InputError, match="not a checkpoint of this project"):
        read_checkpoint(saved)
    with pytest.raises(InputError, match="no such checkpoint"):
        load_trained(tmp_path)


@pytest.mark.parametrize("spec", [{"network": "unknown"}, {"size": 24}, {"colour": 1}])
def test_a_network_that_cannot_be_built_is_reported(tmp_path: Path, spec: dict[str, Any]) -> None:
    own = {"spec": {**SPEC.as_dict(), **spec}, "record": {}}
    weights = build_seeded(SPEC, 0).state_dict()
    state = {f"network.{name}": value for name, value in weights.items()}
    path = tmp_path / "best.ckpt"
    DurableCheckpointIO().save_checkpoint({"emotion_detection": own, "state_dict": state}, path)
    with pytest.raises(InputError, match=r"best\.ckpt: this version cannot build its network"):
        load_trained(path)
