"""AVIF and HEIC files of very many items: refused before a decoder compares each with all."""

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image, features

from emotion_detection.images.container_boxes import MAX_BOXES, list_boxes
from emotion_detection.images.headers import prepare
from emotion_detection.images.opening import ImageError, image_to_array


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def image_of(*boxes: bytes) -> bytes:
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(24)) + b"".join(boxes))
    return box(b"ftyp", b"avif" + bytes(4) + b"avifmif1") + meta + box(b"mdat", bytes(40))


def extents(items: int, count: int, version: int = 0, size: int = 0) -> bytes:
    """An ``iloc`` box of so many items, each of so many extents of no bytes."""
    number = ">I" if version == 2 else ">H"
    one = struct.pack(number, 1) + (b"\0\0" if version else b"") + b"\0\0"
    one += struct.pack(">H", count) + bytes(count * 2 * size)
    head = bytes((version, 0, 0, 0, size << 4 | size, 0)) + struct.pack(number, items)
    return box(b"iloc", head + one * items)


MANY = {
    "items": box(b"iinf", bytes(4) + struct.pack(">H", 7_000)),
    "items in 32 bits": box(b"iinf", b"\1\0\0\0" + struct.pack(">I", 70_000)),
    "references": box(b"iref", bytes(4) + box(b"cdsc", bytes(6)) * 7_000),
    "associations": box(b"iprp", box(b"ipma", bytes(4) + struct.pack(">I", 7_000))),
    "locations": extents(7_000, 1),
    "extents": extents(3, 3_000),
    "extents, version 1": extents(3, 3_000, version=1),
    "extents, version 2": extents(3, 3_000, version=2, size=4),
    "some of each": box(b"iinf", bytes(4) + struct.pack(">H", 4_000)) + extents(4_000, 1),
}


@pytest.mark.parametrize("name", MANY)
def test_an_image_of_very_many_items_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="more than 6,000 entries"):
        prepare(image_of(MANY[name]))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_such_an_avif_is_refused_where_images_are_read() -> None:
    with pytest.raises(ImageError, match="more than 6,000 entries"):
        image_to_array(image_of(MANY["extents"]))


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_usual_files_are_let_pass(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    out = io.BytesIO()
    frames = [Image.new("RGBA", (64, 48), (200, 90, level, 200)) for level in (1, 2, 3)]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    content = out.getvalue()
    assert prepare(content) is content
    assert [found.name for found in list_boxes(content)][:2] == [b"ftyp", b"meta"]
    for cut in range(0, len(content), 7):
        assert prepare(content[:cut]) == content[:cut]
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(content)
        for place in rng.integers(8, len(content), 5):
            damaged[place] = rng.integers(0, 256)
        with contextlib.suppress(ValueError):  # its entries may have become many
            prepare(bytes(damaged))


def test_boxes_are_listed_within_their_bounds() -> None:
    long = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 20) + bytes(4)
    last = struct.pack(">I", 0) + b"free" + bytes(9)
    assert list(list_boxes(long + last)) == [(b"mdat", 16, 20), (b"free", 28, 37)]
    assert list(list_boxes(box(b"mdat", bytes(9))[:-3])) == [(b"mdat", 8, 17)]
    assert list(list_boxes(struct.pack(">I", 3) + b"mdat" + bytes(9))) == []
    assert len(list(list_boxes(box(b"free", b"") * (MAX_BOXES + 5)))) == MAX_BOXES
