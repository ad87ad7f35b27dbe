"""The face detector: drawn faces found where they are, its decoding and suppression, bad input."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.inference import face_detector
from emotion_detection.inference.face_detector import (
    MODEL_SHA256,
    DetectedFace,
    FaceDetector,
    decode_outputs,
    is_cut,
    suppress_overlaps,
)

FOLDER = Path(face_detector.__file__).parent / "centerface"


@pytest.fixture(scope="module")
def finder() -> FaceDetector:
    return FaceDetector(threads=1)


def _drawn(count: int) -> np.ndarray:
    return np.asarray(make_synthetic_faces(count).faces).reshape(count, 48, 48)


def _image(width: int, height: int, *pasted: tuple[int, int, int, int]) -> np.ndarray:
    """A grey image with drawn faces: for each its number, x, y and side."""
    image = np.full((height, width, 3), 128, np.uint8)
    faces = _drawn(12)
    for number, x, y, side in pasted:
        face = Image.fromarray(faces[number]).resize((side, side), Image.Resampling.BICUBIC)
        image[y : y + side, x : x + side] = np.asarray(face)[..., None]
    return image


@pytest.mark.parametrize("number", [0, 1, 4, 6, 8, 11])
def test_a_synthetic_face_is_found_where_it_is(finder: FaceDetector, number: int) -> None:
    found = finder.find(_image(320, 240, (number, 130, 60, 120)))
    assert found.skipped == 0
    (face,) = found.faces
    assert 0.3 < face.confidence <= 1
    x, y, width, height = face.box
    assert 125 < x < x + width < 255
    assert 55 < y < y + height < 185
    assert min(width, height) > 50
    left_eye, right_eye, nose, mouth_left, mouth_right = np.array(face.landmarks)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    assert all(x < px < x + width and y < py < y + height for px, py in face.landmarks)


def test_where_the_face_moves_its_box_and_landmarks_follow(finder: FaceDetector) -> None:
    (here,) = finder.find(_image(320, 256, (8, 40, 50, 120))).faces
    (there,) = finder.find(_image(320, 256, (8, 120, 90, 120))).faces
    moved = np.array(there.landmarks) - np.array(here.landmarks)
    np.testing.assert_allclose(moved, [[80, 40]] * 5, atol=4)
    np.testing.assert_allclose(np.subtract(there.box, here.box), [80, 40, 0, 0], atol=8)


def test_pixels_are_those_of_the_image_not_of_the_working_size() -> None:
    small = _image(640, 480, (8, 300, 150, 200))
    large = np.asarray(Image.fromarray(small).resize((1600, 1200)))
    whole = FaceDetector(detection_size=640, threads=1)
    (one,), (two,) = whole.find(small).faces, whole.find(large).faces
    np.testing.assert_allclose(np.array(two.landmarks) / 2.5, one.landmarks, atol=4)
    np.testing.assert_allclose(np.array(two.box) / 2.5, one.box, atol=10)


def test_several_faces_stand_from_left_to_right(finder: FaceDetector) -> None:
    image = _image(640, 320, (8, 430, 40, 130), (0, 30, 100, 120), (6, 230, 150, 140))
    faces = finder.find(image).faces
    assert len(faces) == 3
    middles = [face.box[0] + face.box[2] / 2 for face in faces]
    np.testing.assert_allclose(middles, [90, 300, 495], atol=25)


@pytest.mark.parametrize("side", [48, 100, 224, 640])
def test_a_face_that_fills_the_image_is_found_at_any_size(finder: FaceDetector, side: int) -> None:
    for number in (0, 8):
        (face,) = finder.find(_image(side, side, (number, 0, 0, side))).faces
        assert face.box[3] > 0.5 * side


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (700, 2), (31, 33), (200, 200)])
def test_images_without_a_face(finder: FaceDetector, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for image in (noise, np.full_like(noise, 200), np.sort(noise, axis=0)):
        assert finder.find(image) == ((), 0)


def test_small_faces_are_counted_not_returned() -> None:
    image = _image(640, 320, (8, 430, 40, 200), (6, 80, 150, 80))
    both = FaceDetector(threads=1, min_face_size=0).find(image)
    assert (len(both.faces), both.skipped) == (2, 0)
    between = np.mean([max(face.box[2:]) for face in both.faces])
    one = FaceDetector(threads=1, min_face_size=float(between)).find(image)
    assert (one.faces, one.skipped) == (both.faces[1:], 1)
    assert FaceDetector(threads=1, min_face_size=500).find(image) == ((), 2)


def test_the_threshold_is_the_least_confidence(finder: FaceDetector) -> None:
    image = _image(320, 240, (8, 130, 60, 120))
    (face,) = finder.find(image).faces
    assert FaceDetector(threads=1, min_confidence=face.confidence - 0.01).find(image).faces == (
        face,
    )
    above = FaceDetector(threads=1, min_confidence=0.99).find(image)
    assert above == ((), 0)


def test_equal_images_give_equal_faces_from_many_threads(finder: FaceDetector) -> None:
    images = [_image(256, 192, (number, 60, 40, 110)) for number in (0, 4, 6, 8)] * 3
    one_by_one = [finder.find(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(finder.find, images)) == one_by_one
    assert one_by_one[:4] == one_by_one[4:8]
    assert all(found.faces for found in one_by_one)


def test_a_view_of_an_image_is_as_good_as_a_copy(finder: FaceDetector) -> None:
    view = _image(900, 700, (8, 300, 160, 400))[:, ::-1]
    assert finder.find(view) == finder.find(view.copy())
    assert len(finder.find(view).faces) == 1


def test_decoding_by_loops() -> None:
    generator = np.random.default_rng(0)
    rows, columns = 6, 9
    heat = generator.uniform(0, 1, (1, rows, columns)).astype(np.float32)
    size = generator.normal(2, 1, (2, rows, columns)).astype(np.float32)
    offset = generator.uniform(-1, 1, (2, rows, columns)).astype(np.float32)
    marks = generator.uniform(0, 1, (10, rows, columns)).astype(np.float32)
    expected = []
    for row, column in np.ndindex(rows, columns):
        if heat[0, row, column] > 0.8:
            high, wide = np.minimum(np.exp(size[:, row, column].astype(float)), 4 * 9) * 4
            y = (row + 0.5 + offset[0, row, column]) * 4 - high / 2
            x = (column + 0.5 + offset[1, row, column]) * 4 - wide / 2
            places = marks[:, row, column].astype(float)
            points = [(x + places[2 * k + 1] * wide, y + places[2 * k] * high) for k in range(5)]
            expected.append(([x, y, x + wide, y + high], points, heat[0, row, column]))
    corners, landmarks, confidence = decode_outputs(heat, size, offset, marks, 0.8)
    assert len(corners) == len(expected) > 3
    for k, (box, points, sure) in enumerate(expected):
        np.testing.assert_allclose(corners[k].ravel(), box, rtol=1e-5)
        np.testing.assert_allclose(landmarks[k], points, rtol=1e-5)
        assert confidence[k] == sure


@pytest.mark.parametrize("wild", [20, 3e4, -3e4])
def test_wild_outputs_of_the_network_stay_near_the_image(wild: float) -> None:
    heat = np.full((1, 8, 16), 0.9, np.float32)
    size, offset, marks = (np.full((count, 8, 16), wild, np.float32) for count in (2, 2, 10))
    corners, landmarks, _ = decode_outputs(heat, size, 0 * offset, marks, 0.3)
    longer = 16 * 4
    sides = corners[:, 1] - corners[:, 0]
    assert sides.min() >= 0
    assert sides.max() <= 4 * longer * 1.000001
    beyond = np.maximum(corners[:, :1] - landmarks, landmarks - corners[:, 1:])
    assert (beyond <= sides[:, None] * 1.000001).all()


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    low, high = np.maximum(one[0], other[0]), np.minimum(one[1], other[1])
    shared = max(0.0, high[0] - low[0]) * max(0.0, high[1] - low[1])
    areas = [(box[1][0] - box[0][0]) * (box[1][1] - box[0][1]) for box in (one, other)]
    return float(shared / (areas[0] + areas[1] - shared))


@pytest.mark.parametrize("seed", range(5))
def test_suppression_keeps_the_most_confident_and_nothing_that_overlaps_it(seed: int) -> None:
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 50, (40, 2))
    corners = np.stack([low, low + generator.uniform(5, 40, (40, 2))], axis=1)
    confidence = generator.uniform(0, 1, 40)
    kept = suppress_overlaps(corners, confidence).tolist()
    expected: list[int] = []
    for box in sorted(range(40), key=lambda k: -confidence[k]):
        if all(_overlap(corners[box], corners[other]) < 0.3 for other in expected):
            expected.append(box)
    assert kept == expected
    assert 1 < len(kept) < 40


def test_suppression_of_nothing() -> None:
    assert suppress_overlaps(np.empty((0, 2, 2)), np.empty(0)).tolist() == []


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((20, 20, 100, 100), False),
        ((1, 20, 100, 100), True),
        ((-30, 20, 100, 100), True),
        ((20, 1, 100, 100), True),
        ((99, 20, 100, 100), True),
        ((20, 49, 100, 100), True),
        ((3, 3, 100, 100), False),
        ((97, 47, 100, 100), False),
    ],
)
def test_a_face_at_an_edge_is_cut(box: tuple[float, float, float, float], cut: bool) -> None:
    face = DetectedFace(box, ((50.0, 50.0),) * 5, 0.9)
    assert is_cut(face, width=200, height=150) is cut


def test_a_synthetic_face_of_which_a_part_is_missing_is_cut(finder: FaceDetector) -> None:
    whole = _image(320, 240, (8, 130, 60, 120))
    (face,) = finder.find(whole).faces
    assert not is_cut(face, 320, 240)
    x, _, wide, _ = face.box
    part = np.ascontiguousarray(whole[:, round(x + 0.25 * wide) :])
    (face,) = finder.find(part).faces
    assert is_cut(face, part.shape[1], 240)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("detection_size", 31),
        ("detection_size", 10_000),
        ("detection_size", 640.0),
        ("detection_size", "640"),
        ("min_confidence", 0),
        ("min_confidence", 1),
        ("min_confidence", float("nan")),
        ("min_confidence", "0.5"),
        ("min_face_size", -1),
        ("min_face_size", float("inf")),
        ("min_face_size", None),
        ("threads", 0),
        ("threads", 1.5),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: Any) -> None:
    with pytest.raises(InputError, match=setting) as caught:
        FaceDetector(**{setting: value})
    assert repr(value) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "image",
    [
        None,
        [[1, 2, 3]],
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((1, 40, 40, 3), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros((40, 40, 3), np.float32),
    ],
)
def test_arrays_that_are_no_image_are_refused(finder: FaceDetector, image: Any) -> None:
    with pytest.raises(InputError, match=r"uint8 \(H, W, 3\) RGB"):
        finder.find(image)


def test_the_file_is_the_one_that_is_named_and_says_whose_it_is() -> None:
    content = (FOLDER / "centerface.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == MODEL_SHA256
    notice = (FOLDER / "LICENSE.txt").read_text(encoding="utf-8")
    assert "CenterFace" in notice
    assert "Star-Clouds" in notice
    assert "MIT License" in notice


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "a folder"])
def test_a_damaged_file_says_to_reinstall(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "centerface" / "centerface.onnx"
    path.parent.mkdir()
    content = (FOLDER / "centerface.onnx").read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-100])
    elif damage == "changed":
        path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif damage == "a folder":
        path.mkdir()
    monkeypatch.setattr(f"{face_detector.__name__}.resources.files", lambda package: tmp_path)
    with pytest.raises(InputError, match="reinstall") as caught:
        FaceDetector()
    assert str(path) in str(caught.value)


@pytest.mark.release
@pytest.mark.slow
@pytest.mark.real_data
def test_real_faces_are_found(
    finder: FaceDetector, fer2013_root: Path, fer2013_cache: Path
) -> None:
    config = DataConfig(data=str(fer2013_root), cache=str(fer2013_cache))
    crops = load(config).split("validation").draw(np.arange(0, 3000, 50))[:, 0]
    found = [len(finder.find(np.repeat(crop[..., None], 3, axis=2)).faces) for crop in crops]
    assert len(found) == 60
    assert np.mean(np.array(found) == 1) > 0.9
