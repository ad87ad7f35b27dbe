"""Identity from frame to frame, and smoothing against its closed form."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from emotion_detection.errors import InputError
from emotion_detection.inference.tracking import (
    PATIENCE,
    Tracker,
    TrackSettings,
    compute_overlaps,
    track_faces,
)
from emotion_detection.results import Face, Result

RATE = 25.0
SIZE = 60.0


def face(x: float, y: float = 100.0, happy: float = 0.5, intensity: float | None = None) -> Face:
    scores = {"happiness": happy, "sadness": (1 - happy) * 0.25, "neutral": (1 - happy) * 0.75}
    return Face((x, y, SIZE, SIZE * 1.2), (), 0.9, scores, intensity)


def frame(time: float, *faces: Face) -> Result:
    return Result(640, 360, tuple(sorted(faces, key=lambda one: one.box[0])), time=time)


def live(smoothing: float) -> TrackSettings:
    """Return settings that show every track from its first frame on."""
    return TrackSettings(smoothing, min_track_time=0.0)


def tracks(results: Iterator[Result]) -> list[list[int | None]]:
    return [[one.track for one in result.faces] for result in results]


def test_two_moving_faces_keep_their_numbers() -> None:
    film = [
        frame(at / RATE, face(50 + 4 * at), face(500 - 3 * at, 120 + math.sin(at) * 5))
        for at in range(40)
    ]
    assert tracks(track_faces(film, 0.0)) == [[1, 2]] * 40


def test_everything_but_tracks_and_scores_stays_as_it_was() -> None:
    given = Result(
        *(640, 360, (face(10), face(300))),
        skipped=2,
        source="a.mp4",
        notes=("so",),
        frame=7,
        time=1,
    )
    result = Tracker(live(0.5)).update(given)
    for name in ("width", "height", "skipped", "source", "notes", "frame", "time"):
        assert getattr(result, name) == getattr(given, name)
    assert [one.box for one in result.faces] == [one.box for one in given.faces]
    assert given.faces[0].track is None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("every", [1, 3, 6])
def test_two_faces_that_cross_are_not_swapped(seed: int, hidden: bool, every: int) -> None:
    """Also while the one behind is not found, and when the boxes tremble."""
    noise = np.random.default_rng(seed)
    tracker = Tracker(live(0.0))
    seen: dict[str, set[int | None]] = {"left": set(), "right": set()}
    for at in range(0, 76, every):
        left, right = (
            face(x + noise.normal(0, 1.5), y + noise.normal(0, 1.5))
            for x, y in ((100 + 5 * at, 100.0), (475 - 5 * at, 125.0))
        )
        shared = compute_overlaps(np.array([left.box]), np.array([right.box])).item()
        found = [left] if hidden and shared > 0.3 else [left, right]
        result = tracker.update(frame(at / RATE, *found))
        for one in result.faces:
            seen["left" if one.box == left.box else "right"].add(one.track)
    assert seen == {"left": {1}, "right": {2}}


@pytest.mark.parametrize(
    ("missed", "same"), [(0.2, True), (PATIENCE - 0.05, True), (PATIENCE + 0.1, False)]
)
def test_a_face_out_of_sight_is_the_same_for_as_long_as_the_patience(
    missed: float, same: bool
) -> None:
    tracker = Tracker(live(0.0))
    tracker.update(frame(0.0, face(100), face(400)))
    step = 0.05
    for at in range(1, round(missed / step)):
        tracker.update(frame(at * step, face(400)))
    result = tracker.update(frame(missed, face(104), face(400)))
    assert [one.track for one in result.faces] == [1 if same else 3, 2]


def test_people_stay_who_they_are_when_frames_are_further_apart_than_the_patience() -> None:
    film = [frame(at * 3 * PATIENCE, face(100 + 2 * at), face(400)) for at in range(5)]
    assert tracks(track_faces(film, 0.5)) == [[1, 2]] * 5


def test_a_quick_face_is_followed_over_skipped_frames() -> None:
    film = [frame(at * 0.2, face(20 + 55 * at)) for at in range(10)]
    assert tracks(track_faces(film, 0.0)) == [[1]] * 10


def test_a_newcomer_gets_a_new_number_and_nobody_else_s() -> None:
    film = [
        frame(0.0, face(300)),
        frame(0.04, face(100), face(300)),
        frame(0.08, face(100), face(200), face(300)),
        frame(0.12, face(200)),
        frame(0.16),
        frame(0.20, face(100), face(200), face(300)),
    ]
    assert tracks(track_faces(film, 0.0)) == [[1], [2, 1], [2, 3, 1], [3], [], [2, 3, 1]]


def test_the_best_overlap_is_paired_first() -> None:
    tracker = Tracker(live(0.0))
    tracker.update(frame(0.0, face(100), face(150)))
    result = tracker.update(frame(0.04, face(140), face(190)))
    assert [one.track for one in result.faces] == [2, 3]


def closed_form(constant: float, step: float, count: int) -> list[float]:
    """From 0 to 1 at time 0: what an exponential filter shows at each later frame."""
    return [1 - math.exp(-at * step / constant) for at in range(count)]


@pytest.mark.parametrize("constant", [0.2, 0.5, 2.0])
@pytest.mark.parametrize("step", [0.04, 0.1, 1.0])
def test_a_step_is_smoothed_as_its_closed_form_says(constant: float, step: float) -> None:
    film = [
        frame(at * step, face(100, happy=float(at > 0), intensity=float(at > 0)))
        for at in range(20)
    ]
    results = [result.faces[0] for result in track_faces(film, constant)]
    wanted = closed_form(constant, step, 20)
    np.testing.assert_allclose([one.scores["happiness"] for one in results], wanted, atol=1e-12)
    np.testing.assert_allclose([one.intensity or 0.0 for one in results], wanted, atol=1e-12)
    rest = [0.75 * (1 - value) for value in wanted]
    np.testing.assert_allclose([one.scores["neutral"] for one in results], rest, atol=1e-12)


def test_skipping_frames_does_not_change_what_shows_at_a_time() -> None:
    def shown(every: int) -> float:
        film = [frame(at / RATE, face(100, happy=float(at > 0))) for at in range(0, 51, every)]
        return list(track_faces(film, 0.5))[-1].faces[0].scores["happiness"]

    assert shown(1) == pytest.approx(1 - math.exp(-2 / 0.5), abs=1e-12)
    assert shown(5) == pytest.approx(shown(1), abs=1e-12)


def random_film(seed: int, count: int = 60) -> list[Result]:
    generator = np.random.default_rng(seed)
    return [
        frame(
            at / RATE,
            *(
                face(100.0 + 150 * place, happy=float(generator.uniform()), intensity=0.5)
                for place in range(3)
                if generator.uniform() < 0.9
            ),
        )
        for at in range(count)
    ]


def test_smoothed_scores_sum_to_one_and_move_less() -> None:
    film = random_film(0)
    smooth = [one for result in track_faces(film, 0.5) for one in result.faces]
    for one in smooth:
        assert sum(one.scores.values()) == pytest.approx(1, abs=1e-9)
        assert list(one.scores) == ["happiness", "sadness", "neutral"]
    spread = np.std([one.scores["happiness"] for one in smooth])
    assert spread < 0.6 * np.std([one.scores["happiness"] for r in film for one in r.faces])


def test_without_smoothing_scores_are_to_the_bit_as_observed() -> None:
    film = random_film(1)
    for given, result in zip(film, track_faces(film, 0), strict=True):
        assert [one.scores for one in result.faces] == [one.scores for one in given.faces]
        assert [one.intensity for one in result.faces] == [one.intensity for one in given.faces]


def test_people_are_smoothed_apart_and_newcomers_begin_as_observed() -> None:
    tracker = Tracker(live(0.5))
    tracker.update(frame(0.0, face(100, happy=1.0)))
    result = tracker.update(frame(0.04, face(100, happy=1.0), face(400, happy=0.0)))
    assert [one.scores["happiness"] for one in result.faces] == [1.0, 0.0]


def test_a_model_without_intensity_has_none_after_smoothing() -> None:
    assert [
        r.faces[0].intensity for r in track_faces([frame(t, face(9)) for t in (0, 1)], 1.0)
    ] == [
        None,
        None,
    ]


def test_two_frames_of_one_time_are_survived() -> None:
    film = [frame(0.0, face(100, happy=1.0)), frame(0.0, face(101, happy=0.0))]
    assert [r.faces[0].scores["happiness"] for r in track_faces(film, 0.5)] == [1.0, 1.0]
    assert [r.faces[0].scores["happiness"] for r in track_faces(film, 0.0)] == [1.0, 0.0]


def test_results_are_followed_one_at_a_time() -> None:
    taken = []

    def film() -> Iterator[Result]:
        for at in range(100):
            taken.append(at)
            yield frame(at / RATE, face(100))

    results = track_faces(film(), 0.5)
    assert taken == []
    next(results)
    assert taken == [0]


def test_many_people_are_let_go_after_the_patience() -> None:
    tracker = Tracker()
    for at in range(200):
        tracker.update(frame(at * 2.0, face(at * 400.0)))
    assert len(tracker._tracks) <= 2


@pytest.mark.parametrize("time", [None, 0.5])
def test_results_out_of_order_or_of_images_are_refused(time: float | None) -> None:
    tracker = Tracker()
    tracker.update(frame(1.0, face(1)))
    with pytest.raises(ValueError, match="a frame at"):
        tracker.update(Result(640, 360, time=time))


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("smoothing", lambda value: TrackSettings(value)),
        ("smoothing", lambda value: track_faces([], value)),
        ("patience", lambda value: TrackSettings(patience=value)),
        ("min_track_time", lambda value: TrackSettings(min_track_time=value)),
    ],
)
def test_bad_settings_are_refused(value: float, name: str, make: Callable[[float], object]) -> None:
    with pytest.raises(InputError, match=f"{name}.*seconds from 0"):
        make(value)


def test_overlaps_against_counted_pixels() -> None:
    generator = np.random.default_rng(0)
    first, second = (
        np.hstack([generator.integers(0, 30, (count, 2)), generator.integers(1, 30, (count, 2))])
        for count in (8, 11)
    )

    def painted(box: np.ndarray) -> np.ndarray:
        canvas = np.zeros((64, 64), bool)
        canvas[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
        return canvas

    computed = compute_overlaps(first.astype(float), second.astype(float))
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            a, b = painted(one), painted(other)
            rows, columns = np.nonzero(a | b)
            diagonal = np.ptp(rows) + 1, np.ptp(columns) + 1
            centres = one[:2] + one[2:] / 2 - other[:2] - other[2:] / 2
            wanted = (a & b).sum() / (a | b).sum() - (centres**2).sum() / np.square(diagonal).sum()
            assert computed[row, column] == pytest.approx(wanted, abs=1e-12)
    assert compute_overlaps(first[:1].astype(float), first[:1].astype(float)).item() == 1
