"""Count the frames of an image file from the headers, without opening each frame.

Pillow counts TIFF pages and GIF frames by opening each, which takes seconds for files of a few
megabytes, and fails if a later one is damaged. This module follows the chain of headers, up to a
limit.
"""

import struct
from typing import Any, NamedTuple

from PIL import Image

from emotion_detection.images.container_boxes import list_boxes

MAX_PAGES = 1_000
"""Maximum pages of a TIFF."""
MAX_TAGS = 2_000
"""Maximum tags of a TIFF's first page, and"""
MAX_STRIPS = 100_000
"""maximum strips or tiles of the page, which Pillow reads one by one."""
MAX_BLOCKS = 50_000
"""Maximum blocks of a GIF: frames, extensions, and data in pieces of fewer than 100 bytes."""
MAX_WEBP_CHUNKS = 10_000
"""Maximum chunks of a WebP; a frame is one."""
MAX_PNG_CHUNKS = 2_000
"""Maximum chunks of a PNG; a frame takes two."""
BYTES_A_BLOCK = 1_000
"""File bytes per further block of a GIF, or chunk of a PNG or WebP."""

PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")
_TIFF_SIZES = {256, 257}
"""Tags of a page's width and height."""
_TIFF_OFFSETS = (273, 324)
"""Tags of the offsets of a page's strips, and of tiles."""
_FIRST_TAGS = 16
"""Tags of a page that are searched for the size: tags are sorted, and few come before it."""
_SMALL_PIECE = 100


class Frames(NamedTuple):
    """Frames, or pages, of an image file.

    Args:
        number: number of complete frames, from the first on; 0 if the first is incomplete.
        too_many: type of the file and the exceeded limit; None within the limits.
        is_damaged: whether data behind these frames is missing or damaged.
    """

    number: int
    too_many: str | None = None
    is_damaged: bool = False


