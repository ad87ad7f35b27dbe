"""Images with many faces on the page: short, no label over a face, boxes and list linked."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.data.synthetic import make_synthetic_faces

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAMPLES = Path(__file__).resolve().parents[2] / "web" / "public" / "samples"
SCREENS = {1280: (800, 3), 390: (844, 6)}
"""By the width of a window: its height, and how many of them a group may take."""
LINES = {1280: 9, 390: 14}
"""Pixels of a box that its own outline may cover, from its edge inwards: a line is about as wide on
all screens, and an image has more pixels than a narrow one."""
CROWD = (3, 7, 10, 13, 17, 21, 24, 32, 34, 35, 38, 39, 43, 46, 48, 5, 6, 0, 1, 4)
"""Which of the drawn faces stand in it."""
Visits = Callable[..., Any]


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty drawn faces side by side, hardly apart."""
    faces = make_synthetic_faces(60, size=150).faces
    sheet = np.full((4 * 156 + 30, 5 * 156 + 30), 140, np.uint8)
    for k, place in enumerate(CROWD):
        top, left = 15 + 156 * (k // 5), 15 + 156 * (k % 5)
        sheet[top : top + 150, left : left + 150] = faces[place]
    path = tmp_path_factory.mktemp("crowd") / "crowd.png"
    Image.fromarray(sheet).save(path)
    return path


def _hidden(
    drawn: np.ndarray, original: np.ndarray, rows: list[dict[str, str]], line: int
) -> list[float]:
    """Return the share of each face, inside its outline, that drawing has changed."""
    changed = np.abs(drawn.astype(np.int16) - original).max(axis=2) > 60
    scale = drawn.shape[1] / original.shape[1]
    assert scale == 1
    boxes = [[float(row[name]) for name in ("x", "y", "width", "height")] for row in rows]
    # what lies in another face's outline was not hidden by a label
    outlined = np.zeros(changed.shape, bool)
    for x, y, wide, high in boxes:
        inner = np.zeros(changed.shape, bool)
        outer = inner.copy()
        outer[_slice(y, high, -line), _slice(x, wide, -line)] = True
        inner[_slice(y, high, line), _slice(x, wide, line)] = True
        outlined |= outer & ~inner
    changed &= ~outlined
    return [
        float(changed[_slice(y, high, line), _slice(x, wide, line)].mean())
        for x, y, wide, high in boxes
    ]


def _slice(start: float, length: float, less: int) -> slice:
    return slice(max(round(start) + less, 0), max(round(start + length) - less, 0))


def _check_saved(seen: Any, image: Path, rows: list[dict[str, str]]) -> None:
    with Image.open(image) as image:
        original = np.asarray(image.convert("RGB"), np.int16)
    with Image.open(seen.saved("Save the image (PNG)")) as saved:
        drawn = np.asarray(saved.convert("RGB"))[: original.shape[0]]
    assert (np.abs(drawn - original).max(axis=2) > 60).mean() > 0.005  # boxes and labels are there
    assert max(_hidden(drawn, original, rows, LINES[1280])) < 0.002


def _check_shown(seen: Any, image: Path, rows: list[dict[str, str]], line: int) -> None:
    """Hold the canvas on the screen against the image, in the image's own pixels."""
    with Image.open(image) as image:
        original = np.asarray(image.convert("RGB"), np.int16)
    address = seen.page.locator("#picture").evaluate("c => c.toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as shown:
        drawn = np.asarray(shown.convert("RGB"))[: original.shape[0]]
    assert max(_hidden(drawn, original, rows, line)) < 0.002


def _height(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollHeight"))


def _check_screens(seen: Any, image: Path, table: list[dict[str, str]]) -> None:
    """Check the height of the page and what labels hide, on each screen and in the saved image."""
    _check_saved(seen, image, table)
    for width, (height, screens) in SCREENS.items():
        seen.page.set_viewport_size({"width": width, "height": height})
        assert _height(seen.page) < screens * height
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        _check_shown(seen, image, table, LINES[width])


def test_twenty_faces_are_short_and_no_label_hides_a_face(visit: Visits, crowd: Path) -> None:
    seen = visit()
    table = seen.read(crowd, said="faces:")
    assert len(table) >= 18
    # a line a face: all bars are closed
    expect(seen.page.locator("#faces .face")).to_have_count(len(table))
    expect(seen.page.locator("#faces .bars")).to_have_count(0)
    _check_screens(seen, crowd, table)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "counted"), [("party1.jpg", range(14, 18)), ("party2.jpg", range(3, 4))]
)
def test_group_photos_are_counted_short_and_no_label_hides_a_face(
    visit: Visits, photographs: Path, name: str, counted: range
) -> None:
    # the photographs' README counts their faces: of party1 three more may be detected
    faces = EmotionDetector(threads=1).detect(photographs / name).faces
    count = sum(not face.is_uncertain for face in faces)
    assert count in counted
    seen = visit()
    table = seen.read(photographs / name, said=f"{count} faces:")
    assert len([row for row in table if "uncertain_face" not in row["flags"]]) == count
    expect(seen.page.locator("#faces .uncertain")).to_have_count(len(table) - count)
    _check_screens(seen, photographs / name, table)


def test_faces_below_the_level_that_the_model_file_names_are_uncertain(visit: Visits) -> None:
    seen = visit()

    def raise_level(route: Any) -> None:
        told = route.fetch().json()
        told["thresholds"]["certain"] = 0.9
        route.fulfill(body=json.dumps(told), content_type="application/json")

    seen.page.route("**/models/model.json", raise_level)
    table = seen.read(SAMPLES / "together.png", said="uncertain, not counted")
    for row in table:
        assert ("uncertain_face" in row["flags"]) == (float(row["confidence"]) < 0.9)
    uncertain = sum("uncertain_face" in row["flags"] for row in table)
    assert uncertain > 0
    expect(seen.page.locator("#faces .uncertain h3")).to_have_count(uncertain)
    expect(seen.page.locator("#faces .uncertain h3").first).to_contain_text("uncertain")


def test_boxes_and_lines_point_out_one_another(visit: Visits) -> None:
    seen = visit()
    page = seen.page
    table = seen.read(SAMPLES / "together.png", said="4 faces")
    assert [row["face"] for row in table] == ["1", "2", "3", "4"]
    lines = page.locator("#faces .face")
    for number in range(4):
        expect(lines.nth(number).locator("h3")).to_contain_text(f"Face {number + 1}: ")
    canvas = page.locator("#picture")
    scale = canvas.evaluate("c => c.clientWidth / c.width") * canvas.evaluate("c => c.width") / 1000
    row = table[2]
    middle = {
        "x": scale * (float(row["x"]) + float(row["width"]) / 2),
        "y": scale * (float(row["y"]) + float(row["height"]) / 2),
    }
    # the pointer over a box points out its line
    canvas.hover(position=middle)
    lit = page.locator("#faces .lit")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("Face 3")
    # a click opens the line and takes the keyboard there
    canvas.click(position=middle)
    expect(lines.nth(2).locator(".bars")).to_be_visible()
    expect(lines.nth(2).locator("summary")).to_be_focused()
    # the pointer over a line, or the keyboard in it, changes how its box is drawn
    pixels = "c => c.toDataURL()"
    page.mouse.move(0, 0)
    expect(page.locator("#faces .lit")).to_have_count(0)
    plain = canvas.evaluate(pixels)
    lines.nth(0).hover()
    expect(lit).to_contain_text("Face 1")
    hovered = canvas.evaluate(pixels)
    assert hovered != plain
    page.mouse.move(0, 0)
    page.keyboard.press("Tab")
    page.locator("#faces summary").nth(3).focus()
    expect(lit).to_contain_text("Face 4")
    assert canvas.evaluate(pixels) not in (plain, hovered)


def test_details_stay_open_and_focus_stays_where_the_threshold_moves(visit: Visits) -> None:
    seen = visit()
    seen.read(SAMPLES / "together.png", said="4 faces")
    second = seen.page.locator("#faces summary").nth(1)
    second.focus()
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#faces .bars")).to_have_count(1)
    seen.page.get_by_role("switch").evaluate("box => box.click()")
    seen.page.locator("#least").evaluate(
        "slider => { slider.value = 100; slider.dispatchEvent(new Event('input')); }"
    )
    expect(seen.page.locator("#status")).to_contain_text("unsure")
    expect(second).to_be_focused()
    expect(seen.page.locator("#faces .bars")).to_have_count(1)
