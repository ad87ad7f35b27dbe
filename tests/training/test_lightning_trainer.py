"""What Lightning's Trainer may be asked for, and what it says on the way."""

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import CSVLogger

from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import Run, train
from emotion_detection.training.callbacks import make_moving_average
from emotion_detection.training.checkpoint import load_trained, read_checkpoint
from emotion_detection.training.export import SAMPLE, find_sample, keep_sample
from emotion_detection.training.lightning_trainer import (
    is_slow_bf16,
    make_trainer,
    parse_time_limit,
)

Make = Callable[..., TrainConfig]
TWO = {"accelerator": "cpu", "devices": 2}


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({**TWO, "strategy": "ddp_spawn"}, "--trainer.strategy ddp_spawn: must be ddp, or auto"),
        ({**TWO, "strategy": "ddp_fork"}, "--trainer.strategy ddp_fork: must be ddp, or auto"),
        ({**TWO, "strategy": "ddp_notebook"}, "--trainer.strategy ddp_notebook: must be ddp, "),
        ({**TWO, "strategy": "fsdp"}, "--trainer.*: Lightning's Trainer refuses: "),
        ({**TWO, "strategy": "deepspeed"}, "--trainer.*: Lightning's Trainer refuses: "),
        ({**TWO, "strategy": "nonsense"}, "--trainer.*: Lightning's Trainer refuses: "),
        ({"precision": "16-true"}, "--trainer.precision 16-true: weights of 16 bits do not learn"),
        ({"precision": "transformer-engine"}, "--trainer.*: Lightning's Trainer refuses: "),
        ({"barebones": True}, "--trainer.barebones: cannot be set; this project sets it itself"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_in_a_line(
    striped: Make, tmp_path: Path, trainer: dict[str, Any], message: str
) -> None:
    config = striped(tmp_path, trainer=trainer)
    with pytest.raises(InputError) as caught:
        make_trainer(config, tmp_path / "run", tmp_path / "logs" / "run", [])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["-c", "-", ""])
def test_processes_cannot_be_started_from_standard_input(
    striped: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    config = striped(tmp_path, trainer={**TWO, "strategy": "ddp"})
    place = tmp_path / "run", tmp_path / "logs" / "run", []
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=None))
    monkeypatch.setattr(sys, "argv", [__file__])
    assert make_trainer(config, *place).world_size == 2
    monkeypatch.setattr(sys, "argv", [first])
    with pytest.raises(InputError, match=r"--trainer\.devices 2: .* standard input"):
        make_trainer(config, *place)


def test_a_refusal_of_lightnings_is_not_cut(striped: Make, tmp_path: Path) -> None:
    name = "x" * 400
    config = striped(tmp_path, trainer={"strategy": name})
    with pytest.raises(InputError, match=name):
        make_trainer(config, tmp_path / "run", tmp_path / "logs" / "run", [])


@pytest.mark.parametrize(
    ("limit", "seconds"), [("00:08:30:00", 30600.0), ({"minutes": 2}, 120.0), (None, None)]
)
def test_the_time_limit_is_read(limit: Any, seconds: float | None) -> None:
    assert parse_time_limit(TrainConfig(trainer={"max_time": limit})) == seconds


@pytest.mark.parametrize("limit", ["soon", "12", {"epochs": 3}, "00:00:00:00", 5])
def test_a_time_limit_that_is_none_is_refused(limit: Any) -> None:
    with pytest.raises(InputError, match=r"--trainer\.max_time .*: must be days:hours:minutes:sec"):
        parse_time_limit(TrainConfig(trainer={"max_time": limit}))


def test_the_moving_average_can_be_sent_to_another_process() -> None:
    import pickle

    assert pickle.loads(pickle.dumps(make_moving_average(0.9))) is not None


class Counts(Callback):
    def __init__(self) -> None:
        self.batches = 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.batches += 1


