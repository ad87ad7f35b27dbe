"""Parse boxes of AVIF, HEIC, MP4 and QuickTime files (ISO base media file format).

A box has a length, a name and a content, which may be boxes again. Decoders compare each item of a
file with all others, so :func:`check_items` rejects files that list very many.
"""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

MAX_ITEMS = 6_000
"""Maximum entries about items of an AVIF or HEIC image; 1,000 tiles need about 4,000."""
MAX_BOXES = 20_000
"""Maximum number of boxes that are parsed."""

_ITEM_BOXES = (b"iinf", b"iloc", b"iref", b"iprp")
_FULL = 4
"""Bytes of the version and flags at the start of most boxes."""


class Box(NamedTuple):
    """A box: name, start of the content, and end, which may lie behind the end of the file."""

    name: bytes
    start: int
    end: int


def list_boxes(content: bytes | mmap.mmap, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes in a range of a file, at most :data:`MAX_BOXES`.

    Args:
        content: the bytes of the file.
        start: start of the range.
        end: end of the range; None: the end of the file.
    """
    end = len(content) if end is None else min(end, len(content))
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, head = int.from_bytes(content[start : start + 4], "big"), 8
        if size == 1:  # a length of 64 bits follows
            size, head = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        elif size == 0:  # up to the end
            size = end - start
        if size < head:
            return
        yield Box(bytes(content[start + 4 : start + 8]), start + head, start + size)
        start += size


def check_items(content: bytes) -> None:
    """Reject an AVIF or HEIC image of very many items, extents, references or associations.

    Raises:
        ValueError: opening the image would take very long, or very much memory.
    """
    entries = 0
    for meta in list_boxes(content):
        if meta.name != b"meta":
            continue
        for box in list_boxes(content, meta.start + _FULL, meta.end):
            if box.name in _ITEM_BOXES:
                entries += _count_entries(content, box)
            if entries > MAX_ITEMS:
                raise ValueError(f"an image of more than {MAX_ITEMS:,} entries about its parts")


def _count_entries(content: bytes, box: Box) -> int:
    """Return the number of entries that a box declares; above the limit it may be inexact."""
    version, start = content[box.start : box.start + 1], box.start + _FULL
    if box.name == b"iref":
        return sum(1 for _ in list_boxes(content, start, box.end))
    if box.name == b"iloc":
        return _count_extents(content, box)
    if box.name == b"iinf":
        width = 2 if version == b"\0" else 4
        return int.from_bytes(content[start : start + width], "big")
    count = 0
    for inner in list_boxes(content, box.start, box.end):
        if inner.name == b"ipma":
            at = inner.start + _FULL
            count += int.from_bytes(content[at : at + 4], "big")
    return count


def _count_extents(content: bytes, box: Box) -> int:
    """Return the items and extents of an ``iloc`` box: ISO/IEC 14496-12, 8.11.3."""
    end = min(box.end, len(content))
    if box.start + 8 > end:
        return 0
    version, sizes = content[box.start], content[box.start + 4 : box.start + 6]
    wide = version == 2
    offset_length = (sizes[0] >> 4) + (sizes[0] & 15)
    base = sizes[1] >> 4
    index = sizes[1] & 15 if version else 0
    at = box.start + 6
    items = int.from_bytes(content[at : at + (4 if wide else 2)], "big")
    at += 4 if wide else 2
    count = items
    for _ in range(min(items, MAX_ITEMS)):
        # the item's number, how it is stored, where its data are, its base, its extents
        at += (4 if wide else 2) + (2 if version else 0) + 2 + base
        if at + 2 > end or count > MAX_ITEMS:
            break
        extents = int.from_bytes(content[at : at + 2], "big")
        count += extents
        at += 2 + extents * (offset_length + index)
    return count
