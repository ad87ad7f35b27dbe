"""Writing a file whole, or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
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