@pytest.fixture(scope="module")
def told(
    striped: Make, tmp_path_factory: pytest.TempPathFactory, skip_artifacts: Any
) -> tuple[Run, list[str], list[str], Counts]:
    """A run validated every other epoch, with a profiler, a callback and a logger of the user's.

    With it come the lines of its epochs, the profiler's words, and the callback.
    """
    place = tmp_path_factory.mktemp("told")
    words: list[str] = []
    printed: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: words.append(record.getMessage())
    counts = Counts()
    trainer = {
        "check_val_every_n_epoch": 2,
        "profiler": "simple",
        "enable_progress_bar": True,
    }
    stderr = SimpleNamespace(
        write=printed.append, flush=lambda: None, isatty=lambda: False, encoding="utf-8"
    )
    logging.getLogger("pytorch_lightning").addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        skip_artifacts(patch)
        patch.setattr(sys, "stderr", stderr)
        config = striped(place, name="told", epochs=3, trainer=trainer)
        run = train(config, callbacks=[counts], loggers=[CSVLogger(place / "csv", name="mine")])
    logging.getLogger("pytorch_lightning").removeHandler(handler)
    return run, "".join(printed).splitlines(), words, counts


def test_an_epoch_without_validation_shows_none(told: Any) -> None:
    epochs = [line for line in told[1] if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/3", "2/3", "3/3"]
    assert [bool(re.search(r"val acc \d", line)) for line in epochs] == [False, True, False]


def test_a_profiler_says_what_it_found(told: Any) -> None:
    assert any("Profiler Report" in text and "run_training_batch" in text for text in told[2])
    assert not [text for text in told[2] if "GPU available" in text]


def test_callbacks_and_loggers_of_the_users_are_called(told: Any) -> None:
    run, _, _, counts = told
    assert counts.batches == read_checkpoint(run.folder / "last.ckpt")["global_step"]
    (metrics,) = (run.folder.parents[1] / "csv").rglob("metrics.csv")
    assert "val_accuracy" in metrics.read_text(encoding="utf-8")


def test_the_run_keeps_the_faces_that_its_export_is_compared_on(told: Any) -> None:
    run = told[0]
    spec = load_trained(run.folder).spec
    sample, kind = find_sample(run.folder, spec)
    assert (sample.shape, sample.dtype, kind) == ((30, 1, 16, 16), np.uint8, "validation")
    other, kind = find_sample(run.folder / "nowhere", spec)
    assert (other.shape, other.dtype, kind) == ((64, 1, 16, 16), np.uint8, "synthetic")
    assert other.std() > 10


def test_a_sample_of_large_faces_is_kept_small(tmp_path: Path) -> None:
    faces = np.zeros((SAMPLE, 3, 224, 224), np.uint8)
    keep_sample(tmp_path, faces)
    kept = np.load(tmp_path / "sample.npy")
    assert kept.shape == (13, 3, 224, 224)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_broken_sample_is_passed_over(told: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sample.npy").write_bytes(content)
    assert find_sample(tmp_path, load_trained(told[0].folder).spec)[1] == "synthetic"


@pytest.mark.parametrize(
    ("device", "precision", "capabilities", "slow"),
    [
        ("cpu", "bf16-mixed", {"architecture": "x86_64", "avx512_f": False}, True),
        ("cpu", "bf16-true", {"architecture": "x86_64", "avx512_f": False}, True),
        ("cpu", "bf16-mixed", {"architecture": "x86_64", "avx512_f": True}, False),
        ("cpu", "bf16-mixed", {"architecture": "aarch64"}, False),
        ("cpu", "32-true", {"architecture": "x86_64", "avx512_f": False}, False),
        ("cuda", "bf16-mixed", {"architecture": "x86_64", "avx512_f": False}, False),
        ("cpu", "bf16-mixed", None, False),
    ],
)
def test_slow_bf16_is_known(
    device: str,
    precision: str,
    capabilities: dict[str, Any] | None,
    slow: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = None if capabilities is None else lambda: capabilities
    monkeypatch.setattr(torch.cpu, "get_capabilities", read, raising=False)
    assert is_slow_bf16(device, precision) is slow


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_a_training_in_slow_bf16_says_so(
    precision: str,
    striped: Make,
    without_export: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"architecture": "x86_64", "avx512_f": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    train(striped(tmp_path, epochs=1, trainer={"precision": precision}))
    said = "--trainer.precision 32-true is faster" in capsys.readouterr().err
    assert said is (precision == "bf16-mixed")
