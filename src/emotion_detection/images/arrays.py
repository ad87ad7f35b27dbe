"""Convert arrays of any usual type to uint8 pixels, for images and crops alike.

The type sets the range: ``uint8`` is 0 to 255, ``uint16`` 0 to 65535, floats are 0 to 1, booleans
are black and white, and other integers must be within 0 to 255. Nothing is guessed from the values.
"""

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import ImageError, InputError, shorten

COLORS = ("rgb", "bgr")
"""Allowed orders of an array's channels; OpenCV's is bgr."""

LEVELS = "uint8 (0 to 255), uint16 (0 to 65535) or floats from 0 to 1"
"""Allowed types of arrays, for messages."""

_CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, RGB, RGB with alpha."""
_OVERSHOOT = 1e-3
"""Tolerance of floats below 0 and above 1: interpolation overshoots a little."""


def find_array(value: object) -> npt.NDArray[Any] | None:
    """Return an object as an array, by ``__array__`` if needed; None if it has no such method.

    Raises:
        InputError: the object cannot be converted, such as a tensor on a GPU.
    """
    if isinstance(value, np.ndarray):
        return value
    if not hasattr(value, "__array__") or isinstance(value, type):
        return None
    try:
        return np.asarray(value)
    except Exception as error:  # every library raises exceptions of its own
        reason = shorten(" ".join(str(error).split())) or type(error).__name__
        raise InputError(f"a {type(value).__name__}: cannot become an array: {reason}") from None


def check_color(color: object) -> None:
    """Raise :class:`InputError` unless this is an order of channels, in letters of any case."""
    if not (isinstance(color, str) and color.lower() in COLORS):
        raise InputError(f"color {color!r}: must be {' or '.join(map(repr, COLORS))}")


def convert_levels(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """Convert an array's levels to uint8, 0 to 255.

    Args:
        array: any shape, at least one value. A uint8 array is returned as it is.
        name: name of the array in messages, such as 'an array'.

    Raises:
        InputError: another type, or values out of range.

    >>> convert_levels(np.array([0.0, 0.5, 1.0]), "an array")
    array([  0, 128, 255], dtype=uint8)
    >>> convert_levels(np.array([0.0, 255.0]), "an array")
    Traceback (most recent call last):
        ...
    emotion_detection.errors.InputError: an array of float64 with values from 0 to 255: floats \
must be from 0 to 1 (divide by 255)
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "u" and size == 2:
        # v / 257, rounded, in integer arithmetic
        return ((array.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)
    if kind not in "iuf":
        raise InputError(f"{name} of {array.dtype}: must be {LEVELS}")
    low, high = array.min(), array.max()
    if kind == "f":
        # written so that NaN fails
        if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):
            raise InputError(f"{name} of {_range(array, low, high)}: {_float_advice(low, high)}")
        unit = np.clip(array.astype(np.float32), 0, 1)
        levels: npt.NDArray[np.uint8] = np.rint(unit * 255).astype(np.uint8)
        return levels
    if low < 0 or high > 255:
        rule = "whole numbers must be from 0 to 255, or uint16"
        raise InputError(f"{name} of {_range(array, low, high)}: {rule}")
    return array.astype(np.uint8)


def _range(array: npt.NDArray[Any], low: Any, high: Any) -> str:
    return f"{array.dtype} with values from {float(low):.4g} to {float(high):.4g}"


def _float_advice(low: Any, high: Any) -> str:
    rule = "floats must be from 0 to 1"
    if low >= 0 and 2 <= high <= 255:
        return f"{rule} (divide by 255)"
    if low < 0:
        return f"{rule} (undo the normalization)"
    return rule


def array_to_pixels(image: object, color: str) -> npt.NDArray[np.uint8]:
    """Return the pixels of an array, or of an object with ``__array__``.

    Args:
        image: (H, W), (H, W, C) or (C, H, W) with 1 to 4 channels.
        color: order of the channels, one of :data:`COLORS`.

    Returns:
        uint8 (H, W, C) in the order red, green, blue, alpha; a view if nothing has to change.

    Raises:
        ImageError: not an array, or an array of another type or shape.
    """
    try:
        is_number = isinstance(image, numbers.Number)  # NumPy's scalars would become arrays
        array = None if is_number else find_array(image)
        if array is None:
            raise InputError(_explain_type(image))
        name = f"an array of shape {array.shape}"
        if array.ndim == 4:
            raise InputError(f"{name}: a batch of images; pass list(array)")
        channelled = array[..., None] if array.ndim == 2 else array
        placed = put_channels_last(channelled) if channelled.ndim == 3 else None
        if placed is None:
            raise InputError(f"{name}: must be (H, W), (H, W, C) or (C, H, W), {LEVELS}")
        if 0 in array.shape:
            raise InputError(f"{name} has no pixels")
        return order_channels(convert_levels(placed, "an array"), color)
    except InputError as error:
        raise ImageError(str(error)) from None


def _explain_type(value: object) -> str:
    """Return the message for a value that is not an image."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return f"{value}: a number is a camera, which EmotionDetector.detect_video({value}) reads"
    kind = type(value).__name__
    return (
        f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}: must be a path, a file's bytes, an open "
        "file, a PIL image, or an array, (H, W, 3) RGB or (H, W) grey"
    )


def put_channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Move the channels of an array last: (..., H, W, C).

    The first axis counts as the channels, as in PyTorch, only if the last one cannot be.

    Returns:
        A view with 1 to 4 channels; None if neither axis can be the channels.
    """
    if array.shape[-1] in _CHANNELS:
        return array
    if array.shape[-3] in _CHANNELS:
        return np.moveaxis(array, -3, -1)
    return None


def order_channels(pixels: npt.NDArray[np.uint8], color: str) -> npt.NDArray[np.uint8]:
    """Return (..., C) with the channels in the order red, green, blue, alpha.

    Args:
        pixels: 1 to 4 channels.
        color: order of the channels, one of :data:`COLORS`, in any case; ignored for grey.
    """
    if color.lower() == "rgb" or pixels.shape[-1] < 3:
        return pixels
    return pixels[..., ::-1] if pixels.shape[-1] == 3 else pixels[..., [2, 1, 0, 3]]