def count_frames(content: bytes) -> Frames | None:
    """Count the frames of a TIFF, GIF, PNG or WebP; return None for other files.

    Counting stops at the limits of this module, which :attr:`Frames.too_many` then names.

    Args:
        content: the file.
    """
    if content.startswith(_TIFF):
        return _count_pages(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return _count_gif_frames(content)
    if content.startswith(PNG):
        return _count_png_frames(content)
    if is_webp(content):
        return _count_webp_frames(content)
    return None


def count_open_frames(image: Image.Image, content: bytes | None = None) -> Frames:
    """Count the frames of an image opened by Pillow, without changing the current frame.

    Args:
        image: an image of any format.
        content: the bytes of the file; None: the file of the image, if it is still open.
    """
    lazy = image.format in ("GIF", "TIFF")  # Pillow would open all frames to count them
    if content is None and lazy:
        content = _read_source(image)
    if content is not None and image.format == "MPO":
        return _count_mpo_images(image, content)
    if content is not None and image.format == "HEIF":
        is_cut = any(box.end > len(content) for box in list_boxes(content))
        return Frames(1, is_damaged=True) if is_cut else Frames(getattr(image, "n_frames", 1))
    found = None if content is None else count_frames(content)
    return found or Frames(1 if lazy else getattr(image, "n_frames", 1))


def _read_source(image: Image.Image) -> bytes | None:
    """Return the file that an open image reads from, or None if it is closed."""
    source: Any = getattr(image, "_fp", None) or getattr(image, "fp", None)
    try:
        place = source.tell()
        source.seek(0)
        content = source.read()
        source.seek(place)
    except Exception:  # no file, a closed one, or a file object without seek
        return None
    return content if isinstance(content, bytes) else None


def _count_mpo_images(image: Image.Image, content: bytes) -> Frames:
    """Return the images in a JPEG's MPF index; damaged if any does not start as a JPEG."""
    count: int = getattr(image, "n_frames", 1)
    base = content.find(b"MPF\0") + 4
    entries = (getattr(image, "mpinfo", None) or {}).get(0xB002, ())
    starts = [base + entry["DataOffset"] for entry in entries[1:]]
    ends = [start + entry["Size"] for start, entry in zip(starts, entries[1:], strict=True)]
    whole = [
        content[start : start + 2] == b"\xff\xd8" and end <= len(content)
        for start, end in zip(starts, ends, strict=True)
    ]
    if all(whole):
        return Frames(count)
    return Frames(1 + whole.index(False), is_damaged=True)


def is_webp(content: bytes) -> bool:
    """Return True for a WebP file."""
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def _count_pages(content: bytes) -> Frames:
    """Follow the chain of a TIFF's directories; a cycle ends it, as in Pillow."""
    order = "<" if content[:1] == b"I" else ">"
    is_big = 43 in content[2:4]
    layout = (order + "Q", order + "Q", 20) if is_big else (order + "H", order + "I", 12)
    places: set[int] = set()
    try:
        (place,) = struct.unpack_from(layout[1], content, 8 if is_big else 4)
        while place and place not in places:
            if len(places) == MAX_PAGES:
                return Frames(MAX_PAGES, f"a TIFF of more than {MAX_PAGES:,} pages")
            (count,) = struct.unpack_from(layout[0], content, place)
            first = place + struct.calcsize(layout[0])
            (following,) = struct.unpack_from(layout[1], content, first + layout[2] * count)
            if not places and count > MAX_TAGS:
                return Frames(1, f"a TIFF of more than {MAX_TAGS:,} tags in its first page")
            some = count if not places else min(count, _FIRST_TAGS)
            counts = {
                tag: length
                for tag, _, length in (
                    struct.unpack_from(f"{order}HH{layout[1][1:]}", content, first + layout[2] * at)
                    for at in range(some)
                )
            }
            if not places and max(counts.get(tag, 0) for tag in _TIFF_OFFSETS) > MAX_STRIPS:
                return Frames(1, f"a TIFF of more than {MAX_STRIPS:,} strips or tiles")
            if not counts.keys() >= _TIFF_SIZES:
                return Frames(len(places), is_damaged=True)
            places.add(place)
            place = following
    except (struct.error, OverflowError):  # beyond the file's end
        return Frames(len(places), is_damaged=True)
    return Frames(len(places))


def _count_gif_frames(content: bytes) -> Frames:
    most = MAX_BLOCKS + len(content) // BYTES_A_BLOCK
    end = len(content)
    at = 13 + _palette_bytes(content[10]) if end > 10 else end
    frames = blocks = kind = 0
    while at < end and blocks <= most:
        kind = content[at]
        blocks += 1
        if kind == 0x3B:  # trailer
            return Frames(frames)
        if kind == 0x2C and at + 9 < end:  # image
            at += 11 + _palette_bytes(content[at + 9])
        elif kind == 0x21:  # extension
            at += 2
        else:  # decoders skip such bytes one by one
            at += 1
            continue
        while at < end and content[at] and blocks <= most:
            blocks += content[at] < _SMALL_PIECE
            at += 1 + content[at]
        frames += kind == 0x2C and at < end and blocks <= most
        at += 1
    if blocks > most:
        return Frames(frames, f"a GIF of more than {most:,} blocks")
    # many encoders forget the trailer
    return Frames(frames, is_damaged=at != end or kind != 0x2C)


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _count_png_frames(content: bytes) -> Frames:
    most = MAX_PNG_CHUNKS + len(content) // BYTES_A_BLOCK
    at, controls, declared = len(PNG), 0, 0
    is_default_apart = has_pixels = False
    for _ in range(most):
        name, following = content[at + 4 : at + 8], at + 12
        following += int.from_bytes(content[at : at + 4], "big")
        if len(name) < 4 or (following > len(content) and name != b"IEND"):
            # the last frame is incomplete
            whole = max(controls + is_default_apart - 1, 0)
            return Frames(whole, is_damaged=True)
        if name == b"IEND":
            count = controls + is_default_apart if declared else 1
            return Frames(max(count, 1), is_damaged=0 < controls < declared)
        if name == b"acTL" and not has_pixels:
            declared = int.from_bytes(content[at + 8 : at + 12], "big")
        elif name == b"fcTL" and declared:
            controls += 1
        elif name == b"IDAT" and not has_pixels:
            has_pixels, is_default_apart = True, bool(declared) and not controls
        at = following
    return Frames(max(controls, 1), f"a PNG of more than {most:,} chunks")


def _count_webp_frames(content: bytes) -> Frames:
    most = MAX_WEBP_CHUNKS + len(content) // BYTES_A_BLOCK
    at, frames, is_still = 12, 0, False
    end = 8 + int.from_bytes(content[4:8], "little")
    for _ in range(most):
        if at + 8 > min(end, len(content)):
            is_damaged = end > len(content)
            return Frames(max(frames, is_still and not is_damaged), is_damaged=is_damaged)
        name = content[at : at + 4]
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + (size & 1)
        is_still |= name in (b"VP8 ", b"VP8L")
        frames += name == b"ANMF" and at <= len(content)
    return Frames(frames, f"a WebP of more than {most:,} chunks")


def keep_first_frame(content: bytes) -> bytes | None:
    """Reduce a WebP or AVIF animation to the first frame; None if that is incomplete.

    libwebp and libavif do not open an animation in which any frame is truncated.

    Args:
        content: a file of any format, within the limits of :func:`count_frames`.
    """
    if content[4:12] == b"ftypavis":
        return _keep_avif_image(content)
    if not is_webp(content) or content[12:16] != b"VP8X":
        return None
    kept, at, has_frame = [], 12, False
    while at + 8 <= len(content):
        name = content[at : at + 4]
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + (size & 1)
        if end > len(content):
            break
        if name != b"ANMF" or not has_frame:
            kept.append(content[at:end])
        has_frame |= name == b"ANMF"
        at = end
    if not has_frame:
        return None
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _keep_avif_image(content: bytes) -> bytes | None:
    """Turn an AVIF sequence into a still image: the one in its index, which is the first frame."""
    kept = bytearray(content)
    names = set()
    for box in list_boxes(content):
        names.add(box.name)
        if box.name == b"moov":  # the index of the sequence
            kept[box.start - 4 : box.start] = b"free"
        if box.end > len(content) and box.start >= 8:
            kept[box.start - 8 : box.start - 4] = (len(content) - box.start + 8).to_bytes(4, "big")
    if not names >= {b"meta", b"moov", b"mdat"}:
        return None
    end = min(int.from_bytes(content[:4], "big"), len(content))
    kept[8:end] = content[8:end].replace(b"avis", b"avif")
    return bytes(kept)
