"""Texts and profiles of a PNG that unpack to very much are dropped; the image is read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from emotion_detection.images.headers import prepare
from emotion_detection.images.opening import image_to_array
from emotion_detection.images.png_chunks import MAX_TEXT

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
HEADER = 33
"""Bytes of a PNG up to the end of its first chunk."""


def encode(**options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def text(name: bytes, size: int, keyword: bytes = b"Comment") -> bytes:
    """A chunk that unpacks to so many bytes."""
    packed = zlib.compress(bytes(size))
    return chunk(
        name,
        keyword
        + {
            b"tEXt": b"\0" + b"a" * size,
            b"zTXt": b"\0\0" + packed,
            b"iTXt": b"\0\1\0en\0\0" + packed,
            b"iCCP": b"\0\0" + packed,
        }[name],
    )


def insert(*chunks: bytes) -> bytes:
    png = encode()
    return png[:HEADER] + b"".join(chunks) + png[HEADER:]


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("is_behind", [False, True])
def test_an_image_with_a_text_that_unpacks_to_much_is_read(name: bytes, is_behind: bool) -> None:
    png, large = encode(), text(name, 70_000_000 if name == b"tEXt" else 5_000_000)
    place = png.index(b"IEND") - 4 if is_behind else HEADER
    content = png[:place] + large + png[place:]
    assert prepare(content) == png
    pixels, notes = image_to_array(content)
    assert (pixels == PIXELS).all()
    assert notes == ()


def test_many_texts_are_dropped_together() -> None:
    half = MAX_TEXT // 2
    assert prepare(insert(text(b"zTXt", half))) == insert(text(b"zTXt", half))
    assert prepare(insert(text(b"zTXt", half), text(b"iTXt", half), text(b"tEXt", 9))) == encode()
    profiles = [text(b"iCCP", half)] * 3
    assert prepare(insert(*profiles)) == insert(profiles[0])


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_the_orientation_is_kept(size: int) -> None:
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.rot90(PIXELS, -1)
    for oriented in (insert(chunk(b"iTXt", xmp)), encode(exif=exif)):
        content = oriented[:HEADER] + text(b"zTXt", size) + oriented[HEADER:]
        assert (image_to_array(content)[0] == turned).all()
        assert (prepare(content) == oriented) == (size > MAX_TEXT)


def test_damaged_texts_stay() -> None:
    content = insert(chunk(b"zTXt", b"a\0\0no zlib"), chunk(b"iTXt", b"a"), chunk(b"iCCP", b""))
    assert prepare(content) is content
    for cut in range(8, len(content), 3):
        assert prepare(content[:cut]) == content[:cut]
