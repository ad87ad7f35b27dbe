"""Set Pillow's and libtiff's process-wide settings while images are read."""

import ctypes
import functools
import logging
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack

from PIL import Image, _imaging

# without any handler, Python prints Pillow's errors to standard error
logging.getLogger("PIL").addHandler(logging.NullHandler())


class PillowSettings:
    """Disable Pillow's warnings and size limits, and libtiff's messages.

    A thread-safe context manager. Warnings about odd metadata are suppressed. The size in the
    header is checked by :mod:`.opening`, against limits that users may set.
    ``warnings.catch_warnings`` alone would leave filters behind if threads overlap. libtiff would
    print errors to standard error, beside the message of this package.
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
    """Remove libtiff's message handler; the end of ``before`` restores it."""
    set_handler = _find_handler_setter()
    if set_handler is not None:
        before.callback(set_handler, set_handler(None))


@functools.cache
def _find_handler_setter() -> Callable[[int | None], int | None] | None:
    try:
        # the name is also searched in the libraries that Pillow's own is linked with
        found = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # on Windows the symbols are hidden
        return None
    found.argtypes, found.restype = [ctypes.c_void_p], ctypes.c_void_p
    return found


PILLOW_SETTINGS = PillowSettings()
