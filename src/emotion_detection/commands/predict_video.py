"""The part of ``emotion predict`` that goes through a video."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rich.console import Console

from emotion_detection.errors import InputError
from emotion_detection.images import PictureError
from emotion_detection.inference.tables import Record, error_record
from emotion_detection.inference.timeline import Timeline
from emotion_detection.inference.tracking import SMOOTH, Tracker
from emotion_detection.inference.video import frames, is_video, video_info
from emotion_detection.inference.video_writer import VideoWriter
from emotion_detection.results import Result
from emotion_detection.scoring.entries import Entry
from emotion_detection.scoring.reading import (
    Settings,
    check_target,
    detector_of,
    place_below_annotate,
    unforeseen,
)

__all__ = ["is_video", "read_video", "run_video"]


class Detector(Protocol):
    """What finds and reads the faces of a frame: an ``EmotionDetector``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in order."""

    def detect(self, picture: npt.NDArray[np.uint8], /) -> Result:
        """Return what is in a frame, uint8 (H, W, 3)."""


def read_video(
    entry: Entry,
    emit: Callable[[Record], object],
    settings: Settings,
    every: int = 1,
    smooth: float = SMOOTH,
    console: Console | None = None,
) -> None:
    """Read a video in this process.

    Args:
        entry: the video.
        emit: is given the record of each frame, and where the video cannot be read, or anything
            unforeseen happens, that of the error.
        settings: how frames are read, and where annotated videos lie.
        every: as of :func:`run_video`.
        smooth: likewise.
        console: likewise.

    Raises:
        InputError: annotated videos cannot be written, or must not be.
    """
    path = settings.path(entry.source)
    annotate, name = None, None
    if settings.annotate is not None:
        place = place_below_annotate(entry.source, settings)
        # a.mp4 and a.mov may lie side by side
        annotate, name = place.parent, place.name.removesuffix(".mp4")
        if (reason := _made(annotate, name, entry, settings)) is not None:
            emit(error_record(entry.source, reason))
            return

    def one(result: Result) -> None:
        emit(replace(result, source=entry.source).as_dict())

    try:
        detector = detector_of(settings)
        run_video(
            *(path, detector, every, smooth, annotate, one),
            least_score=settings.least_score,
            name=name,
            console=console,
        )
    except PictureError as error:
        emit(error_record(entry.source, str(error).removeprefix(f"{path}: ")))
    except (InputError, BrokenPipeError):  # of who takes the records
        raise
    except Exception as error:
        emit(error_record(entry.source, unforeseen(error)))


def _made(folder: Path, name: str, entry: Entry, settings: Settings) -> str | None:
    """Make the folder for what is made of a video; say why, where its name does not do."""
    targets = [folder / f"{name}.mp4", folder / f"{name}-timeline.png"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            with suppress(FileNotFoundError):  # while it is written it has a longer name
                target.with_name(f".{target.name}.{os.getpid()}.part").lstat()
    except OSError as error:
        reason = f"--annotate {folder / name}: cannot be written: {error.strerror or error}"
        if error.errno == errno.ENAMETOOLONG:
            return reason
        raise InputError(reason) from None
    for target in targets:
        check_target(target, entry.source, settings)
    return None


def run_video(
    path: Path,
    detector: Detector,
    every: int = 1,
    smooth: float = SMOOTH,
    annotate: Path | None = None,
    emit: Callable[[Result], None] = lambda result: None,
    *,
    least_score: float = 0.0,
    plot: bool = True,
    name: str | None = None,
    console: Console | None = None,
) -> None:
    """Read the expressions in a video.

    Args:
        path: the video.
        detector: finds and reads the faces.
        every: looks at each Nth frame, beginning with the first.
        smooth: time constant of the smoothing in seconds; 0: scores as they were observed.
        annotate: folder for ``NAME.mp4``, all frames with what was last found drawn on them, and
            for ``NAME-timeline.png``; None: neither is made.
        emit: is given each result in order, with source, frame, time and tracks.
        least_score: faces whose smoothed score is below are flagged 'unsure'.
        plot: whether the timeline is made.
        name: what NAME is; None: the video's own, without its suffix.
        console: terminal that ``emit`` writes to, so that the bar stays below; None: elsewhere.

    Raises:
        InputError: a bad setting, an address, a missing extra; or a file in ``annotate`` cannot
            be written, or is the video itself.
        PictureError: the video cannot be read. Where it is cut off, what was found until there
            has been emitted, drawn and plotted.
    """
    stem = path.stem if name is None else name
    info = video_info(path)
    tracker = Tracker(smooth)
    timeline = Timeline(detector.labels) if annotate is not None and plot else None
    result, damage = None, None
    with ExitStack() as stack:
        film = stack.enter_context(closing(frames(path, every if annotate is None else 1)))
        writer = None
        if annotate is not None:
            writer = stack.enter_context(VideoWriter(_target(path, annotate, stem), info.rate))
        advance = stack.enter_context(_progress(path.name, info.duration, console))
        try:
            for frame in film:
                if frame.number % every == 0:
                    found = replace(detector.detect(frame.rgb), source=str(path))
                    found = replace(found, frame=frame.number, time=frame.time)
                    result = tracker.update(found).with_unsure(least_score)
                    emit(result)
                    if timeline is not None:
                        timeline.add(result)
                if writer is not None and result is not None:
                    writer.write(_drawn(frame.rgb, result), frame.time)
                advance(frame.time)
        except PictureError as error:
            if result is None:
                raise
            damage = error
    if timeline is not None and annotate is not None:
        place = annotate / f"{stem}-timeline.png"
        try:
            timeline.write(place, f"{path.name}: expressions over time")
        except OSError as error:
            raise InputError(f"{place}: cannot be written: {error.strerror}") from None
    if damage is not None:
        raise damage


def _target(path: Path, folder: Path, stem: str) -> Path:
    target = folder / f"{stem}.mp4"
    if target.exists() and target.samefile(path):
        raise InputError(f"--annotate {folder}: would replace {path}; name another folder")
    return target


def _drawn(rgb: npt.NDArray[np.uint8], result: Result) -> npt.NDArray[np.uint8]:
    from emotion_detection.inference.annotate import annotated

    return np.asarray(annotated(rgb, result).convert("RGB"))


@contextmanager
def _progress(
    name: str, duration: float | None, console: Console | None
) -> Iterator[Callable[[float], None]]:
    """Show how far a video is: a bar on a terminal, a closing line elsewhere.

    What is yielded takes the time of each frame that is done.
    """
    count, start = 0, time.monotonic()
    if not sys.stderr.isatty():

        def note(_: float) -> None:
            nonlocal count
            count += 1

        yield note
        print(f"{name}: {count:,} frames in {time.monotonic() - start:.1f} s", file=sys.stderr)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    more = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(
        *columns,
        *more,
        console=console or Console(stderr=True),
        transient=True,
        # what others print on the same terminal goes above the bar, too
        redirect_stdout=console is None and sys.stdout.isatty(),
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task(name, total=duration, rate="")

        def show(moment: float) -> None:
            nonlocal count
            count += 1
            rate = count / max(time.monotonic() - start, 1e-3)
            bar.update(task, completed=moment, rate=f"{rate:.1f} frames/s")

        yield show
