"""Find presets and old option names in YAML files that a command line names."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotion_detection.commands.option_names import note
from emotion_detection.commands.parsing import option_value, option_values
from emotion_detection.config import OLD_FIELDS
from emotion_detection.errors import InputError
from emotion_detection.io.plain_values import read_yaml


def preset_name(words: Sequence[str], default: str) -> str:
    """Return the preset that an option names, else the last --config file that names one.

    Every --config file is checked here, before the parser reads it.

    Raises:
        InputError: a --config file is missing, no plain YAML, or not a mapping.
    """
    configs = [_read_config(Path(file)) for file in option_values(words, "--config")]
    if (named := option_value(words, "--preset")) is not None:
        return named
    presets = [str(values["preset"]) for values in configs if "preset" in values]
    return presets[-1] if presets else default


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"--config: {path}: no such file")
    return read_yaml(path, "--config")


def prints_config(words: Sequence[str]) -> bool:
    """Return True if ``--print_config`` is among the words."""
    return any(word.partition("=")[0] == "--print_config" for word in words)


def rename_config(path: Path, option: str) -> str:
    """Return a config file for ``--config``: the path, or the text with renamed fields.

    Args:
        path: the file.
        option: begins the message of an error.

    Raises:
        InputError: it is no plain YAML, or no mapping.
    """
    if not OLD_FIELDS.keys() & read_yaml(path, option).keys():
        return str(path)
    text = path.read_text(encoding="utf-8")
    for old, new in OLD_FIELDS.items():
        text = re.sub(rf"(?m)^{old}(?=\s*:)", new, text)
    return text


def rename_configs(words: Sequence[str]) -> list[str]:
    """Return words whose ``--config`` files hold the field names of this version.

    For a file with old names, a line is printed on standard error.

    Raises:
        InputError: a file is no plain YAML, or no mapping.
    """
    renamed, rest = list[str](), iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name == "--config" and (equals or (value := next(rest, ""))):
            renamed_file = rename_config(Path(value), "--config")
            if renamed_file != value:
                names = " and ".join(f"{old} ({new})" for old, new in OLD_FIELDS.items())
                note(f"--config {value}: has old names: {names}")
            word = f"--config={renamed_file}"
        renamed.append(word)
    return renamed
