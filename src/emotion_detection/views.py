"""Views of a face for test-time augmentation: the face, its mirror image, and both enlarged."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError

Images = npt.NDArray[np.uint8]

VIEWS = (1, 2, 4)
"""Numbers of views: the face; with its mirror image; both again, enlarged by :data:`ZOOM`."""

ZOOM = 1.15
"""Enlargement of the third and fourth view. Chosen on validation."""


def check_views(views: object) -> int:
    """Check that a number of views is one of :data:`VIEWS`, and return it.

    Raises:
        InputError: the number is another one.
    """
    for known in VIEWS:
        if views == known and not isinstance(views, bool):
            return known
    raise InputError(f"views {views!r}: must be one of {', '.join(map(str, VIEWS))}")


def make_views(faces: Images, views: int, enlarged: Images | None = None) -> list[Images]:
    """Return the views of faces for test-time augmentation.

    Args:
        faces: uint8 (N, C, S, S), in the model's input size.
        views: one of :data:`VIEWS`.
        enlarged: the same faces, cropped from their images at :data:`ZOOM`, uint8 (N, C, S, S);
            None: the faces are enlarged.

    Returns:
        ``views`` arrays, uint8 (N, C, S, S).
    """
    shown = [faces]
    if views == 4:
        shown.append(zoom_faces(faces) if enlarged is None else enlarged)
    if views == 1:
        return shown
    return [view for one in shown for view in (one, np.ascontiguousarray(one[..., ::-1]))]


def zoom_faces(faces: Images, zoom: float = ZOOM) -> Images:
    """Enlarge faces about the centre: bilinear, rounded half up, border pixels replicated.

    Args:
        faces: uint8 (N, C, S, S).
        zoom: factor, above 0.

    Returns:
        uint8 (N, C, S, S).
    """
    matrix = _resampling(faces.shape[-1], zoom)
    enlarged = matrix @ faces.astype(np.float32) @ matrix.T
    rounded: Images = np.floor(enlarged + np.float32(0.5)).astype(np.uint8)
    return rounded


@lru_cache(maxsize=8)
def _resampling(size: int, zoom: float) -> npt.NDArray[np.float32]:
    """Return the matrix (size, size) that resamples a column of pixels."""
    matrix = np.zeros((size, size))
    for row in range(size):
        place = (row + 0.5 - size / 2) / zoom + size / 2 - 0.5
        first = math.floor(place)
        for pixel, weight in ((first, first + 1 - place), (first + 1, place - first)):
            matrix[row, min(max(pixel, 0), size - 1)] += weight
    return matrix.astype(np.float32)
