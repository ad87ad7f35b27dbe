import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from emotion_detection import images
from emotion_detection.images import PictureError, face_array, open_picture, read_face


def encoded(picture, kind="PNG", **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
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
        with pytest.raises(PictureError, match="pixels"):
            open_picture(png_that_claims(width, height))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_picture_of_just_the_largest_size_is_decoded(monkeypatch, grey):
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 48)
    assert open_picture(encoded(Image.fromarray(grey))).size == (48, 48)
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 48 - 1)
    with pytest.raises(PictureError, match="48 x 48 pixels: more than"):
        open_picture(encoded(Image.fromarray(grey)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_truncated_picture_is_refused(kind, share, grey):
    content = encoded(Image.fromarray(grey), kind)
    with pytest.raises(PictureError):
        open_picture(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello", b"<svg></svg>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(PictureError) as caught:
        open_picture(content)
    assert str(caught.value)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_refused_whatever_they_are_called(kind, grey, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(encoded(Image.fromarray(grey), kind))
    with pytest.raises(PictureError, match="not a JPEG, PNG or WebP picture"):
        open_picture(path)


def test_a_missing_file_and_a_folder_are_picture_errors(tmp_path):
    with pytest.raises(PictureError, match="No such file"):
        open_picture(tmp_path / "none.png")
    with pytest.raises(PictureError, match="directory"):
        open_picture(tmp_path)


def test_a_wrong_extension_does_not_matter(grey, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(encoded(Image.fromarray(grey), "WEBP", lossless=True))
    np.testing.assert_array_equal(read_face(path, 48, 1)[0], grey)


def test_no_file_stays_open_after_a_picture_that_cannot_be_read(grey, tmp_path):
    path = tmp_path / "face.png"
    path.write_bytes(encoded(Image.fromarray(grey))[:400])
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pytest.raises(PictureError):
            open_picture(path)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_pictures_are_read_or_refused_and_nothing_else(kind, grey):
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
        except PictureError:
            refused += 1
        else:
            assert face.shape == (1, 48, 48)
    assert refused > 0


def test_damaged_metadata_costs_neither_the_picture_nor_its_turn(grey):
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
    np.testing.assert_array_equal(open_picture(content), expected)


def test_the_first_of_moving_pictures_is_taken(tiny_faces):
    first, second = (Image.fromarray(face) for face in tiny_faces(2))
    content = encoded(first, "PNG", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_face(content, 48, 1)[0], np.asarray(first))


def test_white_of_sixteen_bits_is_white_and_black_black():
    deep = np.array([[0, 65535], [40000, 257]], np.uint16)
    picture = open_picture(encoded(Image.fromarray(deep)))
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[0, 255], [156, 1]]


@pytest.mark.parametrize(("mode", "opened"), [("L", "L"), ("RGB", "RGB"), ("RGBA", "RGB")])
def test_pictures_are_opened_as_grey_or_colour(mode, opened, grey):
    assert open_picture(encoded(Image.fromarray(grey).convert(mode))).mode == opened


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (47, 49), (200, 130)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_shape_becomes_the_networks_input(shape, channels):
    face = face_array(Image.new("L", shape, 77), 48, channels)
    assert face.shape == (channels, 48, 48)
    assert face.dtype == np.uint8
    assert (face == 77).all()
    assert face.flags.c_contiguous
