"""Decode the frames of videos, with their times, by PyAV; needs the extra ``video``."""

import math
import mmap
import numbers
import os
import re
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError, missing_package, shorten
from emotion_detection.images.damage import find_damage, name_content
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.video_hdr import ToneMapper, needs_tone_mapping
from emotion_detection.io.files import get_path_kind

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv"),
)
"""Suffixes of video files."""

MAX_FRAME_PIXELS = 150_000_000
"""Maximum pixels of a frame. 8K has 33 million; H.264 allows 140 million; a broken header may claim
more."""

# Playlists and lists of files are excluded, since they could refer to any other file.
_FORMATS = "mov,matroska,avi,mpeg,mpegts,asf,flv,ogg"
_MATROSKA = ("matroska", "webm")
_NO_VIDEO = "there is no video in it"
_MOST_THREADS = 4
"""Decoding threads. Each holds a frame, which takes 100 MB at 8K."""


class Frame(NamedTuple):
    """One frame of a video.

    Args:
        number: from 0, in display order; skipped frames count.
        time: display time in seconds from the start of the source.
        rgb: uint8 (height, width, 3), upright, square pixels, standard dynamic range; owned by
            the receiver.
    """

    number: int
    time: float
    rgb: npt.NDArray[np.uint8]


class VideoInfo(NamedTuple):
    """Facts from a video's header.

    Args:
        duration: in seconds, of the longest stream; None if unknown.
        rate: frames per second on average, 1 to 120; 25 if unknown.
    """

    duration: float | None
    rate: float


def is_video(path: str | Path) -> bool:
    """Return True if a file's name has the suffix of a video."""
    return Path(path).suffix.lower() in SUFFIXES


def check_video_extra() -> None:
    """Raise :class:`InputError` if the extra ``video`` is not installed."""
    try:
        import av
    except ModuleNotFoundError:
        raise missing_package("a video", "av", "video") from None
    del av


def read_video_info(path: str | Path) -> VideoInfo:
    """Read a video's header.

    Raises:
        InputError: an address, or the extra ``video`` is missing.
        ImageError: no such file.
    """
    place = _checked_path(path)
    try:
        with open_video(place) as container:
            stream = _video_stream(container, place)
            seconds = None if container.duration is None else container.duration / 1e6
            # both the average and the guess from single frames can be far too high, as in AVI
            rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    except ImageError:
        return VideoInfo(None, 25.0)
    return VideoInfo(seconds, min(max(min(rates, default=25.0), 1.0), 120.0))


def read_frames(
    path: str | Path, frame_stride: int = 1, every_seconds: float | None = None
) -> Generator[Frame, None, None]:
    """Decode a video frame by frame, in constant memory.

    Times are those of the file, so a variable frame rate is kept: no frame is repeated or dropped.
    A frame without a timestamp, or with an earlier one than the previous frame, gets the time of
    the previous frame. Rotation and mirroring from the metadata of phones are applied, pixels are
    made square, HDR is tone-mapped, and frames of another size are scaled to that of the first.
    Single damaged frames are left out. Closing the generator closes the file.

    Args:
        path: a local file.
        frame_stride: 1 for all frames, N for every Nth, beginning with the first.
        every_seconds: of the frames so chosen, yield at most one in each interval of this length.

    Yields:
        The frames in order.

    Raises:
        InputError: an address, a bad stride or interval, or the extra ``video`` is missing.
        ImageError: the file does not exist, or is not a video that can be decoded. For a truncated
            video, the error comes after the complete frames; truncated AVI, MPEG-TS, FLV and WMV
            files are not recognized.
    """
    check_steps(frame_stride, every_seconds)
    return _decode_file(_checked_path(path), frame_stride, every_seconds)


def check_steps(frame_stride: int, every_seconds: float | None) -> None:
    """Raise :class:`InputError` if the stride or the interval is out of range."""
    whole = isinstance(frame_stride, numbers.Integral) and not isinstance(frame_stride, bool)
    if not whole or frame_stride < 1:
        raise InputError(f"frame_stride {frame_stride!r}: must be a whole number from 1")
    if every_seconds is None:
        return
    number = isinstance(every_seconds, numbers.Real) and not isinstance(every_seconds, bool)
    if not number or not 0 < every_seconds < math.inf:
        raise InputError(f"every_seconds {every_seconds!r}: must be a number of seconds above 0")


def make_frame_chooser(
    frame_stride: int, every_seconds: float | None
) -> Callable[[int, float], bool]:
    """Return a function from a frame's number and time to whether the frame is kept."""
    last_interval = -1

    def keep(number: int, time: float) -> bool:
        nonlocal last_interval
        if number % frame_stride:
            return False
        if every_seconds is None:
            return True
        # a frame a hair before the interval's start belongs to it: times are rounded in files
        interval = math.floor(time / every_seconds + 1e-3)
        chosen, last_interval = interval > last_interval, max(interval, last_interval)
        return chosen

    return keep


