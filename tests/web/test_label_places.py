"""Labels over an image on the page, in Node: none lies on a face, none on another label."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

Engine = Callable[..., list[Any]]
Area = list[float]

TEXT, FULL, SHORT, NUMBER = 15.0, 137.0, 88.0, 18.0
"""Of "happiness 100 %", "happiness" and "12", in pixels, as a phone writes them."""


def _shared(one: Area, other: Area) -> float:
    start = np.maximum(one[:2], other[:2])
    end = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    return float(np.prod(np.maximum(end - start, 0)))


def _overlap(found: dict[str, Any], boxes: list[Area]) -> float:
    """Return how many pixels labels share with one another and with faces."""
    areas = [area for area in found["areas"] if area]
    own = sum(_shared(one, other) for one, other in combinations(areas, 2))
    return own + sum(_shared(area, box) for area in areas for box in boxes)


def _of(size: tuple[float, float], boxes: list[Area], full: float = FULL) -> dict[str, Any]:
    count = len(boxes)
    wordings = [[full] * count, [SHORT] * count, [NUMBER] * count]
    return {"size": size, "boxes": boxes, "text": TEXT, "wordings": wordings}


def test_an_earlier_label_makes_room_for_a_later_one(engine: Engine) -> None:
    # three faces side by side on a phone: the first label below its face leaves the third none
    boxes = [[109.0, 63, 39, 50], [201.0, 38, 43, 60], [278.0, 55, 37, 54]]
    (found,) = engine("layout", _of((358, 252), boxes))
    assert (found["wording"], found["text"]) == (0, TEXT)
    assert all(found["areas"])
    assert _overlap(found, boxes) == 0


@pytest.mark.parametrize(
    ("step", "share", "wording"),
    [(165, 1, 0), (140, 0.9, 0), (125, 0.8, 0), (105, 1, 1), (60, 1, 2)],
)
def test_labels_shrink_then_lose_their_scores_then_their_words(
    engine: Engine, step: int, share: float, wording: int
) -> None:
    # a row of faces from edge to edge of the image: a label has the width of its face
    boxes = [[float(step * k), 0.0, step, 150] for k in range(3)]
    (found,) = engine("layout", _of((3 * step, 175), boxes))
    assert (found["wording"], found["text"]) == (wording, pytest.approx(TEXT * share))
    assert all(found["areas"])
    assert _overlap(found, boxes) == pytest.approx(0, abs=1e-6)


def test_a_crowd_has_numbers_and_none_lies_on_a_face(engine: Engine) -> None:
    generator = np.random.default_rng(4)
    cases = []
    for faces in (1, 3, 6, 12, 20, 45):
        places = generator.uniform(0, (300, 200), (faces, 2))
        sides = generator.uniform(14, 45, faces)
        boxes = [[x, y, side, 1.2 * side] for (x, y), side in zip(places, sides, strict=True)]
        cases.append(_of((358, 252), boxes))
    for case, found in zip(cases, engine("layout", *cases), strict=True):
        assert len(found["areas"]) == len(case["boxes"])
        assert _overlap(found, case["boxes"]) == pytest.approx(0, abs=1e-3)
        for x, y, wide, high in filter(None, found["areas"]):
            assert min(x, y) >= 0
            assert (x + wide <= 358, y + high <= 252) == (True, True)
            assert high == pytest.approx(1.5 * found["text"])
    # where faces leave room, no number is missing
    assert found["wording"] == 2
    rows = [[30.0 + 80 * (k % 5), 40.0 + 62 * (k // 5), 34.0, 40.0] for k in range(20)]
    (grid,) = engine("layout", _of((420, 300), rows))
    assert all(grid["areas"])
    assert _overlap(grid, rows) == 0


def test_where_there_is_room_for_none_labels_are_left_out(engine: Engine) -> None:
    boxes = [[5.0 * k, 0.0, 40, 40] for k in range(4)]
    (found,) = engine("layout", _of((60, 40), boxes))
    assert found["areas"] == [None] * 4


def test_no_face_has_no_label(engine: Engine) -> None:
    assert engine("layout", _of((60, 40), []))[0]["areas"] == []
