"""Check the headers of an encoded image for the cost of decoding.

Some files of a few bytes take minutes or gigabytes to decode. The decoders have no limits, so
:func:`prepare` rejects these files, or drops the metadata that makes them slow:

- JPEG: thousands of metadata segments, or bytes between segments, which Pillow reads one by one;
  thousands of progressive scans, each of which goes through all pixels.
- PNG, WebP, GIF, TIFF: hundreds of thousands of chunks, blocks, pages, tags or strips
  (:mod:`.frames`).
- AVIF, HEIC: thousands of items (:mod:`.container_boxes`).
- PNG: texts and colour profiles that unpack to very much (:mod:`.png_chunks`).
- PBM, PGM, PPM: headers of thousands of bytes, which Pillow reads one by one; files of text with
  thousands of comments.
- BMP: large ones that are run-length encoded, which Pillow decodes byte by byte.
- GIF: large ones, which are decoded whole.
- All formats: a file too small for the pixels that it declares (:func:`check_density`).
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from emotion_detection.images.container_boxes import check_items
from emotion_detection.images.file_types import is_dib, is_ppm
from emotion_detection.images.frames import (
    BYTES_A_BLOCK,
    MAX_WEBP_CHUNKS,
    PNG,
    count_frames,
    is_webp,
)
from emotion_detection.images.png_chunks import drop_large_texts

MAX_SEGMENTS = 10_000
"""Maximum metadata segments of a JPEG; cameras write at most a few hundred."""
KEPT_SEGMENTS, KEPT_METADATA = 64, 1_000_000
"""Segments and bytes above which the metadata of a JPEG is dropped."""
MAX_SCANS = 100
"""Maximum scans of a JPEG; encoders write about ten."""
FREE_SCANS, MAX_SCANNED = 16, 200_000_000
"""A JPEG with more scans than the first may have this many pixels, summed over scans."""
MAX_GAP = 1_000_000
"""Maximum bytes between two segments of a JPEG."""
MAX_RUN_PIXELS = 4_000_000
"""Maximum pixels of a run-length encoded BMP, and half of the maximum bytes."""
MAX_GIF_PIXELS = 25_000_000
"""Maximum pixels of a GIF."""
MAX_PPM_HEADER, MAX_COMMENTS = 4_096, 1_000
"""Maximum bytes of the header of a PBM, PGM or PPM, and comments in one of text."""
SPARSE_PIXELS, PIXELS_A_BYTE = 1_000_000, 10_000
"""Maximum pixels per byte of a large image; an image of a single colour has a tenth of that."""

_SOI, _SOS, _EOI = 0xD8, 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Segments with a JPEG's size."""
_RUNS = (1, 2)
"""Run-length encodings among a BMP's methods of compression."""
_APP0, _EXIF, _MPF, _ADOBE, _APP15, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_BARE = {0x00, 0x01, *range(0xD0, 0xD8)}
"""Markers without a segment, which also occur in the data of a scan."""

# markers that end the data of a scan; libjpeg skips anything before them
_NEXT = re.compile(rb"\xff[^\x00\xff\x01\xd0-\xd7]", re.DOTALL)
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_BETWEEN = rb"\s(?:\s|#[^\r\n]*[\r\n])*"
_PPM_HEADER = re.compile(rb"P(?:[14]%b\d+%b\d+\s|[2356]%b\d+%b\d+%b\d+\s)" % ((_BETWEEN,) * 5))


class _Segment(NamedTuple):
    """A segment of a JPEG: marker, start (of the 0xFF) and end."""

    marker: int
    start: int
    end: int

    @property
    def is_metadata(self) -> bool:
        """Whether the pixels can be decoded without this segment."""
        return _APP0 <= self.marker <= _APP15 or self.marker == _COMMENT


def prepare(content: bytes) -> bytes:
    """Return an image file that is safe to open: unchanged, or with less metadata.

    Args:
        content: the bytes of the file, in any format.

    Raises:
        ValueError: opening the file would take too long; the message gives the reason.
    """
    if content.startswith(b"\xff\xd8"):
        return _prepare_jpeg(content)
    if content[:2] == b"BM" or is_dib(content):
        _check_runs(content[14:] if content[:2] == b"BM" else content)
    elif content[4:8] == b"ftyp":
        check_items(content)
    elif (size := _webp_size(content)) is not None:
        check_density(size, content)  # Pillow's decoder allocates all memory when it is opened
    elif is_ppm(content):
        _check_ppm(content)
    frames = count_frames(content)
    if frames is not None and frames.too_many:
        raise ValueError(frames.too_many)
    return drop_large_texts(content) if content.startswith(PNG) else content


def _check_ppm(content: bytes) -> None:
    """Reject a PBM, PGM or PPM of a long header, or of very many comments."""
    if _PPM_HEADER.match(content, 0, MAX_PPM_HEADER) is None:
        raise ValueError(
            "a PBM, PGM or PPM image, damaged: width, height and highest level are not in its "
            f"first {MAX_PPM_HEADER:,} bytes"
        )
    # for each comment, Pillow copies the rest of a block
    if content[1:2] in b"123" and content.count(b"#") > MAX_COMMENTS:
        raise ValueError(f"a PBM, PGM or PPM image of more than {MAX_COMMENTS:,} comments")


def _check_runs(header: bytes) -> None:
    """Reject a large BMP that is run-length encoded.

    Args:
        header: header of the bitmap and all bytes after it.
    """
    size = int.from_bytes(header[:4], "little")
    if size < 40 or int.from_bytes(header[16:20], "little") not in _RUNS:
        return
    width = int.from_bytes(header[4:8], "little")
    height = abs(int.from_bytes(header[8:12], "little", signed=True))
    if width * height > MAX_RUN_PIXELS or len(header) > 2 * MAX_RUN_PIXELS:
        raise ValueError(
            f"a run-length encoded BMP of {width} x {height} pixels: more than "
            f"{MAX_RUN_PIXELS / 1e6:g} megapixels; save it as PNG"
        )


