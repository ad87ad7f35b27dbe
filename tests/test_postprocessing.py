"""Scores of several views, and priors: against plain arithmetic, Pillow and scipy."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.special import log_softmax, softmax

from emotion_detection.errors import InputError
from emotion_detection.postprocessing import Postprocessing, check_prior
from emotion_detection.views import VIEWS, ZOOM, check_views, make_views, zoom_faces

RNG = np.random.default_rng(0)
PRIOR = (0.7, 0.2, 0.1)


def _scores(count: int = 5, faces: int = 40, seed: int = 0) -> list[np.ndarray]:
    logits = np.random.default_rng(seed).normal(0, 2, (count, faces, len(PRIOR)))
    return list(softmax(logits, axis=2).astype(np.float32))


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_the_face_its_mirror_image_and_both_enlarged(views: int, channels: int) -> None:
    faces = RNG.integers(0, 256, (3, channels, 24, 24), np.uint8)
    made = make_views(faces, views)
    assert len(made) == views
    assert all(one.shape == faces.shape and one.dtype == np.uint8 for one in made)
    np.testing.assert_array_equal(made[0], faces)
    for plain, mirrored in zip(made[::2], made[1::2], strict=False):
        np.testing.assert_array_equal(mirrored, plain[..., ::-1])
    if views == 4:
        np.testing.assert_array_equal(made[2], zoom_faces(faces, ZOOM))


def test_faces_cut_closer_from_their_image_take_the_place_of_enlarged_ones() -> None:
    faces, closer = RNG.integers(0, 256, (2, 3, 1, 16, 16), np.uint8)
    np.testing.assert_array_equal(make_views(faces, 4, closer)[2], closer)
    np.testing.assert_array_equal(make_views(faces, 4, closer)[3], closer[..., ::-1])


@pytest.mark.parametrize("zoom", [1.0, 1.15, 1.5, 0.8])
def test_enlarging_is_pillow_s_bilinear_transform(zoom: float) -> None:
    size = 48
    smooth = np.cumsum(RNG.normal(0, 6, (size, size)), axis=1)
    face = np.clip(128 + smooth, 0, 255).astype(np.uint8)
    offset = size / 2 * (1 - 1 / zoom)
    transform = (1 / zoom, 0, offset, 0, 1 / zoom, offset)
    theirs = Image.fromarray(face).transform(
        (size, size), Image.Transform.AFFINE, transform, Image.Resampling.BILINEAR
    )
    ours = zoom_faces(face[None, None], zoom)[0, 0]
    inner = slice(8, -8)  # Pillow fills what lies outside with black
    difference = np.abs(ours.astype(int) - np.asarray(theirs).astype(int))[inner, inner]
    assert difference.max() <= 1
    if zoom == 1:
        np.testing.assert_array_equal(ours, face)


def test_one_view_is_returned_as_it_is() -> None:
    (scores,) = _scores(1)
    assert Postprocessing(PRIOR, 0.2).combine([scores]) is scores


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_mean_of_views_is_tempered(temperature: float) -> None:
    views = _scores(4)
    combined = Postprocessing(temperatures={4: temperature}).combine(views)
    expected = softmax(np.log(np.mean(views, axis=0)) / temperature, axis=1)
    np.testing.assert_allclose(combined, expected, atol=1e-6)
    assert combined.dtype == np.float32


@pytest.mark.parametrize("adjustment", [0.0, 0.3, 1.0])
def test_balanced_removes_what_is_left_of_the_prior(adjustment: float) -> None:
    logits = np.random.default_rng(3).normal(0, 2, (50, 3))
    readout = Postprocessing(PRIOR, adjustment)
    bias = np.array(readout.bias or 0.0)
    exported = softmax(logits + bias, axis=1).astype(np.float32)
    balanced = readout.combine([exported], "balanced")
    expected = softmax(log_softmax(logits, axis=1) - np.log(PRIOR), axis=1)
    np.testing.assert_allclose(balanced, expected, atol=1e-5)
    if adjustment == 1:
        np.testing.assert_allclose(balanced, exported, atol=1e-6)


def test_balanced_finds_more_of_the_rare_classes() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice(3, 4000, p=PRIOR)
    logits = rng.normal(0, 1, (4000, 3)) + 1.2 * np.eye(3)[truth] + np.log(PRIOR)
    scores = softmax(logits, axis=1).astype(np.float32)

    def recall(answers: np.ndarray) -> float:
        return float(np.mean([(answers[truth == c] == c).mean() for c in range(3)]))

    balanced = Postprocessing(PRIOR).combine([scores], "balanced")
    assert recall(balanced.argmax(1)) > recall(scores.argmax(1)) + 0.05


def test_balanced_needs_a_prior() -> None:
    with pytest.raises(InputError, match="does not say its class frequencies"):
        Postprocessing().combine(_scores(1), "balanced")


def test_it_survives_json() -> None:
    readout = Postprocessing(PRIOR, 0.25, {2: 0.9, 4: 0.8})
    assert Postprocessing.from_dict(json.loads(json.dumps(readout.as_dict())), 3) == readout


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {"prior": []},
        {"prior": [0.5, 0.5], "adjustment": 0, "temperatures": {}},
        {"prior": [0.5, 0.5, 0.0], "adjustment": 0, "temperatures": {}},
        {"prior": [0.5, float("nan"), 0.5], "adjustment": 0, "temperatures": {}},
        {"prior": list(PRIOR), "adjustment": 1.5, "temperatures": {}},
        {"prior": list(PRIOR), "adjustment": 0, "temperatures": {"3": 1.0}},
        {"prior": list(PRIOR), "adjustment": 0, "temperatures": {"4": 0.0}},
        {"prior": list(PRIOR), "adjustment": 0, "temperatures": [1]},
        {"prior": "abc", "adjustment": 0, "temperatures": {}},
    ],
)
def test_damaged_values_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Postprocessing.from_dict(values, 3)


@pytest.mark.parametrize("views", [0, 3, 5, True, None, "four", 2.5])
def test_other_numbers_of_views_are_refused(views: object) -> None:
    with pytest.raises(InputError, match="must be one of 1, 2, 4"):
        check_views(views)


def test_other_priors_are_refused() -> None:
    assert check_prior("balanced") == "balanced"
    with pytest.raises(InputError, match="natural, balanced"):
        check_prior("uniform")


def test_a_number_of_views_may_be_a_float_or_of_numpy() -> None:
    assert [check_views(views) for views in (4.0, np.int64(2), 1)] == [4, 2, 1]
