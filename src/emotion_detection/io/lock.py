"""Who is at some work: one run by itself, or any number of parts at once."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotion_detection.errors import InputError

NAME = "emotion.lock"
_NO_LOCK = -1

_OWN = re.compile(
    rf"manifest\.json|{re.escape(NAME)}|list-[0-9a-f]{{16}}\.jsonl|shards-[0-9a-f]{{16}}"
    r"|(list|table)\..+\.\d+\.(part|manifest)"
)
_OWN_SHARD = re.compile(r"\d{6,}(\.jsonl|\..+\.\d+\.part)")


@contextmanager
def hold_lock(folder: Path, alone: bool) -> Iterator[None]:
    """Keep the folder of some work for this run; whoever dies lets go of it.

    Where the disk has no locks (some network disks; Windows) the folder is not kept.

    Args:
        folder: that the work lies, or shall lie, in.
        alone: whether no other may be at it; else others that are not alone may.

    Raises:
        InputError: another run is at it; the folder holds other things than work, or cannot be
            written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_own(folder)
        handle = _NO_LOCK if sys.platform == "win32" else _locked(folder / NAME, alone)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    if handle is None:
        raise InputError(f"{folder}: another run is at it: wait for its end, or stop it")
    try:
        yield
    finally:
        if handle != _NO_LOCK:
            if alone:
                (folder / NAME).unlink(missing_ok=True)
            os.close(handle)
        remove_if_empty(folder)


def list_own_files(folder: Path) -> Iterator[Path]:
    """Yield what the folder of some work has of this project, files before their folder."""
    for path in sorted(folder.iterdir()):
        if not _OWN.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            yield from (file for file in path.iterdir() if _OWN_SHARD.fullmatch(file.name))
        yield path


def remove_if_empty(folder: Path) -> None:
    """Remove a folder; one that something is in stays."""
    try:
        folder.rmdir()
    except OSError:
        return


def _check_own(folder: Path) -> None:
    if (folder / "manifest.json").is_file():
        return
    foreign = next((name for name in os.listdir(folder) if not _OWN.fullmatch(name)), None)
    if foreign is not None:
        raise InputError(
            f"{folder}: is needed for the work, but holds other things, as {foreign}: move them, "
            "or choose another --out"
        )


def _locked(path: Path, alone: bool) -> int | None:
    """Return a locked file's handle, or None where another process has locked it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _try_lock(handle, alone):
            os.close(handle)
            return None
        try:
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)  # who had it before has just removed it


def _try_lock(handle: int, alone: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # this disk has no locks
    return True
