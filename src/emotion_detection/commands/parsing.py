"""Parsing a verb's options; what is wrong is said in one line."""

import difflib
import json
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
