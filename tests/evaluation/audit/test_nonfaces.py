import numpy as np
import pytest
from PIL import Image, ImageDraw

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.evaluation.audit.nonfaces import UNSEEN, measure_flatness, score_nonfaces


def sign(words):
    """An image with words in it, as image hosts give where an image was taken down."""
    image = Image.new("L", (48, 48), 255)
    ImageDraw.Draw(image).multiline_text((2, 8), words, 0)
    return np.asarray(image)


@pytest.fixture(scope="module")
def faces():
    return make_synthetic_faces(60, 3, 48).faces[:, None]


def test_flatness_is_the_fraction_of_the_commonest_level():
    image = np.zeros((2, 1, 10, 10), np.uint8)
    image[0, 0, :, :3] = 90
    image[1, 0] = np.arange(100).reshape(10, 10)
    np.testing.assert_allclose(measure_flatness(image), [0.7, 0.01])


@pytest.mark.parametrize("channels", [1, 3])
def test_blank_images_and_signs_are_named_and_faces_are_not(faces, channels):
    images = np.repeat(faces, channels, axis=1).copy()
    images[5], images[9] = 0, sign("moved or\ndeleted")
    scores = score_nonfaces(images)
    assert np.flatnonzero(scores).tolist() == [5, 9]
    assert scores[5] == 1
    assert 0.5 <= scores[9] <= 1


def test_an_image_that_the_detector_does_not_see_is_named(faces):
    images = faces.copy()
    stripes = np.arange(48) // 3 % 2 * 60 + 90
    images[7] = stripes + np.arange(48)[:, None] % 5
    assert measure_flatness(images[7:8])[0] < 0.5
    assert np.flatnonzero(score_nonfaces(images)).tolist() == [7]


def test_a_detector_that_does_not_know_such_images_is_not_asked(faces, monkeypatch, capsys):
    monkeypatch.setattr(
        "emotion_detection.evaluation.audit.nonfaces.detect_confidences",
        lambda images, said=True: np.full(len(images), UNSEEN / 2, np.float32),
    )
    images = faces.copy()
    images[5] = 0
    assert np.flatnonzero(score_nonfaces(images)).tolist() == [5]
    assert "is not used to find non-faces" in capsys.readouterr().err
