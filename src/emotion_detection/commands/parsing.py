"""Parsing a verb's options; what is wrong is said in one line."""

import json
import re
from argparse import SUPPRESS, Action
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from emotion_detection.commands.suggestions import suggest
from emotion_detection.errors import InputError
from emotion_detection.field_types import TYPE_WORDS, join_choices
from emotion_detection.plain_values import read_yaml

VIEWS_HELP = (
    "views of each face whose scores are averaged: 1, 2 (and mirrored) or 4 (and enlarged); "
    "default: 4 in images and videos, 1 for crops"
)
PRIOR_HELP = (
    "natural: classes as frequent as in training; balanced: all equally frequent, which finds more "
    "of the rare ones"
)


def new_parser(verb: str, description: str) -> ArgumentParser:
    """Make the parser of a verb."""
    return ArgumentParser(
        prog=f"emotion {verb}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
        formatter_class=_Help,
    )


class _Help(DefaultHelpFormatter):
    """Options as people read them: no names of types, and those defaults that say a thing."""

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        told = action.option_strings and "default" not in text
        if told and action.default not in (None, False, SUPPRESS):
            return f"{text} (default: %(default)s)"
        return text


def join_data_words(words: Sequence[str]) -> list[str]:
    r"""Make one word of the several that ``--data``, ``--classes`` and ``--rename`` may have.

    For commands without arguments that stand alone. Classes may also be separated by commas.

    >>> join_data_words(["--data", "a", "b c", "--classes", "happy,sad", "--size", "48"])
    ["--data=a 'b c'", '--classes=["happy", "sad"]', '--size', '48']
    """
    from emotion_detection.data.reshape import join_paths

    joined: list[str] = []
    rest = list(words)
    while rest:
        option, mark, value = rest.pop(0).partition("=")
        if option not in ("--data", "--classes", "--rename") or (mark and value[:1] == "["):
            joined.append(option + mark + value)
            continue
        values = [value] if mark else []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        if not values:  # the parser says what is missing
            joined.append(option)
        elif option == "--data":
            joined.append(f"{option}={join_paths(values)}")
        else:
            named = [part.strip() for value in values for part in value.split(",")]
            joined.append(f"{option}={json.dumps([name for name in named if name])}")
    return joined


def parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Parse a verb's words.

    Raises:
        InputError: one line that names the option and what is allowed.
    """
    try:
        return parser.parse_args(_as_options(parser, words))
    except (ArgumentError, TypeError, ValueError) as error:
        raise InputError(_one_line(parser, str(error))) from None


_BAD_VALUE = re.compile(
    r'^Parser key "(?P<option>[^"]+)": .*?'
    r"(?:Expected an? |Union subtypes Subtypes: )(?P<types>.*?)"
    r"(?:\. Got value: | Errors: .*Given value: )(?P<value>.*)$"
)
_UNKNOWN = re.compile(r"[Uu]nrecognized arguments: --([\w.-]+)|^Option '([\w.-]+)' is not accepted")
_UNKNOWN_IN_GROUP = re.compile(r"^Group '([\w.]+)' does not accept option '([\w.]+)'")


def _as_options(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """Understand ``--batch-size`` as ``--batch_size``, and ``--frozen`` as ``--frozen true``."""
    known = set(_options(parser))
    switches = {
        option
        for action in parser._actions
        if _takes_bool(getattr(action, "_typehint", None))
        for option in action.option_strings
    }
    given = []
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        plain = f"--{name[2:].replace('-', '_')}"
        if name.startswith("--") and name not in known and plain in known:
            word = f"{plain}{equals}{value}"
        given.append(word)
        following = words[place + 1 : place + 2]
        if word in switches and (not following or following[0].startswith("--")):
            given.append("true")
    return given


def _takes_bool(kind: Any) -> bool:
    return kind is bool or bool in get_args(kind)


def _one_line(parser: ArgumentParser, message: str) -> str:
    text = " ".join(message.split())
    if bad := _BAD_VALUE.match(text):
        return f"--{bad['option']} {bad['value']}: must be {_allowed(bad['types'])}"
    text = _UNKNOWN_IN_GROUP.sub(r"Option '\1.\2' is not accepted", text)
    if unknown := _UNKNOWN.search(text):
        name = f"--{unknown[1] or unknown[2]}"
        return f"{name}: no such option{suggest(name, _options(parser), parser.prog)}"
    return re.sub(r'^Parser key "([^"]+)": ', r"--\1: ", text)


def _allowed(types: str) -> str:
    """Turn the names of Python's types into words, each once."""
    literals = ",".join(re.findall(r"Literal\[(.*?)\]", types))
    words = [value.strip(" '") for value in literals.split(",") if value]
    words += [TYPE_WORDS.get(name, name) for name in re.findall(r"<class '([\w.]+)'>", types)]
    return join_choices(words or [types])


def _options(parser: ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def plain(value: Any) -> Any:
    """Return a parsed group as a plain dict."""
    return value.as_dict() if isinstance(value, Namespace) else value


def option_value(words: Sequence[str], name: str) -> str | None:
    """Find an option that must be known before the others are parsed; the last one counts."""
    values = _option_values(words, name)
    return values[-1] if values else None


def _option_values(words: Sequence[str], name: str) -> list[str]:
    values = []
    for place, word in enumerate(words):
        if word == name and place + 1 < len(words):
            values.append(words[place + 1])
        elif word.startswith(f"{name}="):
            values.append(word.partition("=")[2])
    return values


def preset_name(words: Sequence[str], default: str) -> str:
    """Return the preset that an option names, else the last --config file that names one.

    Every --config file is checked here, before the parser reads it in a way of its own.

    Raises:
        InputError: a --config file is missing, no plain YAML, or not a mapping.
    """
    configs = [_read_config(Path(file)) for file in _option_values(words, "--config")]
    if (named := option_value(words, "--preset")) is not None:
        return named
    presets = [str(values["preset"]) for values in configs if "preset" in values]
    return presets[-1] if presets else default


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"--config: {path}: no such file")
    return read_yaml(path, "--config")
