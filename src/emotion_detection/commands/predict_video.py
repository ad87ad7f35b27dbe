"""Process a video for ``emotion predict``."""

import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from rich.console import Console

from emotion_detection.batch.classify import (
    Settings,
    check_target,
    describe_unforeseen_error,
    open_detector,
    place_below_annotate,
)
from emotion_detection.batch.input_files import Entry
from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.label_places import LabelLayout
from emotion_detection.inference.table_files import Record, make_error_record
from emotion_detection.inference.timeline import Timeline
from emotion_detection.inference.video import is_video, read_video_info
from emotion_detection.inference.video_detect import VideoOptions, detect_file, detect_live
from emotion_detection.inference.video_draw import ResultSpool, draw_frame, draw_video
from emotion_detection.inference.video_live import LiveSource, find_live_source, read_live_frames
from emotion_detection.inference.video_writer import VideoWriter
from emotion_detection.results import Result

__all__ = ["is_video", "read_video", "run_video"]

_LIVE_RATE = 15.0
"""Nominal frame rate of an annotated live source; frames keep their times of arrival."""


class Detector(Protocol):
    """The interface of ``EmotionDetector`` that videos need."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in order."""

    def detect(self, image: npt.NDArray[np.uint8], /) -> Result:
        """Return the result of a frame uint8 (H, W, 3)."""


def read_video(
    entry: Entry,
    emit: Callable[[Record], object],
    settings: Settings,
    options: VideoOptions | None = None,
    console: Console | None = None,
) -> None:
    """Process a video or a live source in this process.

    Args:
        entry: the video.
        emit: called with the record of each frame, or with an error record if the video cannot be
            read or an unexpected error occurs.
        settings: settings of the frames, and the folder for annotated videos.
        options: as for :func:`run_video`.
        console: as for :func:`run_video`.

    Raises:
        InputError: annotated videos cannot be written, or must not be.
    """
    is_live = find_live_source(entry.source) is not None
    source = entry.source if is_live else settings.path(entry.source)
    annotate, name = None, None
    if settings.annotate is not None:
        if is_live:
            place = Path(settings.folder, settings.annotate, _file_name(entry.source))
        else:
            place = place_below_annotate(entry.source, settings)
        # a.mp4 and a.mov may lie side by side
        annotate, name = place.parent, place.name.removesuffix(".mp4")
        if (reason := _made(annotate, name, entry, settings)) is not None:
            emit(make_error_record(entry.source, reason))
            return

    def one(result: Result) -> None:
        emit(replace(result, source=entry.source).as_dict())

    try:
        run_video(
            *(source, open_detector(settings), options, annotate, one),
            least_score=settings.min_score,
            name=name,
            console=console,
        )
    except ImageError as error:
        emit(make_error_record(entry.source, str(error).removeprefix(f"{source}: ")))
    except (InputError, BrokenPipeError):  # errors of the consumer of the records
        raise
    except Exception as error:
        emit(make_error_record(entry.source, describe_unforeseen_error(error)))


def _file_name(source: str) -> str:
    """Return a name for the output files of a live source."""
    address = urlsplit(source)
    words = re.sub(r"[^\w.-]+", "-", f"{address.hostname or ''}{address.path}").strip("-.")
    return f"camera-{words}" if source.isdecimal() else words or "stream"


def _made(folder: Path, name: str, entry: Entry, settings: Settings) -> str | None:
    """Create the output folder of a video, and check the name."""
    targets = [folder / f"{name}.mp4", folder / f"{name}-timeline.png"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            with suppress(FileNotFoundError):  # the temporary file has a longer name
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
    source: Path | str,
    detector: Detector,
    options: VideoOptions | None = None,
    annotate: Path | None = None,
    emit: Callable[[Result], None] = lambda result: None,
    *,
    least_score: float = 0.0,
    plot: bool = True,
    name: str | None = None,
    console: Console | None = None,
) -> None:
    """Predict the expressions in a video, or in a live source until it ends or Ctrl-C.

    Args:
        source: the video, or a live source as :func:`.find_live_source` takes it.
        detector: detects and classifies the faces.
        options: the frames that are used, and settings of tracking.
        annotate: folder for ``NAME.mp4``, all frames with results drawn on them, and for
            ``NAME-timeline.png``; None: neither is written. Of a live source, ``NAME.mp4`` has the
            frames that were not dropped, and no sound.
        emit: called with each result in order, with source, frame, time and tracks.
        least_score: faces whose smoothed score is below this are flagged 'unsure'.
        plot: whether to draw the timeline.
        name: NAME of the files; None: the video's name without the suffix.
        console: terminal that ``emit`` writes to, so that the bar stays below; None: elsewhere.

    Raises:
        InputError: the address is not a stream, the extra is missing, or a file in ``annotate``
            cannot be written or is the video itself.
        ImageError: the video cannot be read. For a truncated video, the results so far have been
            emitted, drawn and plotted.
    """
    options = options or VideoOptions()
    live = find_live_source(source)
    stem = name or (Path(source).stem if live is None else _file_name(live.name))
    timeline = Timeline(detector.labels) if annotate is not None and plot else None

    def take(result: Result) -> Result:
        result = result.with_unsure(least_score)
        emit(result)
        if timeline is not None:
            timeline.add(result)
        return result

    target = None if annotate is None else annotate / f"{stem}.mp4"
    title = Path(source).name
    try:
        if live is not None:
            title = live.name
            _run_live(live, detector, options, target, take, console)
        else:
            _run_file(Path(source), detector, options, target, take, console)
    except ImageError:
        if timeline is not None and timeline.has_frames:
            _write_timeline(timeline, annotate, stem, title)
        raise
    _write_timeline(timeline, annotate, stem, title)


