"""Parse the command line: options from dataclasses, errors in one line."""

import contextlib
import dataclasses
import inspect
import json
import math
import re
from argparse import (
    SUPPRESS,
    Action,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    HelpFormatter,
)
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

from emotion_detection.commands.option_names import understand
from emotion_detection.commands.option_suggestions import suggest
from emotion_detection.errors import InputError
from emotion_detection.io.field_types import TYPE_WORDS, join_choices

P = TypeVar("P", bound=ArgumentParser)


def new_parser(command: str, description: str, usage: str = "[OPTIONS]") -> ArgumentParser:
    """Create the parser of a command with few options.

    Args:
        command: the command's words, such as ``data info``.
        description: the description in the help.
        usage: the usage line behind the command.
    """
    parser = set_up(_Parser, ShowDefaults, command, description, usage)
    parser.register("type", int, _whole_number)
    parser.register("type", float, _number)
    return parser


def set_up(
    parser: type[P], formatter: type[HelpFormatter], command: str, description: str, usage: str
) -> P:
    """Create a parser of either kind; the other one is :func:`.field_parser.new_field_parser`."""
    made = parser(
        prog=f"emotion {command}",
        usage=f"emotion {command} {usage}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
        formatter_class=formatter,
    )
    made._positionals.title = "arguments"
    return made


class _Parser(ArgumentParser):
    """argparse's parser, which raises all errors."""

    def error(self, message: str) -> NoReturn:
        """Raise an error, also where argparse would exit in spite of ``exit_on_error``."""
        raise ArgumentError(None, message)


def _whole_number(text: str) -> int:
    try:
        return int(text, 0 if text.lower().startswith(("0x", "0b", "0o")) else 10)
    except ValueError:
        raise ArgumentTypeError(f"{text or repr(text)}: must be {TYPE_WORDS['int']}") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{text or repr(text)}: must be {TYPE_WORDS['float']}")
    return value


def parse_texts(text: str) -> list[str]:
    """Parse a list of texts in JSON or YAML, such as :func:`join_data_words` writes.

    For ``type`` of an option.

    >>> parse_texts('["happy", "sad"]')
    ['happy', 'sad']
    """
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ArgumentTypeError(f"{text or repr(text)}: must be {TYPE_WORDS['list']}")
    return values


class ShowDefaults(HelpFormatter):
    """Format the help without Python's type names, and with informative defaults only."""

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        told = action.option_strings and "default" not in text
        if told and action.default not in (None, False, "", [], SUPPRESS):
            default = action.default
            shown = " ".join(map(str, default)) if isinstance(default, list) else default
            return f"{text} (default: {str(shown).replace('%', '%%')})"
        return text


def add_fields(
    parser: Any, kind: type, names: Iterable[str] | None = None, skip: Iterable[str] = ()
) -> None:
    """Add an option for each field of a dataclass, described by its docstring.

    Args:
        parser: a parser, or a group of one.
        kind: the dataclass.
        names: fields to add; None: all.
        skip: fields to leave out.
    """
    hints, texts = get_type_hints(kind), describe_fields(kind)
    left_out = set(skip)
    for field in dataclasses.fields(kind):
        if field.name in left_out or (names is not None and field.name not in names):
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        named = {"metavar": metavar} if (metavar := _metavar(hints[field.name])) else {}
        parser.add_argument(
            f"--{field.name}",
            type=hints[field.name],
            default=default,
            help=texts[field.name].replace("%", "%%"),
            **named,
        )


def add_field_groups(
    parser: ArgumentParser,
    kind: type,
    groups: Mapping[str, Sequence[str]],
    rest: str,
    skip: Iterable[str] = (),
) -> dict[str, Any]:
    """Add an option for each field of a dataclass, below headings.

    Args:
        parser: the command's parser.
        kind: the dataclass.
        groups: heading to its fields.
        rest: heading of all other fields; it comes second.
        skip: fields to leave out.

    Returns:
        Heading to its group.
    """
    fields = {field.name for field in dataclasses.fields(kind)} - set(skip)
    others = sorted(fields - {name for names in groups.values() for name in names})
    first, *last = groups.items()
    made = {}
    for title, names in (first, (rest, others), *last):
        made[title] = parser.add_argument_group(title)
        add_fields(made[title], kind, names, skip)
    return made


