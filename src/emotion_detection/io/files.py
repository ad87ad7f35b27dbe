"""Write files atomically, read them once, and check the type of a path."""

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

from emotion_detection.errors import InputError, shorten

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""First characters of text that spreadsheets evaluate as a formula (OWASP, CSV Injection),
including full-width ones; or of text that :func:`escape_cell` has escaped."""


def escape_cell(value: Any) -> Any:
    """Escape a CSV cell that a spreadsheet would evaluate as a formula, by a leading quote.

    Other texts and values are returned unchanged.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unescape_cell(cell: str) -> str:
    """Undo :func:`escape_cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class LoadedFile(NamedTuple):
    """A file that was read as a whole.

    Args:
        path: the file.
        content: its bytes.
        sha256: SHA-256 of the bytes in hexadecimal.
    """

    path: Path
    content: bytes
    sha256: str


def load_file(path: Path) -> LoadedFile:
    """Read and hash a file.

    Raises:
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    return LoadedFile(path, content, hashlib.sha256(content).hexdigest())


def get_path_kind(path: str | Path) -> str | None:
    """Return the type of a path: 'file', 'folder' or 'other', or None if it does not exist.

    Raises:
        InputError: the name is not valid, or a parent folder may not be searched.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{shorten(str(path))}: {reason}") from None
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "other"


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file atomically, creating parent directories.

    An existing file is replaced only by the complete new one. A link is followed, and a device such
    as ``/dev/stdout`` is written to, not replaced.

    Args:
        path: the file.
        content: bytes, or text, which is encoded as UTF-8.

    Raises:
        OSError: the file cannot be written; an existing one is unchanged.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (path.is_symlink() or not path.is_file()):
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
