"""The page in Chromium: what it finds is what Python finds, and it says and sends nothing else."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.commands import export_web
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference.table_files import list_rows
from emotion_detection.serving.built_page import find_page_folder, is_page_built
from emotion_detection.training_record import SYNTHETIC_NOTE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "web" / "public" / "samples"
COORDINATE = re.compile(r"^(x|y|width|height|.*_(x|y))$")
Visits = Callable[..., Any]
UNCERTAIN_FACE = "uncertain_face"

BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What turns an upright image into one that an EXIF orientation turns back."""


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


def _same(found: list[dict[str, str]], images: list[Path]) -> None:
    """Hold the page's table against Python's: scores within 0.01, boxes within 2 pixels.

    Faces are numbered from 1 on the page; which of them are uncertain is tested by itself.
    """
    wanted = []
    for image in images:
        record = EmotionDetector().detect(image).as_dict() | {"source": image.name}
        for number, row in enumerate(list_rows(record), 1):
            wanted.append(row | ({"face": number} if record["faces"] else {}))
    assert len(found) == len(wanted)
    for row, like in zip(found, wanted, strict=True):
        for name, value in like.items():
            if isinstance(value, float):
                within = 2 if COORDINATE.match(name) else 0.01
                assert float(row[name]) == pytest.approx(value, abs=within), name
            elif name == "flags":
                assert _sure_flags(row[name]) == _sure_flags(value), name
            else:
                assert row[name] == ("" if value is None else str(value)), name


