"""Create, write and read a run's folder."""

import contextlib
import dataclasses
import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from emotion_detection.config import TrainConfig, config_from_dict, config_to_dict
from emotion_detection.data.exclude import read_excluded_names
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic
from emotion_detection.io.plain_values import read_json, read_yaml
from emotion_detection.training.checkpoint import read_checkpoint
from emotion_detection.training.provenance import collect_provenance
from emotion_detection.training.run_paths import locate_recorded, record_path
from emotion_detection.training.setup import Prepared
from emotion_detection.training.task import CHECKPOINT_KEY
from emotion_detection.training.trained_faces import keep_trained_faces

CHANGEABLE = {"epochs", "patience", "trainer", "data", "cache", "cache_limit", "logger"}
"""Fields that may change when a run is resumed; data and cache may have moved, not changed."""


def make_run_folder(config: TrainConfig, make: bool) -> Path:
    """Return the folder of a new run, named by the user or by preset and time.

    Args:
        config: the recipe.
        make: whether to make it; of several processes only the first does.

    Raises:
        InputError: a run of that name exists, or the folder cannot be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = config.name or f"{config.preset}-{stamp}"
    place = Path(config.models)
    if not make:
        return place / base
    try:
        for number in range(1, 100):
            folder = place / (base if number == 1 else f"{base}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if config.name and not _is_taken(folder):
                    return folder  # stopped before it began: nothing in it to lose
                if config.name:
                    raise _taken(config.name, folder) from None
                continue
            (Path(config.logs) / folder.name).mkdir(parents=True, exist_ok=True)
            return folder
    except OSError as error:
        raise InputError(
            f"{error.filename or place}: cannot be written: {error.strerror}; "
            "choose other folders with --models and --logs"
        ) from None
    raise InputError(f"{place}: a hundred runs named {base} already")


def check_new_folder(config: TrainConfig) -> None:
    """Check the folder of a new run before data is loaded.

    Raises:
        InputError: a run of that name exists, or the folder cannot be created.
    """
    folder = Path(config.models) / (config.name or "run")
    if config.name and _is_taken(folder):
        raise _taken(config.name, folder)
    for option, place in (("models", folder), ("logs", Path(config.logs))):
        there = next(one for one in (place, *place.absolute().parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            reason = "cannot be written to" if there.is_dir() else "is a file"
            raise InputError(f"--{option} {getattr(config, option)}: {there} {reason}")


def _is_taken(folder: Path) -> bool:
    """Return True unless a folder is missing, or of a run that was stopped before it began."""
    return folder.exists() and ((folder / "config.yaml").exists() or not folder.is_dir())


def _taken(name: str, folder: Path) -> InputError:
    return InputError(
        f"--name {name}: {folder} exists; choose another name, or resume the run by "
        f"--resume {folder}"
    )


def run_folder(place: str | Path) -> Path:
    """Return the folder of a run that is to be resumed.

    Args:
        place: ``models/RUN``, or ``last.ckpt`` in it.

    Raises:
        InputError: another file, or no run.
    """
    path = Path(place)
    if path.is_file():
        if path.name != "last.ckpt":
            raise InputError(
                f"--resume {path}: a run is resumed from its last.ckpt: --resume {path.parent}; "
                f"to start a new run from these weights: --init {path}"
            )
        path = path.parent
    if not (path / "config.yaml").is_file():
        raise InputError(f"--resume {place}: no config.yaml there; name a run's folder")
    return path


def read_resumed_config(folder: str | Path, changes: dict[str, Any] | None = None) -> TrainConfig:
    """Return the config of a run to resume.

    Args:
        folder: ``models/RUN``.
        changes: fields to change; only those of :data:`CHANGEABLE` may.

    Returns:
        The config; paths that the run recorded hold from the current folder.

    Raises:
        InputError: there is no such run, or another field is to be changed.
    """
    path = run_folder(folder) / "config.yaml"
    try:
        config = config_from_dict(locate_recorded({**read_yaml(path, "--resume")}, path.parent))
    except TypeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is no config of this version: {reason}") from None
    changes = changes or {}
    if fixed := sorted(set(changes) - CHANGEABLE):
        raise InputError(
            f"--resume goes on with the run as it was: --{fixed[0]} cannot be changed "
            "(only --epochs, --patience, --logger, --trainer.* and, moved, --data and --cache)"
        )
    return dataclasses.replace(config, **changes)


def forget_run(folder: Path, logs: Path) -> None:
    """Remove a run's folders if nothing is in them: it was refused before it began."""
    for place in (folder, logs):
        with contextlib.suppress(OSError):
            place.rmdir()


