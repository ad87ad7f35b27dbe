import functools
import io
import os
import struct
import sys
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, features

from emotion_detection.errors import InputError
from emotion_detection.images import modes as image_modes
from emotion_detection.images import opening as images
from emotion_detection.images.opening import (
    ImageError,
    crop_to_square,
    image_to_array,
    load_image,
    open_image,
    read_face,
)

READERS = (open_image, image_to_array)


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name, content):
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png_that_claims(width, height):
    """Return a PNG of a few bytes whose header says it is this large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.fixture
def grey(tiny_faces):
    return tiny_faces(1, seed=1)[0]


@pytest.mark.parametrize(
    ("width", "height"), [(30_000, 30_000), (12_000, 10_000), (5_001, 5_000), (2**31 - 1, 1)]
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(width, height):
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="pixels"):
            open_image(png_that_claims(width, height))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_an_image_of_just_the_largest_size_is_decoded(grey):
    content = encoded(Image.fromarray(grey))
    assert image_to_array(content, max_pixels=48 * 48)[0].shape == (48, 48, 3)
    for form in (content, Image.fromarray(grey)):
        with pytest.raises(ImageError, match=r"48 x 48 pixels: more than .*max_pixels"):
            image_to_array(form, max_pixels=48 * 48 - 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_truncated_image_is_refused(kind, share, grey):
    content = encoded(Image.fromarray(grey), kind)
    with pytest.raises(ImageError):
        open_image(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello", b"<svg></svg>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_image_is_refused(content):
    with pytest.raises(ImageError) as caught:
        open_image(content)
    assert str(caught.value)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_lossless_formats_give_their_pixels_whatever_they_are_called(kind, grey, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(encoded(Image.fromarray(grey), kind))
    np.testing.assert_array_equal(read_face(path, 48, 1)[0], grey)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(rgb):
    smooth = np.asarray(Image.fromarray(rgb).resize((200, 160)))
    pixels, notes = image_to_array(encoded(Image.fromarray(smooth), "AVIF", quality=95))
    assert notes == ()
    assert np.abs(pixels.astype(int) - smooth).mean() < 4


def test_heic_is_read_with_the_extra(rgb, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "IMG_0001.jpg"  # as phones and mail programs name them
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(path, quality=100, format="HEIF")
    pixels, _ = image_to_array(path)
    assert pixels.shape == rgb.shape
    assert np.abs(pixels.astype(int) - rgb).mean() < 4


def test_heic_without_the_extra_says_what_it_is_and_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    content = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)
    with pytest.raises(ImageError, match=r"a HEIC image.*pip install .*\[heif\]"):
        image_to_array(content)


@pytest.mark.parametrize(
    ("kind", "what"),
    [("JPEG2000", "a JPEG 2000 image, which only datasets may hold"), ("ICO", "an? .*icon")],
)
def test_other_formats_are_refused_and_named(kind, what, grey, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(encoded(Image.fromarray(grey), kind))
    with pytest.raises(ImageError, match=f"not an image in a format that is read .*: {what}"):
        open_image(path)


def test_a_missing_file_and_a_folder_are_image_errors(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        open_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="a folder"):
        open_image(tmp_path)


def test_a_wrong_extension_does_not_matter(grey, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(encoded(Image.fromarray(grey), "WEBP", lossless=True))
    np.testing.assert_array_equal(read_face(path, 48, 1)[0], grey)


def test_no_file_stays_open_after_an_image_that_cannot_be_read(grey, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(encoded(Image.fromarray(grey))[:400])
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pytest.raises(ImageError):
            open_image(path)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_images_are_read_or_refused_and_nothing_else(kind, grey):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a face"
    content = encoded(Image.fromarray(np.dstack([grey] * 3)), kind, exif=exif)
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        places = generator.integers(0, min(len(content), 400), generator.integers(1, 6))
        for place in places:
            damaged[place] = generator.integers(0, 256)
        try:
            face = read_face(bytes(damaged), 48, 1)
        except ImageError:
            refused += 1
        else:
            assert face.shape == (1, 48, 48)
    assert refused > 0


def test_damaged_metadata_costs_neither_the_image_nor_its_turn(grey):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a face"
    exif[0x0110] = "a camera with a long name"
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(grey)))
    content = encoded(stored, "WEBP", lossless=True, exif=exif)
    text = struct.pack(">HH", 0x010E, 2)
    assert text in content
    damaged = content.replace(text, struct.pack(">HH", 0x010E, 3))
    np.testing.assert_array_equal(read_face(damaged, 48, 1)[0], grey)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation, grey):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(grey[:, :30]), "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(open_image(content), expected)


def test_the_first_of_moving_images_is_taken(tiny_faces):
    first, second = (Image.fromarray(face) for face in tiny_faces(2))
    content = encoded(first, "PNG", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_face(content, 48, 1)[0], np.asarray(first))


def test_white_of_sixteen_bits_is_white_and_black_black():
    deep = np.array([[0, 65535], [40000, 257]], np.uint16)
    image = open_image(encoded(Image.fromarray(deep)))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 255], [156, 1]]


@pytest.mark.parametrize(("mode", "opened"), [("L", "L"), ("RGB", "RGB"), ("RGBA", "RGB")])
def test_images_are_opened_as_grey_or_colour(mode, opened, grey):
    assert open_image(encoded(Image.fromarray(grey).convert(mode))).mode == opened


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (47, 49), (200, 130)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_shape_becomes_the_networks_input(shape, channels):
    face = crop_to_square(Image.new("L", shape, 77), 48, channels)
    assert face.shape == (channels, 48, 48)
    assert face.dtype == np.uint8
    assert (face == 77).all()
    assert face.flags.c_contiguous


@pytest.fixture
def rgb(tiny_faces):
    return np.ascontiguousarray(np.stack(tiny_faces(3, seed=2), axis=2)[:40])


def with_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def forms(image, tmp_path):
    """Yield one image in every form that holds it without loss."""
    content = encoded(image)
    path = tmp_path / "ein bild ü.png"
    path.write_bytes(content)
    yield from (content, bytearray(content), memoryview(content), path, str(path), image)
    yield Image.open(path)


def test_every_form_of_an_image_gives_the_same_pixels(rgb, tmp_path):
    for form in [*forms(Image.fromarray(rgb), tmp_path), rgb]:
        pixels, notes = image_to_array(form)
        np.testing.assert_array_equal(pixels, rgb)
        assert (pixels.dtype, notes) == (np.uint8, ())


def test_grey_images_become_rgb(grey, tmp_path):
    for form in [*forms(Image.fromarray(grey), tmp_path), grey]:
        np.testing.assert_array_equal(image_to_array(form)[0], np.dstack([grey] * 3))


def test_an_array_is_handed_on_and_never_written_to(rgb):
    rgb.flags.writeable = False
    assert image_to_array(rgb)[0] is rgb
    turned = rgb[::-1, ::2]
    np.testing.assert_array_equal(image_to_array(turned)[0], turned)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_and_pil_images_are_brought_upright(kind, orientation, rgb):
    content = encoded(Image.fromarray(rgb), kind, exif=with_orientation(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    opened = Image.open(io.BytesIO(content))
    before = np.array(opened)
    for form in (content, opened):
        np.testing.assert_array_equal(image_to_array(form)[0], expected)
    np.testing.assert_array_equal(np.asarray(opened), before)
    assert opened.getexif()[0x0112] == orientation


def sixteen_bits():
    return np.array([[0, 65535, 32896], [40000, 257, 51400]], np.uint16)


def grey_tiff(levels):
    """A TIFF of grey levels with 32 bits, with or without a sign."""
    sample_format = {"i": 2, "u": 1}[levels.dtype.kind]
    height, width = levels.shape
    tags = {256: width, 257: height, 258: 32, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags |= {279: levels.nbytes, 339: sample_format}
    body = struct.pack("<H", len(tags))
    body += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = levels.astype(levels.dtype.newbyteorder("<")).tobytes()
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + body + bytes(4)


def palette():
    image = Image.new("P", (3, 2))
    image.putpalette([10, 20, 30, 200, 100, 0, 255, 255, 255])
    image.putdata([0, 1, 2, 2, 1, 0])
    return image


def transparent(mode):
    image = Image.new("RGBA", (4, 2), (200, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))  # hidden black: must come out as the background
    image.putpixel((1, 0), (0, 0, 0, 128))
    return image.convert(mode)


FIRST = [[10, 20, 30], [200, 100, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("image", "first_row"),
    [
        (Image.fromarray(sixteen_bits()), [[0] * 3, [255] * 3, [128] * 3]),
        (palette(), FIRST),
        (transparent("RGBA"), [[255] * 3, [127] * 3, [200, 0, 0], [200, 0, 0]]),
        (transparent("LA"), [[255] * 3, [127] * 3, [60] * 3, [60] * 3]),
        (Image.new("1", (2, 2), 1), [[255] * 3] * 2),
        (Image.new("L", (2, 2), 7), [[7] * 3] * 2),
    ],
    ids=["16-bit", "palette", "RGBA", "LA", "1", "L"],
)
def test_modes_of_files_and_pil_images(image, first_row):
    for form in (encoded(image), image):
        assert image_to_array(form)[0][0].tolist() == first_row


@pytest.mark.parametrize(
    ("image", "first_row"),
    [
        (Image.new("CMYK", (2, 2), (0, 0, 0, 0)), [[255] * 3] * 2),
        (Image.new("CMYK", (2, 2), (0, 255, 255, 0)), [[255, 0, 0]] * 2),
        (Image.new("I", (2, 2), 40000), [[156] * 3] * 2),
        (Image.new("HSV", (2, 2), (0, 0, 99)), [[99] * 3] * 2),
        (Image.new("YCbCr", (2, 2), (99, 128, 128)), [[99] * 3] * 2),
        (Image.new("RGBa", (2, 2), (0, 0, 0, 0)), [[255] * 3] * 2),
        (Image.new("PA", (2, 2), 0), [[255] * 3] * 2),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_further_modes_of_pil_images(image, first_row):
    pixels, _ = image_to_array(image)
    assert pixels.shape == (2, 2, 3)
    assert pixels[0].tolist() == first_row


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_a_grey_tiff_of_32_bits_is_read_by_its_levels(dtype):
    levels = np.array([[0, 1, 255]], dtype)
    for scale, expected in ((1, [0, 1, 255]), (257, [0, 1, 255])):
        content = grey_tiff(levels * dtype(scale))
        assert Image.open(io.BytesIO(content)).mode == "I"
        for form in (content, Image.open(io.BytesIO(content))):
            assert image_to_array(form)[0][0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("levels", "told"),
    [([0, 65_536], "from 0 to 65536"), ([-1, 9], "from -1 to 9"), ([0, 2**31 - 1], "2147483647")],
)
def test_a_grey_tiff_of_32_bits_with_other_levels_is_refused(levels, told):
    with pytest.raises(ImageError, match=f"grey levels .*{told}"):
        image_to_array(grey_tiff(np.array([levels], np.int32)))


def test_bands_of_a_large_image_of_32_bits_are_scaled_alike(monkeypatch):
    levels = np.repeat(np.arange(700, dtype=np.int32)[:, None] * 90, 4, axis=1)
    content = grey_tiff(levels)
    monkeypatch.setattr(image_modes, "MAX_PIXELS", 100)
    np.testing.assert_array_equal(image_to_array(content)[0][..., 0], np.rint(levels / 257))


def test_a_dark_png_of_16_bits_stays_dark():
    content = encoded(Image.fromarray(np.full((2, 2), 200, np.uint16)))
    opened = Image.open(io.BytesIO(content)).convert("I")  # as older versions of Pillow open it
    opened.format = "PNG"
    for form in (content, opened):
        assert image_to_array(form)[0].max() == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_a_bitmap_without_its_file_header_is_read(mode, rgb, tmp_path):
    image = Image.fromarray(rgb).convert(mode)
    path = tmp_path / "face.dib"
    path.write_bytes(encoded(image, "DIB"))
    np.testing.assert_array_equal(image_to_array(path)[0], np.asarray(image.convert("RGB")))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match="truncated"):
        image_to_array(path)


def test_a_cmyk_jpeg_looks_as_it_was_saved():
    content = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    pixels, _ = image_to_array(content)
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 4


def test_a_palette_with_a_transparent_colour_lies_on_the_background():
    content = encoded(palette(), transparency=1)
    assert image_to_array(content)[0][0].tolist() == [[10, 20, 30], [255] * 3, [255] * 3]


@pytest.mark.parametrize(
    "image",
    [Image.new("F", (2, 2)), Image.new("LA", (2, 2)).convert("La")],
    ids=lambda image: image.mode,
)
def test_modes_that_cannot_be_understood_are_refused(image):
    with pytest.raises(ImageError, match=image.mode):
        image_to_array(image)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animated_image_the_first_frame_is_taken_with_a_note(kind, tiny_faces):
    frames = [Image.fromarray(face).convert("RGB") for face in tiny_faces(3)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    pixels, notes = image_to_array(content)
    np.testing.assert_array_equal(pixels, np.asarray(frames[0]))
    assert notes == ("animated: only the first of 3 frames was read",)
    opened = Image.open(io.BytesIO(content))
    opened.seek(1)
    pixels, notes = image_to_array(opened)
    np.testing.assert_array_equal(pixels, np.asarray(frames[1]))
    assert notes == ("animated: only number 2 of 3 frames was read",)
    assert opened.tell() == 1


def test_several_images_in_one_jpeg_are_reported(rgb):
    first = Image.fromarray(rgb)
    content = encoded(first, "MPO", save_all=True, append_images=[first.rotate(180)])
    pixels, notes = image_to_array(content)
    assert pixels.shape == rgb.shape
    assert notes == ("2 images in one file: only the first was read",)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_an_image_truncated_anywhere_is_refused(kind, options, rgb):
    content = encoded(Image.fromarray(rgb), kind, **options)
    assert image_to_array(content)[0].shape == rgb.shape
    generator = np.random.default_rng(0)
    missing = {*range(9, 40), *generator.integers(1, len(content), 60)}
    for count in missing:
        with pytest.raises(ImageError):
            image_to_array(content[:-count])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: 0 bytes"),
        (b"hello", "not an image in a format that is read .*: a text file"),
        (b"%PDF-1.7 ...", "not an image in a format that is read .*: a PDF document"),
        (png_that_claims(30_000, 30_000), "30000 x 30000 pixels: more than .*max_pixels"),
    ],
)
@pytest.mark.parametrize("read", READERS)
def test_files_that_are_refused_say_why(content, reason, read, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for form in (content, path):
        with pytest.raises(ImageError, match=reason) as caught:
            read(form)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(10_000, 10_000), (5_001, 5_000)])
def test_a_bomb_that_pil_opened_is_refused_before_it_is_decoded(size):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lazy = Image.open(io.BytesIO(png_that_claims(*size)))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"more than 25 megapixels \((100|25)\.0\)"):
            image_to_array(lazy, max_pixels=25_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("https://example.org/a.jpg", "a URL"),
        (Path("http://example.org/a.jpg"), "a URL"),
        ("FILE:///a.jpg", "a URL"),
        ("data:image/png;base64,AAAA", "a data URL: decode it"),
        ("QUJD" * 100_000, "a text of 400,000 characters.*b64decode"),
        ("{}/none.jpg", "^no such file$"),
        ("{}", r"a folder, not an image: in Python detect_many\(folder\)"),
        ("{}/a\0b.jpg", "no such file"),
        ("{}/a.txt/b.jpg", "cannot be read: Not a directory"),
        ("/dev/null", "a pipe or a device"),
        (None, "a NoneType: must be a path"),
        (3.5, "a float: must be a path"),
        (0, r"0: a number is a camera, which EmotionDetector.detect_video\(0\) reads"),
        (np.int64(1), "1: a number is a camera"),
        ({}, "a dict: must be a path"),
        (object(), "an object: must be a path"),
        ([1, 2], "a list: must be a path"),
        (np.zeros((4, 4), np.complex64), "an array of complex64: must be uint8"),
        (np.zeros((4, 4, 3), object), "an array of object: must be uint8"),
        (np.zeros((5, 4, 5), np.uint8), r"an array of shape \(5, 4, 5\): must be"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\): a batch of images"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "has no pixels"),
        (Image.new("RGB", (0, 4)), "has no pixels"),
    ],
)
def test_what_is_no_image_at_all_is_refused_with_the_reason(given, reason, tmp_path):
    (tmp_path / "a.txt").write_text("")
    given = given.format(tmp_path) if isinstance(given, str) else given
    with pytest.raises(ImageError, match=reason) as caught:
        image_to_array(given)
    assert isinstance(caught.value, InputError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
@pytest.mark.parametrize("read", READERS)
def test_a_pipe_is_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="a pipe or a device"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("read", READERS)
def test_a_file_too_large_for_any_image_is_not_read(read, tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(ImageError, match=r"3,000 MB: more than (25|250) megapixels can take"):
        read(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_damaged_images_of_any_form_are_read_or_refused(kind, rgb):
    first = Image.fromarray(rgb)
    moving = {} if kind == "JPEG" else {"save_all": True, "append_images": [first.rotate(90)]}
    content = encoded(first, kind, **moving)
    generator = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in generator.integers(8, len(content), 4):
            damaged[place] = generator.integers(0, 256)
        try:
            opened = Image.open(io.BytesIO(damaged))
        except Exception:  # a user's own opening failed: nothing to hand over
            opened = bytes(damaged)
        try:
            assert image_to_array(opened)[0].dtype == np.uint8
        except ImageError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF", "HEIF", "MPO"])
def test_damaged_files_of_further_formats_are_read_or_refused(kind, rgb):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    content = encoded(Image.fromarray(rgb), kind)
    generator = np.random.default_rng(1)
    refusals = []
    for number in range(60):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 4):
            damaged[place] = generator.integers(0, 256)
        del damaged[len(content) - 7 * (number % 20) :]
        try:
            assert image_to_array(bytes(damaged))[0].dtype == np.uint8
        except ImageError as error:
            refusals.append(str(error))
    assert all(0 < len(words) < 300 and "\n" not in words for words in refusals)


def test_warnings_are_as_before_after_many_threads_read_at_once(rgb):
    content = encoded(Image.fromarray(rgb))
    before = list(warnings.filters)
    barrier = threading.Barrier(4)

    def read(_):
        barrier.wait()
        for _ in range(25):
            image_to_array(content)
            with pytest.raises(ImageError):
                image_to_array(content[:100])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert warnings.filters == before


@functools.cache
def large_jpeg(orientation=1, **options):
    """A JPEG of 8000 x 6000 pixels: a bright square in its upper left quarter."""
    image = Image.new("RGB", (8000, 6000), (30, 60, 90))
    image.paste((250, 200, 150), (800, 600, 2400, 1800))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", quality=50, exif=exif, **options)


@pytest.mark.parametrize(("orientation", "size"), [(1, (8000, 6000)), (6, (6000, 8000))])
def test_a_large_jpeg_is_decoded_at_reduced_size_and_whole_on_demand(orientation, size):
    loaded = load_image(large_jpeg(orientation), reduced=True)
    assert (loaded.width, loaded.height) == size
    height, width = loaded.pixels.shape[:2]
    assert 2560 <= max(width, height) <= 4000
    full = loaded.full()
    assert full.size == size
    small = np.asarray(full.resize((width, height)))
    assert np.abs(small.astype(int) - loaded.pixels).mean() < 2


def test_other_large_images_are_reduced_by_means():
    image = Image.open(io.BytesIO(large_jpeg()))
    loaded = load_image(image, reduced=True)
    assert loaded.pixels.shape == (2000, 2667, 3)
    assert loaded.full().size == (8000, 6000)
    assert load_image(encoded(Image.new("L", (5200, 5000)), "PNG"), reduced=True).full is not None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("limit", [1_000, 100_000], ids=["reduced", "whole"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_those_of_the_upright_image(kind, limit, orientation, monkeypatch):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    monkeypatch.setattr(images, "MAX_PIXELS", limit)
    monkeypatch.setattr(images, "REDUCED_SIDE", 40)
    image = Image.new("RGB", (160, 90), (30, 60, 90))
    image.paste((250, 200, 150), (0, 0, 80, 30))  # upper left
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(image, kind, exif=with_orientation(orientation), **options)
    loaded = load_image(content, reduced=True)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert expected.size == ((90, 160) if orientation >= 5 else (160, 90))
    assert (loaded.width, loaded.height) == expected.size
    assert (loaded.full is not None) == (limit == 1_000)
    height, width = loaded.pixels.shape[:2]
    assert (height > width) == (orientation >= 5)
    small = np.asarray(expected.resize((width, height), Image.Resampling.BOX))
    assert np.abs(small.astype(int) - loaded.pixels).mean() < 6
    if loaded.full is not None:
        assert loaded.full().size == expected.size
        assert max(width, height) < 160


def test_small_images_are_never_reduced(rgb):
    loaded = load_image(encoded(Image.fromarray(rgb)), reduced=True)
    assert loaded.full is None
    np.testing.assert_array_equal(loaded.pixels, rgb)


def test_pillows_own_limit_is_as_before_afterwards():
    before = Image.MAX_IMAGE_PIXELS
    image_to_array(encoded(Image.new("L", (4, 4))))
    with pytest.raises(ImageError):
        image_to_array(b"hello")
    assert before == Image.MAX_IMAGE_PIXELS


def test_large_images_with_alpha_are_converted_in_bands_to_the_same_pixels(monkeypatch):
    levels = np.random.default_rng(0).integers(0, 256, (700, 50, 4), dtype=np.uint8)
    for image in (
        Image.fromarray(levels),
        Image.fromarray(levels[..., 0].astype(np.uint16) * 257),
    ):
        content = encoded(image)
        whole, _ = image_to_array(content)
        with monkeypatch.context() as patch:
            patch.setattr(image_modes, "MAX_PIXELS", 100)
            banded, _ = image_to_array(content)
        np.testing.assert_array_equal(banded, whole)


def test_an_array_in_opencvs_order_is_turned_round(rgb):
    np.testing.assert_array_equal(image_to_array(rgb[..., ::-1], color="bgr")[0], rgb)
    grey_levels = rgb[..., 0]
    assert (image_to_array(grey_levels, color="bgr")[0][..., 1] == grey_levels).all()
    with pytest.raises(InputError, match="color 'hsv': must be 'rgb' or 'bgr'"):
        image_to_array(rgb, color="hsv")


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_colour_profile_is_kept_where_it_fits_the_pixels(rgb):
    profile = srgb_profile()
    colour = encoded(Image.fromarray(rgb), "JPEG", icc_profile=profile)
    assert load_image(colour).icc_profile == profile
    assert load_image(encoded(Image.fromarray(rgb), "JPEG")).icc_profile is None
    grey_levels = encoded(Image.fromarray(rgb[..., 0]), "JPEG", icc_profile=profile)
    assert load_image(grey_levels).icc_profile is None
    damaged = encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG", icc_profile=b"CMYK" * 8)
    loaded = load_image(damaged)
    assert (loaded.icc_profile, loaded.pixels.shape) == (None, rgb.shape)


def test_messages_are_short_whatever_was_given():
    for text in ("data:image/png;base64," + "A" * 400_000, "A" * 400_000, "a/" * 1000):
        with pytest.raises(ImageError) as caught:
            image_to_array(text)
        assert len(str(caught.value)) < 300
