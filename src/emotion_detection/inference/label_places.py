"""Place labels in an image so that they cover neither faces nor one another."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from emotion_detection.results import Face

Areas = npt.NDArray[np.floating[Any]]
"""(N, 4): left, top, right, bottom."""


class Area(NamedTuple):
    """An upright rectangle, in pixels of the image."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, face: Face) -> "Area":
        """Return the box of a face."""
        x, y, width, height = face.box
        return cls(x, y, x + width, y + height)


class Placement(NamedTuple):
    """The positions of the labels of an image.

    Args:
        corners: the upper left corner of each label.
        sides: for each label, the index of its position around the face.
        costs: how much each label covers: 0 if it overlaps no other label and no face, 1 for a
            whole face.
    """

    corners: list[tuple[int, int]]
    sides: list[int]
    costs: list[float]

    @property
    def worst(self) -> float:
        """The highest cost of a label."""
        return max(self.costs, default=0.0)


def place_labels(
    size: tuple[int, int],
    boxes: Sequence[Area],
    labels: Sequence[tuple[int, int]],
    kept: Sequence[int | None] | None = None,
) -> Placement:
    """Place each label beside its face.

    Args:
        size: of the image.
        boxes: of the faces.
        labels: width and height of each label.
        kept: for each label the side to keep; None: the best one.
    """
    faces = np.array(boxes, np.float64)
    taken = np.empty((0, 4))
    sides, costs = [], []
    for place, (box, (wide, high)) in enumerate(zip(boxes, labels, strict=True)):
        corners = np.array(_candidates(box, wide, high))
        corners = np.clip(corners, 0, np.maximum(np.subtract(size, (wide, high)), 0)).astype(int)
        areas = np.hstack([corners, np.add(corners, (wide, high))])
        hidden = (_shared(areas, faces) / _size(faces)).sum(axis=1)
        all_costs = hidden + 3 * _shared(areas, taken).sum(axis=1) / (wide * high)
        side = kept[place] if kept is not None else None
        side = int(all_costs.argmin()) if side is None else side
        sides.append(side)
        costs.append(float(all_costs[side]))
        taken = np.vstack([taken, areas[side]])
    return Placement([(int(left), int(top)) for left, top in taken[:, :2]], sides, costs)


L = TypeVar("L")
T = TypeVar("T")

_ENDURED = 5
"""Frames for which a label may cover something before it moves."""
_UNBEARABLE = 0.3
"""Cost that no label may exceed in any frame."""
_RICHER_TRIED = 6
"""A more detailed style is tried every this many frames, and used after this many trials that
fit."""


class LabelLayout:
    """Choose the style and the positions of labels, steadily over the frames of a video.

    A person's label keeps its side of the face, and all labels keep their size, until one has
    covered something for several frames. For a single image, use a new layout.
    """

    def __init__(self) -> None:
        self._sides: dict[int, int] = {}
        self._bad_for: dict[int, int] = {}
        self._looks: list[Any] = []
        self._level = 0
        self._too_poor_for = self._too_rich_for = self._frames = 0

    def choose(
        self,
        looks: Sequence[L],
        lay: Callable[[L, Sequence[int | None]], tuple[T, Placement]],
        tracks: Sequence[int | None],
        limit: float,
    ) -> tuple[T, Placement]:
        """Choose the most detailed style whose labels cover little, or the one that covers least.

        Args:
            looks: styles of labels, from most to least detailed; those of the first frame are kept.
            lay: makes the labels of a style and places them, each on the side to keep.
            tracks: tracks of the faces.
            limit: highest cost of a label.

        Returns:
            The value that ``lay`` returned.
        """
        kept = [None if track is None else self._sides.get(track) for track in tracks]
        if not self._looks:
            self._looks = list(looks)
            self._level, made, placement = self._best_level(lay, kept, limit, 0)
        else:
            made, placement = self._lay_calmly(lay, kept, tracks, limit)
            if self._adapt(lay, kept, placement.worst, limit):
                made, placement = self._lay_calmly(lay, kept, tracks, limit)
        self._sides |= {
            track: side
            for track, side in zip(tracks, placement.sides, strict=True)
            if track is not None
        }
        return made, placement

    def _lay_calmly(
        self,
        lay: Callable[[Any, Sequence[int | None]], tuple[T, Placement]],
        kept: list[int | None],
        tracks: Sequence[int | None],
        limit: float,
    ) -> tuple[T, Placement]:
        """Keep labels in place; move those that have covered something for several frames."""
        made, placement = lay(self._looks[self._level], kept)
        moving = list(kept)
        for place, (track, cost) in enumerate(zip(tracks, placement.costs, strict=True)):
            if track is None or kept[place] is None:
                continue
            self._bad_for[track] = self._bad_for.get(track, 0) + 1 if cost > limit else 0
            if self._bad_for[track] >= _ENDURED or cost > _UNBEARABLE:
                moving[place], self._bad_for[track] = None, 0
        if moving == kept:
            return made, placement
        again, other = lay(self._looks[self._level], moving)
        # do not move to another side with the same cost
        return (again, other) if other.worst < placement.worst - limit / 2 else (made, placement)

    def _best_level(
        self,
        lay: Callable[[Any, Sequence[int | None]], tuple[T, Placement]],
        kept: Sequence[int | None],
        limit: float,
        first: int,
    ) -> tuple[int, T, Placement]:
        """Return the first style, from a level on, that covers little, and its labels."""
        best = (first, *lay(self._looks[first], kept))
        for level in range(first + 1, len(self._looks)):
            if best[2].worst <= limit:
                break
            other = (level, *lay(self._looks[level], kept))
            best = other if other[2].worst < best[2].worst else best
        return best

    def _adapt(
        self,
        lay: Callable[[Any, Sequence[int | None]], tuple[Any, Placement]],
        kept: Sequence[int | None],
        hidden: float,
        limit: float,
    ) -> bool:
        """Change to a less or more detailed style if the present one has long not fit."""
        level = self._level
        free: list[int | None] = [None] * len(kept)
        self._frames += 1
        if hidden > limit:
            self._too_poor_for, self._too_rich_for = 0, self._too_rich_for + 1
            if self._too_rich_for >= 3 * _ENDURED and level + 1 < len(self._looks):
                self._level, _, _ = self._best_level(lay, free, limit, level)
                self._too_rich_for = 0
        else:
            self._too_rich_for = 0
            if level and self._frames % _RICHER_TRIED == 0:
                _, placement = lay(self._looks[level - 1], kept)
                is_fine = placement.worst <= limit
                self._too_poor_for = self._too_poor_for + 1 if is_fine else 0
                if self._too_poor_for >= _RICHER_TRIED:
                    self._level, self._too_poor_for = level - 1, 0
        return self._level != level


def _shared(one: Areas, other: Areas) -> Areas:
    """Return the intersections in pixels of rectangles (N, 4) with others (M, 4): (N, M)."""
    start = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared: Areas = np.maximum(end - start, 0).prod(axis=2)
    return shared


def _size(areas: Areas) -> Areas:
    sizes: Areas = (areas[:, 2:] - areas[:, :2]).prod(axis=1)
    return sizes


def _candidates(box: Area, wide: int, high: int) -> list[tuple[float, float]]:
    """Return the candidate upper left corners of a label around a box, the best first."""
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
