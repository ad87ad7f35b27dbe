"""Receive a request's body within a memory budget, never on disk."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from python_multipart.multipart import parse_options_header

from emotion_detection.serving.problems import Problem
from emotion_detection.serving.server_settings import Settings
from emotion_detection.serving.telemetry import ServerMetrics

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
RAW_TYPES = (*PICTURE_TYPES, "application/octet-stream", "")
_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
"""Names in common use that no registry has."""
"""Media types of a body that is one image; a missing type is accepted."""
MULTIPART = "multipart/form-data"

_LINGER_BYTES, _LINGER_SECONDS = 4_000_000, 1.0
"""Bytes and seconds for which a rejected body is still received and dropped. Otherwise a client
that is still sending would find the connection closed before it reads the answer."""


def parse_content_type(headers: Any) -> tuple[str, bytes]:
    """Return a request's media type and, of multipart, its boundary.

    Raises:
        Problem: 415 for a type without images, 400 for multipart without a boundary.
    """
    value = headers.get("content-type", "")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content-encoding: bodies are taken as they are, not compressed")
    if value in RAW_TYPES:
        return value, b""
    kind, options = parse_options_header(value)
    media = kind.decode("latin-1")
    media = _ALIASES.get(media, media)
    if media == MULTIPART:
        boundary = options.get(b"boundary", b"")
        if not 1 <= len(boundary) <= 70:
            raise Problem(400, "multipart: needs a boundary of 1 to 70 characters")
        return media, boundary
    if media not in RAW_TYPES:
        allowed = ", ".join((*filter(None, RAW_TYPES), MULTIPART))
        raise Problem(
            415,
            f"content-type {media[:80]}: must be one of {allowed} (with curl: "
            "-F picture=@photo.jpg, or --data-binary @photo.jpg -H 'content-type: image/jpeg')",
        )
    return media, b""


class Intake:
    """Receive bodies within the memory budget of the server.

    Args:
        settings: the limits.
        metrics: the metrics of the server.
    """

    def __init__(self, settings: Settings, metrics: ServerMetrics) -> None:
        self._settings = settings
        self._figures = metrics
        self._held = 0

    @contextmanager
    def holding(self) -> Iterator["RequestMemory"]:
        """Count a request's bytes in memory until the block ends."""
        held = RequestMemory(self)
        try:
            yield held
        finally:
            self.add(-held.size)

    def add(self, size: int) -> None:
        """Add to the bytes in memory, or subtract from them."""
        self._held += size
        self._figures.held.set(self._held)

    def check(self, declared: str | None) -> None:
        """Reject a body by its declared length, before it is read.

        Raises:
            Problem: 413 for a body that is too large, 503 if the memory is used up.
        """
        # the HTTP parser rejects other values
        size = int(declared) if declared is not None and declared.isdecimal() else 0
        self.check_size(size)
        if self._held + size > self._settings.max_inflight_bytes:
            raise self._full()

    def check_size(self, size: int) -> None:
        """Reject a body of more bytes than allowed, with 413."""
        if size > self._settings.max_bytes:
            raise Problem(
                413, f"a body of more than {self._settings.max_bytes:,} bytes", reason="bytes"
            )

    def check_held(self) -> None:
        """Reject a body beyond the memory budget, with 503."""
        if self._held > self._settings.max_inflight_bytes:
            raise self._full()

    def _full(self) -> Problem:
        return Problem(
            503, "too many bodies are being read; try again", {"Retry-After": "1"}, "memory"
        )


class RequestMemory:
    """The bytes of one request in memory.

    Args:
        intake: the server's intake.
    """

    __slots__ = ("_intake", "more", "size")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0
        self.more = True
        """Whether a part of the body may be unread."""

    async def read(self, receive: Any, seconds: float) -> bytes:
        """Read a body.

        Args:
            receive: ASGI's function.
            seconds: timeout for the complete body.

        Raises:
            Problem: 413 if it becomes too large, 503 if the memory is used up, 408 after the
                timeout, 400 if the client disconnects.
        """
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(seconds):
                while self.more:
                    chunks.append(await self._next(receive))
        except TimeoutError:
            raise Problem(408, "the body took too long to come", reason="slow_body") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _next(self, receive: Any) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            self.more = False
            raise Problem(400, "the client left before its body was complete", reason="client_left")
        self.more = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._count(len(chunk))
        return chunk

    def _count(self, size: int) -> None:
        self.size += size
        self._intake.add(size)
        self._intake.check_size(self.size)
        self._intake.check_held()


async def drop_rest(receive: Any) -> None:
    """Receive and drop a part of the body of a rejected request."""
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