def _metavar(kind: Any) -> str | None:
    """Return the placeholder of a number's value in the help."""
    kinds = {one for one in (get_args(kind) or (kind,)) if one is not type(None)}
    return {frozenset({int}): "N", frozenset({float}): "X"}.get(frozenset(kinds))


def describe_fields(kind: type) -> dict[str, str]:
    """Return the help of each field from the docstrings of a dataclass and its bases.

    The docstrings are Google style: a section ``Args:`` with entries ``name: text``, further lines
    indented.
    """
    texts: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, listed = (inspect.getdoc(one) or "").partition("\nArgs:\n")
        for name, text in re.findall(r"(?m)^    (\w+): ((?:.*\n?)(?:^ {8,}.*\n?)*)", listed):
            texts[name] = " ".join(text.split()).rstrip(".")
    return texts


def join_data_words(words: Sequence[str]) -> list[str]:
    r"""Join the several words of ``--data``, ``--classes`` and ``--rename`` into one.

    For commands without arguments that stand alone. Classes may also be separated by commas.

    >>> join_data_words(["--data", "a", "b c", "--classes", "happy,sad", "--size", "48"])
    ["--data=a 'b c'", '--classes=["happy", "sad"]', '--size', '48']
    """
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
        if not values:  # the parser reports the missing value
            joined.append(option)
        elif option == "--data":
            from emotion_detection.data.class_mapping import join_paths

            joined.append(f"{option}={join_paths(values)}")
        else:
            named = [part.strip() for value in values for part in value.split(",")]
            joined.append(f"{option}={json.dumps([name for name in named if name])}")
    return joined


def parse(parser: ArgumentParser, words: Sequence[str]) -> Any:
    """Parse a command's words.

    Returns:
        The parser's namespace.

    Raises:
        InputError: one line that names the option and the allowed values.
    """
    try:
        return parser.parse_args(_with_switches(parser, words))
    except (ArgumentError, TypeError, ValueError) as error:
        raise InputError(one_line(parser, str(error))) from None


