"""Detect the faces of a video frame by frame, and track each person."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.images.opening import ImageError
from emotion_detection.inference.smoothing import smooth_file
from emotion_detection.inference.tracking import Tracker, TrackSettings
from emotion_detection.inference.video import Frame, check_steps, read_frames
from emotion_detection.inference.video_live import LiveFrames
from emotion_detection.results import Result

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
