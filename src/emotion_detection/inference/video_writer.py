"""Encode annotated videos by PyAV, with the source's sound; needs the extra ``video``."""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.video import check_video_extra, open_video

if TYPE_CHECKING:
    from av import Packet

_TIME_BASE = Fraction(1, 90_000)
_BT709 = 1
_MPEG_RANGE = 1
_COPIED_SOUND = {"aac", "mp3", "mp3float", "ac3", "eac3", "alac"}
"""Audio codecs that players support in MP4; others are re-encoded as AAC."""
_LONGEST_GAP = 60.0
"""Maximum seconds between two frames, so that a wrong timestamp cannot make a video of days."""


class VideoWriter:
    """Write a video atomically: H.264 in MP4, 8-bit 4:2:0, BT.709.

    A context manager: the video appears at ``path`` when the block ends without an exception.
    Nothing appears otherwise, or if no frame was written.

    Frames keep their times, so a variable frame rate is kept. Of two frames at the same time, the
    later one is kept. Odd sizes get one more row or column, as H.264 requires.

    Args:
        path: the video; any suffix. Parent directories are created.
        rate: approximate frames per second, which sets the duration of the last frame.
        sound_of: a video whose first audio track is copied, at the same times; None: no sound.

    Raises:
        InputError: the extra ``video`` is missing, or (also from :meth:`write` and at the end of
            the block) the video cannot be written.
    """

    def __init__(self, path: Path, rate: float, sound_of: Path | None = None) -> None:
        check_video_extra()
        self.path = path
        self.sound_error: str | None = None
        """The reason why the sound is missing or ends early."""
        self._rate = Fraction(rate).limit_denominator(100_000)
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._sound_of = sound_of
        self._sound: Iterator[Packet[Any]] = iter(())
        self._next_sound: Packet[Any] | None = None
        self._container: Any = None
        self._video: Any = None
        self._shape: tuple[int, ...] = ()
        self._held: tuple[npt.NDArray[np.uint8], int] | None = None
        self._start, self._last, self._leap = 0.0, 0.0, 0.0

    def write(self, rgb: npt.NDArray[np.uint8], time: float) -> None:
        """Add a frame.

        Args:
            rgb: uint8 (height, width, 3), of the first frame's size.
            time: when it is shown, in seconds. With sound, from the start of its file; without,
                only differences to the first frame's time count.

        Raises:
            ValueError: a frame of another size.
        """
        if self._container is None:
            self._shape, self._last = rgb.shape, time
            self._start = 0.0 if self._sound_of is not None else time
            with self._told_errors():
                self._open(rgb.shape[1] + rgb.shape[1] % 2, rgb.shape[0] + rgb.shape[0] % 2)
        if rgb.shape != self._shape:
            raise ValueError(f"a frame of shape {rgb.shape} among those of {self._shape}")
        self._leap += max(time - self._last - _LONGEST_GAP, 0)
        self._last = time
        ticks = round((time - self._start - self._leap) / _TIME_BASE)
        if self._held is not None and ticks > self._held[1]:
            self._put(*self._held)
        odd = [(0, side % 2) for side in rgb.shape[:2]]
        padded = np.pad(rgb, [*odd, (0, 0)], "edge") if any(odd[0] + odd[1]) else rgb
        self._held = padded, ticks if self._held is None else max(ticks, self._held[1])

    def _open(self, width: int, height: int) -> None:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        # created here, since FFmpeg's message does not say what is wrong with the path
        self._part.open("wb").close()
        place = f"file:{self._part.absolute()}"
        options = {"movflags": "+faststart"}
        self._container = av.open(place, "w", format="mp4", container_options=options)
        encoder = {"preset": "veryfast", "crf": "20"}
        video = self._container.add_stream("libx264", rate=self._rate, options=encoder)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.time_base = video.codec_context.time_base = _TIME_BASE
        # players assume BT.709 or BT.601 for untagged colours, each in a different way
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _MPEG_RANGE
        self._video = video
        if self._sound_of is not None:
            self._sound = self._read_sound(self._sound_of)
            self._next_sound = next(self._sound, None)

    def _read_sound(self, path: Path) -> Iterator["Packet[Any]"]:
        """Add a sound track to the output, and yield its packets; a failure ends the sound."""
        import av

        try:
            with open_video(path) as source:
                if not source.streams.audio:
                    return
                yield from _sound_packets(source, self._container)
        except (av.FFmpegError, ImageError, OSError, ValueError) as error:
            self.sound_error = str(error)

    def _put(self, rgb: npt.NDArray[np.uint8], ticks: int) -> None:
        import av

        with self._told_errors():
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=_BT709, dst_color_range=_MPEG_RANGE
            )
            frame.pts, frame.time_base = ticks, _TIME_BASE
            frame.color_primaries = frame.color_trc = _BT709
            self._mux_sound(float(ticks * _TIME_BASE))
            for packet in self._video.encode(frame):
                self._container.mux(packet)

    def _mux_sound(self, until: float | None) -> None:
        """Add the sound up to a time in seconds, so that both tracks are interleaved."""
        while (packet := self._next_sound) is not None:
            if until is not None and float((packet.dts or 0) * packet.time_base) > until:
                return
            try:
                self._container.mux(packet)
                self._next_sound = next(self._sound, None)
            except ValueError as error:  # a damaged packet; a full disk is an OSError
                self.sound_error, self._next_sound = str(error), None

    def _finish(self) -> None:
        if self._held is not None:
            self._put(*self._held)
            end = float(self._held[1] * _TIME_BASE + 1 / self._rate)
            self._mux_sound(None if self._leap else max(end, self._last))
        for packet in self._video.encode(None):
            self._container.mux(packet)
        self._container.close()
        os.replace(self._part, self.path)

    @contextlib.contextmanager
    def _told_errors(self) -> Iterator[None]:
        """Convert errors of writing into an :class:`InputError` of one line."""
        import av

        try:
            yield
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self.path}: cannot be written: {reason}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._container is None:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
            return
        try:
            if kind is None:
                with self._told_errors():
                    self._finish()
        finally:
            with contextlib.suppress(Exception):  # its trailer may not fit on a full disk
                self._container.close()
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)


def _sound_packets(source: Any, target: Any) -> Iterator["Packet[Any]"]:
    """Yield the packets of a source's first sound track, from time 0, for a target container."""
    import av

    track = source.streams.audio[0]
    is_copied = track.codec_context.name in _COPIED_SOUND
    start = Fraction(source.start_time or 0, 1_000_000)
    if is_copied:
        output = target.add_stream_from_template(track)
    else:
        rate = track.codec_context.sample_rate
        output = target.add_stream("aac", rate=rate if rate in _AAC_RATES else 48_000)
        output.codec_context.layout = track.codec_context.layout.name
    offset = round(start / track.time_base)
    for packet in source.demux(track):
        if is_copied:
            if packet.dts is None:
                continue
            packet.pts = None if packet.pts is None else packet.pts - offset
            packet.dts -= offset
            packet.stream = output
            yield packet
            continue
        with contextlib.suppress(av.InvalidDataError):  # a damaged piece of sound is left out
            for frame in packet.decode():
                frame.pts = None if frame.pts is None else frame.pts - offset
                yield from output.encode(frame)
    if not is_copied:
        yield from output.encode(None)


_AAC_RATES = {8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200}
