"""Videos by the ffmpeg of the extra ``video``: their frames, with times."""

import io
import re
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.images import MAX_PIXELS, PictureError
from emotion_detection.inference.ffmpeg import Log, ffmpeg

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv"),
)
"""Suffixes of the files that are taken for videos."""

# No playlist and no list of files is on it: those could make ffmpeg open what nobody named.
_FORMATS = "mov,matroska,avi,mpeg,mpegts,asf,flv,ogg"
_REASONS = (
    ("matches no streams", "there is no video in it"),
    ("not on whitelist", f"not a video of a kind that is read ({', '.join(SUFFIXES)})"),
    ("max pixel count", f"frames of more than {MAX_PIXELS / 1e6:.0f} megapixels"),
)


class Frame(NamedTuple):
    """One frame of a video.

    Args:
        number: from 0, in the order of showing, skipped frames counted as well.
        time: when it is shown, in seconds from the start of the file.
        rgb: uint8 (height, width, 3), upright, with square pixels; nobody else holds it.
    """

    number: int
    time: float
    rgb: npt.NDArray[np.uint8]


class VideoInfo(NamedTuple):
    """What a video says of itself before it is decoded.

    Args:
        duration: in seconds, of its longest stream; None where it does not say.
        rate: frames a second on average, 1 to 120; 25 where it does not say.
    """

    duration: float | None
    rate: float


def is_video(path: str | Path) -> bool:
    """Say whether a file's name has the suffix of a video."""
    return Path(path).suffix.lower() in SUFFIXES


def video_info(path: str | Path) -> VideoInfo:
    """Read a video's header.

    Raises:
        InputError: an address, or the extra ``video`` is missing.
        PictureError: there is no such file.
    """
    command = [*ffmpeg("info"), *_input(path)]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = said.stderr.decode("utf-8", "replace")
    length = re.search(r"^\[info\]   Duration: (\d+):(\d+):([\d.]+)", text, re.MULTILINE)
    stream = re.search(r"^\[info\]   Stream #.*: Video: .*$", text, re.MULTILINE)
    # both the average and the guess from single frames can be far too high, in AVI for one
    found = re.findall(r" ([\d.]+)(k?) (?:fps|tbr)", stream[0]) if stream else []
    rates = [float(number) * (1000 if thousands else 1) for number, thousands in found]
    return VideoInfo(
        int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None,
        min(max(min(rates, default=25.0), 1.0), 120.0),
    )


def frames(path: str | Path, every: int = 1) -> Generator[Frame, None, None]:
    """Decode a video frame by frame, in constant memory.

    The times are those of the file, so a variable frame rate stays as it is: no frame is doubled
    or dropped to even it out. A frame without a timestamp, or with an earlier one than the frame
    before, gets that of the frame before. The rotation that phones write down is applied, pixels
    that are not square are stretched to be, and where the size changes midway, what follows is
    brought to the first frame's size. Single damaged frames are left out, or shown as ffmpeg
    conceals them. ffmpeg ends with the generator, also when that is closed early.

    Args:
        path: a local file.
        every: 1 for all frames, N for each Nth, beginning with the first.

    Yields:
        The frames in order.

    Raises:
        InputError: an address, a bad ``every``, or the extra ``video`` is missing.
        PictureError: no such file, no video, or none that can be decoded. Of a video that is cut
            off, the frames that are there come first; AVI, MPEG-TS, FLV and WMV do not tell.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InputError(f"every {every!r}: must be a whole number from 1")
    filters = (
        f"select=not(mod(n\\,{every})),"
        "scale=w='max(1,round(iw*clip(sar,0.25,4)))':h=ih,format=rgb24,showinfo=checksum=0"
    )
    command = [*ffmpeg("info"), "-max_pixels", str(MAX_PIXELS), *_input(path)]
    command += ["-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough"]
    # passthrough: by default ffmpeg doubles and drops frames to a constant rate
    return _decoded(Path(path), [*command, "-f", "rawvideo", "pipe:1"], every)


def _decoded(path: Path, command: list[str], every: int) -> Generator[Frame, None, None]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    picture = cast(io.BufferedReader, process.stdout)
    log = Log(cast(IO[bytes], process.stderr))
    number, time, shape = 0, 0.0, None
    try:
        while (shown := log.frames.get()) is not None:
            time = max(time, shown[0])
            shape = shape or (shown[2], shown[1], 3)
            if shape[0] * shape[1] > MAX_PIXELS:
                raise PictureError(f"{path}: {_REASONS[-1][1]}")
            rgb = np.empty(shape, np.uint8)
            if picture.readinto(rgb.data.cast("B")) < rgb.nbytes:
                break
            yield Frame(number, time, rgb)
            number += every
        log.join()
        failed = process.wait() != 0
        if not number:
            raise PictureError(f"{path}: {_reason(log.reasons)}")
        if failed or log.cut:
            reason = log.cut or _reason(log.reasons)
            raise PictureError(f"{path}: cut off or damaged after {time:.2f} s: {reason}")
    finally:
        process.kill()
        picture.close()
        log.join()
        process.wait()


def _reason(reasons: list[str]) -> str:
    """Return the one that tells most, in a person's words."""
    for sign, words in _REASONS:
        if any(sign in reason for reason in reasons):
            return words
    return f"not a video that can be read: {next(iter(reasons), 'no frame in it')[:160]}"


def _input(path: str | Path) -> list[str]:
    """Return the options that make ffmpeg open one local file, and nothing else."""
    path = Path(path)
    if not path.is_file():
        # two letters and more: one is a drive
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(path)):
            raise InputError(f"{path}: only local files are opened; download it first")
        raise PictureError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    if not path.stat().st_size:
        raise PictureError(f"{path}: an empty file")
    only = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    return [*only, "-i", f"file:{path.absolute()}"]