def check_checkpoints(folder: Path) -> None:
    """Reject resuming a run without one of the checkpoints.

    Training would start from nothing and overwrite what is left. Only a run that was stopped
    before its first checkpoint has none; ``last.ckpt`` is written before the first ``best.ckpt``.

    Raises:
        InputError: ``last.ckpt`` or ``best.ckpt`` is missing, or ``last.ckpt`` is broken.
    """
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not last.exists():
        left = [name for name in (best.name, "metrics.json") if (folder / name).exists()]
        if not left:
            return
        keep = f" from its weights: --init {folder}" if best.exists() else ""
        raise InputError(
            f"--resume {folder}: last.ckpt is missing beside {left[0]}, so the run cannot be "
            f"resumed; copy it there, or start a new run{keep}"
        )
    if best.exists():
        return
    checkpoint = read_checkpoint(last)
    best_epoch = checkpoint.get("callbacks", {}).get("KeepBest", {}).get("best_epoch", -1)
    if best_epoch == checkpoint["epoch"]:
        write_atomic(best, last.read_bytes())  # stopped between the two: they are the same
    elif best_epoch >= 0:
        raise InputError(
            f"--resume {folder}: best.ckpt is missing, the weights of epoch {best_epoch + 1}; copy "
            f"it there, or start a new run: --init {last}"
        )


def check_same_data(folder: Path, prepared: Prepared, config: TrainConfig) -> None:
    """Reject resuming a run with other faces than it began with.

    Raises:
        InputError: the data's hash, or the list of excluded faces, is another.
    """
    record = _read_record(folder / "provenance.json")
    if record is None:
        if not (folder / "last.ckpt").exists():
            return  # killed before it was written: nothing was trained
        own = read_checkpoint(folder / "last.ckpt")[CHECKPOINT_KEY]["record"]
        record = {"data": own["data"], "excluded": _excluded(config)}
    dataset = prepared.dataset
    known = record.get("data")
    if not isinstance(known, dict) or not isinstance(known.get("hash"), str):
        raise InputError(f"{folder / 'provenance.json'}: does not tell the data's hash: damaged")
    other_changed = prepared.other and known.get("also_hash") not in (None, prepared.other.hash)
    if known["hash"] != dataset.hash or other_changed:
        raise InputError(
            f"--resume {folder}: {dataset.source} is not the data that this run began with; "
            "start a new run, with --init to keep the weights"
        )
    if record.get("excluded") != _excluded(config):
        raise InputError(
            f"--resume {folder}: {config.exclude} lists other faces than when this run began; "
            "start a new run, with --init to keep the weights"
        )


def _read_record(path: Path) -> dict[str, Any] | None:
    """Read a file of a run, None where there is none.

    Raises:
        InputError: it is damaged.
    """
    try:
        values = read_json(path)
    except OSError:
        return None
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return values


def _excluded(config: TrainConfig) -> str | None:
    """Return the SHA-256 of the names that are left out."""
    if config.exclude is None:
        return None
    names = sorted(read_excluded_names(Path(config.exclude)))
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def is_finished(folder: Path, config: TrainConfig) -> dict[str, Any] | None:
    """Return a finished run's metrics, or None for an unfinished run."""
    metrics = _read_record(folder / "metrics.json")
    if metrics is None:
        return None
    trained = metrics.get("training")
    asked = trained.get("asked") if isinstance(trained, dict) else None
    if not isinstance(asked, dict) or not isinstance(asked.get("epochs"), int):
        raise InputError(f"{folder / 'metrics.json'}: is none of a finished run: damaged")
    assert isinstance(trained, dict)
    if trained.get("ended_by", _old_end(trained)) == "max_time":
        return None
    same = {**asked, "epochs": config.epochs} == select_finish_options(config)
    return metrics if same and asked["epochs"] >= config.epochs else None


def _old_end(trained: dict[str, Any]) -> str:
    """Return why a run of an earlier version ended, which has no record of the reason."""
    asked = trained["asked"]
    if asked["patience"] is None and asked["max_steps"] in (None, -1):
        return "epochs" if trained["epochs"] >= asked["epochs"] else "max_time"
    return "unknown"


def select_finish_options(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that decide when a run is finished."""
    steps = config.trainer.get("max_steps")
    return {"epochs": config.epochs, "patience": config.patience, "max_steps": steps}


def write_records(config: TrainConfig, prepared: Prepared, folder: Path, resumed: bool) -> None:
    """Write ``provenance.json`` and ``config.yaml``, before the first step.

    Raises:
        InputError: they cannot be written.
    """
    keep_trained_faces(folder, prepared.faces, config)
    record = collect_provenance(config, prepared.dataset) | {"excluded": _excluded(config)}
    config = record_path(config, folder)
    if prepared.other:
        record["data"]["also_hash"] = prepared.other.hash
    path = folder / "provenance.json"
    if resumed and (before := _read_record(path)) is not None:
        earlier = before.get("resumed", [])
        record = {**before, "resumed": [*(earlier if isinstance(earlier, list) else []), record]}
    _write(path, json.dumps(record, indent=2))
    # without the name, so that the file can be run again
    values = config_to_dict(dataclasses.replace(config, name=None))
    _write(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
