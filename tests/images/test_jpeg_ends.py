"""JPEG files without their end: read where nearly all is there, else refused."""

import io

import numpy as np
import pytest
from PIL import Image

from emotion_detection.images.damage import complete_jpeg
from emotion_detection.images.opening import ImageError, image_to_array, open_image


def encode(progressive: bool, **options: object) -> bytes:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8))
    out = io.BytesIO()
    image = small.resize((300, 400), Image.Resampling.BICUBIC)
    image.save(out, "JPEG", quality=90, progressive=progressive, **options)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_without_its_end_marker_an_image_has_all_its_pixels(progressive: bool) -> None:
    content = encode(progressive)
    for missing in (1, 2):
        pixels, notes = image_to_array(content[:-missing])
        np.testing.assert_array_equal(pixels, image_to_array(content)[0])
        assert notes == ("truncated: its end is missing",)


@pytest.mark.parametrize("progressive", [False, True])
def test_rows_that_may_be_missing_are_reported(progressive: bool) -> None:
    content = encode(progressive)
    pixels, (note,) = image_to_array(content[:-12])
    lacking = int(note.removeprefix("truncated: its end is missing, up to ").split()[0])
    assert 0 < lacking <= 20
    whole = image_to_array(content)[0]
    np.testing.assert_array_equal(pixels[: -lacking - 1], whole[: -lacking - 1])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_where_more_is_missing_the_image_is_refused(progressive: bool, share: float) -> None:
    content = encode(progressive)
    with pytest.raises(ImageError):
        open_image(content[: int(share * len(content))])


def test_a_thumbnails_end_is_not_the_images() -> None:
    inside = encode(False)[:-2] + b"\xff\xd9"
    content = encode(False, comment=b"x", exif=b"Exif\0\0" + inside[:3000] + b"\xff\xd9")
    assert complete_jpeg(content) == (content, None)
    assert complete_jpeg(content[:-2])[1] == "truncated: its end is missing"


def test_what_lies_behind_an_image_as_in_a_moving_photo_does_not_matter() -> None:
    content = encode(False) + bytes(20_000)
    assert complete_jpeg(content) == (content, None)
