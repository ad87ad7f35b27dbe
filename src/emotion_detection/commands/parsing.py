"""Parsing a verb's options; what is wrong is said in one line."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from emotion_detection.errors import InputError


def new_parser(verb: str, description: str) -> ArgumentParser:
    """Make the parser of a verb."""
    return ArgumentParser(
        prog=f"emotion {verb}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Parse a verb's words.

    Raises:
        InputError: one line that names the option and what is allowed.
    """
    try:
        return parser.parse_args(list(words))
    except (ArgumentError, TypeError, ValueError) as error:
        raise InputError(_one_line(parser, str(error))) from None


def _one_line(parser: ArgumentParser, message: str) -> str:
    text = " ".join(message.split())
    text = re.sub(r'^Parser key "([^"]+)": ', r"--\1: ", text)
    text = re.sub(r"Does not validate against any of the Union subtypes Subtypes: ", "", text)
    unknown = re.search(r"[Uu]nrecognized arguments: (--[\w.]+)", text)
    if unknown:
        options = [option for option in _options(parser) if option.startswith("--")]
        close = difflib.get_close_matches(unknown[1], options, 1)
        hint = f"; did you mean {close[0]}?" if close else f"; '{parser.prog} --help' lists them"
        return f"{unknown[1]}: no such option{hint}"
    return text


def _options(parser: ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def plain(value: Any) -> Any:
    """Return a parsed group as a plain dict."""
    return value.as_dict() if isinstance(value, Namespace) else value
