"""Bytes or a path -> picture array, safely.

Only JPEG, PNG and WebP are opened; the header's size is looked at before anything is decoded;
16-bit greys are scaled, not clipped; what alpha hides is not shown.
"""

import io
import warnings
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
OTHER_PICTURE_SUFFIXES = (".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".jp2", ".heic", ".avif")
MAX_PIXELS = 25_000_000
BACKGROUND = 255
"""Grey level that transparent pixels are laid on."""

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


class PictureError(ValueError):
    """A picture that cannot be read; the message says why."""


def open_picture(content: bytes | Path) -> Image.Image:
    """Open a picture and decode it, upright, as 8-bit grey ("L") or colour ("RGB").

    Args:
        content: the file's bytes, or its path.

    Raises:
        PictureError: not a JPEG, PNG or WebP; truncated; over 25 megapixels; unreadable.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, once a picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # opened here, since Pillow keeps a path's file open when decoding fails
            data = content if isinstance(content, bytes) else content.read_bytes()
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(
                    f"{width} x {height} pixels: more than {MAX_PIXELS / 1e6:.0f} megapixels"
                )
            image.load()
            return _eight_bit(_upright(image))
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("not a JPEG, PNG or WebP picture") from None
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise PictureError(str(error) or type(error).__name__) from None


def _upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also rewrites the metadata, and fails where that is damaged
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow raises many kinds; the pixels are whole all the same
        return image
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        levels = np.asarray(image, dtype=np.float64)
        # Pillow's own conversion clips 16-bit greys at 255
        return Image.fromarray(np.clip(np.rint(levels / 257), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
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
    """Read one picture of a face as uint8 (channels, size, size).

    Raises:
        PictureError: as :func:`open_picture`.
    """
    return face_array(open_picture(content), size, channels)
