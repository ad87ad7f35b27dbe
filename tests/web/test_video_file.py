"""A video file on the page: frames by the browser's own player, followed, with a time line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data.synthetic import make_synthetic_faces

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visits = Callable[..., Any]
SECONDS, RATE = 3, 10


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn faces, one of which moves to the right, as WebM."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    faces = make_synthetic_faces(40, size=170).faces
    path = tmp_path_factory.mktemp("clip") / "clip.webm"
    writer = ffmpeg.write_frames(
        str(path), (640, 360), fps=RATE, codec="libvpx", bitrate="2M", macro_block_size=8
    )
    writer.send(None)
    for step in range(SECONDS * RATE):
        frame = np.full((360, 640), 120, np.uint8)
        frame[20:190, 20 + 5 * step : 190 + 5 * step] = faces[17]
        frame[180:350, 440:610] = faces[32]
        writer.send(np.ascontiguousarray(np.repeat(frame[..., None], 3, axis=2)))
    writer.close()
    return path


def test_a_video_is_read_followed_and_drawn_over_time(visit: Visits, clip: Path) -> None:
    seen = visit()
    page = seen.page
    table = seen.read(clip, said="2 persons in 15 frames")
    assert {row["file"] for row in table} == {"clip.webm"}
    assert {row["track"] for row in table} == {"1", "2"}
    times = sorted({float(row["time"]) for row in table})
    assert times == pytest.approx([0.2 * k for k in range(15)], abs=0.01)
    moving = [row for row in table if row["emotion"] == "happiness"]
    places = [float(row["x"]) for row in moving]
    assert len(moving) > 10
    assert places == sorted(places)
    assert places[-1] - places[0] > 90
    # numbers are those of the persons, on the list too
    expect(page.locator("#faces h3").first).to_contain_text("Face 1: ")
    expect(page.locator("#timeline")).to_be_visible()
    # any moment can be looked at again
    before = page.locator("#picture").evaluate("c => c.toDataURL()")
    slider = page.get_by_role("slider", name="Moment")
    slider.press("End")
    expect(page.locator("#moment-shown")).to_have_text("2.8 s")
    page.wait_for_function(
        "before => document.getElementById('picture').toDataURL() !== before", arg=before
    )
    assert [url for url in seen.requests if not url.startswith((seen.address, "blob:"))] == []


def test_a_video_that_the_browser_cannot_play_says_what_can(visit: Visits, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    image = tmp_path / "grey.png"
    Image.new("RGB", (200, 200), (90, 90, 90)).save(image)
    seen = visit()
    table = seen.read(broken, image, said="1 file could not be read: broken.mp4")
    assert "emotion predict broken.mp4" in table[0]["error"]
    assert seen.page.locator("#stage-title").inner_text() == "grey.png"
