"""Real images: the faces of counted photographs, and none where nobody is."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from emotion_detection import EmotionDetector
from emotion_detection.images.opening import ImageError, image_to_array
from emotion_detection.inference.detected_face import intersect_boxes
from emotion_detection.inference.face_detector import FaceDetector

PEOPLE = ("astronaut.png", "camera.png", "grace_hopper.jpg")
"""Images of the packages that somebody is in."""
COUNTED = {
    "justin.jpg": (1, 1),
    "sample3.jpg": (3, 3),
    "sample6.jpg": (4, 4),
    "party1.jpg": (14, 17),
    "party2.jpg": (3, 3),
}
"""Readable faces, and all heads that may be found."""


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    return EmotionDetector(threads=1)


@pytest.fixture(scope="module")
def finder() -> FaceDetector:
    return FaceDetector(threads=1)


def package_images() -> Iterator[Path]:
    for name, folder in (
        ("skimage", "data"),
        ("sklearn", "datasets/images"),
        ("matplotlib", "mpl-data/sample_data"),
    ):
        module = pytest.importorskip(name)
        for path in sorted(Path(module.__file__).parent.joinpath(folder).iterdir()):
            if path.suffix in (".png", ".jpg", ".gif", ".tif") and path.name not in PEOPLE:
                yield path


@pytest.mark.slow
def test_no_face_is_found_where_nobody_is(finder: FaceDetector) -> None:
    found, count = {}, 0
    for path in package_images():
        try:
            pixels, _ = image_to_array(path)
        except ImageError:  # a TIFF of a kind that Pillow does not read
            continue
        count += 1
        if any(finder.find(pixels)[:1]):
            found[path.name] = finder.find(pixels)
    assert found == {}
    assert count > 25


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "faces"), COUNTED.items())
def test_the_faces_of_counted_photos(
    detector: EmotionDetector, photographs: Path, name: str, faces: tuple[int, int]
) -> None:
    result = detector.detect(photographs / name)
    readable, heads = faces
    certain = [face for face in result.faces if not face.is_uncertain]
    assert readable <= len(certain) <= len(result.faces) <= heads
    assert result.skipped == 0
    if name == "party1.jpg":  # none of its readable faces is smaller than 70 px
        assert sum(max(face.box[2:]) >= 70 for face in certain) == readable
    for number, face in enumerate(certain):
        for other in certain[number + 1 :]:
            assert intersect_boxes(face.box, other.box) < 0.3 * min(
                face.box[2] * face.box[3], other.box[2] * other.box[3]
            )


@pytest.mark.real_data
@pytest.mark.parametrize("size", [30, 45])
def test_small_heads_in_large_scenes(finder: FaceDetector, photographs: Path, size: int) -> None:
    pixels, _ = image_to_array(photographs / "party1.jpg")
    full = finder.find(pixels).faces
    readable = [face for face in full if max(face.box[2:]) >= 70]
    share = size / float(np.median([max(face.box[2:]) for face in readable]))
    image = Image.fromarray(pixels)
    small = image.resize([round(side * share) for side in image.size], Image.Resampling.BOX)
    scene = image.resize((1920, 1080)).filter(ImageFilter.GaussianBlur(70))
    scene.paste(small, (700, 300))
    finder = FaceDetector(threads=1, min_face_size=0)
    finds = finder.find(np.asarray(scene)).faces
    for face in readable:
        x, y, wide, high = (share * side for side in face.box)
        box = (x + 700, y + 300, wide, high)
        assert any(intersect_boxes(find.box, box) > 0.5 * wide * high for find in finds)
    assert len(finds) <= 17


@pytest.mark.real_data
def test_a_photo_of_48_megapixels_gives_the_faces_that_it_has_in_small(
    detector: EmotionDetector, photographs: Path
) -> None:
    small = Image.open(photographs / "sample3.jpg").convert("RGB")
    large = small.resize((8256, 5805), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    large.save(out, "JPEG", quality=90)
    told, expected = detector.detect(out.getvalue()), detector.detect(np.asarray(small))
    assert (told.width, told.height) == large.size
    assert len(told.faces) == len(expected.faces) == 3
    for one, other in zip(told.faces, expected.faces, strict=True):
        np.testing.assert_allclose(np.array(one.box) / 4.3, other.box, atol=8)
        assert one.emotion == other.emotion
        assert abs(one.score - other.score) < 0.15
