"""Live sources: cameras, RTSP and HTTP streams; frames are dropped rather than shown late."""

import errno
import numbers
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from emotion_detection.errors import InputError
from emotion_detection.images.file_types import HEIF_SUFFIXES, SUFFIXES
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.cameras import open_camera
from emotion_detection.inference.video import (
    Frame,
    FrameConverter,
    check_steps,
    check_video_extra,
    decode_stream,
    make_frame_chooser,
)

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

QUEUE = 2
"""Maximum number of queued frames; the oldest are dropped first."""

OPEN_TIMEOUT, READ_TIMEOUT = 10.0, 10.0
"""Timeouts in seconds: to connect, and to receive the next data."""

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "srt", "tcp")

_PROTOCOLS = "rtsp,rtsps,rtp,srtp,rtmp,rtmps,http,https,httpproxy,tcp,tls,udp,srt,crypto"
"""Allowed protocols, without ``file``: a server's playlist must not open local files."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_DEVICE = re.compile(r"/dev/video\d+$")
_IMAGES = {*SUFFIXES, *HEIF_SUFFIXES}
_LARGEST_DRIFT = 2.0
"""Difference in seconds between a stream's clock and this machine's that resets the former."""
_NO_CLOCK = {"mpjpeg"}
"""Formats whose timestamps are synthetic."""


_NO_INDEX = (
    "this server sends files from their beginning only, and this MP4 has its index at the end: "
    "serve MPEG-TS, HLS, or an MP4 with the index first (faststart), or download the file"
)


class LiveSource(NamedTuple):
    """A live source: a camera or a stream.

    Args:
        name: the user's name of the source.
        address: FFmpeg's name of the source.
        format: FFmpeg's input format, if the address does not imply it.
    """

    name: str
    address: str
    format: str | None = None


def find_live_source(source: object) -> LiveSource | None:
    """Return the live source of a name, or None for a file.

    Args:
        source: a camera's number, its device (``/dev/video0``), an address (``rtsp://…``,
            ``http://…``), or anything else. A file named ``0`` takes precedence over camera 0. An
            address with the suffix of an image is not a stream.

    Raises:
        InputError: a negative number.
    """
    if isinstance(source, numbers.Integral) and not isinstance(source, bool):
        if int(source) < 0:
            raise InputError(f"camera {source}: cameras are numbered from 0")
        return _camera(int(source))
    if not isinstance(source, str | os.PathLike):
        return None
    name = os.fspath(source)
    if isinstance(source, str) and (scheme := _ADDRESS.match(name)):
        is_image = PurePosixPath(urlsplit(name).path).suffix.lower() in _IMAGES
        known = scheme[1].lower() in SCHEMES
        return LiveSource(name, name) if known and not is_image else None
    if name.isascii() and name.isdecimal() and len(name) < 4 and not Path(name).exists():
        return _camera(int(name))
    if _DEVICE.match(name):
        return LiveSource(name, name, "v4l2")
    return None


def _camera(number: int) -> LiveSource:
    if sys.platform == "darwin":
        return LiveSource(str(number), str(number), "avfoundation")
    if sys.platform == "win32":
        return LiveSource(str(number), str(number), "dshow")
    return LiveSource(str(number), f"/dev/video{number}", "v4l2")


def read_live_frames(
    source: LiveSource, frame_stride: int = 1, every_seconds: float | None = None
) -> "LiveFrames":
    """Open a live source.

    Args:
        source: the source.
        frame_stride: as for :func:`.video.read_frames`; dropped frames count.
        every_seconds: as for :func:`.video.read_frames`.

    Raises:
        InputError: a bad stride or interval, or the extra ``video`` is missing.
        ImageError: it cannot be opened.
    """
    check_steps(frame_stride, every_seconds)
    check_video_extra()
    return LiveFrames(source, frame_stride, every_seconds)


class LiveFrames:
    """Iterate over the newest frames of a live source.

    A thread decodes all frames, so that the source never blocks, into a queue of :data:`QUEUE`
    frames. If the frames are consumed more slowly than they arrive, the oldest are dropped and
    counted in ``dropped``. A source that sends faster than the timestamps advance, such as a file
    on a web server, is read in real time. Close the object, or leave the ``with`` block, to stop
    the thread.

    Args:
        source: the source.
        frame_stride: as for :func:`read_live_frames`.
        every_seconds: as for :func:`read_live_frames`.

    Raises:
        ImageError: the source cannot be opened.
    """

    def __init__(
        self, source: LiveSource, frame_stride: int = 1, every_seconds: float | None = None
    ) -> None:
        self.source = source
        self.dropped = 0
        self._keep = make_frame_chooser(frame_stride, every_seconds)
        self._queue: deque[tuple[int, float, VideoFrame]] = deque()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._is_opened, self._is_over = False, False
        self._error: str | None = None
        self._last = 0.0
        self._thread = threading.Thread(target=self._run, name="live source", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_opened or self._is_over)
        if not self._is_opened:
            raise ImageError(f"{source.name}: {self._error}")

    def __iter__(self) -> Generator[Frame, None, None]:
        """Yield frames until the source ends.

        Raises:
            ImageError: no frame could be decoded, or the connection broke off.
        """
        converter, last = FrameConverter(self.source.name), None
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._is_over, timeout=1.0)
                    if not self._queue:
                        if self._is_over:
                            break
                        continue  # woken to let Ctrl-C through
                    number, last, frame = self._queue.popleft()
                yield Frame(number, last, converter.convert(frame))
        finally:
            self.close()
        if self._error is not None:
            after = "" if last is None else f" after {last:.1f} s"
            raise ImageError(f"{self.source.name}: broke off{after}: {self._error}")
        if last is None:
            raise ImageError(f"{self.source.name}: no frame of it can be decoded")

    def close(self) -> None:
        """Stop the thread; the source is closed as soon as its data or its timeout comes."""
        self._stopped.set()
        self._thread.join(timeout=0.5)

    def _run(self) -> None:
        import av

        try:
            with _open_source(self.source) as container:
                self._read(container)
        except (av.FFmpegError, OSError, ImageError) as error:
            self._error = _failure(error)
        except Exception as error:  # wake the consumer, which would wait for ever
            self._error = f"unforeseen {type(error).__name__}: {error}"
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _read(self, container: "InputContainer") -> None:
        if not container.streams.video:
            raise ImageError("there is no video in it")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threading would delay the output by several frames
        with self._changed:
            self._is_opened = True
            self._changed.notify_all()
        clock = _Clock(has_times=container.format.name not in _NO_CLOCK)
        for number, frame in enumerate(_decode_live(container, stream)):
            ahead = clock.tick(frame.time)
            if self._stopped.wait(ahead) if ahead > 0 else self._stopped.is_set():
                return
            if not self._keep(number, clock.time):
                continue
            with self._changed:
                if len(self._queue) >= QUEUE:
                    self._queue.popleft()
                    self.dropped += 1
                self._queue.append((number, clock.time, frame))
                self._changed.notify_all()


def _decode_live(container: "InputContainer", stream: "VideoStream") -> Iterator["VideoFrame"]:
    """Yield decoded frames; distinguish the end of a stream from a broken connection.

    Raises:
        ImageError: no data came in time, or the server cannot stream this file.
    """
    import av

    is_begun, asked = False, time.monotonic()
    try:
        for frame, _ in decode_stream(container, stream):
            is_begun = True
            yield frame
            asked = time.monotonic()
    except av.InvalidDataError:
        # an MJPEG stream may end in the middle of an image
        if not (is_begun and container.format.name in _NO_CLOCK):
            raise
    except OSError as error:
        if time.monotonic() - asked >= 0.9 * READ_TIMEOUT:
            raise ImageError(f"no data came in time ({READ_TIMEOUT:g} s)") from None
        if not is_begun and "mov" in container.format.name:
            raise ImageError(_NO_INDEX) from None
        # FFmpeg reports this at the end of a response without a Content-Length
        if not (is_begun and error.errno == errno.EIO and container.size < 0):
            raise


class _Clock:
    """Convert timestamps to presentation times, in seconds from the first frame.

    Args:
        has_times: whether the stream's timestamps are used, or the times of arrival.
    """

    def __init__(self, has_times: bool) -> None:
        self.time = 0.0
        self._has_times = has_times
        self._start: float | None = None
        self._offset = 0.0

    def tick(self, moment: float | None) -> float:
        """Add the next frame's time; return the seconds by which the frame is early."""
        now = time.monotonic()
        if self._start is None:
            self._start, self._offset = now, moment or 0.0
        passed = now - self._start
        if moment is None or not self._has_times:
            self.time = max(self.time, passed)
            return 0.0
        shown = moment - self._offset
        if abs(shown - passed) > _LARGEST_DRIFT:  # the clock jumped, or the network stalled
            self._offset, shown = moment - passed, passed
        self.time = max(self.time, shown)
        return shown - passed


def _open_source(source: LiveSource) -> "InputContainer":
    """Open a source.

    Raises:
        ImageError: there is no such camera.
    """
    import av

    timeout = (OPEN_TIMEOUT, READ_TIMEOUT)
    if source.format is None:
        options = {"protocol_whitelist": _PROTOCOLS, "rtsp_transport": "tcp"}
        return av.open(source.address, options=options, timeout=timeout, metadata_errors="replace")
    return open_camera(source.address, source.format, timeout)


def _failure(error: Exception) -> str:
    """Return in one line why a source cannot be read."""
    if isinstance(error, ImageError):
        return str(error)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if "xit requested" in reason:  # FFmpeg's word for a timeout
        reason = "no answer in time"
    return f"cannot be read: {' '.join(reason.split())}"
