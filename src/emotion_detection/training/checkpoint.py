"""Checkpoints: written atomically, so that a crash keeps the older one; read safely."""

import contextlib
import io
import os
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from emotion_detection.errors import InputError, TrainingError
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training.network import ModelSpec, build
from emotion_detection.training.task import CHECKPOINT_KEY


class DurableCheckpointIO(TorchCheckpointIO):
    """Write a temporary file, flush it, verify it, and then replace the older checkpoint.

    Lightning's own writer stages in the temporary folder, does not flush, and can lose both files.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Save a checkpoint at ``path``.

        Raises:
            TrainingError: it could not be written; what was at ``path`` before is untouched.
        """
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()  # torch's own writer hides why a write failed
            torch.save(checkpoint, content)
            with part.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            with zipfile.ZipFile(part) as written:
                broken = written.testzip()
            if broken is not None:
                raise OSError(f"{broken} reads back otherwise than it was written")
            os.replace(part, target)
            _flush_folder(target.parent)
        except (OSError, zipfile.BadZipFile) as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            kept = " The previous checkpoint is intact." if target.exists() else ""
            raise TrainingError(
                f"{target}: the checkpoint could not be saved: {reason}.{kept}"
            ) from None


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there, and renames are flushed with the file
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


LARGEST_OUTPUT = 10_000
"""Classes of all label sets together, that a checkpoint may declare."""


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A network read from a checkpoint.

    Args:
        network: on the CPU, in evaluation mode.
        spec: what it declares of itself.
        record: the training's config, data and version.
        path: the checkpoint.
        temperatures: temperature of each label set; empty before they are fitted.
        readouts: postprocessing of each label set's scores; empty before it is fitted.
        epoch: number of epochs before it was saved.
    """

    network: nn.Module
    spec: ModelSpec
    record: dict[str, Any]
    path: Path
    temperatures: dict[str, float] = field(default_factory=dict)
    readouts: dict[str, Postprocessing] = field(default_factory=dict)
    epoch: int = 0


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of this project; nothing in the file is executed.

    Raises:
        InputError: a URL, no such file, or no checkpoint of this project.
    """
    path = _local(path)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    if path.suffix == ".onnx":
        raise InputError(
            f"{path}: an ONNX file holds no weights to train on or to export: name the run's "
            "folder, or its best.ckpt"
        )
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken or foreign file
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if isinstance(error, pickle.UnpicklingError):
            # torch's own message explains an option of torch.load
            reason = "broken, of another kind, or it would run code"
        raise InputError(f"{path}: cannot be read as a checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise InputError(f"{path}: not a checkpoint of this project")
    return checkpoint


def run_checkpoint(place: str | Path, name: str = "best.ckpt") -> Path:
    """Return the checkpoint that a run folder or a checkpoint's own path means."""
    path = _local(place)
    return path / name if path.is_dir() else path


def _local(place: str | Path) -> Path:
    if "://" in str(place):
        raise InputError(f"{place}: checkpoints are read from disk alone; download it first")
    return Path(place)


def load_trained(place: str | Path) -> LoadedCheckpoint:
    """Load the network of a run folder (its best checkpoint) or of a checkpoint.

    Raises:
        InputError: as :func:`read_checkpoint`, or a network that this version does not know.
    """
    path = run_checkpoint(place)
    checkpoint = read_checkpoint(path)
    own = checkpoint[CHECKPOINT_KEY]
    try:
        spec = ModelSpec.from_dict(own["spec"])
        check_spec(spec)
        network = build(spec)
        network.load_state_dict(network_weights(checkpoint))
        readouts = {
            name: Postprocessing.from_dict(values, len(spec.label_sets[name]))
            for name, values in own.get("readouts", {}).items()
        }
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: this version cannot build its network: {reason}") from None
    record, temperatures = own.get("record"), own.get("temperatures", {})
    epoch = checkpoint.get("epoch", 0)
    if not isinstance(record, dict) or not isinstance(record.get("data", {}), dict):
        raise InputError(f"{path}: its record of the training is damaged")
    if not is_temperatures(temperatures) or not isinstance(epoch, int):
        raise InputError(f"{path}: its temperatures or its epoch are no numbers: damaged")
    return LoadedCheckpoint(
        network=network.eval(),
        spec=spec,
        record=record,
        path=path,
        temperatures=temperatures,
        readouts=readouts,
        epoch=epoch + 1,
    )


def check_spec(spec: ModelSpec) -> None:
    """Check a checkpoint's specification before a network of this size is created.

    Raises:
        ValueError: it is none that a training writes.
    """
    sets = spec.label_sets
    names = [name for labels in sets.values() for name in labels]
    if not (isinstance(spec.network, str) and all(isinstance(n, str) for n in [*sets, *names])):
        raise ValueError("its network or its labels are no words")
    if type(spec.size) is not int or not 16 <= spec.size <= 1024 or spec.channels not in (1, 3):
        raise ValueError(f"faces of {spec.channels!r} x {spec.size!r} px")
    if not 1 <= len(names) <= LARGEST_OUTPUT:
        raise ValueError(f"{len(names):,} classes")
    for labels in sets.values():
        if len(set(labels)) < len(labels):
            raise ValueError("two classes of one name")


def is_temperatures(values: Any) -> bool:
    """Return True for a dict of label sets and positive numbers."""
    return isinstance(values, dict) and all(
        isinstance(name, str) and isinstance(value, int | float) and 0 < value < 1e6
        for name, value in values.items()
    )


def store_readouts(
    path: Path, temperatures: dict[str, float], readouts: dict[str, Postprocessing]
) -> None:
    """Write fitted temperatures and readouts into a checkpoint.

    Raises:
        TrainingError: it could not be written; it is as it was.
    """
    checkpoint = read_checkpoint(path)
    checkpoint[CHECKPOINT_KEY]["temperatures"] = temperatures
    values = {name: readout.as_dict() for name, readout in readouts.items()}
    checkpoint[CHECKPOINT_KEY]["readouts"] = values
    DurableCheckpointIO().save_checkpoint(checkpoint, path)


def network_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the network's own weights, without the names that Lightning puts before them."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
