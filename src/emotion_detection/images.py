"""Bytes or a path -> picture array, safely.

Only JPEG, PNG and WebP are opened; the header's size is looked at before anything is decoded;
16-bit greys are scaled, not clipped; what alpha hides is not shown.
"""

import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from emotion_detection.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
DATASET_FORMATS = (
    *FORMATS,
    *("BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF"),
)
"""Read in datasets, which lie on the user's own disk; photographs are of :data:`FORMATS` alone."""
IMAGE_SUFFIXES = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".png", ".apng", ".webp"),
        *(".bmp", ".dib", ".gif", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k"),
        *(".avif", ".avifs", ".mpo", ".heic", ".heif"),
    ]
)
"""Files with these are faces of a dataset; those that Pillow cannot read count as unreadable."""
MAX_PIXELS = 25_000_000
MAX_BYTES = 8 * MAX_PIXELS + 50_000_000
"""Of a file: four channels of 16 bits for every pixel, and 50 MB of metadata."""
BACKGROUND = 255
"""Grey level that transparent pixels are laid on."""

URL = re.compile(r"[a-z][a-z0-9+.-]+:/|data:image/", re.IGNORECASE)
"""Of names: matches at the start of those that are no paths."""
NO_URL = "a URL: pictures are read from disk alone; download it first"

_MOVING = {"PNG", "WEBP", "GIF"}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each EXIF orientation upright."""


class PictureError(InputError):
    """A picture that cannot be read; the message says why."""


class _PillowWarnings:
    """While anyone is inside: warnings of odd metadata let pass, those of bombs made errors.

    ``warnings.catch_warnings`` by itself leaves its filters behind where threads overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module="PIL")
                warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.close()


_PILLOW_WARNINGS = _PillowWarnings()


def open_picture(content: bytes | Path, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Open a picture and decode it, upright, as 8-bit grey ("L") or colour ("RGB").

    Args:
        content: the file's bytes, or its path.
        formats: Pillow's names of the formats that are read.

    Raises:
        PictureError: not a JPEG, PNG or WebP; truncated; over 25 megapixels; unreadable; no file.
    """
    return _opened(content, formats)[1]


def _opened(
    content: bytes | str | os.PathLike[str], formats: Sequence[str] = FORMATS
) -> tuple[Image.Image, Image.Image]:
    """Return a picture as Pillow opened it, and decoded."""
    # read here, since Pillow keeps a path's file open when decoding fails
    data = content if isinstance(content, bytes) else _content(os.fspath(content))
    if not data:
        raise PictureError("empty: 0 bytes")
    with _refusals():
        image = Image.open(io.BytesIO(data), formats=formats)
        decoded = _decoded(image)
    # Pillow takes a PNG for whole once it has all pixels of the first frame
    if image.format == "PNG" and b"IEND" not in data:
        raise PictureError("truncated: its end is missing")
    return image, decoded


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn everything that Pillow raises over a picture into :class:`PictureError`."""
    try:
        with _PILLOW_WARNINGS:
            yield
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("not a JPEG, PNG or WebP picture") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(f"more than {MAX_PIXELS / 1e6:.0f} megapixels") from None
    except (OSError, ValueError, SyntaxError, Warning) as error:
        raise PictureError(str(error) or type(error).__name__) from None


def _decoded(image: Image.Image) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{width} x {height} pixels: more than {MAX_PIXELS / 1e6:.0f} megapixels"
        )
    image.load()
    return _eight_bit(_upright(image))


