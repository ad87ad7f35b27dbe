"""Track each person from frame to frame of a video."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.defaults import MIN_TRACK_TIME as MIN_TRACK_TIME
from emotion_detection.defaults import SMOOTHING as SMOOTHING
from emotion_detection.defaults import START_CONFIDENCE as START_CONFIDENCE
from emotion_detection.errors import InputError
from emotion_detection.results import Face, Result

PATIENCE = 1.0
"""Seconds that a person may be out of sight before the track ends."""

START_SECONDS, START_FRAMES = 0.5, 3
"""Seconds, and frames in a row, that a less confident face must be detected in to start a track."""

LEAST_OVERLAP = -0.2
"""Minimum overlap of the same person's boxes (see :func:`compute_overlaps`): about that of two
boxes of one size side by side. A quick head moves as far within ten frames."""

_VELOCITY_MEMORY = 0.2
"""Time constant in seconds of a track's velocity, which filters jitter of the boxes."""

_FORESIGHT = 0.5
"""Seconds for which the motion of a person out of sight is extrapolated."""

Boxes = npt.NDArray[np.float64]

Sample = tuple[float, npt.NDArray[np.float64]]
"""Time, and the scores with the intensity at the end (not a number if there is none)."""


@dataclass(frozen=True)
class TrackSettings:
    """Settings of tracking and of the smoothing of scores.

    Args:
        smoothing: time constant of the smoothing in seconds; 0: no smoothing.
        patience: seconds that a person may be out of sight; tracks also continue between two frames
            that are further apart than this.
        start_confidence: a face of this confidence starts a track immediately, 0 to 1. A less
            confident face continues a track, and starts one after at least :data:`START_FRAMES`
            frames in a row over :data:`START_SECONDS`.
        min_confidence: faces below this are not tracked, 0 to 1; 0: all faces are.
        min_track_time: shorter tracks are dropped, in seconds; 0: none.

    Raises:
        InputError: a setting is out of its range.
    """

    smoothing: float = SMOOTHING
    patience: float = PATIENCE
    start_confidence: float = START_CONFIDENCE
    min_confidence: float = 0.0
    min_track_time: float = MIN_TRACK_TIME

    def __post_init__(self) -> None:
        for name in ("smoothing", "patience", "min_track_time"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value < math.inf:
                raise InputError(f"{name} {value!r}: must be a number of seconds from 0")
        for name in ("start_confidence", "min_confidence"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                raise InputError(f"{name} {value!r}: must be a number from 0 to 1")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@dataclass(eq=False)
class Track:
    """The track of one person, confirmed or not.

    Args:
        box: float64 (4,), last detected box: x, y, width, height.
        first: time of the first detection, in seconds.
        time: time of the last detection.
        step: seconds between the last two frames.
        passed: seconds between the last two detections.
        found: number of frames with a detection, all in a row until the track is confirmed.
        velocity: float64 (2,), of the centre, pixels per second.
        is_confirmed: whether the track counts as a person.
        is_over: whether the track has ended.
        number: the person's number, from 1; None until one is assigned.
        scores: scores smoothed by :meth:`Tracker.update`.
        intensity: intensity smoothed by :meth:`Tracker.update`.
        samples: raw samples for :func:`.video_detect.smooth_file`.
    """

    box: Boxes
    first: float
    time: float
    step: float
    passed: float = math.inf
    found: int = 1
    velocity: Boxes = field(default_factory=lambda: np.zeros(2))
    is_confirmed: bool = False
    is_over: bool = False
    number: int | None = None
    scores: dict[str, float] = field(default_factory=dict)
    intensity: float | None = None
    samples: deque[Sample] = field(default_factory=deque)

    @property
    def lasting(self) -> float:
        """Seconds from the first to the last frame, both included."""
        return self.time - self.first + self.step

    def expected(self, time: float) -> Boxes:
        """Return the predicted box at a time: float64 (4,)."""
        moved = self.velocity * min(time - self.time, _FORESIGHT)
        return np.concatenate([self.box[:2] + moved, self.box[2:]])

    def move(self, box: Boxes, time: float, step: float) -> None:
        """Update the track with a new detection."""
        self.passed = time - self.time
        if self.passed > 0:
            velocity = (_centres(box) - _centres(self.box)) / self.passed
            weight = compute_smoothing_weight(self.passed, _VELOCITY_MEMORY)
            self.velocity += weight * (velocity - self.velocity)
        self.box, self.time, self.step = box, time, step
        self.found += 1


class Tracker:
    """Assign track numbers to the faces of a video, and smooth scores.

    In each frame, tracks are matched to faces by the overlap of the predicted box (at constant
    velocity) with the detected one, best first. Two people who pass each other keep their numbers,
    also when one is hidden for a moment. Confident faces are matched first, then less confident
    ones (Zhang et al. 2022, ByteTrack, arXiv 2110.06864). Faces are not recognized: a person who
    comes back after more than ``patience`` gets a new number, and after a cut in a film a number
    may pass to a person in the same place.

    Args:
        settings: settings of tracking and smoothing.
    """

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._tracks: list[Track] = []
        self._given = 0
        self._last = -math.inf

    def assign(self, result: Result) -> list[Track | None]:
        """Return the track of each face of the next frame, including unconfirmed ones.

        Args:
            result: the result of the next frame, not earlier in ``time`` than the previous one.

        Returns:
            The tracks, in the order of the faces; None for faces below ``min_confidence``.

        Raises:
            ValueError: a result without a time, as of an image, or out of order.
        """
        if result.time is None or result.time < self._last:
            raise ValueError(f"a frame at {result.time} s after one at {self._last} s")
        time, previous = result.time, self._last
        step = time - previous if math.isfinite(previous) else 0.0
        self._last = time
        for known in self._tracks:
            known.step = known.step or step  # unknown at the first frame
        self._end_tracks(previous, time)
        boxes = np.array([face.box for face in result.faces], np.float64).reshape(-1, 4)
        followed = self._pair(result.faces, boxes, time)
        tracks: list[Track | None] = []
        for place, (face, box) in enumerate(zip(result.faces, boxes, strict=True)):
            track = followed.get(place)
            if track is not None:
                track.move(box, time, step)
            elif face.confidence >= self.settings.min_confidence:
                track = Track(box, time, time, step)
                self._tracks.append(track)
            if track is not None:
                self._confirm(track, face)
            tracks.append(track)
        return tracks

    def update(self, result: Result) -> Result:
        """Return a frame's result with tracks and smoothed scores, from past frames alone.

        Scores and intensity are smoothed exponentially: t seconds after a change, the new
        expression has the weight 1 - exp(-t / smoothing), whatever the frame rate. Smoothed scores
        sum to 1. Faces without a confirmed track are left out; the others keep their order.

        Args:
            result: the result of the next frame, not earlier in ``time`` than the previous one.

        Raises:
            ValueError: a result without a time, as of an image, or out of order.
        """
        faces = []
        for face, track in zip(result.faces, self.assign(result), strict=True):
            if track is None:
                continue
            self._smooth(track, face)
            lasts = track.lasting >= self.settings.min_track_time
            if track.is_confirmed and (lasts or track.number is not None):
                faces.append(_tracked(face, self.number_of(track), track.scores, track.intensity))
        return replace(result, faces=tuple(faces))

    def number_of(self, track: Track) -> int:
        """Return a track's number; numbers are assigned from 1, at the first call."""
        if track.number is None:
            self._given += 1
            track.number = self._given
        return track.number

    def _end_tracks(self, previous: float, time: float) -> None:
        """End the tracks of people out of sight, and unconfirmed ones that missed a frame."""
        oldest = min(previous, time - self.settings.patience)
        for track in self._tracks:
            track.is_over = track.time < (oldest if track.is_confirmed else previous)
        self._tracks = [track for track in self._tracks if not track.is_over]

    def _pair(self, faces: tuple[Face, ...], boxes: Boxes, time: float) -> dict[int, Track]:
        """Return the tracks of faces, by the index of the face."""
        settings = self.settings
        confident = [k for k, face in enumerate(faces) if face.confidence >= _start(settings)]
        others = [
            k
            for k, face in enumerate(faces)
            if settings.min_confidence <= face.confidence < _start(settings)
        ]
        known = [track for track in self._tracks if track.is_confirmed]
        pairs = _paired(known, confident, boxes, time)
        left = [track for track in known if track not in pairs.values()]
        pairs |= _paired(left, others, boxes, time)
        places = [place for place in [*confident, *others] if place not in pairs]
        unconfirmed = [track for track in self._tracks if not track.is_confirmed]
        return pairs | _paired(unconfirmed, places, boxes, time)

    def _confirm(self, track: Track, face: Face) -> None:
        in_a_row = track.found >= START_FRAMES and track.lasting >= START_SECONDS
        if face.confidence >= _start(self.settings) or in_a_row:
            track.is_confirmed = True

    def _smooth(self, track: Track, face: Face) -> None:
        share = compute_smoothing_weight(track.passed, self.settings.smoothing)
        old = track.scores or face.scores
        track.scores = {
            name: _between(old[name], value, share) for name, value in face.scores.items()
        }
        if face.intensity is not None and track.intensity is not None:
            track.intensity = _between(track.intensity, face.intensity, share)
        else:
            track.intensity = face.intensity


def track_faces(
    results: Iterable[Result], smoothing: float = SMOOTHING, settings: TrackSettings | None = None
) -> Iterator[Result]:
    """Assign tracks to the faces of a live source's results, and smooth the scores.

    Each result is yielded before the next is read, so a person appears only after the track is
    confirmed. For files, :func:`.video_detect.smooth_file` also uses later frames.

    Args:
        results: one a frame, in order, each with its ``time``.
        smoothing: as for :class:`TrackSettings`; used where no settings are given.
        settings: all settings; by default tracks of any length are shown.

    Yields:
        The same results with tracks and smoothed scores.

    Raises:
        InputError: a setting is out of range.
        ValueError: results without a time or out of order.
    """
    tracker = Tracker(settings or TrackSettings(smoothing, min_track_time=0.0))
    return (tracker.update(result) for result in results)


def _start(settings: TrackSettings) -> float:
    return max(settings.start_confidence, settings.min_confidence)


def _tracked(face: Face, number: int, scores: dict[str, float], intensity: float | None) -> Face:
    return replace(
        face,
        track=number,
        scores=scores,
        intensity=intensity,
        raw_scores=face.scores,
        raw_intensity=face.intensity,
    )


def _paired(tracks: list[Track], places: list[int], boxes: Boxes, time: float) -> dict[int, Track]:
    """Match tracks with faces by the overlap of their boxes, best first."""
    if not tracks or not places:
        return {}
    overlap = compute_overlaps(np.stack([track.expected(time) for track in tracks]), boxes[places])
    pairs: dict[int, Track] = {}
    for index in np.argsort(-overlap, axis=None, kind="stable"):
        row, column = divmod(int(index), len(places))
        if overlap[row, column] < LEAST_OVERLAP:
            break
        if places[column] not in pairs and tracks[row] not in pairs.values():
            pairs[places[column]] = tracks[row]
    return pairs


def compute_overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Return the distance-IoU of all pairs of boxes (Zheng et al. 2020, arXiv 1911.08287).

    The distance-IoU is the intersection over union, less the squared distance of the centres over
    the squared diagonal of the smallest box around both. Unlike the IoU alone, it also ranks boxes
    that do not overlap by their distance.

    Args:
        first: float64 (N, 4): x, y, width, height.
        second: float64 (M, 4).

    Returns:
        float64 (N, M), -1 to 1; 1 for equal boxes.
    """
    start, end = first[:, None, :2], first[:, None, :2] + first[:, None, 2:]
    others, ends = second[None, :, :2], second[None, :, :2] + second[None, :, 2:]
    shared = np.clip(np.minimum(end, ends) - np.maximum(start, others), 0, None).prod(axis=2)
    areas = first[:, None, 2:].prod(axis=2) + second[None, :, 2:].prod(axis=2)
    apart = ((_centres(first)[:, None] - _centres(second)[None]) ** 2).sum(axis=2)
    around = ((np.maximum(end, ends) - np.minimum(start, others)) ** 2).sum(axis=2)
    overlap: Boxes = shared / (areas - shared) - apart / around
    return overlap


def _centres(boxes: Boxes) -> Boxes:
    return boxes[..., :2] + boxes[..., 2:] / 2


def compute_smoothing_weight(passed: float, constant: float) -> float:
    """Return the weight of a new value after some seconds of exponential smoothing."""
    return 1.0 if constant == 0 else -math.expm1(-passed / constant)


def _between(old: float, new: float, share: float) -> float:
    return new if share == 1 else old + share * (new - old)
