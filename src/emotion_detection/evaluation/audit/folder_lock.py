"""Lock the folder of an audit."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emotion_detection.errors import InputError


@contextmanager
def lock_audit_folder(out: Path) -> Iterator[None]:
    """Lock an audit's folder. The lock is released when the process exits, even after a crash.

    The folder itself is locked, so that no lock file remains. File systems without locks (some
    network file systems; Windows) are not locked. A folder that stays empty is removed.

    Args:
        out: the folder, which is created if needed.

    Raises:
        InputError: another audit runs there, or the folder cannot be created.
    """
    try:
        handle = _locked(out)
    except BlockingIOError:
        raise InputError(
            f"--out {out}: another audit is at work there: wait for its end, or name another folder"
        ) from None
    except OSError as error:
        raise InputError(f"--out {out}: cannot be used: {error.strerror or error}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            out.rmdir()
        if handle is not None:
            os.close(handle)


def _locked(out: Path) -> int | None:
    """Lock the folder and return the handle, or None without support for locks."""
    while True:
        out.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            return None
        import fcntl

        handle = os.open(out, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError:
            return handle  # this file system has no locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(out)):
                return handle
        os.close(handle)  # the previous owner has just removed it