def check_density(size: tuple[int, int], content: bytes) -> None:
    """Reject an image that declares far more pixels than the bytes can encode, or a large GIF.

    Args:
        size: width and height from the header.
        content: the bytes of the file.

    Raises:
        ValueError: the image could only have a single colour, or is a GIF of too many pixels.
    """
    pixels = size[0] * size[1]
    if pixels > MAX_GIF_PIXELS and content.startswith(b"GIF8"):
        raise ValueError(
            f"a GIF of {size[0]} x {size[1]} pixels: more than {MAX_GIF_PIXELS / 1e6:g} "
            "megapixels; save it as PNG"
        )
    if pixels <= SPARSE_PIXELS:
        return
    length = _bytes_of_pixels(content)
    if pixels > PIXELS_A_BYTE * length:
        raise ValueError(
            f"{length:,} bytes for {size[0]} x {size[1]} pixels: nothing can be seen in it"
        )


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of a WebP's canvas (RFC 9649); None for other files."""
    if not is_webp(content) or len(content) < 30:
        return None
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = (int.from_bytes(content[at : at + 2], "little") for at in (26, 28))
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bytes_of_pixels(content: bytes) -> int:
    """Return the number of bytes with pixels in a PNG or WebP; all bytes of other files."""
    if content.startswith(PNG):
        at, order, names, extra = 8, "big", {b"IDAT", b"fdAT"}, 12
    elif is_webp(content):
        at, order, names, extra = 12, "little", {b"VP8 ", b"VP8L", b"ANMF"}, 8
    else:
        return len(content)
    total = 0
    for _ in range(MAX_WEBP_CHUNKS + len(content) // BYTES_A_BLOCK):
        if at + 8 > len(content) or total >= len(content):
            break
        first, second = content[at : at + 4], content[at + 4 : at + 8]
        name, length = (second, first) if order == "big" else (first, second)
        size = int.from_bytes(length, "big" if order == "big" else "little")
        total += size if name in names else 0
        at += size + extra + (size & 1 if order == "little" else 0)
    return min(total, len(content))


def _prepare_jpeg(content: bytes) -> bytes:
    segments = list(_segments_before_scan(content))
    _check_scans(content, segments)
    gaps = segments[0].start - 2 if segments else 0
    gaps += sum(b.start - a.end for a, b in pairwise(segments))
    size = sum(segment.end - segment.start for segment in segments if segment.is_metadata)
    if len(segments) <= KEPT_SEGMENTS and size + gaps <= KEPT_METADATA and gaps <= KEPT_SEGMENTS:
        return content
    parts = [content[:2]]
    kept: set[int] = set()
    for segment in segments:
        if segment.marker == _SOS:
            parts.append(content[segment.start :])
        elif not segment.is_metadata or _is_needed(content, segment, kept):
            parts.append(content[segment.start : segment.end])
    return b"".join(parts)


def _is_needed(content: bytes, segment: _Segment, kept: set[int]) -> bool:
    """Return True for the first segment of each kind that affects decoding."""
    starts = {_APP0: b"JFIF\0", _EXIF: b"Exif\0\0", _MPF: b"MPF\0", _ADOBE: b"Adobe"}
    start = starts.get(segment.marker)
    if start is None or segment.marker in kept:
        return False
    if not content.startswith(start, segment.start + 4):
        return False
    kept.add(segment.marker)
    return True


def _segments_before_scan(content: bytes) -> Iterator[_Segment]:
    """Yield a JPEG's segments, up to the first scan.

    Raises:
        ValueError: there are too many segments.
    """
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(content, at, at + MAX_GAP)
        if found is None and at + MAX_GAP < len(content):
            raise ValueError("a JPEG with a gap between its segments: damaged")
        if found is None:
            return  # decoding will report the missing end
        marker, end = content[found.end() - 1], found.end()
        if marker not in _BARE and marker != _SOI:
            end += int.from_bytes(content[end : end + 2], "big")
        segment = _Segment(marker, found.end() - 2, end)
        if marker == _EOI:
            return
        yield segment
        if marker == _SOS:
            return
        at = end
    raise ValueError(f"a JPEG of more than {MAX_SEGMENTS:,} segments before its pixels")


def _check_scans(content: bytes, segments: list[_Segment]) -> None:
    if not segments or segments[-1].marker != _SOS:
        return
    scans = _scans(content, segments[-1].start)
    if scans > MAX_SCANS:
        raise ValueError(f"a JPEG of more than {MAX_SCANS} scans: it would take minutes")
    if scans <= FREE_SCANS:
        return
    for segment in segments:
        if segment.marker in _FRAMES:
            lines = content[segment.start + 5 : segment.start + 9]
            height, width = int.from_bytes(lines[:2], "big"), int.from_bytes(lines[2:], "big")
            if width * height * scans > MAX_SCANNED:
                raise ValueError(f"a JPEG of {width} x {height} pixels in {scans} scans: too many")


def _scans(content: bytes, at: int) -> int:
    """Return the number of scans from the first one on, counted to just above the limit."""
    scans = steps = 0
    while scans <= MAX_SCANS and steps <= MAX_SEGMENTS:
        steps += 1
        found = _NEXT.search(content, at)
        if found is None or content[found.end() - 1] == _EOI:
            return scans
        scans += content[found.end() - 1] == _SOS
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return MAX_SCANS + 1  # no encoder writes that many segments between scans