def _sure_flags(flags: str | None) -> list[str]:
    return [flag for flag in (flags or "").split() if flag != UNCERTAIN_FACE]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images of drawn faces: PNG, JPEG, WebP, large, small, turned by EXIF, with alpha, empty."""
    folder = tmp_path_factory.mktemp("drawn")
    faces = make_synthetic_faces(40, size=160).faces
    sheet = np.full((1300, 1700), 140, np.uint8)
    for k, (x, y) in enumerate([(100, 90), (900, 200), (300, 800), (1250, 900)]):
        face = Image.fromarray(faces[3 + 7 * k]).resize((200 + 60 * k,) * 2)
        sheet[y : y + face.height, x : x + face.width] = face
    large = Image.fromarray(sheet)
    turned = Image.Exif()
    turned[0x0112] = 6
    alpha = np.full((160, 160, 4), 255, np.uint8)
    alpha[..., :3] = faces[24][..., None]
    alpha[:, :30, 3] = 0
    alpha[:, 130:, 3] = 120
    large.save(folder / "large.jpg", quality=95)
    large.convert("RGB").save(folder / "large.webp", lossless=True)
    large.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=turned, quality=95)
    rgb = Image.fromarray(faces[3]).convert("RGB").resize((160, 190))
    for orientation, way in BACK.items():
        turned[0x0112] = orientation
        rgb.transpose(way).save(folder / f"turned-{orientation}.webp", exif=turned, lossless=True)
    rgb.transpose(BACK[8]).save(folder / "turned.png", exif=turned)
    Image.fromarray(alpha).save(folder / "alpha.png")
    Image.fromarray(faces[25]).resize((70, 70)).save(folder / "small.png")
    Image.fromarray(faces[32]).save(folder / "face.png")
    Image.new("RGB", (300, 200), (90, 120, 80)).save(folder / "nobody.png")
    return sorted(folder.iterdir())


@pytest.mark.slow
def test_what_it_finds_in_a_synthetic_face_is_what_python_finds(visit: Visits) -> None:
    seen = visit()
    assert "Nothing leaves this device." in seen.page.locator("#private").inner_text()
    image = SAMPLES / "together.png"
    _same(seen.read(image, said="4 faces"), [image])
    assert len(seen.requests) > 5
    assert [url for url in seen.requests if not url.startswith((seen.address, "blob:"))] == []


@pytest.mark.slow
def test_a_model_of_synthetic_faces_is_named_as_such(
    visit: Visits, tmp_path: Path, benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_page_built(find_page_folder()):
        pytest.skip("the page is not built: 'make web' builds it")
    monkeypatch.setattr(EmotionDetector, "is_synthetic", True)
    export_web.export_page(tmp_path / "site")
    with benchmark.served(tmp_path / "site") as address:
        seen = visit(address=address)
        note = seen.page.locator("#model-note")
        assert note.is_hidden()
        rows = seen.read(SAMPLES / "together.png", said="4 faces")
        assert note.inner_text() == f"Note: {SYNTHETIC_NOTE}."
        assert {row["notes"] for row in rows} == {SYNTHETIC_NOTE}
        assert "synthetic" not in seen.page.locator("#status").inner_text()


@pytest.mark.slow
def test_what_it_finds_in_images_of_all_kinds_is_what_python_finds(
    visit: Visits, drawn: list[Path]
) -> None:
    _same(visit().read(*drawn, said=f"in {len(drawn)} images"), drawn)


@pytest.mark.slow
@pytest.mark.real_data
def test_what_it_finds_in_photos_is_what_python_finds(visit: Visits, photographs: Path) -> None:
    images = sorted(photographs.glob("*.jpg"))
    _same(visit().read(*images, said=f"in {len(images)} images"), images)


@pytest.mark.slow
def test_files_that_cannot_be_read_are_listed_and_the_first_other_one_is_shown(
    visit: Visits, tmp_path: Path
) -> None:
    text, half = tmp_path / "=notes.png", tmp_path / "half.png"
    text.write_text("no image")
    half.write_bytes((SAMPLES / "sadness.png").read_bytes()[:-300])
    images = [text, half, SAMPLES / "sadness.png"]
    seen = visit()
    table = seen.read(*images, said="2 files could not be read: =notes.png, half.png")
    assert "1 face in 1 image: 1 sadness" in seen.page.locator("#status").inner_text()
    assert [row["file"] for row in table] == ["'=notes.png", "half.png", "sadness.png"]
    assert [row["error"] for row in table] == [
        "not a JPEG, PNG, WebP, GIF, BMP or AVIF image",
        "truncated: its end is missing",
        "",
    ]
    assert table[2]["emotion"] == "sadness"
    assert seen.page.locator("#stage-title").inner_text() == "sadness.png"
    expect(seen.page.locator("#faces h3")).to_contain_text("sadness")
    lines = seen.page.locator("#list button")
    expect(lines).to_have_count(3)
    expect(lines.nth(1)).to_contain_text("truncated: its end is missing")
    # a click on a file keeps the focus where it is
    lines.nth(1).click()
    expect(seen.page.locator("#status")).to_contain_text("half.png: truncated")
    lines.nth(2).click()
    expect(lines.nth(2)).to_be_focused()
    expect(seen.page.locator("#status")).to_contain_text("1 face: sadness")


@pytest.mark.slow
def test_where_no_file_can_be_read_nothing_is_shown(visit: Visits, tmp_path: Path) -> None:
    for name in ("a.txt", "b.png"):
        (tmp_path / name).write_text("no image")
    seen = visit()
    seen.page.set_input_files("#files", [str(tmp_path / "a.txt"), str(tmp_path / "b.png")])
    expect(seen.page.locator("#status")).to_contain_text("2 files could not", timeout=60_000)
    expect(seen.page.locator("#list button")).to_have_count(2)
    expect(seen.page.locator("#picture")).to_be_hidden()
    expect(seen.page.get_by_role("button", name="Save the image (PNG)")).to_be_disabled()


@pytest.mark.slow
def test_reading_many_files_can_be_cancelled(visit: Visits, tmp_path: Path) -> None:
    for k in range(12):
        shutil.copy(SAMPLES / "group.jpg", tmp_path / f"{k:02}.jpg")
    seen = visit()
    seen.page.set_input_files("#files", [str(path) for path in sorted(tmp_path.iterdir())])
    lines = seen.page.locator("#list button")
    expect(lines.first).to_contain_text("12 faces", timeout=60_000)
    assert 0 < seen.page.locator("#progress").evaluate("bar => bar.value") < 1
    seen.page.get_by_role("button", name="Cancel").click()
    expect(seen.page.locator("#status")).to_contain_text("could not be read")
    expect(seen.page.locator("#busy")).to_be_hidden()
    expect(seen.page.locator("#status")).to_be_focused()
    expect(lines.last).to_contain_text("not read: cancelled")
    table = seen.rows()
    assert table[0]["faces"] == "12"
    assert table[-1]["error"] == "not read: cancelled"


@pytest.mark.slow
def test_formats_that_browsers_decode_are_read(visit: Visits, tmp_path: Path) -> None:
    with Image.open(SAMPLES / "sadness.png") as image:
        for suffix in ("gif", "bmp", "avif"):
            image.save(tmp_path / f"sadness.{suffix}")
    images = sorted(tmp_path.iterdir())
    table = visit().read(*images, said="3 faces in 3 images: 3 sadness")
    assert [row["error"] for row in table] == ["", "", ""]


@pytest.mark.slow
def test_large_images_are_read_smaller_with_boxes_in_their_own_pixels(
    visit: Visits, tmp_path: Path
) -> None:
    with Image.open(SAMPLES / "group.jpg") as image:
        large = image.resize((7 * image.width, 7 * image.height))
        wanted = EmotionDetector().detect(np.asarray(image.convert("RGB"))).faces
    assert large.width * large.height > 25_000_000
    turned = Image.Exif()
    turned[0x0112] = 6
    large.transpose(BACK[6]).save(tmp_path / "turned.jpg", exif=turned)
    table = visit().read(tmp_path / "turned.jpg", said="12 faces")
    # the same faces; their boxes are looked for in other pixels
    places = sorted(float(row["x"]) / 7 for row in table)
    assert places == pytest.approx(sorted(face.box[0] for face in wanted), abs=8)


@pytest.mark.slow
def test_it_abstains_on_request(visit: Visits, tmp_path: Path) -> None:
    unclear = tmp_path / "unclear.png"
    Image.fromarray(make_synthetic_faces(23, size=200).faces[22]).save(unclear)
    score = EmotionDetector().detect(unclear).faces[0].score
    assert score < 0.9
    seen = visit()
    assert "unsure" not in seen.read(unclear, said="1 face")[0]["flags"]
    seen.page.get_by_role("switch").check()
    seen.page.locator("#least").fill("90")
    expect(seen.page.locator("#faces h3")).to_contain_text("unsure")
    expect(seen.page.locator("#status")).to_contain_text("1 face: unsure")
    assert "unsure" in seen.rows()[0]["flags"]
    seen.page.get_by_role("switch").uncheck()
    expect(seen.page.locator("#faces h3")).not_to_contain_text("unsure")


@pytest.mark.slow
def test_a_heat_map_and_the_annotated_image_are_drawn(visit: Visits) -> None:
    seen = visit()
    image = SAMPLES / "happiness.png"
    seen.read(image, said="1 face: happiness")
    with Image.open(seen.saved("Save the image (PNG)")) as saved:
        assert (saved.format, saved.size) == ("PNG", (200, 200))
        drawn_over = np.asarray(saved.convert("RGB"), np.int16)
    with Image.open(image) as image:
        changed = np.abs(drawn_over - np.asarray(image.convert("RGB"))).max(axis=2) > 40
    assert 0.02 < changed.mean() < 0.4
    why = seen.page.get_by_role("button", name="Why happiness?")
    why.focus()
    seen.page.keyboard.press("Enter")
    heat = seen.page.get_by_role("img", name="heat map of happiness")
    expect(heat).to_be_visible(timeout=60_000)
    pixels = heat.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 48, 48).data]")
    colours = np.array(pixels).reshape(48, 48, 4)[..., :3]
    coloured = np.ptp(colours, axis=2) > 60
    assert 0.01 < coloured.mean() < 0.9
    expect(seen.page.locator("#faces")).to_contain_text("costs happiness more of its score")
    # the button stays, so that the keyboard is not lost, and hides the map
    hide = seen.page.get_by_role("button", name="Hide the heat map")
    expect(hide).to_be_focused()
    hide.click()
    expect(heat).to_be_hidden()


@pytest.mark.slow
def test_networks_that_are_missing_are_reported_and_tried_again(visit: Visits) -> None:
    seen = visit()
    seen.page.route("**/models/model.onnx", lambda route: route.fulfill(status=404, body=""))
    seen.page.get_by_role("button", name="drawn face: sadness").click()
    status = seen.page.locator("#status")
    expect(status).to_contain_text("model.onnx: the server answers 404", timeout=60_000)
    seen.page.unroute("**/models/model.onnx")
    seen.page.get_by_role("button", name="drawn face: sadness").click()
    expect(status).to_contain_text("1 face: sadness", timeout=60_000)
    seen.problems.clear()  # the 404 itself, which browsers report


@pytest.mark.slow
def test_images_are_taken_that_are_dropped_or_pasted(visit: Visits) -> None:
    seen = visit()
    status = seen.page.locator("#status")
    give = """async ([kind, name]) => {
      const file = await (await fetch(`samples/${name}.png`)).blob();
      const data = new DataTransfer();
      data.items.add(new File([file], `${kind}.png`, { type: 'image/png' }));
      const event = kind === 'drop'
        ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
      document.body.dispatchEvent(event);
    }"""
    for kind, name in (("drop", "sadness"), ("paste", "surprise")):
        seen.page.evaluate(give, [kind, name])
        expect(status).to_contain_text(f"1 face: {name}", timeout=60_000)
        assert seen.rows()[0]["file"] == f"{kind}.png"


def test_the_use_policy_is_a_page(visit: Visits) -> None:
    seen = visit()
    seen.page.get_by_role("link", name="what this may be used for").click()
    heading = seen.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Use policy")
    assert seen.page.locator("table td").count() > 8
    text = seen.page.locator("body").inner_text()
    assert not re.search(r"^#|\*\*|\]\(|\| --- ", text, re.MULTILINE)
    assert seen.page.locator('a[href*="docs/"]').count() == 0  # they are not beside the page
    seen.page.get_by_role("link", name="Back to the page").click()
    expect(seen.page.get_by_role("button", name="Use the camera")).to_be_visible()


def test_opened_as_a_file_the_page_says_what_it_needs(chromium: Any, site: Path) -> None:
    (index,) = site.rglob("index.html")
    context = chromium.new_context()
    page = context.new_page()
    page.goto(index.as_uri())
    expect(page.get_by_text("This page needs a web server")).to_be_visible()
    context.close()
