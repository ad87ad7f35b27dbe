"""Lock job directories: for one run, or for several parts at the same time."""

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
    """Lock a job directory. The lock is released when the process exits, even after a crash.

    File systems without locks (some network file systems; Windows) are not locked.

    Args:
        folder: the job directory, which is created if needed.
        alone: whether the lock is exclusive; otherwise it is shared.

    Raises:
        InputError: another run has locked the folder, or it contains other files or cannot be
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
    """Yield this project's files and folders in a job directory, files before their folder."""
    for path in sorted(folder.iterdir()):
        if not _OWN.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            yield from (file for file in path.iterdir() if _OWN_SHARD.fullmatch(file.name))
        yield path


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
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
    """Lock a file and return the handle, or None if another process has locked it."""
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
        os.close(handle)  # the previous owner has just removed it


def _try_lock(handle: int, alone: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # this file system has no locks
    return True
