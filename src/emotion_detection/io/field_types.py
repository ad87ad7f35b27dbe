"""Check the values of a config against the types of its fields."""

import dataclasses
import os
import types
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from emotion_detection.errors import InputError

TYPE_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list of texts",
    "tuple": "a list of texts",
    "dict": "fields with their values",
    "NoneType": "null",
}
"""Names of the types of options, for messages."""


def check_types(config: Any) -> None:
    """Check the type of each field of a dataclass instance, and convert equivalent values.

    Paths become text, integers become floats where the field is a float, and NumPy's numbers become
    Python's. The command line checks the same earlier; this check is for Python and YAML files.

    Args:
        config: a dataclass instance, frozen or not. Its types may be bool, int, float, str,
            Literal, list[str], tuple[str, ...], dict and unions of those.

    Raises:
        InputError: a value has another type, or is not among the choices of a Literal.
    """
    for name, kind in _field_types(type(config)).items():
        value = getattr(config, name)
        try:
            converted = _converted(value, kind)
        except TypeError:
            allowed = join_choices(_choices(kind))
            raise InputError(f"--{name} {value}: must be {allowed}") from None
        if converted is not value:
            object.__setattr__(config, name, converted)


def join_choices(choices: list[str]) -> str:
    """Join choices to a phrase, each once.

    >>> join_choices(["adam", "adamw", "sgd"])
    'adam, adamw or sgd'
    """
    *first, last = dict.fromkeys(choices)
    return f"{', '.join(first)} or {last}" if first else last


def _field_types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _converted(value: Any, kind: Any) -> Any:
    """Return the value converted to this type; raise TypeError for another type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _converted_to_one(value, parts)
    if origin is Literal:
        # compared by type too, since True and 1.0 equal 1
        same = [part for part in parts if type(part) is type(value) and part == value]
        return same[0] if same else _require(value, False)
    if kind is type(None):
        return _require(value, value is None)
    if kind is bool:
        return _require(value, isinstance(value, bool))
    if kind is int:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        return value if type(value) is int else int(_require(value, whole))
    if kind is float:
        number = isinstance(value, Real) and not isinstance(value, bool)
        return value if type(value) is float else float(_require(value, number))
    if kind is str:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        return _require(value, isinstance(value, str))
    if origin in (list, tuple):
        _require(value, isinstance(value, (list, tuple)))
        items = [_converted(item, parts[0]) for item in value]
        return value if type(value) is origin and items == list(value) else origin(items)
    return _require(value, isinstance(value, origin or kind))


def _converted_to_one(value: Any, kinds: tuple[Any, ...]) -> Any:
    for kind in kinds:
        try:
            return _converted(value, kind)
        except TypeError:
            continue
    raise TypeError


def _require(value: Any, is_right: bool) -> Any:
    if not is_right:
        raise TypeError
    return value


def _choices(kind: Any) -> list[str]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return [choice for part in parts for choice in _choices(part)]
    if origin is Literal:
        return [str(part) for part in parts]
    name = (origin or kind).__name__
    return [TYPE_WORDS.get(name, name)]
