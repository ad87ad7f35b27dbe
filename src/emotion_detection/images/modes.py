"""Convert Pillow's modes to 8-bit grey or RGB, without transparency."""

import io
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from emotion_detection.defaults import MAX_PIXELS
from emotion_detection.errors import ImageError

BACKGROUND = 255
"""Grey level that transparent pixels are composited on."""
_MOST_LEVEL = 65_535
"""Highest level of a 16-bit grey image."""
_LEVELS = ((np.arange(_MOST_LEVEL + 1, dtype=np.uint32) * 255 + 32_895) >> 16).astype(np.uint8)
"""8-bit level of each 16-bit level: a 257th, rounded."""
_BAND_ROWS = 256
"""Rows of a large image that are converted at a time."""


def convert_to_8_bit(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit grey or RGB; large images in bands, to save memory.

    Transparent pixels are composited on :data:`BACKGROUND`.

    Raises:
        ImageError: floats, or grey levels beyond 16 bits.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise ImageError("mode F: what its numbers mean is unknown; convert it to L or RGB")
    if image.mode == "I":
        image = _check_levels(image)
    if image.width * image.height <= MAX_PIXELS:
        return _band_eight_bit(image)
    whole: Image.Image | None = None
    for top in range(0, image.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, image.height)
        band = image.crop((0, top, image.width, bottom))
        band.info = image.info
        converted = _band_eight_bit(band)
        whole = whole or Image.new(converted.mode, image.size)
        whole.paste(converted, (0, top))
    assert whole is not None  # an image has rows
    return whole


def _check_levels(image: Image.Image) -> Image.Image:
    """Convert a 32-bit grey image to 16-bit levels, or to mode "L" for 8-bit levels.

    Raises:
        ImageError: levels below 0 or above 65535.
    """
    low, high = cast(tuple[int, int], image.getextrema())
    if low < 0 or high > _MOST_LEVEL:
        raise ImageError(
            f"grey levels from {low} to {high}: of 32-bit images, those from 0 to 255 or to 65535 "
            "are read; scale them"
        )
    # the mode of 16-bit PPM, and of 16-bit PNG in Pillow before 11.0
    is_dark = high <= BACKGROUND and image.format not in ("PNG", "PPM")
    return image.convert("L") if is_dark else image


def _band_eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow's own conversion clips 16-bit greys at 255
        return Image.fromarray(_LEVELS[np.asarray(image)])
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    if image.mode == "CMYK" and (converted := _from_cmyk(image)) is not None:
        return converted
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _from_cmyk(image: Image.Image) -> Image.Image | None:
    """Convert CMYK colours by the ICC profile; None without a valid profile."""
    profile = image.info.get("icc_profile")
    if not profile or profile[16:20] != b"CMYK":
        return None
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, given, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile
        return None


def find_rgb_profile(image: Image.Image) -> bytes | None:
    """Return the ICC profile of an image whose pixels are RGB."""
    profile = image.info.get("icc_profile")
    is_rgb = isinstance(profile, bytes) and profile[16:20] == b"RGB "
    return profile if is_rgb and image.mode not in ("L", "LA", "CMYK") else None


def lay_on_background(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return uint8 (H, W, 3) of (H, W, C): grey repeated, alpha composited on the background."""
    channels = pixels.shape[2]
    if channels == 3:
        return pixels
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels), "LA" if channels == 2 else "RGBA")
    return np.asarray(_band_eight_bit(image))
