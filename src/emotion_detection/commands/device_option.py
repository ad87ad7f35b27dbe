"""The option ``--device`` of the commands that run networks."""

import sys

from emotion_detection.errors import InputError
from emotion_detection.inference.devices import choose_device, parse_device


def check_device(name: str) -> None:
    """Raise :class:`InputError` unless this is the name of a device, there or not."""
    try:
        parse_device(name)
    except InputError as error:
        raise InputError(f"--{error}") from None


def settle_device(name: str) -> str:
    """Return what networks will run on; one line says where that is not what was asked for.

    Raises:
        InputError: no such name.
    """
    check_device(name)
    device, line = choose_device(name)
    if line is not None:
        print(f"emotion: {line}", file=sys.stderr)
    return device.name


def report_device(name: str, asked: str) -> None:
    """Print what networks run on, for people: on a terminal, or where a device was asked for.

    Args:
        name: of the device.
        asked: that was asked for; where it is not the same, :func:`settle_device` has said so.
    """
    wanted = parse_device(asked)
    is_fallback = wanted is not None and name != wanted.name
    if not is_fallback and (wanted is not None or sys.stderr.isatty()):
        print(f"device: {name}", file=sys.stderr)
