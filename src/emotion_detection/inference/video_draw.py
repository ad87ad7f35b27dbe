"""Draw the results of a video into the frames."""

import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from emotion_detection.images.opening import ImageError
from emotion_detection.inference.label_places import LabelLayout
from emotion_detection.inference.video import read_frames
from emotion_detection.inference.video_writer import VideoWriter
from emotion_detection.results import Face, Result


class ResultSpool:
    """Store the results of a video on disk, in order; removed at the end of the block."""

    def __init__(self) -> None:
        self.count = 0
        self._file: Any = None

    def add(self, result: Result) -> None:
        """Add the next result."""
        pickle.dump(result, self._file, pickle.HIGHEST_PROTOCOL)
        self.count += 1

    def __iter__(self) -> Iterator[Result]:
        """Yield all results from the first on."""
        self._file.seek(0)
        for _ in range(self.count):
            yield pickle.load(self._file)

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile(prefix="emotion-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def draw_video(
    path: Path, spool: ResultSpool, writer: VideoWriter, advance: Callable[[float], None]
) -> None:
    """Write all frames of a video with the results drawn on them, interpolated between results.

    Args:
        path: the video. Of a truncated video, the complete frames are written.
        spool: the results of the video.
        writer: writes the frames.
        advance: called with the time of each frame that is written.

    Raises:
        InputError: the frames cannot be written.
    """
    layout, between = LabelLayout(), _Between(iter(spool))
    with closing(read_frames(path)) as film:
        try:
            for frame in film:
                result = between.at(frame.number, frame.time)
                writer.write(draw_frame(frame.rgb, result, layout), frame.time)
                advance(frame.time)
        except ImageError:  # reported when the results were made
            return


def draw_frame(
    rgb: npt.NDArray[np.uint8], result: Result, layout: LabelLayout
) -> npt.NDArray[np.uint8]:
    """Return a copy of a frame with its result drawn on it.

    Args:
        rgb: uint8 (H, W, 3).
        result: of the frame.
        layout: layout of the previous frames, so that labels stay in place.
    """
    # imported here: this is the only step of a video that needs it
    from emotion_detection.inference.annotate import annotate_image

    return np.asarray(annotate_image(rgb, result, layout=layout).convert("RGB"))


class _Between:
    """Interpolate results for the frames between two of them."""

    def __init__(self, results: Iterator[Result]) -> None:
        self._results = results
        self._near: deque[Result] = deque()
        self._pull()
        self._pull()

    def _pull(self) -> None:
        if (result := next(self._results, None)) is not None:
            self._near.append(result)

    def at(self, number: int, time: float) -> Result:
        """Return the result of a frame; frames are asked for in order."""
        while len(self._near) > 1 and (self._near[1].frame or 0) <= number:
            self._near.popleft()
            self._pull()
        before = self._near[0]
        if len(self._near) == 1 or (before.frame or 0) >= number:
            return before
        after = self._near[1]
        assert before.time is not None  # results of a video have times
        assert after.time is not None
        length = after.time - before.time
        share = min(max((time - before.time) / length, 0.0), 1.0) if length > 0 else 1.0
        return _mixed(before, after, share)


def _mixed(before: Result, after: Result, share: float) -> Result:
    """Interpolate between two results: the boxes of people in both move linearly."""
    nearer, other = (before, after) if share < 0.5 else (after, before)
    boxes = {face.track: face.box for face in other.faces}
    weight = share if nearer is before else 1 - share
    faces = []
    for face in nearer.faces:
        if face.track in boxes:
            face = _moved(face, boxes[face.track], weight)
        faces.append(face)
    return replace(nearer, faces=tuple(faces))


def _moved(face: Face, box: tuple[float, float, float, float], share: float) -> Face:
    x, y, width, height = (
        own + share * (far - own) for own, far in zip(face.box, box, strict=True)
    )
    return replace(face, box=(x, y, width, height))
