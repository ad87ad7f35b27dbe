"""End child processes with their parent, even if the parent is killed."""

import multiprocessing
import os
import sys
import threading
import time
from multiprocessing.connection import wait

POLL_SECONDS = 1.0
"""Seconds between checks for the parent, for processes without a pipe to it."""


def exit_with_parent() -> None:
    """End this process within about a second of its parent's end.

    A daemon thread waits for the parent: a worker of :mod:`multiprocessing` by the pipe (on
    Windows the handle) that both share, any other process by the parent's number. A signal on the
    parent's death (Linux's ``PR_SET_PDEATHSIG``) is not used, as it comes when the *thread* that
    started this process ends.
    """
    threading.Thread(target=_exit_after_parent, args=(os.getppid(),), daemon=True).start()


def _exit_after_parent(parent: int) -> None:
    shared = multiprocessing.parent_process()
    if shared is not None:
        wait([shared.sentinel])
    elif sys.platform == "win32":
        import _winapi

        synchronize = 0x00100000
        handle = _winapi.OpenProcess(synchronize, False, parent)
        _winapi.WaitForSingleObject(handle, _winapi.INFINITE)
    else:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
    os._exit(1)  # no caller is left, and other threads may be busy
