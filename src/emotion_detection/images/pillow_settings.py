"""Pillow's and libtiff's process-wide settings while images are read."""

import ctypes
import logging
import threading
import warnings
from contextlib import ExitStack

from PIL import Image, _imaging

# without any handler, Python prints Pillow's errors to standard error
logging.getLogger("PIL").addHandler(logging.NullHandler())


class PillowSettings:
    """Keep Pillow from warning and limiting sizes, and libtiff from printing.

    A context manager for any number of threads at once. Warnings of odd metadata are let pass. The
    size that a header states is checked by :mod:`.opening`, against limits that users may set.
    ``warnings.catch_warnings`` by itself leaves its filters behind where threads overlap. libtiff
    prints what is wrong with a file to standard error, beside the message of this package.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module="PIL")
                self._before.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                Image.MAX_IMAGE_PIXELS = None
                _silence_libtiff(self._before)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._before.close()


def _silence_libtiff(before: ExitStack) -> None:
    """Take libtiff's message handler away; leaving ``before`` sets it again."""
    try:
        # the search for a name goes on in the libraries that Pillow's own is linked with
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # on Windows its names are hidden
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    before.callback(set_handler, set_handler(None))


PILLOW_SETTINGS = PillowSettings()
