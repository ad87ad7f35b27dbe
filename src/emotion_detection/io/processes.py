"""Count the processors, and end child processes with their parent, even if that is killed."""

import math
import multiprocessing
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path, PurePosixPath

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


_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def count_cpus() -> int:
    """Return the number of processors that this process may use, at least 1.

    A container's quota counts too (``docker run --cpus=2``, a Kubernetes limit), rounded up.
    """
    quota = read_quota()
    cpus = _count_allowed()
    return cpus if quota is None else max(1, min(cpus, math.ceil(quota)))


def describe_processor() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def is_limited() -> bool:
    """Return True if a container's quota is below the number of visible processors."""
    return count_cpus() < _count_allowed()


def read_quota(cgroups: Path = _CGROUPS, own: Path = _OWN) -> float | None:
    """Return a container's CPU quota, in processors; None: no quota.

    Args:
        cgroups: mount point of the control groups, of version 1 or 2.
        own: file with the groups of this process.
    """
    quotas = list(_read_quotas(cgroups, own))
    return min(quotas, default=None)


def _count_allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """Yield the quotas of this process's groups and their parents."""
    for folder, is_second in _list_cgroup_folders(cgroups, own):
        try:
            if is_second:
                quota, period = (folder / "cpu.max").read_text("ascii").split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text("ascii")
                period = (folder / "cpu.cfs_period_us").read_text("ascii")
            granted = int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
            continue
        if granted > 0:  # -1: all
            yield granted


def _list_cgroup_folders(cgroups: Path, own: Path) -> Iterator[tuple[Path, bool]]:
    """Yield folders that may contain a quota, and whether they are of version 2."""
    try:
        lines = own.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    for line in ["0::/", "1:cpu:/", *lines]:
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        is_second = number == "0" and not controllers
        if not is_second and "cpu" not in controllers.split(","):
            continue
        top = cgroups if is_second else cgroups / "cpu"
        path = PurePosixPath(name.lstrip("/"))
        if ".." not in path.parts:
            for place in (path, *path.parents):
                yield top / place, is_second
