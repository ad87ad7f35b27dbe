"""PBM, PGM, PPM and TGA: recognised, read as their pixels say, rejected where they cost much."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from emotion_detection.images.file_types import describe_content, is_tga
from emotion_detection.images.headers import MAX_COMMENTS, MAX_PPM_HEADER
from emotion_detection.images.opening import MAX_SLOW_PIXELS, ImageError, image_to_array

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
PPM = "a PBM, PGM or PPM image"


def tga(kind: int, depth: int, flags: int, body: bytes, size: tuple[int, int] = (9, 6)) -> bytes:
    return struct.pack("<BBB5xHHHHBB", 0, 0, kind, 0, 0, *size, depth, flags) + body


def refuse(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        image_to_array(content)
    return str(caught.value)


def words(values: np.ndarray) -> bytes:
    return b" ".join(b"%d" % value for value in values.ravel())


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (b"P6\n9 6\n255\n" + COLOUR.tobytes(), COLOUR),
        (b"P6\n# made by hand\n9 6 # size\n255\n" + COLOUR.tobytes(), COLOUR),
        (b"P3\n9 6\n255\n" + words(COLOUR), COLOUR),
        (b"P5\n9 6\n255\n" + GREY.tobytes(), GREY),
        (b"P2 9 6 255 " + words(GREY), GREY),
        (b"P5 9 6 65535 " + (GREY.astype(">u2") * 257).tobytes(), GREY),
        (b"P2 9 6 65535 " + words(GREY.astype(np.uint32) * 257), GREY),
        (b"P5\n9 6\n15\n" + (GREY >> 4).tobytes(), (GREY >> 4) * 17),
        (b"P1\n9 6\n" + words(GREY & 1), 255 * (1 - (GREY & 1))),
        (b"P4\n9 6\n" + np.packbits(GREY & 1, axis=1).tobytes(), 255 * (1 - (GREY & 1))),
        (tga(2, 24, 0x20, COLOUR[..., ::-1].tobytes()), COLOUR),
        (tga(2, 24, 0x00, COLOUR[::-1, :, ::-1].tobytes()), COLOUR),
        (tga(2, 24, 0x30, COLOUR[:, ::-1, ::-1].tobytes()), COLOUR),
        (tga(3, 8, 0x20, GREY.tobytes()), GREY),
    ],
)
def test_pixels_are_those_of_the_file(content: bytes, pixels: np.ndarray) -> None:
    found, notes = image_to_array(content)
    expected = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    assert np.abs(found.astype(int) - expected).max() == 0
    assert notes == ()


@pytest.mark.parametrize("rle", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "LA"])
def test_what_pillow_writes_is_read(mode: str, rle: bool) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    out = io.BytesIO()
    image.save(out, "TGA", rle=rle)
    assert describe_content(out.getvalue()) == "a TGA image"
    expected = np.asarray(image.convert("RGB"))
    assert (image_to_array(out.getvalue())[0] == expected).all()


@pytest.mark.parametrize(("flags", "is_clear"), [(0x20, False), (0x28, True)])
def test_the_fourth_channel_of_a_tga_is_transparency_if_its_header_says_so(
    flags: int, is_clear: bool
) -> None:
    pixels = np.dstack([COLOUR[..., ::-1], np.zeros_like(GREY)])
    found, _ = image_to_array(tga(2, 32, flags, pixels.tobytes()))
    assert (found == (255 if is_clear else COLOUR)).all()


@pytest.mark.parametrize(
    "content",
    [b"P5 is a size of paper", b"\0\0\2\0\1\0" + bytes(20), b"\0\0\1\0" + bytes(20), bytes(40)],
    ids=["text", "cursor", "icon", "zeros"],
)
def test_other_files_are_not_taken_for_them(content: bytes) -> None:
    assert describe_content(content) not in (PPM, "a TGA image")
    assert "not an image in a format that is read" in refuse(content)


def test_a_damaged_image_of_another_format_is_not_read_as_a_tga() -> None:
    out = io.BytesIO()
    Image.fromarray(COLOUR).save(out, "PNG")
    for place in range(8, 60):
        damaged = bytearray(out.getvalue())
        damaged[place] ^= 0xFF
        assert not is_tga(bytes(damaged))


@pytest.mark.parametrize("head", [b"P6 900 600 255 ", b"P3 90 60 255 ", b"P5 90 60 15 "])
def test_a_truncated_ppm_is_told(head: bytes) -> None:
    assert refuse(head + b"1 2 3 4 5 6 ") == f"{PPM}, truncated: its end is missing"


@pytest.mark.parametrize("kind", [2, 10])
def test_a_truncated_tga_is_told(kind: int) -> None:
    assert refuse(tga(kind, 24, 0, b"\1ab")) == "a TGA image, truncated: its end is missing"


def test_a_long_header_is_refused() -> None:
    comment = b"#" + b"a" * MAX_PPM_HEADER + b"\n"
    for head in (b"P5 %b9 6 255 ", b"P5 9 6 %b255 ", b"P1\n%b9 6 "):
        assert "not in its first 4,096 bytes" in refuse(head % comment + GREY.tobytes())
    for head in (b"P5 9 6 2#\n55 ", b"P5 9 6 ", b"P5 9 x 255 "):
        assert refuse(head + bytes(9)).startswith(f"{PPM}, damaged: width, height")


def test_a_text_of_very_many_comments_is_refused() -> None:
    head, comment = b"P2 9 6 255 ", b"#\n"
    assert (image_to_array(head + comment * MAX_COMMENTS + words(GREY))[0][..., 0] == GREY).all()
    assert "more than 1,000 comments" in refuse(head + comment * (MAX_COMMENTS + 1) + words(GREY))


@pytest.mark.parametrize("head", [b"P2 %d 1 255 ", b"P5 %d 1 15 ", b"P6 %d 1 65535 ", b"P1 %d 1 "])
def test_large_images_that_python_would_decode_are_refused(head: bytes) -> None:
    content = head % (MAX_SLOW_PIXELS + 1) + bytes(MAX_SLOW_PIXELS + 1)
    assert "more than 1 megapixels" in refuse(content)


def test_files_too_small_for_their_pixels_are_refused_before_decoding() -> None:
    for content in (b"P6 4000 4000 255 " + bytes(99), tga(10, 24, 0, bytes(99), (4000, 4000))):
        assert "bytes for 4000 x 4000 pixels: nothing can be seen in it" in refuse(content)
    for content in (b"P6 90000 90000 255 " + bytes(99), tga(2, 24, 0, bytes(99), (60_000, 60_000))):
        assert "more than 250 megapixels" in refuse(content)
