"""Read truncated JPEG files, as after a broken download.

Viewers show truncated files. They are accepted if nearly all of the image is there, and rejected if
rows, or complete scans of a progressive image, are missing.
"""

import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_FILLER = b"\x55\xa9\x6e\xd3" * 1024
"""Padding bits: zeros alone would be decoded to the same pixels that libjpeg fills in."""
_PROGRESSIVE = 0xC2
_MOST_MISSING = 0.05
"""Maximum fraction of missing rows."""
_LARGE = 25_000_000
"""Pixels above which an image is decoded at a reduced size for this check."""


class _Scan(NamedTuple):
    """The coefficients of a scan, and their lowest bit: T.81, B.2.3."""

    components: frozenset[int]
    first: int
    last: int
    bit: int


def complete_jpeg(data: bytes) -> tuple[bytes, str | None]:
    """Return a JPEG with an end marker, and a note if it had none.

    To find the missing part, a truncated file is decoded with two different ends: complete rows are
    equal in both.

    Args:
        data: the bytes of a file that Pillow has opened as a JPEG.

    Raises:
        ValueError: more than the last rows are missing.
    """
    start = _first_scan(data)
    data = data.removesuffix(b"\xff")  # half an end marker
    if start is None or _END in data[start:]:  # some cameras write data behind the end marker
        return data, None
    is_progressive = _frame_kind(data) == _PROGRESSIVE
    if is_progressive and not _has_all_scans(data, start):
        raise ValueError("truncated: its last scans are missing")
    lacking, height = _count_missing_rows(data, is_progressive)
    if lacking > _MOST_MISSING * height:
        raise ValueError(f"truncated: only the upper {1 - lacking / height:.0%} are there")
    note = "truncated: its end is missing"
    return data + _END, f"{note}, up to {lacking} of {height} rows" if lacking else note


def _count_missing_rows(data: bytes, is_progressive: bool) -> tuple[int, int]:
    """Return the maximum number of missing rows at the end, and the number of all rows."""
    images, height = [], 0
    for end in (_END, _FILLER + _END):
        image = Image.open(io.BytesIO(data + end), formats=("JPEG",))
        height = image.height
        if not is_progressive and image.width * height > _LARGE:  # means of 8 x 8 pixels suffice
            image.draft(None, (image.width // 8, image.height // 8))
        images.append(np.asarray(image.convert("RGB")))
    first, second = images
    rows = np.nonzero((first != second).any(axis=(1, 2)))[0]
    lacking = round((len(first) - int(rows[0])) * height / len(first)) if len(rows) else 0
    return lacking, height


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of the segments before the first scan, and of its header."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, end
        if marker == 0xDA:
            return
        at = end


def _first_scan(data: bytes) -> int | None:
    """Return the offset of the first scan, behind thumbnails, or None."""
    return next((end for marker, _, end in _segments(data) if marker == 0xDA), None)


def _frame_kind(data: bytes) -> int | None:
    frames = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
    return next((marker for marker, _, _ in _segments(data) if marker in frames), None)


def _has_all_scans(data: bytes, start: int) -> bool:
    """Return True if each component has at least begun a scan for each coefficient's last bit.

    Args:
        data: the bytes of the file.
        start: offset of the first scan.
    """
    scans = []
    header = next(begin for marker, begin, _ in _segments(data) if marker == 0xDA)
    at: int | None = header
    while at is not None and at < len(data):
        count = data[at]
        body = data[at + 1 : at + 1 + 2 * count + 3]
        if len(body) == 2 * count + 3:
            first, last, bits = body[-3:]
            scans.append(_Scan(frozenset(body[0 : 2 * count : 2]), first, last, bits & 15))
        following = data.find(b"\xff\xda", max(at, start))
        at = following + 4 if following >= 0 else None
    components = frozenset[int]().union(*(scan.components for scan in scans))
    done = {
        (component, place)
        for scan in scans
        if scan.bit == 0
        for component in scan.components
        for place in range(scan.first, scan.last + 1)
    }
    return bool(components) and all(
        (component, place) in done for component in components for place in range(64)
    )
