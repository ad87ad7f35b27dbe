"""Annotated videos, by the ffmpeg of the extra ``video``."""

import contextlib
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.inference.ffmpeg import Log, ffmpeg

LONGEST_GAP = 60.0
"""Seconds that a writer repeats a frame at most: one wrong timestamp must not fill the disk."""


class VideoWriter:
    """Writes a video without sound, whole or not at all: H.264 in MP4, 8-bit 4:2:0, BT.709.

    A context manager: the video appears at ``path`` when the block ends well. Nothing appears when
    it ends by an exception, or when no frame was written.

    The frame rate is constant: frames that are shown for longer are repeated, and of two that fall
    on the same moment the later stays. Odd sizes get one more row or column, as H.264 needs.

    Args:
        path: the video; any suffix. Missing folders are made.
        rate: frames a second.

    Raises:
        InputError: the extra ``video`` is missing, or (also from :meth:`write` and at the end of
            the block) the video cannot be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path = path
        self._rate = rate
        self._program = ffmpeg("error")
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._process: subprocess.Popen[bytes] | None = None
        self._shape: tuple[int, ...] = ()
        self._frame = b""
        self._start, self._slot = 0.0, 0

    def write(self, rgb: npt.NDArray[np.uint8], time: float) -> None:
        """Add a frame.

        Args:
            rgb: uint8 (height, width, 3), of the first frame's size.
            time: when it is shown, in seconds; only differences to the first frame's time count.

        Raises:
            ValueError: a frame of another size.
        """
        if self._process is None:
            self._shape, self._start = rgb.shape, time
            self._open(rgb.shape[1] + rgb.shape[1] % 2, rgb.shape[0] + rgb.shape[0] % 2)
        if rgb.shape != self._shape:
            raise ValueError(f"a frame of shape {rgb.shape} among those of {self._shape}")
        slot = max(round((time - self._start) * self._rate), self._slot)
        self._put(min(slot - self._slot, round(LONGEST_GAP * self._rate)))
        odd = [(0, side % 2) for side in rgb.shape[:2]]
        self._frame, self._slot = np.pad(rgb, [*odd, (0, 0)], "edge").tobytes(), slot

    def _open(self, width: int, height: int) -> None:
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        # players take unmarked colours for BT.709 or BT.601 as they like
        marks = ":".join(f"{of}=bt709" for of in ("colorspace", "color_primaries", "color_trc"))
        colours = f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams={marks}"
        command = [*self._program, "-y", *raw, "-r", f"{self._rate:.6g}", "-i", "pipe:0"]
        command += ["-vf", colours, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
        command += ["-movflags", "+faststart", "-f", "mp4", f"file:{self._part.absolute()}"]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self._pipe = cast(IO[bytes], self._process.stdin)
        self._log = Log(cast(IO[bytes], self._process.stderr))

    def _put(self, times: int) -> None:
        try:
            for _ in range(times):
                self._pipe.write(self._frame)
        except OSError:  # ffmpeg has ended
            raise self._failed() from None

    def _failed(self) -> InputError:
        self._log.join()
        reason = next(iter(self._log.reasons), "ffmpeg ended")
        return InputError(f"{self.path}: cannot be written: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        try:
            if kind is None:
                self._put(1)
                self._pipe.close()
                if self._process.wait():
                    raise self._failed()
                os.replace(self._part, self.path)
        except OSError as problem:
            raise InputError(f"{self.path}: cannot be written: {problem.strerror}") from None
        finally:
            self._process.kill()
            with contextlib.suppress(OSError):  # of what ffmpeg did not take any more
                self._pipe.close()
            self._log.join()
            self._process.wait()
            self._part.unlink(missing_ok=True)
