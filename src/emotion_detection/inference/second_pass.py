"""Decide where a second detection pass at a larger size is needed, and merge its results.

The first pass at a small size detects large faces with high confidence. Small faces and false
positives have a low confidence there. Only the region around those is passed again, at twice the
size: the confidence of faces rises, and most false positives disappear.
"""

from typing import NamedTuple

from emotion_detection.inference.detected_face import DetectedFace, intersect_boxes

HINT, FURTHER_HINT = 0.1, 0.2
"""Minimum confidence of a box for a second pass, and for a third one."""
SURE = 0.5
"""Confidence above which a large enough face needs no second pass."""
SMALL, LARGE = 20.0, 96.0
"""Longer side of a box, in pixels of the network's input. Boxes below the first are always passed
again; boxes above the second gain nothing from it."""
_AROUND = 1.5
"""Margin around the boxes of a region, as a multiple of their longer sides."""
_LEAST_AROUND = 48.0
"""Minimum margin, in pixels of the second pass."""
_BORDER = 3.0
"""Boxes this close to the border of a region, in pixels of the second pass, count as cut off."""
_INSIDE = 0.7
"""Two boxes are the same face if this fraction of the smaller one lies within the other."""


_SMALL_BOX, _SMALL_MORE = 32.0, 0.1
"""Boxes with a longer side below the first, in pixels of the network's input, need the second more
confidence: most false positives are small."""


class Part(NamedTuple):
    """A rectangular region of an image, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


def needs_closer_look(face: DetectedFace, scale: float) -> bool:
    """Return True for a box that is small, or uncertain and not large.

    Args:
        face: the box.
        scale: pixels of the network's input per pixel of the image.
    """
    side = scale * max(face.box[2:])
    return side < SMALL or (face.confidence < SURE and side < LARGE)


def choose_min_confidence(face: DetectedFace, scale: float, threshold: float) -> float:
    """Return the confidence that a box needs to count as a face.

    Args:
        face: the box.
        scale: pixels of the network's input per pixel of the image.
        threshold: minimum confidence of large boxes.
    """
    if scale * max(face.box[2:]) >= _SMALL_BOX:
        return threshold
    return max(threshold, min(threshold + _SMALL_MORE, SURE))


def cut_part_around(faces: list[DetectedFace], width: int, height: int, scale: float) -> Part:
    """Return the region of an image that contains some boxes with a margin.

    Args:
        faces: at least one.
        width: of the image in pixels.
        height: of the image in pixels.
        scale: pixels of the second pass per pixel of the image.
    """
    bounds = []
    for face in faces:
        x, y, wide, high = face.box
        room = max(_AROUND * max(wide, high), _LEAST_AROUND / scale)
        bounds.append((x - room, y - room, x + wide + room, y + high + room))
    left, top = (int(max(0.0, min(sides))) for sides in list(zip(*bounds, strict=True))[:2])
    right, bottom = (
        int(min(length, max(sides) + 1))
        for length, sides in zip((width, height), list(zip(*bounds, strict=True))[2:], strict=True)
    )
    # boxes may extend beyond the image
    return Part(min(left, width - 1), min(top, height - 1), max(right, 1), max(bottom, 1))


def merge_looks(
    before: list[DetectedFace],
    closer: list[DetectedFace],
    part: Part,
    width: int,
    height: int,
    scale: float,
) -> list[DetectedFace]:
    """Merge the faces of a pass with those of a larger pass over a region.

    A face that needed the larger pass gets the confidence of that pass, or the mean of both if that
    is higher: blurred faces are easier to detect at a small size. Faces that the larger pass does
    not detect lose half of their confidence. Other faces keep their boxes.

    Args:
        before: faces of the previous pass.
        closer: faces of the larger pass.
        part: region of the larger pass.
        width: of the image in pixels.
        height: of the image in pixels.
        scale: pixels of the previous pass per pixel of the image.
    """
    border = _BORDER / (2 * scale)
    left = [face for face in closer if not _is_cut_by(face, part, width, height, border)]
    merged = []
    for face in sorted(before, key=lambda one: -one.confidence):
        if not (_is_inside(face, part) and needs_closer_look(face, scale)):
            merged.append(face)
            left = [other for other in left if not is_same_face(face, other)]
            continue
        again = max(
            (other for other in left if is_same_face(face, other)),
            key=lambda other: other.confidence,
            default=None,
        )
        if again is None:
            merged.append(face._replace(confidence=face.confidence / 2))
            continue
        left.remove(again)
        mean = (face.confidence + again.confidence) / 2
        merged.append(again._replace(confidence=max(again.confidence, mean)))
    return keep_distinct(merged + left)


def keep_distinct(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Remove duplicate boxes: keep the most confident one of each face."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda one: -one.confidence):
        if not any(is_same_face(face, other) for other in kept):
            kept.append(face)
    return kept


def is_same_face(one: DetectedFace, other: DetectedFace) -> bool:
    """Return True if two boxes overlap much, or most of the smaller lies within the larger."""
    shared = intersect_boxes(one.box, other.box)
    areas = one.box[2] * one.box[3], other.box[2] * other.box[3]
    return shared > 0.3 * (sum(areas) - shared) or shared > _INSIDE * min(areas)


def _is_inside(face: DetectedFace, part: Part) -> bool:
    x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
    return part.left <= x <= part.right and part.top <= y <= part.bottom


def _is_cut_by(face: DetectedFace, part: Part, width: int, height: int, border: float) -> bool:
    x, y, wide, high = face.box
    return (
        (part.left > 0 and x < part.left + border)
        or (part.top > 0 and y < part.top + border)
        or (part.right < width and x + wide > part.right - border)
        or (part.bottom < height and y + high > part.bottom - border)
    )
