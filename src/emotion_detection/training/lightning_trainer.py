"""Set up Lightning's Trainer, and translate errors to one line."""

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, Timer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from emotion_detection.config import NOT_THE_USERS, TrainConfig
from emotion_detection.errors import InputError, TrainingError
from emotion_detection.training.batches import FaceBatches
from emotion_detection.training.callbacks import (
    KeepBest,
    StopEarly,
    StopWhenNotFinite,
    TimeLimitError,
    make_moving_average,
)
from emotion_detection.training.checkpoint import DurableCheckpointIO, read_checkpoint
from emotion_detection.training.loggers import LogImages, make_loggers
from emotion_detection.training.progress_bar import RunProgress
from emotion_detection.training.task import EmotionTask

OURS = "this project sets it itself"
SET_BY = {"logger": "loggers are named by --logger", "max_epochs": "epochs are named by --epochs"}
"""Hints for fields of Lightning's Trainer that users cannot set."""

_EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # a batch is one index operation: workers would cost
    ".*smaller than the logging interval.*",  # figures are logged an epoch, not a step
    ".*dataloader is not resumable.*",  # the order of batches goes on by itself
    ".*exists and is not empty.*",  # a resumed run's folder
    ".*It is recommended to use .*sync_dist.*",  # metrics are already reduced over all processes
    ".*LeafSpec.*",  # from torch's exporter
    ".*callbacks used to create the checkpoint.*",  # a resumed run may have lost its patience
)


def parse_time_limit(config: TrainConfig) -> float | None:
    """Return the seconds after which a training stops, None where there is no limit.

    Raises:
        InputError: it is no duration.
    """
    limit = config.trainer.get("max_time")
    try:
        seconds = Timer(limit).time_remaining()
    except (MisconfigurationException, AttributeError, TypeError, ValueError):
        seconds = None if limit is None else -1.0
    if seconds is not None and seconds <= 0:
        raise InputError(
            f"--trainer.max_time {limit}: must be days:hours:minutes:seconds, as in 00:08:30:00"
        )
    return seconds


