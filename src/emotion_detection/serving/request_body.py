"""Receive a request's body within a memory budget, never on disk.

Multipart bodies are parsed here, since Starlette's forms write larger files to disk, which must not
happen to images.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emotion_detection.serving.error_responses import Problem
from emotion_detection.serving.prometheus_metrics import ServerMetrics
from emotion_detection.serving.server_settings import Settings

_LONGEST_NAME = 255

# the parser's log quotes bytes of the body
logging.getLogger("python_multipart").setLevel(logging.CRITICAL + 1)


class Part:
    """An image of a request.

    Args:
        content: the bytes of the image.
        name: the client's file name, or None.
    """

    __slots__ = ("content", "name")

    def __init__(self, content: bytes, name: str | None = None) -> None:
        self.content = content
        self.name = name


def parse_parts(body: bytes, boundary: bytes, most: int) -> list[Part]:
    """Return the images of a multipart body, parsed in memory.

    Args:
        body: the complete body.
        boundary: boundary between the parts.
        most: maximum number of images.

    Raises:
        Problem: 413 for more images; 400 for no image, a field that is not a file, or a damaged
            body.
    """
    found = _Parts(most)
    try:
        parser = MultipartParser(boundary, found.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise Problem(400, "multipart: damaged", reason="multipart") from None
    if not found.ended:
        raise Problem(400, "multipart: its end is missing", reason="multipart")
    if not found.parts:
        raise Problem(400, "multipart: there is no image in it", reason="multipart")
    return found.parts


class _Parts:
    """Collect the images from the callbacks of a multipart parser."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most
        self._content = bytearray()
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        if len(self.parts) >= self._most:
            raise Problem(413, f"more than {self._most} images in one request", reason="pictures")
        self._content, self._headers = bytearray(), {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"filename" not in options:
            raise Problem(400, "multipart: a field that is no file", reason="multipart")
        self._name = options[b"filename"].decode("utf-8", "replace")[:_LONGEST_NAME]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end(self) -> None:
        self.parts.append(Part(bytes(self._content), self._name or None))

    def _all(self) -> None:
        self.ended = True


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
