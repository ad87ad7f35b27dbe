"""Parsing a verb's options; what is wrong is said in one line."""

import difflib
import re
from argparse import SUPPRESS, Action
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from emotion_detection.errors import InputError


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


SEVERAL_WORDS = {"data", "classes", "rename"}
"""Fields of ``DataConfig`` that :func:`add_data_arguments` adds."""


def add_data_arguments(parser: ArgumentParser, default: str | None = "auto") -> None:
    """Add the options of a dataset that take several words.

    These are ``--data``, ``--classes`` and ``--rename``.

    Args:
        parser: gets them; the other fields of ``DataConfig`` are added as a class.
        default: of ``--data``; None: what the model was trained on.
    """
    parser.add_argument(
        "--data",
        type=str,
        nargs="+",
        default=default,
        help="the faces: a path or several, 'fer2013' or 'demo'"
        + (", or 'auto': what is in data/, else download, else drawn faces" if default else ""),
    )
    parser.add_argument(
        "--classes", type=str, nargs="+", default=[], help="the classes to keep; default: all"
    )
    parser.add_argument(
        "--rename",
        type=str,
        nargs="+",
        default=[],
        help="new names of classes, OLD=NEW each, for example 1=surprise 2=fear",
    )


def data_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return parsed options with those of :func:`add_data_arguments` as ``DataConfig`` has them."""
    from emotion_detection.data.reshape import join_paths

    data = values.get("data")
    changed = {name: _words(values[name]) for name in ("classes", "rename") if name in values}
    if isinstance(data, list):
        changed["data"] = join_paths(data)
    return values | changed


def _words(values: list[str] | str | None) -> list[str]:
    """Return words that may be separated by commas."""
    listed = [values] if isinstance(values, str) else values or []
    return [word.strip() for value in listed for word in value.split(",") if word.strip()]


def parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Parse a verb's words.

    Raises:
        InputError: one line that names the option and what is allowed.
    """
    try:
        return parser.parse_args(list(words))
    except (ArgumentError, TypeError, ValueError) as error:
        raise InputError(_one_line(parser, str(error))) from None


_TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "NoneType": "null"}
"""What a person calls the types that options have."""

_BAD_VALUE = re.compile(
    r'^Parser key "(?P<option>[^"]+)": .*?'
    r"(?:Expected an? |Union subtypes Subtypes: )(?P<types>.*?)"
    r"(?:\. Got value: | Errors: .*Given value: )(?P<value>.*)$"
)
_UNKNOWN = re.compile(r"[Uu]nrecognized arguments: --([\w.-]+)|^Option '([\w.-]+)' is not accepted")
_UNKNOWN_IN_GROUP = re.compile(r"^Group '([\w.]+)' does not accept option '([\w.]+)'")


def _one_line(parser: ArgumentParser, message: str) -> str:
    text = " ".join(message.split())
    if bad := _BAD_VALUE.match(text):
        return f"--{bad['option']} {bad['value']}: must be {_allowed(bad['types'])}"
    text = _UNKNOWN_IN_GROUP.sub(r"Option '\1.\2' is not accepted", text)
    if unknown := _UNKNOWN.search(text):
        name = f"--{unknown[1] or unknown[2]}"
        options = [option for option in _options(parser) if option.startswith("--")]
        begun = [option for option in options if option.startswith(name)]
        close = begun or difflib.get_close_matches(name, options, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; '{parser.prog} --help' lists them"
        return f"{name}: no such option{hint}"
    return re.sub(r'^Parser key "([^"]+)": ', r"--\1: ", text)


def _allowed(types: str) -> str:
    """Turn the names of Python's types into words, each once."""
    literals = ",".join(re.findall(r"Literal\[(.*?)\]", types))
    words = [value.strip(" '") for value in literals.split(",") if value]
    words += [_TYPES.get(name, name) for name in re.findall(r"<class '([\w.]+)'>", types)]
    *first, last = dict.fromkeys(words or [types])
    return f"{', '.join(first)} or {last}" if first else last


def _options(parser: ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def plain(value: Any) -> Any:
    """Return a parsed group as a plain dict."""
    return value.as_dict() if isinstance(value, Namespace) else value
