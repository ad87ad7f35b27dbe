"""One audit at a time in a folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emotion_detection.errors import InputError


@contextmanager
def lock_audit_folder(out: Path) -> Iterator[None]:
    """Keep an audit's folder for this process; whoever dies lets go of it.

    The folder itself is locked, so that nothing is left in it. Where the disk has no locks (some
    network disks; Windows) it is not kept. A folder that stays empty is removed.

    Args:
        out: the folder; it is made.

    Raises:
        InputError: another audit is at work there, or the folder cannot be made.
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
    """Return the locked folder's handle, None where there are no locks."""
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
            return handle  # this disk has no locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(out)):
                return handle
        os.close(handle)  # who had it before has just removed it
