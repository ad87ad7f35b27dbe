"""Detected faces: box, landmarks and confidence."""

from typing import NamedTuple

Box = tuple[float, float, float, float]
"""x, y of the upper left corner, width and height, in pixels of the image."""


class DetectedFace(NamedTuple):
    """A detected face, in pixels of the image; 0, 0 is the corner of the first pixel.

    Args:
        box: x, y of the upper left corner, width and height; may reach beyond the image.
        landmarks: x, y of each of :data:`emotion_detection.results.LANDMARKS`.
        confidence: 0 to 1.
    """

    box: Box
    landmarks: tuple[tuple[float, float], ...]
    confidence: float


class Detections(NamedTuple):
    """The detected faces of an image.

    Args:
        faces: from left to right.
        skipped: number of detected faces below the minimum size.
    """

    faces: tuple[DetectedFace, ...]
    skipped: int


def move_face(
    face: DetectedFace, scale_x: float, scale_y: float, x: float, y: float
) -> DetectedFace:
    """Scale and then shift a face, into the pixels of another image.

    Args:
        face: the face.
        scale_x: horizontal scale: pixels of the other image per pixel of this one.
        scale_y: vertical scale.
        x: shift to the right, in pixels of the other image.
        y: shift downwards.
    """
    left, top, width, height = face.box
    box = left * scale_x + x, top * scale_y + y, width * scale_x, height * scale_y
    points = tuple((px * scale_x + x, py * scale_y + y) for px, py in face.landmarks)
    return DetectedFace(box, points, face.confidence)


def intersect_boxes(one: Box, other: Box) -> float:
    """Return the area of the intersection of two boxes, in square pixels."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
