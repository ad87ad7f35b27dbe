"""People in recorded videos: from their first frame on, without phantoms, smoothed without lag."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from emotion_detection.inference.tracking import Tracker, TrackSettings
from emotion_detection.inference.video_detect import smooth_file
from emotion_detection.results import Face, Result

RATE = 25.0


def face(x: float, confidence: float = 0.9, happy: float = 0.5, intensity: float = 0.5) -> Face:
    return Face((x, 100, 60, 72), (), confidence, {"happy": happy, "sad": 1 - happy}, intensity)


def film(*rows: tuple[Face, ...], step: float = 1 / RATE) -> list[Result]:
    return [Result(640, 360, faces, frame=at, time=at * step) for at, faces in enumerate(rows)]


def numbers(results: list[Result], **settings: float) -> list[list[int | None]]:
    followed = smooth_file(results, TrackSettings(**settings))
    return [[one.track for one in result.faces] for result in followed]


def live_numbers(results: list[Result], **settings: float) -> list[list[int | None]]:
    tracker = Tracker(TrackSettings(**settings))
    return [[one.track for one in tracker.update(result).faces] for result in results]


def test_a_confident_face_is_there_from_its_first_frame_on() -> None:
    rows = [()] * 3 + [(face(100),)] * 10
    assert numbers(film(*rows)) == [[]] * 3 + [[1]] * 10
    # before a camera nobody can know; the person appears after the shortest time of a track
    assert live_numbers(film(*rows)) == [[]] * 3 + [[]] * 4 + [[1]] * 6
    assert live_numbers(film(*rows), min_track_time=0) == [[]] * 3 + [[1]] * 10


def test_uncertain_finds_now_and_then_are_nobody() -> None:
    rows = [(face(100), face(400, 0.35)) if at % 3 else (face(100),) for at in range(60)]
    assert numbers(film(*rows)) == [[1]] * 60
    assert live_numbers(film(*rows), min_track_time=0) == [[1]] * 60


@pytest.mark.parametrize(("frames", "count"), [(11, 0), (14, 1)])
def test_uncertain_finds_in_a_row_are_somebody(frames: int, count: int) -> None:
    rows = [(face(400, 0.35),)] * frames + [()] * 40
    found = numbers(film(*rows))
    assert found == [[1] * count] * frames + [[]] * 40


def test_an_uncertain_face_goes_on_with_a_track_and_does_not_begin_one() -> None:
    rows = [(face(100),)] * 10 + [(face(100, 0.25),)] * 30 + [(face(100),)] * 10
    assert numbers(film(*rows)) == [[1]] * 50


def test_a_single_confident_frame_within_uncertain_ones_begins_a_track() -> None:
    rows = [(face(100, 0.3),)] * 4 + [(face(100, 0.6),)] + [(face(100, 0.3),)] * 4
    assert numbers(film(*rows)) == [[1]] * 9


def test_a_phantom_does_not_take_the_face_of_a_person() -> None:
    beside = [(face(100), face(130, 0.3)) for _ in range(30)]
    assert all(1 in row for row in numbers(film(*beside)))
    moved = [*beside[:5], *([(face(108),)] * 20)]
    assert numbers(film(*moved))[-1] == [1]


def test_short_tracks_are_dropped_and_numbers_have_no_holes() -> None:
    rows = [(face(100),)] * 20 + [(face(100), face(300))] * 3 + [(face(100), face(500))] * 20
    assert numbers(film(*rows), min_track_time=0.2) == [[1]] * 23 + [[1, 2]] * 20
    assert numbers(film(*rows), min_track_time=0)[21] == [1, 2]
    assert numbers(film(*rows), min_track_time=0)[-1] == [1, 3]
    assert numbers(film(*rows), min_track_time=1.0) == [[1]] * 43


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_video_shorter_than_any_track_keeps_who_is_in_it(count: int) -> None:
    assert numbers(film(*[(face(100),)] * count), min_track_time=1.0) == [[1]] * count


def test_with_seconds_between_frames_one_frame_is_enough() -> None:
    rows = [(face(100),), (face(100), face(400)), (face(100),)]
    assert numbers(film(*rows, step=2.0)) == [[1], [1, 2], [1]]


def test_faces_below_the_lower_level_are_not_followed() -> None:
    rows = [(face(100), face(400, 0.25))] * 30
    assert numbers(film(*rows), min_confidence=0.3) == [[1]] * 30
    assert numbers(film(*rows)) == [[1, 2]] * 30


def happy(results: Iterator[Result]) -> np.ndarray:
    return np.array([result.faces[0].scores["happy"] for result in results])


def test_a_change_shows_neither_early_nor_late() -> None:
    rows = [(face(100, happy=float(at >= 50)),) for at in range(100)]
    shown = happy(smooth_file(film(*rows), TrackSettings(0.5)))
    np.testing.assert_allclose(shown + shown[::-1], 1, atol=1e-9)  # symmetric about the change
    assert shown[49] < 0.5 < shown[50]
    # away from the ends: the integral of exp(-2 |t| / 0.5)
    for lag in (0.1, 0.3):
        at = round(50 + lag * RATE)
        assert shown[at] == pytest.approx(1 - math.exp(-2 * lag / 0.5) / 2, abs=0.05)


def test_it_is_as_calm_as_the_smoothing_of_live_sources() -> None:
    generator = np.random.default_rng(0)
    rows = [(face(100, happy=float(value)),) for value in generator.uniform(size=1000)]
    centred = happy(smooth_file(film(*rows), TrackSettings(0.5)))
    tracker = Tracker(TrackSettings(0.5, min_track_time=0))
    causal = happy(tracker.update(result) for result in film(*rows))
    assert centred[50:-50].std() == pytest.approx(causal[50:].std(), rel=0.25)


def test_raw_scores_are_those_observed_and_smoothed_ones_sum_to_one() -> None:
    generator = np.random.default_rng(1)
    rows = [(face(100, happy=v, intensity=v),) for v in map(float, generator.uniform(size=40))]
    for given, result in zip(film(*rows), smooth_file(film(*rows)), strict=True):
        (old,), (new,) = given.faces, result.faces
        assert (new.raw_scores, new.raw_intensity) == (old.scores, old.intensity)
        assert sum(new.scores.values()) == pytest.approx(1, abs=1e-9)
        assert (new.box, new.confidence) == (old.box, old.confidence)


def test_without_smoothing_scores_are_to_the_bit_as_observed() -> None:
    rows = [(face(100, happy=at / 40, intensity=at / 40),) for at in range(40)]
    for given, result in zip(film(*rows), smooth_file(film(*rows), TrackSettings(0)), strict=True):
        assert result.faces[0].scores == given.faces[0].scores
        assert result.faces[0].intensity == given.faces[0].intensity


def test_people_are_smoothed_apart() -> None:
    rows = [(face(100, happy=1.0), face(400, happy=0.0))] * 40
    for result in smooth_file(film(*rows)):
        assert [one.scores["happy"] for one in result.faces] == pytest.approx([1, 0])


def test_no_more_is_taken_than_a_few_seconds_ahead() -> None:
    taken = 0

    def endless() -> Iterator[Result]:
        nonlocal taken
        while True:
            yield Result(640, 360, (face(100),), frame=taken, time=taken / RATE)
            taken += 1

    results = smooth_file(endless())
    for at in range(500):
        assert next(results).frame == at
    assert taken < 500 + 3 * RATE


def test_frames_without_faces_stay_in_their_place() -> None:
    results = list(smooth_file(film((), (face(1),), (), (), (face(2),), ())))
    assert [result.frame for result in results] == list(range(6))
    assert list(smooth_file([])) == []
