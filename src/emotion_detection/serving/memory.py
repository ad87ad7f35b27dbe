"""Memory of the server: kept between images of usual size, returned after very large ones."""

import contextlib
import ctypes

_KEPT = 512_000_000
"""Maximum bytes of free memory that are kept."""


def keep_memory() -> None:
    """Make glibc keep the memory of images for the next ones.

    By default glibc returns large arrays to the system after each image, and the system has to
    clear the pages again for the next one, which takes time. No effect without glibc.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # of malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, _KEPT)
        mallopt(mmap_threshold, _KEPT)
        mallopt(arena_max, 1)


def give_memory_back() -> None:
    """Return all free memory to the system; no effect without glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
