"""Manage the cache folder: remove the least recently used datasets.

Each dataset has a folder of decoded faces in the cache, and each of its label sets a folder in it.
Both hold a shared lock on their file ``used`` while they are in use. The file's time is that of the
last use.
"""

import contextlib
import json
import os
import shutil
import sys
import time
import weakref
from pathlib import Path

_STALE_SECONDS = 6 * 3600
_GIGABYTE = 1e9
_USED = "used"

LABELS = "labels"
"""Folder of the label sets, beside the decoded faces."""


def find_cache_folder(cache: str) -> Path:
    """Return the folder of the cache.

    Args:
        cache: a path, or 'auto': the folder that the environment variable EMOTION_CACHE names,
            else ``emotion-detection`` in the user's folder for caches.
    """
    if cache != "auto":
        return Path(cache)
    if named := os.environ.get("EMOTION_CACHE"):
        return Path(named)
    if sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        parent = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return parent / "emotion-detection"


def hold(folder: Path, owner: object) -> None:
    """Mark decoded faces or labels as used, and lock them for the lifetime of an object.

    Without file locks (Windows, some network file systems), open files cannot be removed, or stay
    readable after they are removed.

    Args:
        folder: folder in the cache.
        owner: object whose lifetime counts.
    """
    with contextlib.suppress(OSError):  # a read-only cache
        handle = os.open(folder / _USED, os.O_RDWR | os.O_CREAT, 0o666)
        os.utime(folder / _USED)
        _lock(handle, exclusive=False)
        weakref.finalize(owner, os.close, handle)


def make_room(newest: Path, limit: float | None) -> None:
    """Remove datasets that a new one replaces, and the least recently used above the limit.

    A dataset replaces those from the same path with the same settings, whose files have changed
    since or whose format is of an earlier version.

    Args:
        newest: the dataset that was just written, which is kept.
        limit: maximum size of the cache in gigabytes; None: no limit.
    """
    place, others = _place(newest), []
    for entry in newest.parent.iterdir():
        if entry == newest or ".tmp-" in entry.name or not (entry / "meta.json").is_file():
            continue
        if place is None or _place(entry) != place or not _remove(entry):
            others.append((_used(entry), entry))
    if limit is None:
        return
    left = limit * _GIGABYTE - _size(newest)
    for _, entry in sorted(others, reverse=True):
        size = _size(entry)
        if size > left and _remove(entry):
            continue
        left -= size


def remove_replaced(newest: Path) -> None:
    """Remove label sets that a new one replaces, from the same path."""
    place = _recorded_place(newest)
    for entry in newest.parent.iterdir():
        if entry != newest and place is not None and _recorded_place(entry) == place:
            _remove(entry)


def remove_stale(folder: Path) -> None:
    """Remove incomplete folders of killed runs."""
    for left in folder.glob("*.tmp-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _remove(entry: Path) -> bool:
    """Remove a dataset unless it is in use; return True if it was removed."""
    try:
        handle = os.open(entry / _USED, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return False
    try:
        if not _lock(handle, exclusive=True):
            return False
        gone = entry.with_name(f"{entry.name}.tmp-{os.getpid()}")
        entry.rename(gone)  # first, so that no process finds an incomplete dataset
    except OSError:
        return False
    finally:
        os.close(handle)
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _lock(handle: int, exclusive: bool) -> bool:
    """Lock an open file; return False where another process holds it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return not exclusive  # no locks here: whether the dataset is in use is unknown
    return True


def _place(entry: Path) -> object:
    """Return the recorded source and settings of a dataset, or None."""
    try:
        data, kind, options = json.loads(str(_recorded_place(entry)))
        decoded_as = options["size"], options["channels"], options.get("crop", "none")
        # earlier versions kept the pixels of each label set
        return data, kind.removesuffix(" with FER+ votes"), decoded_as
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _recorded_place(entry: Path) -> object:
    try:
        return json.loads((entry / "meta.json").read_text(encoding="utf-8")).get("place")
    except (OSError, ValueError, AttributeError):
        return None


def _used(entry: Path) -> float:
    """Return the time of a dataset's last use, in seconds."""
    for path in (entry / _USED, entry / "meta.json"):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    """Return the size of a dataset in bytes."""
    size = 0
    for folder, _, names in os.walk(entry):  # folders that another process removes are passed over
        for name in names:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(folder, name)).st_size
    return size
