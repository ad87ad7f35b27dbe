"""When a closer look is taken, at which part, and what it changes: on boxes made by hand."""

import itertools

import numpy as np
import pytest

from emotion_detection.inference import face_detector
from emotion_detection.inference.detected_face import DetectedFace, move_face
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.inference.second_pass import (
    LARGE,
    SMALL,
    SURE,
    Part,
    choose_min_confidence,
    cut_part_around,
    is_same_face,
    keep_distinct,
    merge_looks,
    needs_closer_look,
)

POINTS = ((1.0, 1.0), (2.0, 1.0), (1.5, 2.0), (1.0, 3.0), (2.0, 3.0))


def face(x: float, y: float, side: float, confidence: float) -> DetectedFace:
    return DetectedFace((x, y, side, side), POINTS, confidence)


@pytest.mark.parametrize(
    ("side", "confidence", "needed"),
    [
        (SMALL - 1, 0.9, True),
        (SMALL + 1, SURE, False),
        (SMALL + 1, SURE - 0.01, True),
        (LARGE - 1, 0.2, True),
        (LARGE, 0.2, False),
    ],
)
def test_small_and_doubtful_boxes_get_a_second_pass(
    side: float, confidence: float, needed: bool
) -> None:
    assert needs_closer_look(face(0, 0, side, confidence), 1.0) == needed
    assert needs_closer_look(face(0, 0, 3 * side, confidence), 1 / 3) == needed


def test_small_boxes_need_more_confidence() -> None:
    assert choose_min_confidence(face(0, 0, 20, 0.5), 1.0, 0.3) == pytest.approx(0.4)
    assert choose_min_confidence(face(0, 0, 40, 0.5), 1.0, 0.3) == 0.3
    assert choose_min_confidence(face(0, 0, 40, 0.5), 0.5, 0.3) == pytest.approx(0.4)
    assert choose_min_confidence(face(0, 0, 20, 0.5), 1.0, 0.7) == 0.7


def test_a_part_holds_its_boxes_with_room_and_ends_with_the_image() -> None:
    part = cut_part_around([face(200, 100, 20, 0.2), face(400, 130, 30, 0.2)], 1000, 300, 2.0)
    assert part.left < 200 - 20
    assert part.right > 430 + 30
    assert part.top > 0
    assert cut_part_around([face(-50, -50, 20, 0.2)], 1000, 300, 1.0)[:2] == (0, 0)
    beyond = cut_part_around([face(2000, 900, 20, 0.2)], 1000, 300, 1.0)
    assert beyond.left < beyond.right <= 1000
    assert beyond.top < beyond.bottom <= 300


WHOLE = Part(0, 0, 1000, 1000)


def merge(
    before: list[DetectedFace], closer: list[DetectedFace], part: Part = WHOLE
) -> list[DetectedFace]:
    return sorted(merge_looks(before, closer, part, 1000, 1000, 1.0))


def test_the_second_pass_decides_or_the_mean_of_both() -> None:
    surer = merge([face(100, 100, 40, 0.2)], [face(101, 101, 38, 0.8)])
    assert surer == [face(101, 101, 38, 0.8)]
    (blurred,) = merge([face(100, 100, 40, 0.44)], [face(101, 101, 38, 0.3)])
    assert blurred.confidence == pytest.approx(0.37)
    (gone,) = merge([face(100, 100, 40, 0.4)], [])
    assert gone.confidence == pytest.approx(0.2)


def test_faces_that_were_certain_keep_their_boxes_and_new_ones_are_added() -> None:
    certain, new = face(100, 100, 60, 0.9), face(300, 300, 20, 0.7)
    assert merge([certain], [face(104, 104, 60, 0.95), new]) == [certain, new]


def test_boxes_that_the_parts_border_cuts_are_left_out_but_not_at_the_images_edge() -> None:
    part = Part(0, 100, 500, 400)
    closer = [face(470, 200, 30, 0.9), face(0, 200, 30, 0.8), face(200, 100, 30, 0.8)]
    assert merge([], closer, part) == [face(0, 200, 30, 0.8)]


