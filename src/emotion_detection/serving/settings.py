"""What a server lets pass, and how much of it at once."""

import math
from dataclasses import dataclass, field

from emotion_detection.cpus import count_cpus
from emotion_detection.errors import InputError
from emotion_detection.images import MAX_PIXELS


@dataclass(frozen=True)
class Settings:
    """The limits of a server.

    Args:
        workers: threads that read pictures, each on one core.
        queue: requests that may wait for a worker; those beyond are turned away at once.
        together: crops of so many requests, at most, are read in one go where they wait;
            ``benchmarks/serving.py`` says what it gains.
        max_bytes: of a request's body.
        max_pixels: of a picture.
        max_pictures: in one request.
        max_held: bytes of all bodies that are in memory at once; requests beyond are turned away.
        max_connections: open at once.
        timeout: seconds from when a picture has come in to its answer.
        body_timeout: seconds that a client may take to send its headers, and again its body, and
            to take an answer.
        drain: seconds that a server which was told to stop still takes new connections, while it
            says that it is not ready; for balancers that look only so often.
        grace: seconds for what was accepted to be answered at the end.
        allow_origin: origins whose pages may read answers in a browser (CORS); '*' for all.

    Raises:
        InputError: a value is out of its range.
    """

    workers: int = field(default_factory=count_cpus)
    queue: int = 64
    together: int = 8
    max_bytes: int = 20_000_000
    max_pixels: int = MAX_PIXELS
    max_pictures: int = 16
    max_held: int = 400_000_000
    max_connections: int = 1024
    timeout: float = 30.0
    body_timeout: float = 20.0
    drain: float = 0.0
    grace: float = 60.0
    allow_origin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "workers",
            "queue",
            "together",
            "max_bytes",
            "max_pictures",
            "max_connections",
        ):
            self._check(name, 1, math.inf)
        self._check("max_pixels", 1, MAX_PIXELS)
        self._check("max_held", self.max_bytes, math.inf)
        for name in ("timeout", "body_timeout", "grace"):
            self._check(name, 0.001, 86_400)
        self._check("drain", 0, 86_400)
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