def open_video(path: Path) -> "InputContainer":
    """Open a local file, without following references to others.

    Raises:
        ImageError: the file is not a video of a supported format.
    """
    import av

    only = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        return av.open(f"file:{path.absolute()}", options=only, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise ImageError(f"{path}: {_open_failure(path, error)}") from None


def _open_failure(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "cannot be read: Permission denied"
    not_read = f"not a video of a kind that is read ({', '.join(SUFFIXES)})"
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            what = name_content(data[:512])
            damage = find_damage(data) if what is not None and "video" in what else None
    except (OSError, ValueError):
        return not_read
    if what is None:
        return not_read
    if "image" in what:
        suffix = "an image's, such as .gif or .jpg"
        return f"{what}, {not_read}; its name must end as {suffix}"
    if "video" not in what:
        return f"{what}, {not_read}"
    return f"{what}, {damage or 'truncated or damaged: its header cannot be read'}"


def decode_stream(
    container: "InputContainer", stream: "VideoStream"
) -> Generator[tuple["VideoFrame", "Packet[Any]"], None, None]:
    """Yield decoded frames, each with the packet that completed it; skip damaged ones.

    Raises:
        av.FFmpegError: the container cannot be read any further.
    """
    import av

    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                yield frame, packet
        except av.InvalidDataError:  # one damaged frame; decoding recovers at the next key frame
            continue


class FrameConverter:
    """Convert decoded frames to upright RGB arrays of the size of the first.

    Args:
        name: of the source, for messages.
        pixel_aspect: width of a pixel over its height.
    """

    def __init__(self, name: str, pixel_aspect: float = 1.0) -> None:
        self._name = name
        self._aspect = min(max(pixel_aspect, 0.25), 4.0)
        self._size: tuple[int, int] | None = None
        self._tone_mapper = ToneMapper()

    def convert(self, frame: "VideoFrame") -> npt.NDArray[np.uint8]:
        """Return a frame as uint8 (height, width, 3).

        Raises:
            ImageError: it is too large.
        """
        if frame.width * frame.height > MAX_FRAME_PIXELS:
            limit = f"{MAX_FRAME_PIXELS / 1e6:.0f} megapixels"
            raise ImageError(
                f"{self._name}: frames of {frame.width} x {frame.height}: more than {limit}"
            )
        size = self._size or (max(1, round(frame.width * self._aspect)), frame.height)
        self._size = size
        mapped = self._tone_mapper.map(frame) if needs_tone_mapping(frame) else frame
        rgb: Any = mapped.to_ndarray(format="rgb24", width=size[0], height=size[1])
        return _turn_upright(np.asarray(rgb, np.uint8), frame)


def _turn_upright(rgb: npt.NDArray[np.uint8], frame: "VideoFrame") -> npt.NDArray[np.uint8]:
    """Apply the display matrix that phones write: quarter turns and mirroring."""
    noted: Any = frame.side_data.get("DISPLAYMATRIX")
    if noted is None:
        return rgb
    # a point's x' is a x + c y and its y' is b x + d y (ISO/IEC 14496-12, 8.3.2)
    (a, b), (c, d) = np.frombuffer(bytes(noted), np.int32).reshape(3, 3)[:2, :2].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        turned = rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    else:
        turned = rgb.transpose(1, 0, 2)[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
    return np.ascontiguousarray(turned)


def _decode_file(
    path: Path, frame_stride: int, every_seconds: float | None
) -> Generator[Frame, None, None]:
    import av

    keep = make_frame_chooser(frame_stride, every_seconds)
    number, time, is_cut = 0, 0.0, False
    with open_video(path) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)
        converter = FrameConverter(str(path), float(stream.sample_aspect_ratio or 1) or 1.0)
        start = (container.start_time or 0) / 1e6
        with closing(decode_stream(container, stream)) as decoded:
            try:
                for frame, packet in decoded:
                    # MPEG-TS marks packets after any gap, also where two files were joined
                    is_cut = is_cut or (packet.is_corrupt and "mov" in container.format.name)
                    if frame.time is not None:
                        time = max(time, frame.time - start)
                    if keep(number, time):
                        yield Frame(number, time, converter.convert(frame))
                    number += 1
            except (av.FFmpegError, OSError):
                is_cut = True
        is_cut = is_cut or _is_matroska_cut(container, path)
    if not number:
        raise ImageError(f"{path}: no frame of it can be decoded")
    if is_cut:
        raise ImageError(f"{path}: cut off or damaged after {time:.2f} s")


def _video_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """Return the first video stream that is not a cover image.

    Raises:
        ImageError: there is no such stream.
    """
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise ImageError(f"{path}: its video is of a kind that nothing here decodes")
            return stream
    raise ImageError(f"{path}: {_NO_VIDEO}")


def _is_matroska_cut(container: "InputContainer", path: Path) -> bool:
    """Return True if a Matroska file is shorter than its first element says (RFC 9559)."""
    if not any(kind in container.format.name for kind in _MATROSKA):
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    place = head.find(b"\x18\x53\x80\x67")  # the segment: its size follows
    if place < 0 or place + 12 > len(head) or not head[place + 4]:
        return False
    length = 9 - head[place + 4].bit_length()
    size = int.from_bytes(head[place + 4 : place + 4 + length]) & ((1 << 7 * length) - 1)
    unknown = (1 << 7 * length) - 1  # as of live recordings
    return size != unknown and place + 4 + length + size > path.stat().st_size


def _checked_path(path: str | Path) -> Path:
    """Return a local path, after checking that the file exists and the extra is installed."""
    check_video_extra()
    path = Path(path)
    # at least two letters: a single one is a drive
    is_url = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(path)) is not None
    kind = None if is_url and not os.path.lexists(path) else get_path_kind(path)
    if kind != "file":
        if is_url:
            shown = shorten(str(path))
            raise InputError(f"{shown}: only local files are opened; download it first")
        raise ImageError(f"{path}: {'no such file' if kind is None else 'not a file'}")
    if not path.stat().st_size:
        raise ImageError(f"{path}: an empty file")
    return path
