"""Memory of the server: kept between images of usual size, given back after very large ones."""

import contextlib
import ctypes

_KEPT = 512_000_000
"""Bytes that are kept at most when they are free."""


def keep_memory() -> None:
    """Let glibc keep what images took for the next ones, where this process runs on it.

    It would give large arrays back to the system after each image, and the system would clear
    the pages again for the next, which takes its time. Without effect elsewhere.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # of malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, _KEPT)
        mallopt(mmap_threshold, _KEPT)
        mallopt(arena_max, 1)


def give_memory_back() -> None:
    """Let glibc give all free memory back to the system, without effect elsewhere."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