def make_trainer(
    config: TrainConfig,
    folder: Path,
    logs: Path,
    callbacks: list[Callback],
    loggers: Sequence[Logger] = (),
) -> Trainer:
    """Create the Trainer of a run.

    Args:
        config: the recipe; its ``trainer`` fields go to Lightning.
        folder: ``models/RUN``.
        logs: ``logs/RUN``.
        callbacks: called before those that every run has.
        loggers: beside those that the recipe names.

    Raises:
        InputError: a field that this project sets itself, or that Lightning refuses.
    """
    callbacks = [*callbacks, LogImages(), StopWhenNotFinite(), KeepBest(folder)]
    if config.ema:
        # first of all: the others look at, and save, the averaged weights
        callbacks.insert(0, make_moving_average(config.ema))
    fields = {
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
        # batch norm over the whole batch, as in one process; torch has it for GPUs alone
        "sync_batchnorm": torch.cuda.is_available(),
        **config.trainer,
    }
    if taken := sorted(set(config.trainer) & set(NOT_THE_USERS)):
        raise InputError(f"--trainer.{taken[0]}: cannot be set; {SET_BY.get(taken[0], OURS)}")
    if fields.get("precision") == "16-true":
        # without a loss scaler small gradients are 0, and Adam's epsilon is
        raise InputError(
            "--trainer.precision 16-true: weights of 16 bits do not learn; use bf16-mixed, "
            "16-mixed or 32-true"
        )
    fields.pop("max_time", None)  # SaveAndStop keeps it
    if fields.get("enable_progress_bar") is not False:
        callbacks.append(RunProgress(config.batch_size))
    if config.patience is not None:
        if fields.get("limit_val_batches") == 0:
            raise InputError("--patience needs validation: not with --trainer.limit_val_batches 0")
        callbacks.insert(0, StopEarly(config.patience))
    made = make_loggers(config, logs)
    try:
        trainer = Trainer(
            max_epochs=config.epochs,
            logger=[*made, *loggers],
            callbacks=callbacks,
            plugins=[DurableCheckpointIO()],
            default_root_dir=folder,
            use_distributed_sampler=False,
            **fields,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise _refused(error) from None
    _check_strategy(trainer, fields.get("strategy"))
    cores = os.cpu_count() or 1
    if trainer.strategy.root_device.type == "cpu" and trainer.num_devices > cores:
        # each is a whole Python process: a slip of the finger can bring a machine to a halt
        raise InputError(
            f"--trainer.devices {trainer.num_devices}: this machine has {cores} processor cores"
        )
    return trainer


def check_trainer(config: TrainConfig) -> None:
    """Check the Trainer's settings, such as a missing GPU, before data is loaded.

    Raises:
        InputError: as for :func:`make_trainer`.
    """
    # no loggers: each would begin a run of its own on W&B and MLflow
    quiet = dataclasses.replace(config, logger=[])
    make_trainer(quiet, Path(config.models), Path(config.logs), [])


def _check_strategy(trainer: Trainer, named: object) -> None:
    """Reject strategies for several processes that cannot work here.

    Raises:
        InputError: the strategy is not DDP, or its processes cannot be started.
    """
    strategy = trainer.strategy
    launcher = strategy.launcher
    known = launcher is None or isinstance(launcher, _SubprocessScriptLauncher)
    if type(strategy) not in (SingleDeviceStrategy, DDPStrategy) or not known:
        raise InputError(
            f"--trainer.strategy {named or type(strategy).__name__}: must be ddp, or auto for one "
            "device; processes that are spawned or forked from this one would train apart from it"
        )
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return
    if launcher.cluster_environment.creates_processes_externally:
        return  # torchrun, SLURM
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None and not Path(sys.argv[0]).is_file():
        raise InputError(
            f"--trainer.devices {trainer.num_devices}: each process starts this program again, "
            "which cannot be done from standard input or 'python -c'; put it into a file"
        )


def _refused(error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"--trainer.*: Lightning's Trainer refuses: {reason}")


def fit(
    trainer: Trainer, task: EmotionTask, batches: FaceBatches, folder: Path, hint: bool = True
) -> str:
    """Train, from the run's last checkpoint where there is one.

    Args:
        trainer: made by :func:`make_trainer`.
        task: the network and its losses.
        batches: the faces.
        folder: ``models/RUN``.
        hint: whether to print after Ctrl-C how to resume the run.

    Returns:
        Why it ended: 'epochs', 'max_steps', 'patience' or 'max_time'.

    Raises:
        InputError: the checkpoint is broken, or Lightning refuses a field only now.
        TrainingError: something could not be written.
        KeyboardInterrupt: Ctrl-C.
    """
    last = folder / "last.ckpt"
    if last.exists():
        read_checkpoint(last)  # raises a clear error if the checkpoint is damaged
    try:
        trainer.fit(
            task, datamodule=batches, ckpt_path=last if last.exists() else None, weights_only=True
        )
    except TimeLimitError:
        return "max_time"
    except SystemExit as stop:
        if trainer.received_sigterm and not stop.code:
            # before the first step the signal is Lightning's, which would leave with 0
            raise SystemExit(128 + signal.SIGTERM) from None
        if stop.code != 1:
            raise
        # Lightning turns Ctrl-C into this, and leaves the next one without effect
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if hint and last.exists():
            print(f"go on with: python train.py --resume {folder}", file=sys.stderr)
        raise KeyboardInterrupt from None
    except (MisconfigurationException, ValueError) as error:
        if trainer.global_step or not task.config.trainer:
            raise
        raise _refused(error) from None  # errors that need the data
    except OSError as error:
        where = error.filename or folder
        raise TrainingError(
            f"{where}: {error.strerror or error}; the checkpoints are intact"
        ) from None
    return _reason(trainer)


def _reason(trainer: Trainer) -> str:
    """Return why a fit ended that was not stopped from outside."""
    if 0 <= trainer.max_steps <= trainer.global_step:
        return "max_steps"
    return "epochs" if trainer.current_epoch >= (trainer.max_epochs or 0) else "patience"


def is_slow_bf16(device: str, precision: str) -> bool:
    """Return True if bf16 takes longer than float32 on this machine.

    oneDNN has bf16 convolutions for x86 processors with AVX-512; on others, torch's own are many
    times slower than those of float32.

    Args:
        device: type of the device, such as 'cpu'.
        precision: as in ``--trainer.precision``.
    """
    # early versions of torch do not have it
    read = getattr(torch.cpu, "get_capabilities", None)
    if device != "cpu" or not precision.startswith("bf16") or read is None:
        return False
    found = read()
    return found.get("architecture") == "x86_64" and not found.get("avx512_f", True)


def close_connection(together: bool = False) -> None:
    """Close the connection between processes, if there is one.

    Left open, gloo's threads can abort a process that ends.

    Args:
        together: wait until every process is here.
    """
    if dist.is_available() and dist.is_initialized():
        if together:
            dist.barrier()
        dist.destroy_process_group()


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's messages and expected warnings."""
    names = ("pytorch_lightning", "lightning_fabric", "pytorch_lightning.profilers")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # a profiler was requested, so its output is shown
        is_profiler = logger.name.endswith("profilers")
        logger.setLevel(logging.INFO if is_profiler else logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
