"""Who is who from frame to frame of a video, and each person's scores smoothed over time."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.results import Face, Result

SMOOTH = 0.5
"""Seconds: the usual time constant of the smoothing."""

PATIENCE = 1.0
"""Seconds that a person may be out of sight and still be the same."""

LEAST_OVERLAP = -0.2
"""Least overlap of the same person's boxes (see :func:`overlaps`): about that of two boxes of one
size that lie side by side. At every tenth frame a quick head moves as far."""

_VELOCITY_MEMORY = 0.2
"""Seconds: time constant of a track's velocity, so that trembling boxes hardly count."""

_FORESIGHT = 0.5
"""Seconds that a person out of sight is expected to move on."""

Boxes = npt.NDArray[np.float64]


@dataclass(eq=False)
class _Track:
    number: int
    box: Boxes
    time: float
    scores: dict[str, float]
    intensity: float | None
    velocity: Boxes

    def expected(self, time: float) -> Boxes:
        """Return the box where the person should be by now: float64 (4,)."""
        moved = self.velocity * min(time - self.time, _FORESIGHT)
        return np.concatenate([self.box[:2] + moved, self.box[2:]])

    def move(self, box: Boxes, time: float) -> None:
        """Take the person's new place."""
        if (passed := time - self.time) > 0:
            velocity = (_centres(box) - _centres(self.box)) / passed
            self.velocity += _weight(passed, _VELOCITY_MEMORY) * (velocity - self.velocity)
        self.box, self.time = box, time


class Tracker:
    """Gives each face of a video its person's number, and smooths its scores.

    In each frame, tracks and faces are paired by how well the box where a track is expected (at
    constant velocity) overlaps the face's, best first. So two people who pass each other keep
    their numbers, also when one is hidden for a moment. A face without a track begins one. There
    is no recognising: whoever comes back later than ``patience`` is someone new, and after a cut
    in a film a number may go to whoever sits in the same place.

    Scores and intensity follow the observed ones exponentially: after t seconds of a new
    expression, 1 - exp(-t / smooth) of it shows, whatever the frame rate. Smoothed scores sum to 1.

    Args:
        smooth: time constant in seconds; 0: scores as they were observed.
        patience: seconds that a person may be out of sight; between two frames further apart than
            this, people stay who they are all the same.

    Raises:
        InputError: a negative or infinite setting.
    """

    def __init__(self, smooth: float = SMOOTH, patience: float = PATIENCE) -> None:
        for name, value in (("smooth", smooth), ("patience", patience)):
            if not 0 <= value < math.inf:
                raise InputError(f"{name} {value!r}: must be a number of seconds from 0")
        self._smooth = smooth
        self._patience = patience
        self._tracks: list[_Track] = []
        self._next = 0
        self._last = -math.inf

    def update(self, result: Result) -> Result:
        """Return a frame's result with tracks and smoothed scores; the faces' order stays.

        Args:
            result: of the next frame; its ``time`` is not before that of the one before.

        Raises:
            ValueError: a result without a time, as of a picture, or out of order.
        """
        if result.time is None or result.time < self._last:
            raise ValueError(f"a frame at {result.time} s after one at {self._last} s")
        oldest = min(self._last, result.time - self._patience)
        self._last = result.time
        self._tracks = [track for track in self._tracks if track.time >= oldest]
        boxes = np.array([face.box for face in result.faces], np.float64).reshape(-1, 4)
        followed = self._paired(boxes, result.time)
        faces = []
        for place, (face, box) in enumerate(zip(result.faces, boxes, strict=True)):
            track = followed.get(place)
            if track is None:
                faces.append(replace(face, track=self._begin(face, box, result.time)))
            else:
                faces.append(self._continued(track, face, box, result.time))
        return replace(result, faces=tuple(faces))

    def _paired(self, boxes: Boxes, time: float) -> dict[int, _Track]:
        """Return the track of each face that has one, by the face's place."""
        if not self._tracks or not len(boxes):
            return {}
        overlap = overlaps(np.stack([track.expected(time) for track in self._tracks]), boxes)
        pairs: dict[int, _Track] = {}
        for index in np.argsort(-overlap, axis=None, kind="stable"):
            row, place = divmod(int(index), len(boxes))
            if overlap[row, place] < LEAST_OVERLAP:
                break
            if place not in pairs and self._tracks[row] not in pairs.values():
                pairs[place] = self._tracks[row]
        return pairs

    def _begin(self, face: Face, box: Boxes, time: float) -> int:
        track = _Track(self._next, box, time, face.scores, face.intensity, np.zeros(2))
        self._tracks.append(track)
        self._next += 1
        return track.number

    def _continued(self, track: _Track, face: Face, box: Boxes, time: float) -> Face:
        share = _weight(time - track.time, self._smooth)
        track.move(box, time)
        track.scores = {
            name: _between(track.scores[name], value, share) for name, value in face.scores.items()
        }
        if face.intensity is not None and track.intensity is not None:
            track.intensity = _between(track.intensity, face.intensity, share)
        else:
            track.intensity = face.intensity
        return replace(face, track=track.number, scores=track.scores, intensity=track.intensity)


def follow(results: Iterable[Result], smooth: float = SMOOTH) -> Iterator[Result]:
    """Give the faces in a video's results their tracks, and smooth their scores.

    Args:
        results: one a frame, in order, each with its ``time``.
        smooth: as for :class:`Tracker`.

    Yields:
        The same results with tracks and smoothed scores.

    Raises:
        InputError: a negative or infinite ``smooth``.
        ValueError: results without a time or out of order.
    """
    tracker = Tracker(smooth)
    return (tracker.update(result) for result in results)


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Return the distance-IoU of all pairs of boxes (Zheng et al. 2020, arXiv 1911.08287).

    That is the area of the intersection over that of the union, less the squared distance of the
    centres over the squared diagonal of the smallest box round both. Unlike the first term alone,
    it tells near from far where boxes do not touch, and a shifted box from a centred one.

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


def _weight(passed: float, constant: float) -> float:
    """Return the share of a new value that shows after these seconds."""
    return 1.0 if constant == 0 else -math.expm1(-passed / constant)


def _between(old: float, new: float, share: float) -> float:
    return new if share == 1 else old + share * (new - old)
