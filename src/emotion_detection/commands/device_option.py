"""The option ``--device`` of the commands that run networks."""

import sys

from emotion_detection.errors import InputError
from emotion_detection.inference.devices import choose_device, parse_device


def check_device(name: str) -> None:
    """Raise :class:`InputError` unless this is the name of a device, available or not."""
    try:
        parse_device(name)
    except InputError as error:
        raise InputError(f"--{error}") from None


def settle_device(name: str) -> str:
    """Return the device of the networks; print a line if it is not the requested one.

    Raises:
        InputError: no such name.
    """
    check_device(name)
    device, line = choose_device(name)
    if line is not None:
        print(f"emotion: {line}", file=sys.stderr)
    return device.name


def report_device(name: str, asked: str) -> None:
    """Print the device, on a terminal or if a device was requested.

    Args:
        name: name of the device.
        asked: the requested device; if it differs, :func:`settle_device` has printed a line.
    """
    wanted = parse_device(asked)
    is_fallback = wanted is not None and name != wanted.name
    if not is_fallback and (wanted is not None or sys.stderr.isatty()):
        print(f"device: {name}", file=sys.stderr)
