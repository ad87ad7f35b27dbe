"""User errors. The command line prints them as one line, without a traceback."""

import importlib.util
import sys

LONGEST_MESSAGE = 2000
"""Maximum length of an error message in characters."""

REINSTALL = "reinstall the package: pip install --force-reinstall --no-deps . (in the checkout)"
"""Advice for messages about missing or damaged files of the package."""


class InputError(ValueError):
    """Bad usage or bad input; the message names the value and the allowed ones. Exit code 2.

    >>> from emotion_detection import EmotionDetector, InputError
    >>> try:
    ...     EmotionDetector(min_confidence=50)
    ... except InputError as error:
    ...     print(error)
    min_confidence 50: must be a number above 0 and below 1

    Messages are shortened to :data:`LONGEST_MESSAGE` characters, since they may quote a file.
    """

    def __init__(self, *args: object) -> None:
        if args and isinstance(args[0], str):
            args = (shorten(args[0], LONGEST_MESSAGE), *args[1:])
        super().__init__(*args)


class ImageError(InputError):
    """An image cannot be read; the message gives the reason.

    >>> from emotion_detection import EmotionDetector, ImageError
    >>> try:
    ...     EmotionDetector().detect("nosuch.jpg")
    ... except ImageError as error:
    ...     print(error)
    nosuch.jpg: no such file
    """


def missing_package(what: str, package: str, extra: str) -> InputError:
    """Return the error for a feature whose extra is not installed.

    Args:
        what: name of the feature.
        package: the missing package.
        extra: the extra of this package that installs it.
    """
    # the package is not on PyPI: it is installed from a checkout
    return InputError(
        f"{what} needs {package}, which is not installed; run this in the checkout: "
        f"pip install '.[{extra}]'"
    )


def require_package(what: str, extra: str, *modules: str) -> None:
    """Check that modules are installed, without importing them.

    Args:
        what: name of the feature that needs them.
        extra: the extra of this package that installs them.
        modules: names of top-level modules.

    Raises:
        InputError: a module is not installed.
    """
    for module in modules:
        try:
            found = importlib.util.find_spec(module)
        except ValueError:  # a module in sys.modules without a spec
            found = None
        if found is None and sys.modules.get(module) is None:
            raise missing_package(what, module, extra)


def shorten(text: str, longest: int = 160) -> str:
    """Shorten a long text for a message by removing the middle.

    >>> shorten("a" * 1000, 9)
    'aaa...aaa'
    """
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def printable(text: str) -> str:
    r"""Return a text as one line that moves no cursor and that every encoding can write.

    >>> print(printable("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class TrainingError(RuntimeError):
    """A training cannot continue (not finite, disk full). Exit code 1."""