def _write_timeline(
    timeline: Timeline | None, annotate: Path | None, stem: str, title: str
) -> None:
    if timeline is None or annotate is None:
        return
    place = annotate / f"{stem}-timeline.png"
    try:
        timeline.write(place, f"{title}: expressions over time")
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror}") from None


def _run_file(
    path: Path,
    detector: Detector,
    options: VideoOptions,
    target: Path | None,
    take: Callable[[Result], Result],
    console: Console | None,
) -> None:
    """Process a file; twice for an annotated copy, since results use later frames."""
    info = read_video_info(path)
    if target is not None and target.exists() and target.samefile(path):
        raise InputError(f"--annotate {target.parent}: would replace {path}; name another folder")
    damage = None
    with ExitStack() as stack:
        spool = stack.enter_context(ResultSpool()) if target is not None else None
        with _progress(path.name, info.duration, console) as advance:
            results = stack.enter_context(
                closing(detect_file(path, detector.detect, options, advance))
            )
            try:
                for result in results:
                    result = take(result)
                    if spool is not None:
                        spool.add(result)
            except ImageError as error:
                damage = error
        if spool is not None and target is not None and spool.count:
            writer = stack.enter_context(VideoWriter(target, info.rate, sound_of=path))
            with _progress(f"{path.name}, drawing", info.duration, console, tells=False) as advance:
                draw_video(path, spool, writer, advance)
    if target is not None and spool is not None and spool.count and writer.sound_error:
        print(f"emotion: {target}: without sound: {writer.sound_error}", file=sys.stderr)
    if damage is not None:
        raise damage


def _run_live(
    live: LiveSource,
    detector: Detector,
    options: VideoOptions,
    target: Path | None,
    take: Callable[[Result], Result],
    console: Console | None,
) -> None:
    """Process a live source until it ends or Ctrl-C."""
    detector.detect(np.zeros((64, 64, 3), np.uint8))  # the first frame takes longest
    layout = LabelLayout()
    with ExitStack() as stack:
        opened = read_live_frames(live, options.frame_stride, options.every_seconds)
        found = stack.enter_context(closing(detect_live(opened, detector.detect, options)))
        writer = stack.enter_context(VideoWriter(target, _LIVE_RATE)) if target else None
        advance = stack.enter_context(_progress(live.name, None, console))
        with suppress(KeyboardInterrupt):
            for frame, result in found:
                result = take(result)
                if writer is not None:
                    writer.write(draw_frame(frame.rgb, result, layout), frame.time)
                advance(frame.time)
    if opened.dropped:
        count = f"{opened.dropped:,} frame{'' if opened.dropped == 1 else 's'}"
        print(f"{live.name}: {count} dropped to keep up with the source", file=sys.stderr)


@contextmanager
def _progress(
    name: str, duration: float | None, console: Console | None, tells: bool = True
) -> Iterator[Callable[[float], None]]:
    """Show the progress of a video: a bar on a terminal, or a closing line if ``tells``.

    Yields:
        A function to call with the time of each finished frame.
    """
    count, start = 0, time.monotonic()
    if not sys.stderr.isatty():

        def note(_: float) -> None:
            nonlocal count
            count += 1

        yield note
        if tells:
            frames = f"{count:,} frame{'' if count == 1 else 's'}"
            print(f"{name}: {frames} in {time.monotonic() - start:.1f} s", file=sys.stderr)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    more = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(
        *columns,
        *more,
        console=console or Console(stderr=True),
        transient=True,
        # other output on the same terminal goes above the bar too
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
