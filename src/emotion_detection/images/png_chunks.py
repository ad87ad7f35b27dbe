"""Drop texts and colour profiles of a PNG that would unpack to very much.

Pillow rejects a PNG if a text or a profile unpacks to more than a megabyte, although the pixels do
not need them, and unpacks any number of smaller ones. All pixels stay as they are.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAX_TEXT = 1_000_000
"""Maximum unpacked bytes of all texts of a PNG, and of all colour profiles."""

_START = 8
"""Bytes of a PNG before its first chunk."""
_FRAME = 12
"""Bytes of a chunk beside its data: length, name and checksum."""
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PROFILE = b"iCCP"
_WITH_ORIENTATION = (b"Raw profile type exif", b"XML:com.adobe.xmp")
"""Texts that may hold the EXIF orientation."""


class _Chunk(NamedTuple):
    """A chunk of a PNG: name, start and end with its frame."""

    name: bytes
    start: int
    end: int


def drop_large_texts(content: bytes) -> bytes:
    """Return a PNG whose texts and colour profiles Pillow accepts; unchanged if they are small.

    Args:
        content: a PNG with a limited number of chunks.
    """
    chunks = list(_list_chunks(content))
    is_large = {
        kinds: _exceeds_limit(content, [chunk for chunk in chunks if chunk.name in kinds])
        for kinds in (_TEXTS, (_PROFILE,))
    }
    if not any(is_large.values()):
        return content
    kept, names = [content[:_START]], set[bytes]()
    end = _START
    for chunk in chunks:
        end = chunk.end
        if any(chunk.name in kinds for kinds, large in is_large.items() if large):
            keyword = content[chunk.start + 8 : chunk.end].partition(b"\0")[0]
            needed = chunk.name == _PROFILE or keyword in _WITH_ORIENTATION
            key = chunk.name if chunk.name == _PROFILE else keyword
            if not needed or key in names:
                continue
            names.add(key)  # only the first of each is unpacked
            if _exceeds_limit(content, [chunk]):
                continue
        kept.append(content[chunk.start : chunk.end])
    return b"".join([*kept, content[end:]])


def _list_chunks(content: bytes) -> Iterator[_Chunk]:
    """Yield the complete chunks, up to the end marker."""
    at = _START
    while at + _FRAME <= len(content):
        name = content[at + 4 : at + 8]
        end = at + _FRAME + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            return
        yield _Chunk(name, at, end)
        if name == b"IEND":
            return
        at = end


def _exceeds_limit(content: bytes, chunks: list[_Chunk]) -> bool:
    """Return True if some chunks unpack to more than the limit together."""
    total = 0
    for chunk in chunks:
        data = content[chunk.start + 8 : chunk.end - 4]
        total += _count_unpacked(chunk.name, data, MAX_TEXT - total)
        if total > MAX_TEXT:
            return True
    return False


def _count_unpacked(name: bytes, data: bytes, most: int) -> int:
    """Return the unpacked bytes of a text or profile; just above ``most`` if there are more."""
    _, _, rest = data.partition(b"\0")
    if name == b"iTXt":
        is_packed, texts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        rest = texts[-1] if is_packed and len(texts) == 3 else b""
    elif name in (b"zTXt", _PROFILE):
        rest = rest[1:]  # the method
    else:
        rest = b""
    if not rest:
        return len(data)
    try:
        return len(zlib.decompressobj().decompress(rest, most + 1))
    except zlib.error:  # damaged; Pillow skips it
        return len(data)
