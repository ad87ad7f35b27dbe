"""Read values from untrusted files: plain data, checked, never code.

Configs, records and metadata of a run may come from a stranger. Only numbers, text, lists and dicts
are accepted; values that could name code to import, or fill the memory, are rejected.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError

LARGEST_CONFIG, MOST_BRACKETS = 30_000, 500
"""Maximum bytes and opening brackets of a config file; those of runs have about 1,000 and 10. The
parser's time is quadratic in nested lists."""

_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def read_yaml(path: Path, option: str) -> dict[str, Any]:
    """Read a config file: lines of ``option: value``.

    Args:
        path: the file.
        option: begins the message of an error.

    Raises:
        InputError: the file cannot be read, is not YAML, or has anchors, whose nested copies can
            fill the memory.
    """
    import yaml

    try:
        content = path.read_bytes()
        if len(content) > LARGEST_CONFIG:
            raise InputError(f"{option} {path}: {len(content):,} bytes: too large for a config")
        text = content.decode("utf-8")
        if text.count("[") + text.count("{") > MOST_BRACKETS:
            raise InputError(f"{option} {path}: more than {MOST_BRACKETS} brackets: no config")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise InputError(f"{option} {path}: anchors (&name, *name) are not read; write it out")
        values = yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{option} {path}: cannot be read as YAML: {reason}") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{option} {path}: must hold lines of 'option: value'")
    if "trainer" in values:
        values["trainer"] = {} if values["trainer"] is None else values["trainer"]
        if not isinstance(values["trainer"], dict):
            raise InputError(f"{option} {path}: trainer: must hold lines of 'option: value'")
        refuse_class_paths(values["trainer"], f"{option} {path}: trainer")
    return values


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not JSON, or nested too deeply.
    """
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: the text is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def refuse_class_paths(options: Mapping[Any, Any], where: str) -> None:
    """Check that options for Lightning are plain values.

    Args:
        options: name to value.
        where: begins the message, followed by a dot and the option.

    Raises:
        InputError: a value is not plain, or names a class to import.
    """
    for name, value in options.items():
        is_folder = name == "default_root_dir"
        if isinstance(value, str) and _CLASS_PATH.fullmatch(value) and not is_folder:
            raise InputError(f"{where}.{name} {value}: a class path; only plain values are taken")
        if not isinstance(name, str) or not _is_plain(value):
            raise InputError(
                f"{where}.{name}: must be a number, a word, true, false or null; class paths "
                "are not taken"
            )


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):  # such as max_time: {hours: 1}
        return all(isinstance(k, str) and isinstance(v, int) for k, v in value.items())
    if isinstance(value, list):  # such as devices: [0, 1]
        return all(isinstance(one, str | int | float) for one in value)
    return value is None or isinstance(value, str | int | float)
