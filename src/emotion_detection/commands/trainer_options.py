"""The options ``--trainer.*``: fields of Lightning's Trainer with plain values.

Names and help are parsed from Lightning's source, since importing Lightning takes seconds. Thus
``--help`` and errors in other options need neither Lightning nor torch.
"""

import ast
import functools
import importlib.util
import inspect
import operator
import re
import textwrap
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser

from emotion_detection.commands.option_suggestions import suggest
from emotion_detection.config import LOGGERS, NOT_THE_USERS
from emotion_detection.errors import InputError, missing_package

HELP = "--help_trainer"
"""The option that lists these options."""

_PLAIN = (str, int, float, bool, type(None))
_WIDTH = 96


class TrainerField(NamedTuple):
    """A field of Lightning's Trainer.

    Args:
        default: the default value.
        text: Lightning's description, without markup.
    """

    default: Any
    text: str


@functools.cache
def trainer_fields() -> dict[str, TrainerField]:
    """Return the settable fields of Lightning's Trainer; none if it is not installed."""
    try:
        spec = importlib.util.find_spec("pytorch_lightning")
    except ValueError:
        return {}
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).parent / "trainer" / "trainer.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    init = next(
        part
        for one in tree.body
        if isinstance(one, ast.ClassDef) and one.name == "Trainer"
        for part in one.body
        if isinstance(part, ast.FunctionDef) and part.name == "__init__"
    )
    texts = _describe(ast.get_docstring(init) or "")
    fields = {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if argument.arg not in NOT_THE_USERS and default is not None:
            text = texts.get(argument.arg, "")
            fields[argument.arg] = TrainerField(ast.literal_eval(default), text)
    return fields


def _describe(docstring: str) -> dict[str, str]:
    """Return the Trainer's docstring by field, without markup and defaults."""
    _, _, listed = docstring.partition("Args:\n")
    texts = {}
    for name, text in re.findall(r"(?m)^    (\w+): ((?:.*\n?)(?:^(?: {8,}.*)?\n)*)", listed + "\n"):
        text = re.sub(r":\w+:`~?(?:[\w.]+\.)?([\w.]+)`", r"\1", " ".join(text.split()))
        text = re.sub(r" ?Default: .*$", "", text).replace("``", "'").replace("`", "'")
        text = re.sub(r"""'"(\w+)"'""", r"'\1'", text)
        texts[name] = text
    return texts


def trainer_names() -> list[str]:
    """Return the options for the Trainer, with their dashes."""
    return [f"--trainer.{name}" for name in trainer_fields()]


def asks_for_trainer_help(words: Sequence[str]) -> bool:
    """Return True if ``--help_trainer`` is among the words."""
    return HELP in words or HELP.replace("_", "-") in words


def print_trainer_help(command: str) -> int:
    """Print the options for Lightning's Trainer; return 0.

    Raises:
        InputError: Lightning is not installed.
    """
    if not trainer_fields():
        raise missing_package(HELP, "pytorch_lightning", "train")
    lines = [f"usage: emotion {command} [OPTIONS] [--trainer.FIELD VALUE ...]", ""]
    lines += ["Fields of PyTorch Lightning's Trainer, in Lightning's words.", ""]
    for name, field in trainer_fields().items():
        default = str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        shown = "" if field.default is None else f" (default: {default})"
        lines.append(f"  --trainer.{name}{shown}")
        lines += textwrap.wrap(
            field.text, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    print("\n".join(lines))
    return 0


def split_trainer_words(words: Sequence[str], command: str) -> tuple[list[str], list[str]]:
    """Split words into those for the parser without Lightning, and those for the Trainer.

    Args:
        words: the words that follow the command, with the option names of this version.
        command: the command, as ``emotion train``.

    Raises:
        InputError: the Trainer has no such field, or users cannot set it.
    """
    own, trainer = list[str](), list[str]()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if not name.startswith("--trainer."):
            own.append(word)
            continue
        _check_name(name, command)
        trainer.append(word)
        if not equals and rest and not rest[0].startswith("--"):
            trainer.append(rest.pop(0))
    return own, trainer


def _check_name(option: str, command: str) -> None:
    name, fields = option.removeprefix("--trainer."), trainer_fields()
    if name == "max_epochs":
        raise InputError("--trainer.max_epochs: the number of epochs is --epochs")
    if name == "logger":
        raise InputError(f"{option}: say --logger with {', '.join(LOGGERS)}")
    if name in NOT_THE_USERS:
        raise InputError(f"{option}: cannot be set; this project sets it itself")
    if fields and name.partition(".")[0].rstrip("+") not in fields:
        names = trainer_names()
        end = suggest(option, names, command).replace("--help'", f"{HELP}'")
        raise InputError(f"{option}: no such option{end}")


def add_trainer_options(parser: ArgumentParser) -> None:
    """Add an option for each field of Lightning's Trainer that users may set.

    Types that are classes, such as ``Union[str, Strategy]``, are reduced to their plain part.
    Otherwise the parser would import any class that a value names, and a config file could run any
    module.
    """
    from pytorch_lightning import Trainer

    hints = get_type_hints(Trainer.__init__)
    for name, field in inspect.signature(Trainer.__init__).parameters.items():
        if name == "self" or name in NOT_THE_USERS:
            continue
        parser.add_argument(
            f"--trainer.{name}", type=_plain_part(hints[name]), default=field.default
        )


def _plain_part(hint: Any) -> Any:
    """Return a type without classes: of a union, the members that hold plain values."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [one for one in get_args(hint) if one in _PLAIN or get_origin(one) is not None]
    return functools.reduce(operator.or_, members)