def picture_array(picture: object) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Return the pixels of a picture in any of the forms that users have it in.

    Files are opened as by :func:`open_picture`: what they hold decides, not what they are called.
    A PIL image is brought upright and to 8 bits in a copy. Of several frames one is taken: the
    first, or where a PIL image stands. A given array is handed on as it is.

    Args:
        picture: a path (str or path-like), a file's bytes, a PIL image of at most 25 megapixels,
            or an array, uint8 (H, W, 3) RGB or (H, W) grey.

    Returns:
        uint8 (H, W, 3) RGB, perhaps read-only, and notes for the user, such as that only the
        first frame was looked at.

    Raises:
        PictureError: it cannot be read; a URL; of another type, dtype or shape.
    """
    if isinstance(picture, np.ndarray):
        return _checked_array(picture), ()
    if isinstance(picture, (bytes, bytearray, memoryview)):
        image, decoded = _opened(bytes(picture))
    elif isinstance(picture, (str, os.PathLike)):
        image, decoded = _opened(picture)
    elif isinstance(picture, Image.Image):
        image, decoded = picture, _converted(picture)
    else:
        raise PictureError(
            f"a {type(picture).__name__}: must be a path, a file's bytes, a PIL image, or an "
            "array, uint8 (H, W, 3) RGB or (H, W) grey"
        )
    with _refusals():
        rgb = decoded if decoded.mode == "RGB" else decoded.convert("RGB")
        return np.asarray(rgb), _of_frames(image)


def _content(path: str | bytes) -> bytes:
    name = os.fsdecode(path)
    if URL.match(name):
        raise PictureError(NO_URL)
    try:
        found = os.stat(name)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise PictureError("no such file" if missing else _said(error)) from None
    except ValueError as error:  # a name that no file can have
        raise PictureError(f"no such file: {error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise PictureError("a folder, not a picture")
    if not stat.S_ISREG(found.st_mode):  # it may never end
        raise PictureError("a pipe or a device, not a file")
    if found.st_size > MAX_BYTES:
        raise PictureError(
            f"{found.st_size / 1e6:,.0f} MB: more than {MAX_PIXELS / 1e6:.0f} megapixels can take"
        )
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise PictureError(_said(error)) from None


def _said(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def _converted(image: Image.Image) -> Image.Image:
    """Return a user's PIL image decoded, of any format."""
    with _refusals():
        if image.mode == "F":
            raise PictureError("mode F: what its numbers mean is unknown; convert it to L or RGB")
        if 0 in image.size:
            raise PictureError("it has no pixels")
        return _decoded(image)


def _of_frames(image: Image.Image) -> tuple[str, ...]:
    frames = getattr(image, "n_frames", 1)
    if frames < 2:
        return ()
    which = f"number {image.tell() + 1}" if image.tell() else "the first"
    if image.format in _MOVING:
        return (f"animated: only {which} of {frames} frames was looked at",)
    return (f"{frames} pictures in one file: only {which} was looked at",)


def _checked_array(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    allowed = "must be uint8 (H, W, 3) RGB or (H, W) grey, with values from 0 to 255"
    if array.dtype != np.uint8:
        raise PictureError(f"an array of {array.dtype}: {allowed}")
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise PictureError(f"an array of shape {array.shape}: {allowed}")
    if 0 in array.shape:
        raise PictureError(f"an array of shape {array.shape} has no pixels: {allowed}")
    pixels = cast(npt.NDArray[np.uint8], array)
    return np.repeat(pixels[:, :, None], 3, axis=2) if array.ndim == 2 else pixels


def _upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also rewrites the metadata, and fails where that is damaged
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow raises many kinds; the pixels are whole all the same
        return image
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        levels = np.asarray(image, dtype=np.float64)
        # Pillow's own conversion clips 16-bit greys at 255
        return Image.fromarray(np.clip(np.rint(levels / 257), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def face_array(image: Image.Image, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Turn an opened picture of a face into a network's input.

    A picture that is not square is cut to its middle square, never squeezed: the shape of mouth
    and eyes is what is to be read. A picture of the right size keeps its pixels to the byte.

    Args:
        image: mode "L" or "RGB".
        size: height and width in pixels.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.

    Returns:
        uint8 (channels, size, size).
    """
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    if channels == 1:
        return pixels[np.newaxis]
    return cast(npt.NDArray[np.uint8], np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def read_face(content: bytes | Path, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Read one image of a face from a dataset as uint8 (channels, size, size).

    Raises:
        PictureError: as :func:`open_picture`, but for the formats.
    """
    return face_array(open_picture(content, DATASET_FORMATS), size, channels)
