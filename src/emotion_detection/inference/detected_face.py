"""A face that was found: where it is, and how certain that is."""

from typing import NamedTuple

Box = tuple[float, float, float, float]
"""x, y of the upper left corner, width and height, in pixels of the image."""


class DetectedFace(NamedTuple):
    """A face that was found, in pixels of the image; 0, 0 is the corner of its first pixel.

    Args:
        box: x, y of the upper left corner, width and height; may reach beyond the image.
        landmarks: x, y of each of :data:`emotion_detection.results.LANDMARKS`.
        confidence: 0 to 1.
    """

    box: Box
    landmarks: tuple[tuple[float, float], ...]
    confidence: float


class Detections(NamedTuple):
    """What was found in an image.

    Args:
        faces: from left to right.
        skipped: faces that were found but are smaller than asked for.
    """

    faces: tuple[DetectedFace, ...]
    skipped: int


def move_face(
    face: DetectedFace, scale_x: float, scale_y: float, x: float, y: float
) -> DetectedFace:
    """Return a face in the pixels of another image: scaled, then shifted.

    Args:
        face: the face.
        scale_x: pixels of the other image for one of this, horizontally.
        scale_y: likewise vertically.
        x: shift to the right, in pixels of the other image.
        y: shift downwards.
    """
    left, top, width, height = face.box
    box = left * scale_x + x, top * scale_y + y, width * scale_x, height * scale_y
    points = tuple((px * scale_x + x, py * scale_y + y) for px, py in face.landmarks)
    return DetectedFace(box, points, face.confidence)


def intersect_boxes(one: Box, other: Box) -> float:
    """Return the area that two boxes have in common, in square pixels."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