def test_what_lies_outside_of_the_part_is_as_it_was() -> None:
    outside = face(800, 800, 30, 0.2)
    assert merge([outside], [], Part(0, 0, 500, 500)) == [outside]


def test_no_face_stands_twice() -> None:
    large, inside, beside = face(0, 0, 100, 0.6), face(20, 20, 50, 0.5), face(80, 0, 100, 0.7)
    assert is_same_face(large, inside)
    assert not is_same_face(large, beside)
    assert sorted(keep_distinct([inside, large, beside])) == [large, beside]


def test_a_moved_face_has_its_box_and_landmarks_moved() -> None:
    moved = move_face(face(10, 20, 4, 0.5), 2, 3, 100, 200)
    assert moved.box == (120, 260, 8, 12)
    assert moved.landmarks[0] == (102, 203)
    assert moved.confidence == 0.5


@pytest.mark.parametrize(
    ("length", "longest"), [(100, 100), (1000, 300), (1001, 250), (5000, 1120)]
)
def test_tiles_cover_a_range_and_overlap(length: int, longest: int) -> None:
    tiles = face_detector._tiles(7, 7 + length, longest, 50)
    assert (tiles[0][0], tiles[-1][1]) == (7, 7 + length)
    assert all(end - start <= longest + 2 for start, end in tiles)
    assert all(before[1] - after[0] >= 49 for before, after in itertools.pairwise(tiles))


class Scripted(FaceDetector):
    """Finds what it is told by the size of the look, and keeps the sizes."""

    def __init__(self, found: dict[int, list[DetectedFace]], working_size: int = 640) -> None:
        self.detection_size, self.min_confidence, self.min_face_size = working_size, 0.3, 0.0
        self.found, self.looks = found, list[tuple[int, int, int]]()

    def _look(
        self, rgb: np.ndarray, longer: int, margin: int, least: float | None = None
    ) -> list[DetectedFace]:
        self.looks.append((longer, *rgb.shape[:2]))
        return self.found.get(longer, [])


def test_large_certain_faces_take_one_look() -> None:
    finder = Scripted({640: [face(100, 100, 200, 0.9)]})
    assert len(finder.find(np.zeros((1080, 1920, 3), np.uint8)).faces) == 1
    assert finder.looks == [(640, 1080, 1920)]


def test_where_nothing_is_found_the_whole_image_is_searched_enlarged_and_reduced() -> None:
    finder = Scripted({})
    assert finder.find(np.zeros((1080, 1920, 3), np.uint8)) == ((), 0)
    assert finder.looks == [(640, 1080, 1920), (1280, 1080, 1920), (128, 1080, 1920)]


def test_small_faces_are_searched_again_up_to_the_image_size() -> None:
    small = face(1000, 1000, 20, 0.45)
    finder = Scripted({640: [small]})
    finder.find(np.zeros((3000, 4000, 3), np.uint8))
    (first, *closer) = finder.looks
    assert first == (640, 3000, 4000)
    assert all(max(height, width) < 1000 for _, height, width in closer[:1])
    assert len(closer) >= 1


def test_large_images_without_a_hint_are_not_searched_again() -> None:
    finder = Scripted({})
    finder.find(np.zeros((3000, 4000, 3), np.uint8))
    assert [size for size, _, _ in finder.looks] == [640, 1280, 128]


def test_small_images_are_enlarged_a_little() -> None:
    finder = Scripted({})
    finder.find(np.zeros((300, 400, 3), np.uint8))
    assert finder.looks == [(400, 300, 400), (800, 300, 400), (128, 300, 400)]


def test_a_reduced_image_gives_faces_in_pixels_of_the_whole() -> None:
    finder = Scripted({640: [face(100, 100, 200, 0.9)]})
    finder.min_face_size = 300.0
    found = finder.find(np.zeros((1080, 1920, 3), np.uint8), scale=2.0)
    assert found.faces[0].box == (200, 200, 400, 400)
    assert finder.find(np.zeros((1080, 1920, 3), np.uint8)).skipped == 1
