"""Detect the faces of a video frame by frame, track each person and smooth the scores.

In a recorded video, smoothing uses past and future frames.
"""

import contextlib
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.images.opening import ImageError
from emotion_detection.inference.tracking import Track, Tracker, TrackSettings
from emotion_detection.inference.video import Frame, check_steps, read_frames
from emotion_detection.inference.video_live import LiveFrames
from emotion_detection.results import Face, Result

_REACH = 4.0
"""Half-width of the smoothing window in time constants; samples beyond it would weigh under 2 %."""


def smooth_file(
    results: Iterable[Result], settings: TrackSettings | None = None
) -> Iterator[Result]:
    """Assign tracks to the faces of a recorded video's results, and smooth the scores.

    Results are delayed by a few seconds, so that future frames can be used. Tracks are complete
    from the first frame, false positives are left out, and the smoothing is centred, without lag.
    Scores are means of the raw scores, weighted by exp(-2 |t| / smoothing), which smooths as much
    as the filter of live sources (see :meth:`.Tracker.update`).

    Args:
        results: one a frame, in order, each with its ``time``.
        settings: settings of tracking and smoothing.

    Yields:
        The results with tracks and smoothed scores, faces in the same order. People are numbered
        from 1 in the order of appearance.

    Raises:
        ValueError: results without a time or out of order.
    """
    return _Lookahead(settings or TrackSettings()).run(results)


class _Lookahead:
    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracker = Tracker(settings)
        self._constant = settings.smoothing / 2
        self._reach = _REACH * self._constant + 1e-9  # times are not exact
        self._waiting: deque[tuple[Result, list[Track | None]]] = deque()
        self._start: float | None = None
        self._now = -math.inf
        self._step = 0.0
        self._has_ended = False

    def run(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            tracks = self._tracker.assign(result)
            self._take(result, tracks)
            while self._waiting and self._is_ready(*self._waiting[0]):
                yield self._settle(*self._waiting.popleft())
        self._has_ended = True
        while self._waiting:
            yield self._settle(*self._waiting.popleft())

    def _take(self, result: Result, tracks: list[Track | None]) -> None:
        assert result.time is not None  # checked by the tracker
        self._start = result.time if self._start is None else self._start
        self._step = max(result.time - self._now, 0.0) if math.isfinite(self._now) else 0.0
        self._now = result.time
        for face, track in zip(result.faces, tracks, strict=True):
            if track is not None:
                track.samples.append((self._now, _values(face)))
        self._waiting.append((result, tracks))

    def _is_ready(self, result: Result, tracks: list[Track | None]) -> bool:
        """Return True if no later frame can change this result."""
        assert result.time is not None
        if not self._now > result.time + self._reach and self._constant:
            return False
        return all(track is None or track.is_over or self._is_kept(track) for track in tracks)

    def _is_kept(self, track: Track) -> bool:
        if not track.is_confirmed:
            return False
        least = self._settings.min_track_time
        if self._has_ended and self._start is not None:
            least = min(least, self._now - self._start + self._step)  # the video may be shorter
        return track.lasting >= least

    def _settle(self, result: Result, tracks: list[Track | None]) -> Result:
        assert result.time is not None
        faces = [
            self._smoothed(face, track, result.time)
            for face, track in zip(result.faces, tracks, strict=True)
            if track is not None and self._is_kept(track)
        ]
        return replace(result, faces=tuple(faces))

    def _smoothed(self, face: Face, track: Track, time: float) -> Face:
        face = replace(
            face,
            track=self._tracker.number_of(track),
            raw_scores=face.scores,
            raw_intensity=face.intensity,
        )
        if self._constant == 0:
            return face
        reach = self._reach
        while track.samples[0][0] < time - reach:  # no later result needs it
            track.samples.popleft()
        near = [(at, values) for at, values in track.samples if at <= time + reach]
        distances = np.array([abs(at - time) for at, _ in near])
        weights = np.exp(-distances / self._constant)
        values = np.stack([values for _, values in near])
        scores = weights @ values[:, :-1] / weights.sum()
        known = np.isfinite(values[:, -1])
        intensity = face.intensity
        if intensity is not None:
            intensity = float(weights[known] @ values[known, -1] / weights[known].sum())
        return replace(
            face,
            scores=dict(zip(face.scores, map(float, scores), strict=True)),
            intensity=intensity,
        )


def _values(face: Face) -> npt.NDArray[np.float64]:
    intensity = math.nan if face.intensity is None else face.intensity
    return np.array([*face.scores.values(), intensity])


Detect = Callable[[npt.NDArray[np.uint8]], Result]
"""Function that detects the faces of a frame uint8 (H, W, 3), as
:meth:`.EmotionDetector.detect`."""


@dataclass(frozen=True)
class VideoOptions:
    """Options of a video: the frames that are used, and tracking.

    Args:
        frame_stride: 1 for all frames, N for every Nth.
        every_seconds: of these at most one in each interval of this length; None: all.
        tracking: settings of tracking and smoothing.

    Raises:
        InputError: an option is out of its range.
    """

    frame_stride: int = 1
    every_seconds: float | None = None
    tracking: TrackSettings = field(default_factory=TrackSettings)

    def __post_init__(self) -> None:
        check_steps(self.frame_stride, self.every_seconds)


def detect_file(
    path: Path,
    detect: Detect,
    options: VideoOptions,
    advance: Callable[[float], None] = lambda time: None,
) -> Generator[Result, None, None]:
    """Yield the results of a video file, in order, with tracks and smoothed scores.

    Args:
        path: the video.
        detect: detects faces.
        options: the options.
        advance: called with the time of each processed frame.

    Raises:
        InputError: an address, or the extra ``video`` is missing.
        ImageError: the video cannot be read. For a truncated video, the error comes after the
            results of the complete frames.
    """
    damage: list[ImageError] = []

    def observed() -> Generator[Result, None, None]:
        with contextlib.closing(
            read_frames(path, options.frame_stride, options.every_seconds)
        ) as film:
            try:
                for frame in film:
                    # results are delayed until later frames are known; keeping their frames would
                    # fill the memory
                    yield replace(_detect_frame(frame, detect, str(path)), _origin=None)
                    advance(frame.time)
            except ImageError as error:  # raised after the results of the decoded frames
                damage.append(error)

    with contextlib.closing(observed()) as results:
        yield from smooth_file(results, options.tracking)
    if damage:
        raise damage[0]


def detect_live(
    live: LiveFrames, detect: Detect, options: VideoOptions
) -> Generator[tuple[Frame, Result], None, None]:
    """Yield the newest frames of a live source with their results.

    Args:
        live: the source, opened with the same options.
        detect: detects faces.
        options: the options.

    Raises:
        ImageError: the connection broke off.
    """
    tracker = Tracker(options.tracking)
    with contextlib.closing(iter(live)) as newest:
        for frame in newest:
            yield frame, tracker.update(_detect_frame(frame, detect, live.source.name))


def _detect_frame(frame: Frame, detect: Detect, source: str) -> Result:
    return replace(detect(frame.rgb), source=source, frame=frame.number, time=frame.time)