@contextlib.contextmanager
def name_as_written(option: str, argument: str, words: Sequence[str]) -> Iterator[None]:
    """Name an argument in errors as the user wrote it: without the option of the same meaning.

    Args:
        option: the option, such as ``--data``.
        argument: name of the argument in the help, such as ``PATH``.
        words: the words that the user wrote without the option; empty: errors stay as they are.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        if not words or not message.startswith((f"{option} ", f"{option}:")):
            raise
        rest = message.removeprefix(option).lstrip()
        is_value = any(word and rest.startswith(word) for word in words)
        raise type(error)(rest if is_value else message.replace(option, argument, 1)) from None


_BAD_VALUE = re.compile(
    r'^Parser key "(?P<option>[^"]+)": .*?'
    r"(?:Expected an? |Union subtypes Subtypes: )(?P<types>.*?)"
    r"(?:\. Got value: | Errors: .*Given value: )(?P<value>.*)$"
)
_BAD_NUMBER = re.compile(r"^argument (?P<option>--[\w.-]+): (?P<text>.*: must be .*)$")
_UNKNOWN = re.compile(r"[Uu]nrecognized arguments: --([\w.-]+)|^Option '([\w.-]+)' is not accepted")
_STRAY = re.compile(r"[Uu]nrecognized arguments: ([^-]\S*)$")
_REQUIRED = re.compile(r"the following arguments are required: ")
_UNKNOWN_IN_GROUP = re.compile(r"^Group '([\w.]+)' does not accept option '([\w.]+)'")


def read_words(parser: ArgumentParser, words: Sequence[str], more: Iterable[str] = ()) -> list[str]:
    """Return a command's words with the option names of this version (:mod:`.option_names`).

    Args:
        parser: the command's parser.
        words: the words that follow the command.
        more: options of the command that the parser lacks.
    """
    inputs = any(a.dest == "inputs" and not a.option_strings for a in parser._actions)
    return understand(words, [*option_names(parser), *more], inputs)


def _with_switches(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """Read ``--frozen`` as ``--frozen true``."""
    switches = {
        option
        for action in parser._actions
        if _takes_bool(getattr(action, "_typehint", None))
        for option in action.option_strings
    }
    given = []
    words = understand(words, option_names(parser))
    for place, word in enumerate(words):
        given.append(word)
        following = words[place + 1 : place + 2]
        if word in switches and (not following or following[0].startswith("--")):
            given.append("true")
    return given


def _takes_bool(kind: Any) -> bool:
    return kind is bool or bool in get_args(kind)


def one_line(parser: ArgumentParser, message: str, more: Iterable[str] = ()) -> str:
    """Convert a parser's error to a line that names the option and the allowed values.

    Args:
        parser: the command's parser.
        message: the parser's error message.
        more: options of the command that the parser lacks.
    """
    text = " ".join(message.split())
    if bad := _BAD_VALUE.match(text):
        return f"--{bad['option']} {bad['value']}: must be {_allowed(bad['types'])}"
    if bad := _BAD_NUMBER.match(text):
        return f"{bad['option']} {bad['text']}"
    text = _UNKNOWN_IN_GROUP.sub(r"Option '\1.\2' is not accepted", text)
    if unknown := _UNKNOWN.search(text):
        name = f"--{unknown[1] or unknown[2]}"
        known = [*option_names(parser), *more]
        return f"{name}: no such option{suggest(name, known, parser.prog)}"
    if stray := _STRAY.match(text):
        known = option_names(parser)
        meant = next((f"--{name}" for name in ("model", "data") if f"--{name}" in known), None)
        return text if meant is None else f"{text}; did you mean {meant} {stray[1]}?"
    if _REQUIRED.match(text):
        named = {a.dest: a.metavar for a in parser._actions if not a.option_strings}
        return re.sub(r"\w+(?=,|$)", lambda found: str(named.get(found[0]) or found[0]), text)
    return re.sub(r'^Parser key "([^"]+)": ', r"--\1: ", text)


def _allowed(types: str) -> str:
    """Translate the names of Python's types into words, each once."""
    literals = ",".join(re.findall(r"Literal\[(.*?)\]", types))
    words = [value.strip(" '") for value in literals.split(",") if value]
    words += [TYPE_WORDS.get(name, name) for name in re.findall(r"<class '([\w.]+)'>", types)]
    return join_choices(words or [types])


def option_names(parser: ArgumentParser) -> list[str]:
    """Return all options of a parser, with their dashes."""
    return [option for action in parser._actions for option in action.option_strings]


def check_choice(option: str, value: str | None, choices: Sequence[str]) -> None:
    """Reject a value that is not among the choices; None is allowed.

    Raises:
        InputError: the value is another one.
    """
    if value is not None and value not in choices:
        raise InputError(f"--{option} {value}: must be {join_choices(list(choices))}")


def option_value(words: Sequence[str], name: str) -> str | None:
    """Return the value of an option before the others are parsed; the last one counts."""
    values = option_values(words, name)
    return values[-1] if values else None


def option_values(words: Sequence[str], name: str) -> list[str]:
    """Return all values of an option on the command line, in order."""
    values = []
    for place, word in enumerate(words):
        if word == name and place + 1 < len(words):
            values.append(words[place + 1])
        elif word.startswith(f"{name}="):
            values.append(word.partition("=")[2])
    return values
