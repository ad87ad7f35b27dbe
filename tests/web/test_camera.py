"""The page before a camera: a fake one that shows a drawn face moving to and fro."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from emotion_detection.inference.tracking import track_faces
from emotion_detection.results import Face, Result

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Visits = Callable[..., Any]


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


def _start(page: Any) -> None:
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("#consent")).to_contain_text("neither kept nor sent")
    page.get_by_role("button", name="Start the camera").click()


def _tracks(rows: list[dict[str, str]]) -> list[str]:
    """Return what Python's tracking calls the faces in a table of frames with one face at most."""
    results = []
    for row in rows:  # people are numbered from 1 on the page
        faces: tuple[Face, ...] = ()
        if row["face"]:
            box = tuple(float(row[name]) for name in ("x", "y", "width", "height"))
            faces = (Face(box, (), 1.0, {"any": 1.0}),)
        results.append(Result(640, 480, faces, frame=int(row["frame"]), time=float(row["time"])))
    tracks = [face.track or 0 for result in track_faces(results) for face in result.faces]
    return [str(track - min(tracks) + 1) for track in tracks]


def test_nothing_is_asked_before_people_agree(visit: Visits) -> None:
    asked = "navigator.mediaDevices.getUserMedia = () => { document.title = 'asked'; throw 0; }"
    seen = visit(init=asked)
    seen.page.get_by_role("button", name="Use the camera").click()
    seen.page.get_by_role("button", name="Not now").click()
    expect(seen.page.locator("#consent")).to_be_hidden()
    assert seen.page.title() != "asked"


def test_a_face_before_the_camera_is_followed(visit: Visits) -> None:
    seen = visit(permissions=["camera"])
    _start(seen.page)
    expect(seen.page.locator("#faces .face")).to_have_count(1, timeout=60_000)
    expect(seen.page.locator("#rate")).to_contain_text("frames/s")
    enough = re.compile(r"^(1[3-9]|[2-9]\d|\d{3,})$")  # the page's policy forbids evaluation
    expect(seen.page.locator("#rate")).to_have_attribute("data-frames", enough, timeout=60_000)
    ink = seen.page.locator("#timeline").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter(v => v).length"
    )
    assert ink > 1000
    assert seen.page.locator("#legend li").count() == 8
    seen.page.get_by_role("button", name="Stop the camera").click()
    expect(seen.page.locator("#status")).to_contain_text("The camera is off")
    # what it showed last stays, with the time line, until it is discarded
    expect(seen.page.locator("#timeline")).to_be_visible()
    expect(seen.page.locator("#picture")).to_be_visible()
    frames = seen.rows()
    table = [row for row in frames if row["face"]]
    assert len(table) > 5
    assert {row["file"] for row in table} == {"camera"}
    # how many are told apart depends on how fast this machine is; Python tells apart the same
    assert [row["track"] for row in table] == _tracks(frames)
    assert len({row["track"] for row in table}) < len(table) / 2
    times = [float(row["time"]) for row in table]
    assert times == sorted(times)
    assert all(len(row["time"].partition(".")[2]) <= 4 for row in table)
    places = [float(row["x"]) for row in table]
    assert max(places) - min(places) > 30
    # the face covers 240 of 640 pixels, and most of that is head
    assert all(100 < float(row["height"]) < 260 for row in table)
    assert [url for url in seen.requests if not url.startswith((seen.address, "blob:"))] == []
    seen.page.get_by_role("button", name="Discard the frames").click()
    expect(seen.page.locator("#shown")).to_be_hidden()
    expect(seen.page.locator("#camera")).to_be_focused()


def test_front_back_and_named_cameras_can_be_chosen(visit: Visits) -> None:
    asked = """
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      globalThis.asked = [];
      navigator.mediaDevices.getUserMedia = (wanted) => {
        asked.push(wanted.video.facingMode ?? wanted.video.deviceId.exact.length);
        return ask(wanted);
      };
    """
    seen = visit(permissions=["camera"], init=asked)
    seen.page.get_by_role("button", name="Use the camera").click()
    seen.page.locator("#which").select_option(label="Back camera")
    seen.page.get_by_role("button", name="Start the camera").click()
    expect(seen.page.locator("#faces .face")).to_have_count(1, timeout=60_000)
    device = seen.page.locator("#device")
    assert device.evaluate("select => select.selectedOptions[0].text") == "Back camera"
    # once a camera was allowed, the browser names them all
    names = device.evaluate("select => [...select.options].map((one) => one.text)")
    assert names[:2] == ["Front camera", "Back camera"]
    assert len(names) > 2
    device.select_option(label=names[2])
    expect(seen.page.locator("#faces .face")).to_have_count(1, timeout=60_000)
    kinds = seen.page.evaluate("asked")
    assert kinds[0] == "environment"
    assert isinstance(kinds[1], int)


def test_focus_stays_in_the_list_while_frames_come(visit: Visits) -> None:
    seen = visit(permissions=["camera"])
    _start(seen.page)
    line = seen.page.locator("#faces summary").first
    expect(line).to_be_visible(timeout=60_000)
    line.focus()
    seen.page.wait_for_timeout(1500)
    # of the same person, or of the list where that person is gone
    assert seen.page.evaluate("document.activeElement.closest('#results') !== null")


def test_the_camera_is_let_go_when_it_is_stopped(visit: Visits) -> None:
    kept = """
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (w) => (globalThis.given = await ask(w));
    """
    seen = visit(permissions=["camera"], init=kept)
    _start(seen.page)
    seen.page.get_by_role("button", name="Stop the camera").click(timeout=60_000)
    states = seen.page.evaluate("given.getTracks().map((track) => track.readyState)")
    assert states == ["ended"]
    assert seen.page.evaluate("given.getAudioTracks().length") == 0


def test_a_camera_that_is_not_allowed_is_explained(visit: Visits) -> None:
    seen = visit()
    _start(seen.page)
    expect(seen.page.locator("#status")).to_contain_text("The camera was not allowed")
    expect(seen.page.get_by_role("button", name="Start the camera")).to_be_enabled()


def test_no_camera_is_explained(visit: Visits, launch: Callable[..., Any]) -> None:
    browser = launch()
    try:
        seen = visit(browser, permissions=["camera"])
        _start(seen.page)
        expect(seen.page.locator("#status")).to_contain_text("No camera was found")
    finally:
        browser.close()
