"""Face and Result: they refuse what cannot be, and become JSON and table rows."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from emotion_detection.labels import FER2013, FERPLUS
from emotion_detection.results import CUT, LANDMARKS, Face, Result, list_columns, list_rows

POINTS = tuple((10.0 + place, 20.125 + place) for place in range(5))


def _scores(**shares: float) -> dict[str, float]:
    rest = (1 - sum(shares.values())) / (len(FERPLUS) - len(shares))
    return {name: shares.get(name, rest) for name in FERPLUS}


def _face(**changes: Any) -> Face:
    values: dict[str, Any] = {
        "box": (5.0, 6.5, 30.0, 40.25),
        "landmarks": POINTS,
        "confidence": 0.9,
        "scores": _scores(happiness=0.7),
        "intensity": 0.25,
    }
    return Face(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"box": (0.0, 0.0, 0.0, 5.0)}, "box"),
        ({"box": (0.0, 0.0, 5.0, -1.0)}, "box"),
        ({"box": (0.0, 0.0, 5.0)}, "box"),
        ({"box": (0.0, math.nan, 5.0, 5.0)}, "box"),
        ({"box": (0.0, 0.0, math.inf, 5.0)}, "box"),
        ({"landmarks": POINTS[:4]}, "4 landmarks: 5, or none"),
        ({"landmarks": ((math.nan, 1.0), *POINTS[1:])}, "finite"),
        ({"landmarks": ((1.0, 2.0, 3.0), *POINTS[1:])}, "x, y"),
        ({"confidence": 1.01}, "confidence 1.01: from 0 to 1"),
        ({"confidence": math.nan}, "confidence"),
        ({"intensity": -0.01}, "intensity"),
        ({"intensity": math.nan}, "intensity"),
        ({"scores": {}}, "sum to 1"),
        ({"scores": {"joy": 0.4, "gloom": 0.4}}, "sum to 1"),
        ({"scores": {"joy": 1.2, "gloom": -0.2}}, "from 0 to 1"),
        ({"scores": {"joy": math.nan, "gloom": 1.0}}, "from 0 to 1"),
        ({"track": -1}, "track -1: 0 or more"),
    ],
)
def test_a_face_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _face(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"box": (-12.0, -3.0, 30.0, 40.0), "flags": (CUT,)},
        {"landmarks": ()},
        {"intensity": None},
        {"intensity": 0.0, "confidence": 1.0},
        {"scores": {"joy": 1.0}},
        {"scores": {"joy": 0.99995, "gloom": 0.00005}},
        {"track": 0},
    ],
)
def test_a_face_that_can_be_is_let_pass(changes: dict[str, Any]) -> None:
    face = _face(**changes)
    for name, value in changes.items():
        assert getattr(face, name) == value


def test_the_emotion_is_the_first_of_the_highest() -> None:
    assert (_face().emotion, _face().score) == ("happiness", 0.7)
    assert _face(scores={"b": 0.25, "d": 0.375, "a": 0.375}).emotion == "d"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 0}, "an image of 0 x 48"),
        ({"height": -1}, "an image of 64 x -1"),
        ({"skipped": -1}, "skipped -1"),
        ({"frame": -1}, "frame -1"),
        ({"time": math.nan}, "time nan"),
        ({"time": -0.5}, "time -0.5"),
        ({"faces": (_face(), _face(scores={"joy": 1.0}))}, "different emotions"),
    ],
)
def test_a_result_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Result(**({"width": 64, "height": 48} | changes))


def test_neither_can_be_changed() -> None:
    for value, name in ((_face(), "intensity"), (Result(64, 48), "skipped")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 1)


def test_json_holds_everything_and_nothing_but_plain_values() -> None:
    faces = (_face(flags=(CUT,)), _face(landmarks=(), intensity=None))
    result = Result(64, 48, faces, 2, "größe.jpg", ("animated",))
    text = json.dumps(result.as_dict(), allow_nan=False)
    assert json.loads(text) == result.as_dict()
    read = json.loads(text)
    assert {name: read[name] for name in read if name != "faces"} == {
        "source": "größe.jpg",
        "width": 64,
        "height": 48,
        "skipped": 2,
        "notes": ["animated"],
    }
    first, second = read["faces"]
    assert first["box"] == [5.0, 6.5, 30.0, 40.25]
    assert list(first["landmarks"]) == list(LANDMARKS)
    assert first["landmarks"]["mouth_right"] == [14.0, 24.12]
    assert (first["emotion"], first["intensity"], first["flags"]) == ("happiness", 0.25, ["cut"])
    assert list(first["scores"]) == list(FERPLUS)
    assert sum(first["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert (second["landmarks"], second["intensity"]) == ({}, None)
    assert "track" not in first
    assert "frame" not in read


def test_json_of_a_frame_says_which_one_and_whose_face() -> None:
    read = Result(64, 48, (_face(track=3),), frame=7, time=0.28).as_dict()
    assert (read["frame"], read["time"], read["faces"][0]["track"]) == (7, 0.28, 3)


def test_a_row_a_face_and_only_known_columns() -> None:
    first = _face(flags=(CUT,), track=1)
    first = dataclasses.replace(first, raw_scores=first.scores, raw_intensity=0.5)
    faces = (first, _face(intensity=None))
    result = Result(64, 48, faces, 2, "a.mp4", ("one", "two"), frame=7, time=0.28)
    told = list_rows(result.as_dict())
    known = list_columns(FERPLUS)
    assert len(known) == len(set(known))
    assert all(set(row) <= set(known) for row in told)
    assert set().union(*told) == set(known)
    first, second = told
    assert [first[name] for name in ("file", "frame", "time", "face")] == ["a.mp4", 7, 0.28, 1]
    assert [first[name] for name in ("faces", "skipped", "track")] == [2, 2, 1]
    assert [first[name] for name in ("x", "y", "width", "height")] == [5.0, 6.5, 30.0, 40.25]
    assert (first["emotion"], first["score_happiness"], first["intensity"]) == (
        "happiness",
        0.7,
        0.25,
    )
    assert (first["raw_emotion"], first["raw_score_happiness"], first["raw_intensity"]) == (
        "happiness",
        0.7,
        0.5,
    )
    assert (first["left_eye_x"], first["left_eye_y"]) == (10.0, 20.12)
    assert (first["flags"], first["notes"], first["error"]) == ("cut", "one; two", None)
    assert (second["face"], second["flags"], second["intensity"]) == (2, None, None)


def test_an_image_without_a_face_has_a_row_as_well() -> None:
    (row,) = list_rows(Result(64, 48, skipped=1, source="a.png").as_dict())
    assert (row["file"], row["faces"], row["skipped"], row["error"]) == ("a.png", 0, 1, None)
    assert set(row) <= set(list_columns(FER2013))
    assert row.get("face") is None
    assert row.get("emotion") is None


def test_the_row_of_an_error_stands_in_the_same_table() -> None:
    (row,) = list_rows({"source": "a.png", "error": "truncated"})
    assert set(row) <= set(list_columns(FER2013))
    assert (row["file"], row["error"]) == ("a.png", "truncated")
    assert row.get("faces") is None  # not 0: nobody knows


def test_columns_follow_the_models_labels() -> None:
    own = [name for name in list_columns(("joy", "gloom")) if name.startswith("score_")]
    assert own == ["score_joy", "score_gloom"]


def test_numbers_of_numpy_become_plain_ones() -> None:
    scores = {"a": 0.5, "b": 0.25, "c": 0.25}
    face = _face(
        box=tuple(np.float32([1, 2, 3, 4])),
        landmarks=tuple(map(tuple, np.float32(POINTS))),
        confidence=np.float32(0.5),
        intensity=np.float32(0.25),
        scores={name: np.float32(value) for name, value in scores.items()},
    )
    result = Result(64, 48, (face,))
    read = json.loads(json.dumps(result.as_dict()))["faces"][0]
    assert read["scores"] == scores
    assert (read["confidence"], read["intensity"]) == (0.5, 0.25)
    (row,) = list_rows(json.loads(json.dumps(result.as_dict())))
    assert row["score_a"] == 0.5


def test_what_float32_left_a_hair_out_of_range_is_written_within_it() -> None:
    face = _face(confidence=1.00003, intensity=-0.00003, scores={"a": 1.00003, "b": -0.00003})
    read = json.dumps(Result(64, 48, (face,)).as_dict())
    assert "-0" not in read
    assert json.loads(read)["faces"][0]["scores"] == {"a": 1.0, "b": 0.0}
    (row,) = list_rows(Result(64, 48, (face,)).as_dict())
    assert (row["confidence"], row["intensity"], row["score_b"]) == (1.0, 0.0, 0.0)


def _with_scores(*shares: float) -> Result:
    faces = [
        Face((0, 0, 9, 9), (), 1.0, {"anger": share, "fear": 1 - share}, flags=("cut",))
        for share in shares
    ]
    return Result(20, 20, tuple(faces))


@pytest.mark.parametrize("least", [0.0, 0.6, 0.9, 1.0])
def test_faces_below_the_min_score_are_unsure(least: float) -> None:
    result = _with_scores(0.55, 0.05, 0.75).with_unsure(least)
    told = ["unsure" in face.flags for face in result.faces]
    assert told == [score < least for score in (0.55, 0.95, 0.75)]
    assert all(face.flags[0] == "cut" for face in result.faces)


def test_what_was_unsure_can_become_certain() -> None:
    unsure = _with_scores(0.55).with_unsure(0.9)
    assert unsure.with_unsure(0.5).faces[0].flags == ("cut",)
    assert unsure.with_unsure(0.9) == unsure
