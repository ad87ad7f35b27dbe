"""The errors that people can mend: shown as one line, without a traceback."""


class InputError(ValueError):
    """Bad usage or bad input: says what is wrong, where, and what is allowed. Exit code 2.

    >>> from emotion_detection import EmotionDetector, InputError
    >>> try:
    ...     EmotionDetector(min_confidence=50)
    ... except InputError as error:
    ...     print(error)
    min_confidence 50: must be a number above 0 and below 1
    """


class PictureError(InputError):
    """An image that cannot be read; the message says why.

    >>> from emotion_detection import EmotionDetector, PictureError
    >>> try:
    ...     EmotionDetector().detect("nosuch.jpg")
    ... except PictureError as error:
    ...     print(error)
    nosuch.jpg: no such file
    """


def missing(what: str, package: str, extra: str) -> InputError:
    """Return the error of something that needs an extra which is not installed."""
    return InputError(
        f"{what} needs {package}, which is not installed: pip install 'emotion-detection[{extra}]' "
        f"(in a checkout: pip install -e '.[{extra}]')"
    )


def shorten(text: str, longest: int = 160) -> str:
    """Return a text for a message: without its middle where it is long.

    >>> shorten("a" * 1000, 9)
    'aaa...aaa'
    """
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


class TrainingError(RuntimeError):
    """A training that cannot go on (not finite, disk full). Exit code 1."""
