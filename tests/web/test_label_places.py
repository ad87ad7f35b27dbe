"""Names over a picture on the page, in Node: none lies on another where there is room for all."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

Engine = Callable[..., list[Any]]
Area = list[float]

TEXT, FULL, SHORT = 15.0, 137.0, 88.0
"""Of "happiness 100 %" and "happiness", in pixels, as a telephone writes them."""


def _shared(one: Area, other: Area) -> float:
    start = np.maximum(one[:2], other[:2])
    end = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    return float(np.prod(np.maximum(end - start, 0)))


def _overlap(found: dict[str, Any]) -> float:
    """Return how many pixels names share; of each, how much of its text lies under another."""
    return sum(_shared(one, other) for one, other in combinations(found["areas"], 2))


def _of(size: tuple[float, float], boxes: list[Area], full: float = FULL) -> dict[str, Any]:
    wordings = [[full] * len(boxes), [SHORT] * len(boxes)]
    return {"size": size, "boxes": boxes, "text": TEXT, "wordings": wordings}


def test_an_earlier_name_makes_room_for_a_later_one(engine: Engine) -> None:
    # three faces side by side on a telephone: the first name below its face leaves the third none
    boxes = [[109.0, 63, 39, 50], [201.0, 38, 43, 60], [278.0, 55, 37, 54]]
    (found,) = engine("layout", _of((358, 252), boxes))
    assert (found["wording"], found["text"]) == (0, TEXT)
    assert _overlap(found) == 0
    assert sum(_shared(name, box) for name in found["areas"] for box in boxes) == 0


@pytest.mark.parametrize(
    ("step", "share", "wording"), [(165, 1, 0), (140, 0.9, 0), (125, 0.8, 0), (105, 1, 1)]
)
def test_names_shrink_and_then_lose_their_scores(
    engine: Engine, step: int, share: float, wording: int
) -> None:
    # a row of faces from edge to edge of the picture: a name has the width of its face
    boxes = [[float(step * k), 0.0, step, 150] for k in range(3)]
    (found,) = engine("layout", _of((3 * step, 175), boxes))
    assert (found["wording"], found["text"]) == (wording, pytest.approx(TEXT * share))
    assert _overlap(found) == 0


def test_names_stay_in_the_picture_and_are_alike(engine: Engine) -> None:
    generator = np.random.default_rng(4)
    cases = []
    for faces in range(1, 7):
        places = generator.uniform(0, (300, 200), (faces, 2))
        cases += [_of((358, 252), [[*place, 45.0, 50.0] for place in places.tolist()])]
    for case, found in zip(cases, engine("layout", *cases), strict=True):
        assert len(found["areas"]) == len(case["boxes"])
        for x, y, wide, high in found["areas"]:
            assert min(x, y) >= 0
            assert (x + wide <= 358, y + high <= 252) == (True, True)
            assert high == pytest.approx(1.5 * found["text"])


def test_where_there_is_room_for_none_the_least_is_hidden(engine: Engine) -> None:
    boxes = [[5.0 * k, 0.0, 40, 40] for k in range(4)]
    (found,) = engine("layout", _of((60, 40), boxes))
    assert (found["wording"], found["text"]) == (1, pytest.approx(0.8 * TEXT))


def test_no_face_has_no_name(engine: Engine) -> None:
    assert engine("layout", _of((60, 40), []))[0]["areas"] == []
