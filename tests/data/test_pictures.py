"""Images of every kind, as they stand in people's folders."""

import io

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data import load


@pytest.fixture
def read_back(tmp_path, tiny_faces, png, data_config):
    """Write one image among others and return its face as the dataset holds it."""

    def read(content, name="Training_00000.png", **options):
        for emotion in ("happy", "sad"):
            folder = tmp_path / "own" / "train" / emotion
            folder.mkdir(parents=True)
            for row in range(3):
                face = tiny_faces(1, seed=100 + 10 * len(emotion) + row)[0]
                (folder / f"{row}.png").write_bytes(png(face))
        (tmp_path / "own" / "train" / "happy" / name).write_bytes(content)
        dataset = load(
            data_config(tmp_path / "own", validation_fraction=0.0, test_fraction=0.0, **options)
        )
        faces = dataset.split("train")
        return np.array(faces.images[list(faces.names).index(f"train/happy/{name}")])

    return read


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def grey(tiny_faces):
    return tiny_faces(1, seed=1)[0]


def test_a_colour_image_keeps_its_colours_when_they_are_asked_for(read_back, tiny_faces):
    colours = np.stack(list(tiny_faces(3, seed=2)), axis=-1)
    face = read_back(encoded(Image.fromarray(colours), "PNG"), channels=3)
    assert face.shape == (3, 48, 48)
    np.testing.assert_array_equal(face, colours.transpose(2, 0, 1))


def test_a_colour_image_becomes_its_luma(read_back, tiny_faces):
    colours = np.stack(list(tiny_faces(3, seed=2)), axis=-1)
    face = read_back(encoded(Image.fromarray(colours), "PNG"))
    luma = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(face[0] - luma).max() <= 1


def test_an_image_that_is_not_square_is_cut_to_its_middle(read_back, grey):
    wide = np.zeros((48, 96), np.uint8)
    wide[:, 24:72] = grey
    np.testing.assert_array_equal(read_back(encoded(Image.fromarray(wide), "PNG"))[0], grey)


def test_a_large_image_is_averaged_down_not_sampled(read_back):
    stripes = np.zeros((480, 480), np.uint8)
    stripes[::2] = 200
    face = read_back(encoded(Image.fromarray(stripes), "PNG"))[0]
    assert np.abs(face.astype(int) - 100).max() <= 4


def test_sixteen_bits_are_scaled_not_clipped(read_back, grey):
    deep = grey.astype(np.uint16) * 257
    image = Image.fromarray(deep)
    assert image.mode == "I;16"
    np.testing.assert_array_equal(read_back(encoded(image, "PNG"))[0], grey)


def test_transparent_pixels_are_white_whatever_colour_hides_there(read_back, grey):
    alpha = np.full((48, 48), 255, np.uint8)
    alpha[:10] = 0
    image = Image.fromarray(np.dstack([grey, grey, grey, alpha]))
    face = read_back(encoded(image, "PNG"))[0]
    assert (face[:10] == 255).all()
    np.testing.assert_array_equal(face[10:], grey[10:])


def test_grey_with_alpha_and_palette_with_transparency_are_read(read_back, grey):
    flat = np.where(grey > 128, 200, 40).astype(np.uint8)
    palette = Image.fromarray(flat).convert("P")
    first = palette.getpixel((0, 0))
    face = read_back(encoded(palette, "PNG", transparency=first))[0]
    expected = np.where(flat == flat[0, 0], 255, flat)
    assert np.abs(face.astype(int) - expected).max() <= 2


def test_a_palette_image_has_its_colours(read_back, grey):
    colours = Image.fromarray(np.dstack([grey, grey, grey])).quantize(256)
    assert colours.mode == "P"
    face = read_back(encoded(colours, "PNG"))[0]
    assert np.abs(face.astype(int) - grey).mean() < 6


def test_black_and_white_is_read(read_back, grey):
    image = Image.fromarray(grey > 128)
    assert image.mode == "1"
    face = read_back(encoded(image, "PNG"))[0]
    np.testing.assert_array_equal(face, np.where(grey > 128, 255, 0))


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("WEBP", "a.webp", {"lossless": True}),
        ("WEBP", "a.webp", {"quality": 95}),
        ("JPEG", "a.jpg", {"quality": 95}),
        ("JPEG", "A.JPEG", {"quality": 95}),
    ],
)
def test_webp_and_jpeg_are_read(kind, name, options, read_back, grey):
    face = read_back(encoded(Image.fromarray(grey), kind, **options), name=name)[0]
    assert np.corrcoef(face.ravel(), grey.ravel())[0, 1] > 0.99


def test_a_cmyk_jpeg_is_not_inverted(read_back, grey):
    cmyk = Image.fromarray(np.dstack([grey, grey, grey])).convert("CMYK")
    face = read_back(encoded(cmyk, "JPEG", quality=95), name="a.jpg")[0]
    assert np.corrcoef(face.ravel(), grey.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (2, np.fliplr),
        (3, lambda face: np.rot90(face, 2)),
        (6, lambda face: np.rot90(face, 1)),
        (8, lambda face: np.rot90(face, -1)),
    ],
)
def test_a_photo_stands_upright(orientation, turned, read_back, grey):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turned(grey)))
    np.testing.assert_array_equal(read_back(encoded(stored, "PNG", exif=exif))[0], grey)


def test_an_image_with_the_wrong_extension_is_read_by_what_it_is(read_back, grey):
    face = read_back(encoded(Image.fromarray(grey), "PNG"), name="a.jpg")[0]
    np.testing.assert_array_equal(face, grey)
