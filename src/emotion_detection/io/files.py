"""Files of users: what lies under a name, and writing a file whole, or not at all."""

import os
import re
import stat
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError, shorten

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How text begins that a spreadsheet takes for a formula (OWASP, CSV Injection), also in
full-width characters; or that :func:`escape_cell` has made harmless."""


def escape_cell(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet takes for a formula: with a quotation mark before it.

    Values that are no text, and text that is no formula, stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unescape_cell(cell: str) -> str:
    """Return the text that :func:`escape_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def get_path_kind(path: str | Path) -> str | None:
    """Return 'file', 'folder' or 'other' for what lies under a name, None for nothing.

    Raises:
        InputError: no file can have this name, or a folder on the way may not be searched.
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
    """Write a file so that nobody meets half of it; missing folders are made.

    What stands at ``path`` is replaced only by the whole new file. A link or a device such as
    ``/dev/stdout`` is written through, not replaced.

    Args:
        path: the file.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: it cannot be written there; what was there before is whole.
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
