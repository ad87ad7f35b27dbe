"""Check face crops, and convert them to a model's input as training does."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.errors import ImageError, InputError, shorten
from emotion_detection.images.arrays import (
    check_color,
    convert_levels,
    find_array,
    order_channels,
    put_channels_last,
)
from emotion_detection.images.file_objects import is_file_object
from emotion_detection.images.modes import lay_on_background
from emotion_detection.images.opening import DEFAULT_MAX_PIXELS, crop_to_square, load_image

_ALLOWED = (
    "must be a list of images, or an array as uint8 (N, H, W) for grey or (N, H, W, 3) for RGB"
)


def load_crops(
    crops: object,
    size: int,
    channels: int,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    color: str = "rgb",
) -> npt.NDArray[np.uint8]:
    """Load face crops: an array, an image, or any number of images.

    Args:
        crops: an array or tensor (N, H, W), (N, H, W, C) or (N, C, H, W), by the rules of
            :mod:`emotion_detection.images.arrays`; one image, or any number of them, each as for
            :func:`emotion_detection.images.opening.load_image`.
        size: height and width of the model's input, which images are resized to.
        channels: 1 for grey, 3 for RGB.
        max_pixels: files and PIL images with more are refused.
        color: order of the channels of arrays, 'rgb' or 'bgr'.

    Returns:
        uint8 (N, H, W) or (N, H, W, 3); arrays keep their size.

    Raises:
        InputError: anything else; the message names the accepted inputs.
        ImageError: one of several images cannot be read.
    """
    check_color(color)
    if is_one_image(crops):
        crops = [crops]
    elif (array := find_array(crops)) is not None:
        return _array_crops(array, color)
    if not isinstance(crops, Iterable):
        raise InputError(f"crops are a {type(crops).__name__}: {_ALLOWED}")
    shape = (size, size) if channels == 1 else (size, size, 3)
    loaded = [
        np.moveaxis(face, 0, -1).reshape(shape)
        for face in _load_faces(crops, size, channels, max_pixels, color)
    ]
    return np.stack(loaded) if loaded else np.zeros((0, *shape), np.uint8)


def is_one_image(value: object) -> bool:
    """Return True for a single image that is not an array; a path is iterable too."""
    kinds = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)
    return isinstance(value, kinds) or is_file_object(value)


def _load_faces(
    images: Iterable[Any], size: int, channels: int, max_pixels: int, color: str
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield each image as uint8 (channels, size, size)."""
    for number, image in enumerate(images, 1):
        is_path = isinstance(image, str | os.PathLike)
        try:
            pixels = load_image(image, max_pixels, color).pixels
        except ImageError as error:
            name = shorten(os.fsdecode(image)) if is_path else f"crop {number}"
            raise ImageError(f"{name}: {error}") from None
        yield crop_to_square(Image.fromarray(pixels), size, channels)


def _array_crops(array: npt.NDArray[Any], color: str) -> npt.NDArray[np.uint8]:
    """Return an array of crops as uint8 (N, H, W) or (N, H, W, 3)."""
    name = f"crops of shape {array.shape}"
    # (48, 48, 3) is one crop in colour, hardly 48 grey ones that are 3 pixels wide
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)):
        raise InputError(f"{name} are one image: {_ALLOWED}; try [crops]")
    placed = put_channels_last(array) if array.ndim == 4 else array
    if placed is None or placed.ndim not in (3, 4):
        raise InputError(f"{name}: {_ALLOWED}")
    if 0 in array.shape[1:]:
        raise InputError(f"{name} have no pixels: {_ALLOWED}")
    levels = convert_levels(placed, "crops") if len(placed) else placed.astype(np.uint8)
    if levels.ndim == 3:
        return levels
    levels = order_channels(levels, color)
    count, height, width, channels = levels.shape
    if channels == 1:
        return levels[..., 0]
    if channels == 3:
        return levels
    flat = lay_on_background(levels.reshape(count * height, width, channels))
    return flat.reshape(count, height, width, 3)


def faces(crops: npt.NDArray[np.uint8], size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Convert crops to a model's input, bytewise equal to what training decodes.

    Crops are centre-cropped to a square, then resized (bilinear). Grey is ITU-R 601 luma
    (:func:`emotion_detection.images.opening.crop_to_square`).

    Args:
        crops: uint8 (N, H, W) or (N, H, W, 3); N at least 1.
        size: height and width of the model's input.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (N, channels, size, size).
    """
    return np.stack([crop_to_square(Image.fromarray(crop), size, channels) for crop in crops])
