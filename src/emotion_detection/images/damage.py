"""Describe what is missing or damaged in an image or a video, from lengths in the headers.

Truncated JPEG files, as after a broken download, are shown by viewers. They are accepted if nearly
all of the image is there, and rejected if rows, or complete scans of a progressive image, are
missing.
"""

import io
import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from emotion_detection.images.container_boxes import list_boxes
from emotion_detection.images.file_types import describe_content, is_dib
from emotion_detection.images.frames import count_frames

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


_CUT_WORDS = (
    *("file is truncated", "truncated data", "unexpected end of file", "truncated file"),
    "not enough image data",
)
"""Parts of decoders' messages about truncated files, in lower case."""
_VAGUE_WORDS = ("decoder error", "could not create decoder", "failed to decode", "invalid input")
"""Parts of decoders' messages that do not help users, in lower case."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
"""Bytes of a value of each type in a TIFF."""
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_PIXELS_AT = ((273, 279), (324, 325))
"""Tags of the offsets and lengths of strips, and of tiles."""
_NEEDED = {256, 257, 258, 259, 262, 273, 277, 278, 279, 320, 322, 323, 324, 325, 347}
"""Tags of a TIFF that decoding needs; other tags may be damaged."""
_MOST_VALUES = 100_000
"""Maximum strips or tiles of a TIFF that are checked."""


def explain_failure(content: bytes, words: str) -> str:
    """Return the reason why an image could not be opened or decoded.

    Args:
        content: the bytes of the file; empty if unknown.
        words: the decoder's message.
    """
    what = name_content(content)
    if what is None:
        return words
    damage = find_damage(content)
    if damage is not None:
        return f"{what}, {damage}"
    lower = words.lower()
    if any(part in lower for part in _CUT_WORDS):
        return f"{what}, truncated: its end is missing"
    if any(part in lower for part in _VAGUE_WORDS):
        return f"{what}, damaged: its pixels cannot be decoded"
    return words


def name_content(content: bytes) -> str | None:
    """Return the type of a file (the first of two possible ones), or None if unknown."""
    what = describe_content(content[:512])
    return None if what is None else what.split(", or")[0]


def find_damage(content: bytes | mmap.mmap) -> str | None:
    """Return what is missing by the file's headers, as "truncated: …", or None.

    Args:
        content: an image, or an AVI, MP4 or QuickTime video. JPEG and other videos are not checked.
    """
    start = bytes(content[:16])
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _find_tiff_damage(content)
    if start[:4] == b"RIFF":
        return _compare_length(8 + int.from_bytes(start[4:8], "little"), len(content))
    if start[:2] == b"BM" or is_dib(start):
        return _find_bmp_damage(content)
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return _find_box_damage(content)
    frames = count_frames(content) if isinstance(content, bytes) else None
    if frames is not None and frames.is_damaged and not frames.number:
        return "truncated or damaged: its end is missing"
    return None


def _compare_length(expected: int, length: int, what: str = "it ends at byte") -> str | None:
    if expected <= length:
        return None
    told = f"by its headers {what} {expected:,}, but the file has {length:,} bytes"
    return f"truncated or damaged: {told}"


def _find_box_damage(content: bytes | mmap.mmap) -> str | None:
    names = set()
    for box in list_boxes(content):
        names.add(box.name)
        if box.end > len(content):
            return _compare_length(box.end, len(content))
    is_image = "image" in (describe_content(bytes(content[:512])) or "")
    index = b"meta" if is_image else b"moov"
    if index in names or (is_image and b"moov" in names):
        return None
    return f"truncated or damaged: its index (the box '{index.decode()}') is missing"


def _find_bmp_damage(content: bytes | mmap.mmap) -> str | None:
    at = 14 if content[:2] == b"BM" else 0
    header = bytes(content[at : at + 40])
    size = int.from_bytes(header[:4], "little")
    if len(header) < 16 or len(content) < at + size:
        return _compare_length(at + max(size, 16), len(content))
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", header, 4)
        packing = 0
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", header, 4)
    pixels = int.from_bytes(content[10:14], "little") if at else size
    if packing not in (0, 3) or width <= 0:
        return None
    row = (width * bits + 31) // 32 * 4
    return _compare_length(pixels + row * abs(height), len(content))


def _find_tiff_damage(content: bytes | mmap.mmap) -> str | None:
    order = "<" if content[:1] == b"I" else ">"
    is_big = 43 in bytes(content[2:4])
    number, offset, entry = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    length = len(content)
    try:
        (place,) = struct.unpack_from(order + offset, content, 8 if is_big else 4)
        if place + 2 > length:
            return _compare_length(place + 2, length, "its list of tags begins before byte")
        (count,) = struct.unpack_from(order + number, content, place)
        first = place + struct.calcsize(order + number)
        end = first + entry * count
        if end > length:
            return _compare_length(end, length)
        tags: dict[int, list[int]] = {}
        for at in range(first, end, entry):
            tag, kind, values = struct.unpack_from(f"{order}HH{offset}", content, at)
            size = _SIZES.get(kind, 1) * values
            at += entry - struct.calcsize(offset)
            if size > struct.calcsize(offset):
                (at,) = struct.unpack_from(order + offset, content, at)
            if tag in _NEEDED:
                if at + size > length:
                    return _compare_length(at + size, length, "its tags end at byte")
                tags[tag] = _read_values(content, order, kind, at, values)
    except struct.error:
        return "truncated: its end is missing"
    return _check_tags(tags, length)


def _read_values(
    content: bytes | mmap.mmap, order: str, kind: int, at: int, count: int
) -> list[int]:
    """Return a TIFF tag's integers; none for tags of other types."""
    layout = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
    if layout is None:
        return []
    return list(struct.unpack_from(f"{order}{min(count, _MOST_VALUES)}{layout}", content, at))


def _check_tags(tags: dict[int, list[int]], length: int) -> str | None:
    width, height, tile_width, tile_height = (
        (tags.get(tag) or [0])[0] for tag in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)
    )
    if not width or not height:
        return "damaged: its first page has no width or height"
    if tile_width >= 2 * width + 1024 or tile_height >= 2 * height + 1024:
        tiles = f"{tile_width} x {tile_height}"
        return f"damaged: its tiles of {tiles} pixels are larger than the image"
    for places, sizes in _PIXELS_AT:
        pairs = zip(tags.get(places, []), tags.get(sizes, []), strict=False)
        end = max((place + size for place, size in pairs), default=0)
        if end > length:
            return _compare_length(end, length, "its pixels end at byte")
    return None
