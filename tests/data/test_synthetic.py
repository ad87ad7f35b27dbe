"""The drawn faces: the same for a seed, labelled as promised, and showing their emotion."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emotion_detection.data.synthetic import (
    ACTION_UNITS,
    EMOTION_ACTION_UNITS,
    FER2013,
    Floats,
    SyntheticFaces,
    make_action_units,
    make_synthetic_faces,
    render_faces,
)

NEUTRAL = FER2013.index("neutral")


@pytest.fixture(scope="module")
def drawn() -> SyntheticFaces:
    return make_synthetic_faces(210, seed=3)


def same_person(
    drawn: SyntheticFaces,
    face: int,
    labels: npt.NDArray[np.int64],
    intensity: npt.NDArray[np.float64],
) -> Floats:
    """Draws one face's person, pose and light again with other emotions: (N, 48, 48)."""
    parameters = {
        name: np.repeat(values[face : face + 1], len(labels))
        for name, values in drawn.parameters.items()
    }
    parameters["occlusion"] = np.zeros(len(labels), np.float32)
    return render_faces(parameters | make_action_units(labels, intensity))


def test_same_seed_gives_the_same_bytes() -> None:
    first, second = make_synthetic_faces(50, seed=5), make_synthetic_faces(50, seed=5)
    assert first.faces.tobytes() == second.faces.tobytes()
    assert first.intensity.tobytes() == second.intensity.tobytes()
    for name, values in first.parameters.items():
        assert values.tobytes() == second.parameters[name].tobytes()


def spearman(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    correlations: npt.NDArray[np.float64] = np.asarray(np.corrcoef(ranks))
    return float(correlations[0, 1])


@pytest.mark.parametrize("count", [1, 3, 50, 101])
def test_a_face_does_not_depend_on_the_count(drawn: SyntheticFaces, count: int) -> None:
    fewer = make_synthetic_faces(count, seed=3)
    np.testing.assert_array_equal(fewer.faces, drawn.faces[:count])
    np.testing.assert_array_equal(fewer.labels, drawn.labels[:count])
    np.testing.assert_array_equal(fewer.intensity, drawn.intensity[:count])
    np.testing.assert_array_equal(fewer.identity, drawn.identity[:count])
    for name, values in fewer.parameters.items():
        np.testing.assert_array_equal(values, drawn.parameters[name][:count])


def test_another_seed_gives_other_faces(drawn: SyntheticFaces) -> None:
    other = make_synthetic_faces(100, seed=4)
    assert not (other.faces == drawn.faces[:100]).all(axis=(1, 2)).any()


def test_no_two_faces_are_the_same(drawn: SyntheticFaces) -> None:
    assert len({face.tobytes() for face in drawn.faces}) == len(drawn.faces)


def test_shapes_and_types(drawn: SyntheticFaces) -> None:
    assert drawn.faces.shape == (210, 48, 48)
    assert drawn.faces.dtype == np.uint8
    assert drawn.labels.dtype == drawn.identity.dtype == np.int64
    assert drawn.intensity.dtype == np.float32
    assert drawn.labels.shape == drawn.identity.shape == drawn.intensity.shape == (210,)
    assert set(ACTION_UNITS) <= set(drawn.parameters)
    for values in drawn.parameters.values():
        assert values.shape == (210,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


def test_classes_are_balanced(drawn: SyntheticFaces) -> None:
    assert np.bincount(drawn.labels, minlength=len(FER2013)).tolist() == [30] * len(FER2013)


def test_intensity_is_zero_for_neutral_only(drawn: SyntheticFaces) -> None:
    neutral = drawn.labels == NEUTRAL
    assert (drawn.intensity[neutral] == 0).all()
    others = drawn.intensity[~neutral]
    assert others.min() >= 0.2
    assert others.max() <= 1.0
    assert others.min() < 0.3
    assert others.max() > 0.9


def test_ten_faces_are_one_person_in_other_poses(drawn: SyntheticFaces) -> None:
    assert (np.bincount(drawn.identity) == 10).all()
    skin, tilt = (drawn.parameters[name].reshape(-1, 10) for name in ("skin", "tilt"))
    assert (skin == skin[:, :1]).all()
    assert len(np.unique(skin[:, 0])) == len(skin)
    assert (np.std(tilt, axis=1) > 1.0).all()
    assert np.abs(tilt).max() <= 15.0


def test_faces_are_not_blank(drawn: SyntheticFaces) -> None:
    assert drawn.faces.std(axis=(1, 2)).min() > 8.0


@pytest.mark.parametrize("emotion", [e for e in FER2013 if e != "neutral"])
def test_the_drawing_moves_further_with_intensity(drawn: SyntheticFaces, emotion: str) -> None:
    intensity = np.linspace(0.0, 1.0, 9)
    labels = np.full(9, FER2013.index(emotion), np.int64)
    for face in (0, 90, 180):
        steps = same_person(drawn, face, labels, intensity)
        distance = np.abs(steps - steps[0]).mean(axis=(1, 2))
        assert spearman(intensity, distance) > 0.95
        assert distance[-1] > 0.005


def test_strong_emotions_differ_from_one_another(drawn: SyntheticFaces) -> None:
    for face in (0, 90, 180):
        faces = same_person(
            drawn, face, np.arange(len(FER2013), dtype=np.int64), np.ones(len(FER2013))
        )
        distance = np.abs(faces[:, None] - faces[None]).mean(axis=(2, 3))
        assert distance[~np.eye(len(FER2013), dtype=bool)].min() > 0.005


def test_synthetic_action_units_follow_the_emotion(drawn: SyntheticFaces) -> None:
    smile, neutral = drawn.labels == FER2013.index("happiness"), drawn.labels == NEUTRAL
    strength = drawn.parameters["AU12"]
    assert spearman(drawn.intensity[smile], strength[smile]) > 0.6
    assert strength[neutral].max() < 0.25


def test_action_units_are_the_table_scaled_by_intensity() -> None:
    units = make_action_units([FER2013.index("fear"), NEUTRAL], [0.5, 1.0])
    assert tuple(units) == ACTION_UNITS
    for unit, strengths in units.items():
        assert strengths.dtype == np.float32
        expected = 0.5 * EMOTION_ACTION_UNITS["fear"].get(unit, 0.0)
        np.testing.assert_allclose(strengths, [expected, 0.0], atol=1e-7)


def test_every_emotion_uses_known_action_units() -> None:
    assert tuple(EMOTION_ACTION_UNITS) == FER2013
    for units in EMOTION_ACTION_UNITS.values():
        assert set(units) <= set(ACTION_UNITS)


@pytest.mark.parametrize("size", [16, 32, 48, 64])
def test_the_same_people_at_any_size(drawn: SyntheticFaces, size: int) -> None:
    sized = make_synthetic_faces(20, seed=3, size=size)
    assert sized.faces.shape == (20, size, size)
    assert sized.faces.std(axis=(1, 2)).min() > 5.0
    for name, values in sized.parameters.items():
        np.testing.assert_array_equal(values, drawn.parameters[name][:20])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"count": -3}, "count must be at least 1, got -3"),
        ({"size": 15}, "size must be at least 16, got 15"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_invalid_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_synthetic_faces(**arguments)
