"""``--trainer.*``: fields of Lightning's Trainer, for plain values alone."""

import functools
import inspect
import operator
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser
from pytorch_lightning import Trainer

from emotion_detection.training.fit import NOT_THE_USERS

_PLAIN = (str, int, float, bool, type(None))


def add_trainer_options(parser: ArgumentParser) -> None:
    """Add an option for each field of Lightning's Trainer that users may set.

    Types that are classes, such as ``Union[str, Strategy]``, are reduced to their plain part. The
    parser would import whatever class a value names, so a config file could run any module.
    """
    hints = get_type_hints(Trainer.__init__)
    described = docstring_parser.parse(Trainer.__init__.__doc__ or "")
    words = {one.arg_name: one.description or "" for one in described.params}
    for name, field in inspect.signature(Trainer.__init__).parameters.items():
        if name == "self" or name in NOT_THE_USERS:
            continue
        parser.add_argument(
            f"--trainer.{name}",
            type=_plain_part(hints[name]),
            default=field.default,
            help=words.get(name, "").partition("\nDefault:")[0],
        )


def _plain_part(hint: Any) -> Any:
    """Return a type without its classes: of a union, the members that hold plain values."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [one for one in get_args(hint) if one in _PLAIN or get_origin(one) is not None]
    return functools.reduce(operator.or_, members)
