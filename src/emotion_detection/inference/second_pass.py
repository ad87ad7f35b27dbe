"""When and where a second, larger look for faces is worth its time, and what it changes.

A first look at a small size finds large faces for certain. Small faces, and what may be none, show
there with a low confidence. Only the part of the image around those is looked at again, twice as
large: faces become more confident there, and most of what is no face goes away.
"""

from typing import NamedTuple

from emotion_detection.inference.detected_face import DetectedFace, intersect_boxes

HINT, FURTHER_HINT = 0.1, 0.2
"""Least confidence of a box that is worth a closer look; and a still closer one."""
SURE = 0.5
"""Confidence from which a large enough face needs no closer look."""
SMALL, LARGE = 20.0, 96.0
"""Longer side of a box, in pixels of the network's input: those below are looked at again in any
case; those above gain nothing by it."""
_AROUND = 1.5
"""Room around the boxes of a part, by their longer sides."""
_LEAST_AROUND = 48.0
"""Least room around, in pixels of the closer look."""
_BORDER = 3.0
"""Boxes that come this near to a part's border, in pixels of the closer look, are cut by it."""
_INSIDE = 0.7
"""Fraction of a smaller box within another one, from which both are the same face."""


_SMALL_BOX, _SMALL_MORE = 32.0, 0.1
"""Boxes with a longer side below this, in pixels of the network's input, need so much more
confidence: most of what is no face is small."""


class Part(NamedTuple):
    """A part of an image, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


def needs_closer_look(face: DetectedFace, scale: float) -> bool:
    """Return True for a box that is small, or doubtful and not large.

    Args:
        face: the box.
        scale: pixels of the network's input for one of the image.
    """
    side = scale * max(face.box[2:])
    return side < SMALL or (face.confidence < SURE and side < LARGE)


def choose_min_confidence(face: DetectedFace, scale: float, threshold: float) -> float:
    """Return the confidence that a box needs to count as a face.

    Args:
        face: the box.
        scale: pixels of the network's input for one of the image.
        threshold: that large boxes need.
    """
    if scale * max(face.box[2:]) >= _SMALL_BOX:
        return threshold
    return max(threshold, min(threshold + _SMALL_MORE, SURE))


def cut_part_around(faces: list[DetectedFace], width: int, height: int, scale: float) -> Part:
    """Return the part of an image that holds some boxes with room around them.

    Args:
        faces: at least one.
        width: of the image in pixels.
        height: of the image in pixels.
        scale: pixels of the closer look for one of the image.
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
    # boxes may lie beyond the image
    return Part(min(left, width - 1), min(top, height - 1), max(right, 1), max(bottom, 1))


def merge_looks(
    before: list[DetectedFace],
    closer: list[DetectedFace],
    part: Part,
    width: int,
    height: int,
    scale: float,
) -> list[DetectedFace]:
    """Return the faces of a look, corrected by a closer one at a part of the image.

    A face that needed the closer look is as certain as that look is, or as both are on average:
    blurred faces show better in small. What the closer look does not find loses half of its
    confidence. Other faces keep their boxes.

    Args:
        before: of the look before.
        closer: of the closer look.
        part: that it was at.
        width: of the image in pixels.
        height: of the image in pixels.
        scale: pixels of the look before for one of the image.
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
    """Return each face once: of boxes for the same face the most confident one."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda one: -one.confidence):
        if not any(is_same_face(face, other) for other in kept):
            kept.append(face)
    return kept


def is_same_face(one: DetectedFace, other: DetectedFace) -> bool:
    """Return True where two boxes overlap much, or most of the smaller lies within the larger."""
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
