"""Alignment: where crops lie, and their pixels against the recipe, step by step."""

import base64
import cmath
import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.inference.align import (
    FARTHEST,
    MARGIN,
    TEMPLATE,
    Placement,
    align,
    compute_placement,
    cut_out,
)
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.results import LANDMARKS

GOLDEN = Path(__file__).parent / "golden" / "align.json"
ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "results"


LEVEL = ((10.0, 10.0), (20.0, 10.0), (15.0, 15.0), (11.0, 20.0), (19.0, 20.0))
BOX = (5.0, 2.0, 20.0, 24.0)


def _points(places: np.ndarray) -> np.ndarray:
    return np.stack([places.real, places.imag], axis=1)


def _image(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _by_the_recipe(rgb: np.ndarray, where: Placement, size: int, channels: int) -> np.ndarray:
    """Steps 2 to 5 of the module's docstring, a pixel at a time."""
    height, width = rgb.shape[:2]
    pixels = rgb.astype(int).tolist()
    block = max(1, math.floor(abs(where.turn) + 0.5))

    def value(row: int, column: int, channel: int) -> int:
        colours = pixels[min(max(row, 0), height - 1)][min(max(column, 0), width - 1)]
        if channels == 3:
            return int(colours[channel])
        red, green, blue = colours
        return int((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16)

    def mean(row: int, column: int, channel: int) -> float:
        rows = range(row * block, (row + 1) * block)
        columns = range(column * block, (column + 1) * block)
        return sum(value(r, c, channel) for r in rows for c in columns) / (block * block)

    crop = np.zeros((size, size, channels), np.uint8)
    for row, column, channel in np.ndindex(crop.shape):
        point = where.turn * complex(column + 0.5, row + 0.5) + where.corner
        x, y = point.real / block - 0.5, point.imag / block - 0.5
        left, top = math.floor(x), math.floor(y)
        x, y = x - left, y - top
        above = mean(top, left, channel) * (1 - x) + mean(top, left + 1, channel) * x
        below = mean(top + 1, left, channel) * (1 - x) + mean(top + 1, left + 1, channel) * x
        crop[row, column, channel] = math.floor(above * (1 - y) + below * y + 0.5)
    return crop if channels == 3 else crop[..., 0]


def test_the_template_is_what_was_measured() -> None:
    measured = json.loads((FIGURES / "template.json").read_text(encoding="utf-8"))
    assert [list(point) for point in TEMPLATE] == measured["template"]
    assert measured["size"] == 48
    assert measured["found"] > 0.9 * measured["faces"] > 2000


def test_the_margin_is_what_was_chosen() -> None:
    found = json.loads((FIGURES / "pasted.json").read_text(encoding="utf-8"))
    chosen = f"box x {MARGIN:.2f}, turned"
    assert found["validation"]["chosen"] == found["test"]["chosen"] == chosen
    ways = found["validation"]["ways"]
    # it was the most accurate one with earlier weights; with today's none beats it beyond the noise
    beats = [name for name, way in ways.items() if way["less_chosen_ci95"][0] > 0]
    assert beats == []
    assert sum(way["less_chosen_ci95"][1] < 0 for way in ways.values()) >= 3


@pytest.mark.parametrize("margin", [0.8, 1.0])
@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("angle", [0.0, 0.3, -0.35, 2.9, math.pi / 2])
def test_the_crop_is_a_turned_square_about_the_box(angle: float, size: int, margin: float) -> None:
    eyes = np.array([0, cmath.rect(7.5, angle)]) + 12 + 9j
    found = compute_placement(BOX, _points(np.append(eyes, [1, 2, 3])), size, margin)
    assert abs(found.turn) * size == pytest.approx(24 * margin)
    assert cmath.phase(found.turn) == pytest.approx(angle)
    # the crop's middle is the box's
    assert found.turn * (size / 2) * (1 + 1j) + found.corner == pytest.approx(15 + 14j)


@pytest.mark.parametrize("angle", [0.2, -0.3])
def test_the_eyes_come_to_lie_level(angle: float) -> None:
    points = _points(cmath.rect(2.5, angle) * (np.array(LEVEL) @ (1, 1j)) + 40 + 30j)
    turn, corner = compute_placement((50, 40, 60, 66), points, 48)
    there = ((points @ (1, 1j)) - corner) / turn
    assert there[0].imag == pytest.approx(there[1].imag)
    assert there[0].real < there[1].real


def test_eyes_in_one_point_turn_nothing() -> None:
    assert compute_placement(BOX, [[3, 3]] * 5, 48).turn == pytest.approx(24 * MARGIN / 48)


@pytest.mark.parametrize(
    "where",
    [
        Placement(1 + 0j, 3.25 + 5.5j),
        Placement(cmath.rect(0.3, 1.0), 20 + 10j),
        Placement(cmath.rect(1.49, 0.4), 8 - 4j),
        Placement(cmath.rect(1.51, -0.4), 4 + 20j),
        Placement(cmath.rect(4.2, 2.5), 70 + 20j),
        Placement(2 + 0j, -300 + 20j),
        Placement(2 + 0j, 20 + 300j),
        Placement(-2 + 0j, -300 + 300j),
        Placement(cmath.rect(17.3, 0.2), -60 - 70j),
        Placement(20 + 0j, 0j),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_the_recipe(where: Placement, channels: int) -> None:
    rgb = _image()
    expected = _by_the_recipe(rgb, where, 12, channels)
    np.testing.assert_array_equal(cut_out(rgb, where, 12, channels), expected)


def test_golden_crops() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    pixels = np.frombuffer(base64.b64decode(golden["rgb"]), np.uint8)
    rgb = pixels.reshape(golden["height"], golden["width"], 3)
    assert len(golden["cases"]) >= 5
    for case in golden["cases"]:
        crop = align(rgb, case["box"], case["landmarks"], case["size"], case["channels"])
        expected = np.frombuffer(base64.b64decode(case["crop"]), np.uint8)
        np.testing.assert_array_equal(crop.ravel(), expected, err_msg=case["name"])


def test_a_crop_in_place_keeps_its_pixels() -> None:
    rgb = _image(48, 48)
    there = Placement(1 + 0j, 0j)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    np.testing.assert_array_equal(cut_out(rgb, there, 48, 1), grey)
    np.testing.assert_array_equal(cut_out(rgb, there, 48, 3), rgb)


def test_fine_patterns_become_grey_not_stripes() -> None:
    row, column = np.mgrid[0:480, 0:480]
    board = np.repeat(((row + column) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = cut_out(board, Placement(cmath.rect(6, 0.3), 100 + 20j), 48, 1)
    assert crop.min() >= 120
    assert crop.max() <= 135


@pytest.mark.parametrize("angle", [0.35, -0.35, 0.0])
def test_a_spot_comes_to_lie_at_its_place(angle: float) -> None:
    eyes = cmath.rect(60, angle) * np.array([0, 1]) + 150 + 160j
    box = (100.0, 90.0, 180.0, 200.0)
    where = compute_placement(box, _points(np.append(eyes, [1, 2, 3])), 48)
    row, column = np.mgrid[0:420, 0:420] + 0.5
    for eye in eyes:
        spot = np.exp(-((column - eye.real) ** 2 + (row - eye.imag) ** 2) / (2 * 8**2))
        rgb = np.repeat((spot * 255).astype(np.uint8)[..., None], 3, axis=2)
        crop = align(rgb, box, _points(np.append(eyes, [1, 2, 3])), 48).astype(float)
        centre = (crop * (np.arange(48) + 0.5)).sum() / crop.sum()
        middle = (crop * (np.arange(48) + 0.5)[:, None]).sum() / crop.sum()
        assert abs((eye - where.corner) / where.turn - complex(centre, middle)) < 0.2
        assert crop.max() > 200


def test_a_view_of_an_image_is_as_good_as_a_copy() -> None:
    rgb = _image()[:, ::-1]
    where = Placement(cmath.rect(1.7, 0.1), 10 + 5j)
    before = rgb.copy()
    np.testing.assert_array_equal(cut_out(rgb, where, 16, 1), cut_out(rgb.copy(), where, 16, 1))
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [10_000, 1_000_000])
def test_however_far_apart_landmarks_are_a_crop_costs_little(side: int, channels: int) -> None:
    rgb = np.zeros((300, 300, 3), np.uint8)
    colours = ((10, 20), (30, 40))
    for row, column in np.ndindex(2, 2):
        rgb[row * 150 :, column * 150 :] = colours[row][column]
    box = (150 - side / 2, 150 - side / 2, side, side)
    tracemalloc.start()
    try:
        crop = align(rgb, box, LEVEL, 48, channels)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    for row, column in np.ndindex(2, 2):
        part = crop[row * 26 : row * 26 + 22, column * 26 : column * 26 + 22]
        assert (part == colours[row][column]).all()


@pytest.mark.parametrize(
    "landmarks",
    [
        [[1e6 + 1, 2]] * 5,
        [[1, -1e300]] * 5,
        [],
        [[1, 2]] * 4,
        [[1, 2, 3]] * 5,
        [[math.nan, 2]] * 5,
        [[math.inf, 2]] * 5,
    ],
)
def test_bad_landmarks_are_named(landmarks: Any) -> None:
    with pytest.raises(InputError, match="five points"):
        align(_image(), BOX, landmarks, 48)


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 0, 4),
        (1, 2, 3, -4),
        (math.nan, 2, 3, 4),
        (1, 2, math.inf, 4),
        (1, 2, 3, FARTHEST + 1),
        (1, math.nan, 3, 4),
        (-FARTHEST - 1, 2, 3, 4),
    ],
)
def test_a_bad_box_is_named(box: Any) -> None:
    with pytest.raises(InputError, match="a width and height above 0"):
        align(_image(), box, LEVEL, 48)


def test_an_array_of_bad_landmarks_is_named_in_one_line() -> None:
    with pytest.raises(InputError, match="five points") as caught:
        align(_image(), BOX, np.full((5, 2), np.nan), 48)
    assert "\n" not in str(caught.value)


def test_the_template_is_measured_on_both_sides_alike(
    load_benchmark: Callable[[str], ModuleType],
) -> None:
    script = load_benchmark("inference.landmark_template")
    crops = np.asarray(make_synthetic_faces(10).faces).reshape(-1, 48, 48)
    found = script.template(np.concatenate([crops, np.full((2, 48, 48), 99, np.uint8)]))
    assert (found["faces"], found["size"]) == (12, 48)
    assert 8 <= found["found"] <= 10
    template = np.array(found["template"])
    np.testing.assert_allclose(template[[0, 3], 0] + template[[1, 4], 0], 48, atol=0.02)
    np.testing.assert_allclose(template[[0, 3], 1], template[[1, 4], 1])
    assert template[2, 0] == 24
    means = np.array([found["landmarks"][name]["mean"] for name in LANDMARKS])
    np.testing.assert_allclose(template[:, 1].mean(), means[:, 1].mean(), atol=0.02)


def test_pasted_faces_are_cut_out_again(load_benchmark: Callable[[str], ModuleType]) -> None:
    script = load_benchmark("inference.pasted_faces")
    crops = np.asarray(make_synthetic_faces(9).faces).reshape(-1, 48, 48)[[0, 6, 8]]
    looked = script.look(
        crops, FaceDetector(threads=1), 0, ("fitted x 1.00", "box x 1.10", "box x 1.00, turned")
    )
    assert looked.found.sum() >= 2
    assert looked.elsewhere == looked.empty == 0
    for cuts in looked.cuts.values():
        assert cuts.shape == (looked.found.sum(), 48, 48)
        for cut, crop in zip(cuts, crops[looked.found], strict=True):
            like = [np.corrcoef(cut.ravel(), other.ravel())[0, 1] for other in (crop, crop[::-1])]
            assert like[0] > max(like[1], 0.3)


def test_an_interval_holds_the_mean(load_benchmark: Callable[[str], ModuleType]) -> None:
    script = load_benchmark("inference.pasted_faces")
    values = (np.arange(400) % 4 == 0).astype(float)
    low, high = script.interval(values)
    # of a share p of n faces the standard error is sqrt(p (1 - p) / n)
    assert [low, high] == pytest.approx([0.25 - 1.96 * 0.02165, 0.25 + 1.96 * 0.02165], abs=0.006)
    assert script.interval(np.ones(50)) == [1.0, 1.0]


@pytest.mark.parametrize("name", ["landmark_template", "pasted_faces"])
def test_bad_input_to_the_measurements_is_one_line(
    run_benchmark: Callable[..., Any], name: str, tmp_path: Path
) -> None:
    done = run_benchmark(f"inference.{name}", "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
