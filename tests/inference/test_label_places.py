"""Labels in a video stay where they are, and still give way in the end."""

import itertools
from collections.abc import Sequence

import numpy as np

from emotion_detection.inference.label_places import Area, LabelLayout, Placement, place_labels

SIZE = (640, 360)
LABEL = (90, 40)
LIMIT = 0.06


class Film:
    """Places labels frame by frame, all of one size; of several looks, the later are smaller."""

    def __init__(self, looks: int = 1) -> None:
        self.layout = LabelLayout()
        self._looks = [(LABEL[0] >> k, LABEL[1] >> k) for k in range(looks)]

    def place(self, *boxes: tuple[float, float], side: float = 60) -> tuple[int, Placement]:
        """Return which look was chosen and where the labels are; faces are numbered from 1."""
        areas = [Area(x, y, x + side, y + 1.2 * side) for x, y in boxes]

        def lay(look: tuple[int, int], kept: Sequence[int | None]) -> tuple[int, Placement]:
            placement = place_labels(SIZE, areas, [look] * len(areas), kept)
            return self._looks.index(look), placement

        tracks = list(range(1, len(areas) + 1))
        return self.layout.choose(self._looks, lay, tracks, LIMIT)


def test_a_single_image_has_the_best_places() -> None:
    boxes = [Area(100, 100, 160, 172), Area(300, 100, 360, 172)]
    best = place_labels(SIZE, boxes, [LABEL] * 2)
    assert best.worst == 0
    _, placement = Film().place((100, 100), (300, 100))
    assert placement == best


def test_trembling_faces_do_not_make_labels_hop() -> None:
    generator = np.random.default_rng(0)
    film, alone = Film(), set()
    sides = set()
    for _ in range(80):
        # side by side and at the upper edge: what is best changes with every pixel
        first = 200 + generator.normal(0, 2), 44 + generator.normal(0, 2)
        second = 265 + generator.normal(0, 2), 44 + generator.normal(0, 2)
        _, placement = film.place(first, second)
        sides.add(tuple(placement.sides))
        alone.add(tuple(Film().place(first, second)[1].sides))
    assert len(alone) > 1
    assert len(sides) == 1


def test_a_label_that_hides_a_face_for_long_moves_away() -> None:
    film = Film()
    _, before = film.place((100, 150), (400, 150))
    # another person comes to where the first one's label is
    later = [film.place((100, 150), (100, 68))[1] for _ in range(40)]
    assert later[-1].worst <= LIMIT
    assert later[-1].sides[0] != before.sides[0]
    changes = sum(one.sides != other.sides for one, other in itertools.pairwise(later))
    assert changes <= 2


def test_something_hidden_for_a_moment_moves_nothing() -> None:
    film = Film()
    _, before = film.place((100, 200), (400, 200))
    for step in range(30):  # someone slightly overlaps the first label in every tenth frame
        near = (100.0, 94.0) if step % 10 == 0 else (400.0, 200.0)
        _, placement = film.place((100, 200), near)
        assert placement.sides[0] == before.sides[0]


def test_labels_become_smaller_in_a_crowd_and_larger_again_much_later() -> None:
    film = Film(looks=3)
    roomy = [(100.0, 150.0)]
    crowd = [(x, y) for x in range(0, 640, 64) for y in (0.0, 80.0, 160.0, 240.0)]
    looks = [film.place(*roomy)[0] for _ in range(5)]
    looks += [film.place(*crowd)[0] for _ in range(40)]
    looks += [film.place(*roomy)[0] for _ in range(200)]
    assert looks[:5] == [0] * 5
    assert looks[44] > 0
    assert looks[-1] == 0
    changes = [at for at in range(1, len(looks)) if looks[at] != looks[at - 1]]
    assert len(changes) <= 4
    assert min(np.diff(changes)) >= 15
