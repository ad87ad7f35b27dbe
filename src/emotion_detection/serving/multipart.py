"""Parse the images of a multipart body in memory.

Starlette's forms write larger files to disk, which must not happen to images.
"""

import logging
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emotion_detection.serving.problems import Problem

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
