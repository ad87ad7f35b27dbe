"""A run's folder: made, written to, found again."""

import contextlib
import dataclasses
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from emotion_detection.config import TrainConfig, as_dict
from emotion_detection.data.exclude import excluded_names
from emotion_detection.errors import InputError
from emotion_detection.files import write_whole
from emotion_detection.training.prepare import Prepared
from emotion_detection.training.provenance import provenance
from emotion_detection.training.trained_faces import keep_trained_faces

CHANGEABLE = {"epochs", "patience", "trainer", "data", "cache"}
"""Fields that may change when a run goes on; data and cache may have moved, not changed."""


def new_folder(config: TrainConfig, make: bool) -> Path:
    """Return the folder of a new run, named by the user or by preset and time.

    Args:
        config: the recipe.
        make: whether to make it; of several processes only the first does.

    Raises:
        InputError: a run of that name exists, or the folder cannot be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    wanted = config.name or f"{config.preset}-{stamp}"
    place = Path(config.models)
    if not make:
        return place / wanted
    try:
        for number in range(1, 100):
            folder = place / (wanted if number == 1 else f"{wanted}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if config.name and not (folder / "config.yaml").exists() and folder.is_dir():
                    return folder  # stopped before it began: nothing in it to lose
                if config.name:
                    raise InputError(
                        f"--name {config.name}: {folder} exists; choose another name, or go on "
                        f"with it by --resume {folder}"
                    ) from None
                continue
            (Path(config.logs) / folder.name).mkdir(parents=True, exist_ok=True)
            return folder
    except OSError as error:
        raise InputError(
            f"{error.filename or place}: cannot be written: {error.strerror}; "
            "choose other folders with --models and --logs"
        ) from None
    raise InputError(f"{place}: a hundred runs named {wanted} already")


def resumed_config(folder: str | Path, changes: dict[str, Any] | None = None) -> TrainConfig:
    """Return the config of a run that is to be gone on with.

    Args:
        folder: ``models/RUN``.
        changes: fields to change; only those of :data:`CHANGEABLE` may.

    Raises:
        InputError: there is no such run, or another field is to be changed.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise InputError(f"--resume {folder}: no config.yaml there; a run's folder is needed")
    try:
        config = TrainConfig(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is no config of this version: {reason}") from None
    changes = changes or {}
    if fixed := sorted(set(changes) - CHANGEABLE):
        raise InputError(
            f"--resume goes on with the run as it was: --{fixed[0]} cannot be changed "
            "(only --epochs, --patience, --trainer.* and, moved, --data and --cache)"
        )
    return dataclasses.replace(config, **changes)


def forget(folder: Path, logs: Path) -> None:
    """Remove a run's folders if nothing is in them: it was refused before it began."""
    for place in (folder, logs):
        with contextlib.suppress(OSError):
            place.rmdir()


def check_same_data(folder: Path, prepared: Prepared, config: TrainConfig) -> None:
    """Refuse to go on with a run on other faces than it began with.

    Raises:
        InputError: the data's hash, or the list of excluded faces, is another.
    """
    try:
        record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except OSError:
        return  # killed before it was written: nothing was trained
    dataset = prepared.dataset
    known = record["data"]
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


def _excluded(config: TrainConfig) -> str | None:
    """Return the SHA-256 of the names that are left out."""
    if config.exclude is None:
        return None
    names = sorted(excluded_names(Path(config.exclude)))
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def already_finished(folder: Path, config: TrainConfig) -> dict[str, Any] | None:
    """Return a finished run's figures, None when there is something left to do."""
    try:
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except OSError:
        return None
    asked = metrics["training"]["asked"]
    same = {**asked, "epochs": config.epochs} == asked_of(config)
    return metrics if same and asked["epochs"] >= config.epochs else None


def asked_of(config: TrainConfig) -> dict[str, Any]:
    """Return what decides when a run is finished."""
    steps = config.trainer.get("max_steps")
    return {"epochs": config.epochs, "patience": config.patience, "max_steps": steps}


def write_records(config: TrainConfig, prepared: Prepared, folder: Path, resumed: bool) -> None:
    """Write ``provenance.json`` and ``config.yaml``, before the first step.

    Raises:
        InputError: they cannot be written.
    """
    keep_trained_faces(folder, prepared.faces, config)
    record = provenance(config, prepared.dataset) | {"excluded": _excluded(config)}
    if prepared.other:
        record["data"]["also_hash"] = prepared.other.hash
    path = folder / "provenance.json"
    if resumed and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        record = {**before, "resumed": [*before.get("resumed", []), record]}
    _write(path, json.dumps(record, indent=2))
    # without its name, so that the file runs again as it stands
    values = as_dict(dataclasses.replace(config, name=None))
    _write(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
