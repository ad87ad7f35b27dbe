"""Files that are open already, such as uploads, read into bytes."""

from typing import Any

from emotion_detection.errors import PictureError, shorten


def is_file_object(value: object) -> bool:
    """Return True for what has a method ``read``, such as an open file or an upload."""
    return callable(getattr(value, "read", None)) and not isinstance(value, type)


def name_of_file(value: object) -> str | None:
    """Return the name of a path or of an open file; None: it has none."""
    name = getattr(value, "name", None) if is_file_object(value) else None
    return name if isinstance(name, str) and name else None


def read_file_object(file: Any, most: int) -> bytes:
    """Read the rest of an open file, from where it stands.

    Args:
        file: open for reading bytes: ``open(path, "rb")``, ``io.BytesIO``, an upload.
        most: bytes that are allowed.

    Raises:
        PictureError: it gives no bytes, or more than allowed.

    >>> import io
    >>> read_file_object(io.BytesIO(b"abc"), 10)
    b'abc'
    """
    name = f"a {type(file).__name__}"
    try:
        content = file.read(most + 1)
    except Exception as error:  # anything may have a method of that name
        raise PictureError(f"{name}: cannot be read: {shorten(str(error))}") from None
    if isinstance(content, str):
        raise PictureError(f"{name} that is open as text: open it with mode 'rb'")
    if not isinstance(content, bytes | bytearray | memoryview):
        if callable(close := getattr(content, "close", None)):
            close()  # a coroutine
        raise PictureError(f"{name}: its read() gives no bytes; pass 'await file.read()'")
    if not content:
        raise PictureError(f"{name} with nothing left to read: file.seek(0) goes to its start")
    if len(content) > most:
        raise PictureError(f"{name} of more than {most / 1e6:,.0f} MB: larger than any image")
    return bytes(content)
