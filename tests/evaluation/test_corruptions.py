"""The fixed set of corruptions: what each does to a face, and that it stays the same set."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt

HASHES = Path(__file__).with_name("corruptions.json")
RANDOM_CHANNELS = {"gaussian_noise", "shot_noise"}
SMOOTH = {"motion_blur", "defocus_blur", "low_resolution"}
MOVES = {"rotation", "shift", "tight_crop", "loose_crop"}
COVERS = {"eyes_covered", "mouth_covered", "hat", "mask"}

each = pytest.mark.parametrize("name", CORRUPTIONS)


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """uint8 (64, 1, 48, 48)."""
    return make_synthetic_faces(64).faces[:, None]


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@each
@pytest.mark.parametrize(("size", "channels"), [(24, 1), (48, 3), (96, 1)])
def test_stronger_is_farther_from_the_face_and_none_is_nothing(
    name: str, size: int, channels: int
) -> None:
    faces = np.repeat(make_synthetic_faces(12, size=size).faces[:, None], channels, axis=1)
    before = faces.copy()
    spoiled = [corrupt(faces, name, strength) for strength in STRENGTHS]
    assert all(face.dtype == np.uint8 and face.shape == faces.shape for face in spoiled)
    assert np.array_equal(faces, before)
    far = [_distance(face, faces) for face in spoiled]
    assert far[0] > 0.5
    assert all(more > less for less, more in itertools.pairwise(far)), far
    assert all((face != faces).any(axis=(1, 2, 3)).all() for face in spoiled)


@each
def test_a_face_is_corrupted_alike_in_every_batch(name: str, drawn: np.ndarray) -> None:
    together = corrupt(drawn, name, 3)
    order = np.random.default_rng(1).permutation(len(drawn))
    mixed = corrupt(drawn[order], name, 3, order)
    alone = [corrupt(drawn[row : row + 1], name, 3, np.array([row]))[0] for row in (0, 9, 63)]
    assert np.array_equal(mixed, together[order])
    assert np.array_equal(alone, together[[0, 9, 63]])


@each
def test_chance_is_sampled_from_seed_and_row(name: str) -> None:
    same = np.repeat(make_synthetic_faces(1).faces[:, None], 40, axis=0)
    faces = corrupt(same, name, 2)
    kinds = len({face.tobytes() for face in faces})
    kinds_of = {"motion_blur": 16, "shift": 16, "rotation": 2}
    if name in COVERS | RANDOM_CHANNELS:
        assert kinds > 15
    else:
        assert kinds <= kinds_of.get(name, 1)
        assert (kinds > 1) == (name in kinds_of)
    assert np.array_equal(corrupt(same, name, 2, seed=1), faces) == (kinds == 1)


@each
def test_colour_is_corrupted_as_grey_is(name: str, drawn: np.ndarray) -> None:
    grey = corrupt(drawn, name, 3)
    colour = corrupt(np.repeat(drawn, 3, axis=1), name, 3)
    if name in RANDOM_CHANNELS:
        assert _distance(colour[:, 0], colour[:, 1]) > 1  # a sensor's noise is each channel's own
    else:
        # JPEG keeps colours apart from light, and rounds both
        assert np.abs(colour.astype(int) - grey).max() <= (4 if name == "jpeg" else 0)


def test_channels_do_not_mix() -> None:
    image = load_sample_image("flower.jpg")[100:196, 300:396]
    colour = np.moveaxis(image, -1, 0)[None]
    for name in SMOOTH | MOVES | COVERS | {"darkness"}:
        apart = [corrupt(colour[:, i : i + 1], name, 3) for i in range(3)]
        assert np.array_equal(corrupt(colour, name, 3), np.concatenate(apart, axis=1))


@each
def test_the_set_stays_the_same(name: str) -> None:
    wanted = json.loads(HASHES.read_text(encoding="utf-8"))
    faces = make_synthetic_faces(3).faces[:, None]
    spoiled = np.stack([corrupt(faces, name, strength) for strength in STRENGTHS])
    if name == "jpeg":  # its bytes are those of a library: near is enough
        stored = np.array(wanted["jpeg, face 0"], np.uint8)
        assert np.abs(spoiled[:, 0, 0].astype(int) - stored).mean() < 1.5
    else:
        assert hashlib.sha256(spoiled.tobytes()).hexdigest() == wanted[name]
    assert wanted["faces"] == hashlib.sha256(faces.tobytes()).hexdigest()


def test_all_strengths_are_named() -> None:
    assert all(len(one.strengths) == len(STRENGTHS) == 5 for one in CORRUPTIONS.values())
    assert len(CORRUPTIONS) == len({id(one) for one in CORRUPTIONS.values()}) == 16


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        ({"name": "fog"}, "no corruption fog; there are motion_blur"),
        ({"strength": 0}, "strength 0: must be 1 to 5"),
        ({"strength": 6}, "must be 1 to 5"),
        ({"faces": np.zeros((2, 1, 8, 8), np.float32)}, "must be uint8"),
        ({"faces": np.zeros((2, 8, 8), np.uint8)}, r"\(2, 8, 8\): must be"),
        ({"faces": np.zeros((2, 2, 8, 8), np.uint8)}, "must be uint8"),
        ({"rows": np.arange(3)}, "3 rows for 2 faces"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], say: str) -> None:
    good = {"faces": np.zeros((2, 1, 8, 8), np.uint8), "name": "mask", "strength": 1}
    with pytest.raises(ValueError, match=say):
        corrupt(**{**good, **arguments})


@each
def test_faces_that_are_not_square(name: str) -> None:
    faces = np.zeros((3, 1, 40, 64), np.uint8)
    faces[:, :, ::2] = 200
    assert corrupt(faces, name, 5).shape == faces.shape


def test_no_faces() -> None:
    nothing = np.zeros((0, 1, 48, 48), np.uint8)
    assert all(len(corrupt(nothing, name, 1)) == 0 for name in CORRUPTIONS)
