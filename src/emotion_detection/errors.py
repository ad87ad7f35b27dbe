"""User errors. The command line prints them as one line, without a traceback."""

import importlib.util
import sys

LONGEST_MESSAGE = 2000
"""Characters of an error's message."""

REINSTALL = "reinstall the package: pip install --force-reinstall --no-deps . (in the checkout)"
"""What to do where a file of the package is missing or damaged, for messages."""


class InputError(ValueError):
    """Bad usage or bad input: says what is wrong, where, and what is allowed. Exit code 2.

    >>> from emotion_detection import EmotionDetector, InputError
    >>> try:
    ...     EmotionDetector(min_confidence=50)
    ... except InputError as error:
    ...     print(error)
    min_confidence 50: must be a number above 0 and below 1

    A message is cut to :data:`LONGEST_MESSAGE` characters: what it quotes may be a whole file.
    """

    def __init__(self, *args: object) -> None:
        if args and isinstance(args[0], str):
            args = (shorten(args[0], LONGEST_MESSAGE), *args[1:])
        super().__init__(*args)


class ImageError(InputError):
    """An image that cannot be read; the message says why.

    >>> from emotion_detection import EmotionDetector, ImageError
    >>> try:
    ...     EmotionDetector().detect("nosuch.jpg")
    ... except ImageError as error:
    ...     print(error)
    nosuch.jpg: no such file
    """


def missing_package(what: str, package: str, extra: str) -> InputError:
    """Return the error of something that needs an extra which is not installed.

    Args:
        what: needs it.
        package: that is not installed.
        extra: of this package, that installs it.
    """
    # the package is on no index: only a checkout can be installed from
    return InputError(
        f"{what} needs {package}, which is not installed; run this in the checkout: "
        f"pip install '.[{extra}]'"
    )


def require_package(what: str, extra: str, *modules: str) -> None:
    """Refuse to go on without some modules; they are not imported.

    Args:
        what: needs them.
        extra: of this package, that installs them.
        modules: top-level modules, by their names.

    Raises:
        InputError: one of them is not installed.
    """
    for module in modules:
        try:
            found = importlib.util.find_spec(module)
        except ValueError:  # imported by hand, without a record of where from
            found = None
        if found is None and sys.modules.get(module) is None:
            raise missing_package(what, module, extra)


def shorten(text: str, longest: int = 160) -> str:
    """Return a text for a message: without its middle where it is long.

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
    """A training that cannot go on (not finite, disk full). Exit code 1."""
