"""Where labels go in a picture, so that they hide neither faces nor one another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emotion_detection.results import Face

Areas = npt.NDArray[np.floating[Any]]
"""(N, 4): left, top, right, bottom."""


class Area(NamedTuple):
    """An upright rectangle, in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, face: Face) -> "Area":
        """Return the box of a face."""
        x, y, width, height = face.box
        return cls(x, y, x + width, y + height)


def placed(
    size: tuple[int, int], boxes: Sequence[Area], labels: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], float]:
    """Put each label beside its face.

    Args:
        size: of the picture.
        boxes: of the faces.
        labels: width and height of each label.

    Returns:
        The upper left corner of each label, and how much the worst of them hides: 0 if none lies
        on another one or on a face, 1 for a whole face.
    """
    faces = np.array(boxes, np.float64)
    taken = np.empty((0, 4))
    worst = 0.0
    for box, (wide, high) in zip(boxes, labels, strict=True):
        corners = np.array(_candidates(box, wide, high))
        corners = np.clip(corners, 0, np.maximum(np.subtract(size, (wide, high)), 0)).astype(int)
        areas = np.hstack([corners, np.add(corners, (wide, high))])
        hidden = (_shared(areas, faces) / _size(faces)).sum(axis=1)
        costs = hidden + 3 * _shared(areas, taken).sum(axis=1) / (wide * high)
        best = int(costs.argmin())
        worst = max(worst, float(costs[best]))
        taken = np.vstack([taken, areas[best]])
    return [(int(left), int(top)) for left, top in taken[:, :2]], worst


def _shared(one: Areas, other: Areas) -> Areas:
    """Return how many pixels each of (N, 4) has in common with each of (M, 4), (N, M)."""
    start = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared: Areas = np.maximum(end - start, 0).prod(axis=2)
    return shared


def _size(areas: Areas) -> Areas:
    sizes: Areas = (areas[:, 2:] - areas[:, :2]).prod(axis=1)
    return sizes


def _candidates(box: Area, wide: int, high: int) -> list[tuple[float, float]]:
    """Return upper left corners for a label around a box, the best first."""
    gap = 2
    right, bottom = box.right - wide, box.bottom - high
    above, below = box.top - high - gap, box.bottom + gap
    beside, before = box.right + gap, box.left - wide - gap
    middle = (box.left + box.right - wide) / 2
    return [
        *((box.left, above), (box.left, below), (right, above), (right, below)),
        *((middle, above), (middle, below)),
        *((beside, box.top), (before, box.top), (beside, bottom), (before, bottom)),
        *((beside, above), (before, above), (beside, below), (before, below)),
        *((box.left, bottom), (box.left, box.top)),
    ]
