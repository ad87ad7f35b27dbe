"""Record the paths of a run relative to the start folder, and resolve them from any folder.

Nothing absolute is stored in checkpoints and ONNX files, which people share; and a project folder
that moves as a whole takes its runs along.
"""

import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any

from emotion_detection.config import TrainConfig
from emotion_detection.io.hub_download import is_hub_address
from emotion_detection.io.plain_values import read_json, read_yaml

_WORDS = {"auto", "fer2013", "demo", "pretrained"}
"""Values of options that are words instead of paths."""

_INPUTS = ("data", "exclude", "init", "teacher")
_OUTPUTS = ("cache", "models", "logs")


def start_folder(run: Path) -> Path | None:
    """Return the folder that a run was started in, None where that cannot be known.

    Args:
        run: ``models/RUN``, or any folder that a checkpoint lies in.
    """
    written = _read_record(run / "provenance.json").get("folder")
    models = Path(str(_read_record(run / "config.yaml").get("models") or os.sep))
    if not models.is_absolute() and ".." not in models.parts:
        place = Path(os.path.abspath(run)).parent
        steps = len(models.parts)
        if place.parts[len(place.parts) - steps :] == models.parts or not steps:
            return Path(*place.parts[: len(place.parts) - steps])
    return Path(written) if isinstance(written, str) and Path(written).is_dir() else None


def _read_record(path: Path) -> dict[str, Any]:
    """Return a record of the run, or nothing if it is missing or damaged, which others report."""
    try:
        values = read_json(path) if path.suffix == ".json" else read_yaml(path, "")
    except (OSError, ValueError):  # InputError is a ValueError
        return {}
    return values if isinstance(values, dict) else {}


def locate_recorded(values: dict[str, Any], run: Path) -> dict[str, Any]:
    """Return the fields of a run's config with paths that hold from the current folder.

    Args:
        values: fields of a config, as the run recorded them.
        run: ``models/RUN``, or any folder that a checkpoint lies in.
    """
    start = start_folder(run)
    if start is None or start == Path.cwd():
        return values
    found = dict(values)
    for name in _INPUTS + _OUTPUTS:
        if isinstance(value := values.get(name), list):
            found[name] = [_located(each, start, name) for each in value]
        elif isinstance(value, str):
            found[name] = _located(value, start, name)
    return found


def _located(value: str, start: Path, name: str) -> str:
    if value in _WORDS or is_hub_address(value) or Path(value).is_absolute():
        return value
    place = start / value
    if name == "data" and not place.exists() and len(several := _several(value)) > 1:
        return shlex.join(_located(each, start, name) for each in several)
    # an input that is not there may lie where the user stands
    return str(place) if name in _OUTPUTS or place.exists() else value


def _several(value: str) -> list[str]:
    """Return the paths of several datasets, which stand between blanks, quoted as in a shell."""
    try:
        return shlex.split(value)
    except ValueError:  # a quotation mark in a name
        return [value]


def record_path(config: TrainConfig, run: Path) -> TrainConfig:
    """Return a config for the record of a run, with paths relative to the start folder."""
    start = start_folder(run) or Path.cwd()
    if start == Path.cwd():
        return config
    changed: dict[str, Any] = {}
    for name in _INPUTS + _OUTPUTS:
        value = getattr(config, name)
        if name == "data" and not Path(value).exists() and len(several := _several(value)) > 1:
            changed[name] = shlex.join(relative_to(start, each) for each in several)
        elif isinstance(value, list):
            changed[name] = [relative_to(start, each) for each in value]
        elif value is not None:
            changed[name] = relative_to(start, value)
    return dataclasses.replace(config, **changed)


def relative_to(start: Path, value: str) -> str:
    """Make a path relative to a folder that contains it, or absolute; keep words unchanged."""
    if value in _WORDS or is_hub_address(value):
        return value
    place = Path(os.path.abspath(value))
    return (place.relative_to(start) if place.is_relative_to(start) else place).as_posix()
