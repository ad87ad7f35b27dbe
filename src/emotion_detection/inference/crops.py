"""Face crops, checked and brought to a model's input by the function that training uses."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.images import face_array

_ALLOWED = "must be a NumPy array, uint8 (N, H, W) for grey or (N, H, W, 3) for RGB"


def checked(crops: object) -> npt.NDArray[np.uint8]:
    """Return the same crops, known to be uint8 (N, H, W) or (N, H, W, 3).

    Args:
        crops: what a user gave.

    Raises:
        InputError: they are anything else; the message says what is allowed.
    """
    if not isinstance(crops, np.ndarray):
        raise InputError(f"crops are a {type(crops).__name__}: {_ALLOWED}")
    if crops.dtype != np.uint8:
        raise InputError(f"crops are of {crops.dtype}: {_ALLOWED}; values from 0 to 255")
    shape = crops.shape
    # (48, 48, 3) is one crop in colour, hardly 48 grey ones that are 3 pixels wide
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        raise InputError(f"crops of shape {shape} are one picture: {_ALLOWED}; try crops[None]")
    if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)):
        raise InputError(f"crops of shape {shape}: {_ALLOWED}")
    if 0 in shape[1:]:
        raise InputError(f"crops of shape {shape} have no pixels: {_ALLOWED}")
    return crops


def faces(crops: npt.NDArray[np.uint8], size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Turn crops of any size into a model's input, to the byte as training decodes pictures.

    A crop that is not square is cut to its middle square, then resized (bilinear); grey is
    ITU-R 601 luma (:func:`emotion_detection.images.face_array`).

    Args:
        crops: uint8 (N, H, W) or (N, H, W, 3); N at least 1.
        size: height and width of the model's input.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (N, channels, size, size).
    """
    return np.stack([face_array(Image.fromarray(crop), size, channels) for crop in crops])
