"""Read open files, such as uploads, into bytes."""

from typing import Any

from emotion_detection.errors import ImageError, shorten


def is_file_object(value: object) -> bool:
    """Return True for an object with a method ``read``, such as an open file or an upload."""
    return callable(getattr(value, "read", None)) and not isinstance(value, type)


def name_of_file(value: object) -> str | None:
    """Return the name of an open file or an upload, or None.

    Flask's uploads have the client's file name as ``filename``, and the name of the form field as
    ``name``.
    """
    names = [getattr(value, key, None) for key in ("filename", "name") if is_file_object(value)]
    return next((name for name in names if isinstance(name, str) and name), None)


def read_file_object(file: Any, most: int) -> bytes:
    """Read the rest of an open file, from the current position.

    Args:
        file: open for reading bytes: ``open(path, "rb")``, ``io.BytesIO``, an upload.
        most: maximum number of bytes.

    Raises:
        ImageError: the file returns no bytes, or more than allowed.

    >>> import io
    >>> read_file_object(io.BytesIO(b"abc"), 10)
    b'abc'
    """
    name = f"a {type(file).__name__}"
    try:
        content = file.read(most + 1)
    except Exception as error:  # any object may have a method of that name
        raise ImageError(f"{name}: cannot be read: {shorten(str(error))}") from None
    if isinstance(content, str):
        raise ImageError(f"{name} that is open as text: open it with mode 'rb'")
    if not isinstance(content, bytes | bytearray | memoryview):
        if callable(close := getattr(content, "close", None)):
            close()  # a coroutine
        raise ImageError(f"{name}: its read() gives no bytes; pass 'await file.read()'")
    if not content:
        raise ImageError(f"{name} with nothing left to read: file.seek(0) goes to its start")
    if len(content) > most:
        raise ImageError(f"{name} of more than {most / 1e6:,.0f} MB: larger than any image")
    return bytes(content)
