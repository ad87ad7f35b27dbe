"""The ffmpeg of the extra ``video``: its program, and what it says while it works."""

import importlib
import math
import queue
import re
import shutil
import threading
from typing import IO

from emotion_detection.errors import InputError, missing

_SHOWN = re.compile(r"\[Parsed_showinfo_.*? pts_time: *(\S+) .*? s:(\d+)x(\d+) ")
_FAILED = re.compile(r"(?:\[[^\]]*\] )*\[(?:error|fatal)\] (?P<reason>.+)")
_CUT = re.compile("partial file|ended prematurely")


def ffmpeg(level: str) -> list[str]:
    """Return the beginning of every command: the program, and what it is to say.

    Args:
        level: of ffmpeg's log.

    Raises:
        InputError: the extra, or its ffmpeg, is missing.
    """
    try:
        # by name, since nothing but this extra knows the module
        program = str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except ModuleNotFoundError:
        raise missing("a video", "imageio-ffmpeg", "video") from None
    except RuntimeError as error:
        raise InputError(f"videos need ffmpeg: {' '.join(str(error).split())}") from None
    if shutil.which(program) is None:
        raise InputError(f"videos need ffmpeg: {program} is no program (IMAGEIO_FFMPEG_EXE)")
    return [program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", f"level+{level}"]


class Log(threading.Thread):
    """Reads what ffmpeg says while it works: a line for each decoded frame, and errors.

    Args:
        said: ffmpeg's standard error; closed at its end.
    """

    def __init__(self, said: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.frames: queue.SimpleQueue[tuple[float, int, int] | None] = queue.SimpleQueue()
        self.reasons: list[str] = []
        self.cut: str | None = None
        self._said = said
        self.start()

    def run(self) -> None:
        """Put time, width and height of each frame into the queue, None when ffmpeg has ended."""
        try:
            with self._said:
                for line in self._said:
                    self._take(line.decode("utf-8", "replace").rstrip())
        finally:
            self.frames.put(None)

    def _take(self, text: str) -> None:
        if shown := _SHOWN.match(text):
            time = -math.inf if shown[1] == "NOPTS" else float(shown[1])
            self.frames.put((time, int(shown[2]), int(shown[3])))
        elif failed := _FAILED.match(text):
            if _CUT.search(text):
                self.cut = failed["reason"]
            if len(self.reasons) < 20:  # a damaged video has thousands
                self.reasons.append(failed["reason"])
