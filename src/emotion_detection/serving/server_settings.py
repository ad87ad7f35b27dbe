"""Limits of the server, and what it does with free memory.

Memory is kept between images of usual size, and returned after very large ones.
"""

import contextlib
import ctypes
import math
from dataclasses import dataclass, field

from emotion_detection.defaults import MAX_PIXELS
from emotion_detection.errors import InputError
from emotion_detection.io.processes import count_cpus

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


@dataclass(frozen=True)
class Settings:
    """The limits of a server.

    Args:
        workers: threads that process images, each on one core.
        queue: requests that may wait for a worker; further ones are rejected immediately (503).
        max_batch: crops of waiting requests that are classified in one batch, at most;
            ``benchmarks/serving/load_and_abuse.py`` measures the gain.
        max_bytes: largest body of a request, in bytes.
        max_pixels: largest image, in pixels.
        max_pictures: most images in one request.
        max_inflight_bytes: bytes of all request bodies in memory; further requests are rejected.
        max_connections: most open connections.
        timeout: seconds from the arrival of an image to its answer.
        body_timeout: seconds that a client may take to send its headers, to send its body, and to
            receive an answer.
        shutdown_delay: seconds between the signal to stop and closing the port; the server
            already reports that it is not ready, so that load balancers stop sending requests.
        shutdown_timeout: seconds to answer accepted requests during shutdown.
        allow_origin: origins whose pages may read answers in a browser (CORS); '*' for all.

    Raises:
        InputError: a value is out of its range.
    """

    workers: int = field(default_factory=count_cpus)
    queue: int = 64
    max_batch: int = 8
    max_bytes: int = 20_000_000
    max_pixels: int = MAX_PIXELS
    max_pictures: int = 16
    max_inflight_bytes: int = 400_000_000
    max_connections: int = 1024
    timeout: float = 30.0
    body_timeout: float = 20.0
    shutdown_delay: float = 0.0
    shutdown_timeout: float = 60.0
    allow_origin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "workers",
            "queue",
            "max_batch",
            "max_bytes",
            "max_pictures",
            "max_connections",
        ):
            self._check(name, 1, math.inf)
        self._check("max_pixels", 1, MAX_PIXELS)
        self._check("max_inflight_bytes", self.max_bytes, math.inf)
        for name in ("timeout", "body_timeout", "shutdown_timeout"):
            self._check(name, 0.001, 86_400)
        self._check("shutdown_delay", 0, 86_400)
        for origin in self.allow_origin:
            scheme, _, host = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not host or "/" in host):
                raise InputError(
                    f"--allow_origin {origin}: must be as https://example.org, or * for all"
                )

    def _check(self, name: str, least: float, most: float) -> None:
        value = getattr(self, name)
        if not least <= value <= most:
            to = "or more" if most == math.inf else f"to {most:,}"
            raise InputError(f"--{name} {value}: must be {least:,} {to}")
