"""The page for all: by keyboard, with a screen reader, on narrow screens, in old browsers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WEB = Path(__file__).resolve().parents[2] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
SAMPLES = WEB / "public" / "samples"
Visits = Callable[..., Any]


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


def test_it_works_by_keyboard_alone(visit: Visits) -> None:
    seen = visit()
    keyboard = seen.page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(30):
            keyboard.press("Tab")
            focused = seen.page.locator(":focus")
            images = focused.locator("img")
            labels = [focused.get_attribute("id")]
            labels += [images.get_attribute("alt")] if images.count() else []
            if name in labels:
                return
        raise AssertionError(f"Tab does not lead to {name}")

    tab_to("files")
    tab_to("camera")
    tab_to("drawn face: happiness")
    keyboard.press("Enter")
    expect(seen.page.locator("#status")).to_contain_text("1 face: happiness", timeout=60_000)
    tab_to("csv")
    with seen.page.expect_download() as waiting:
        keyboard.press("Enter")
    assert Path(waiting.value.path()).read_bytes().count(b"\r\n") == 2
    tab_to("abstain")
    keyboard.press("Space")
    tab_to("least")
    keyboard.press("End")
    assert seen.page.locator("#least-shown").inner_text() == "100 %"
    # Escape closes the consent panel, and focus goes back to where it was opened
    seen.page.get_by_role("button", name="Use the camera").press("Enter")
    expect(seen.page.locator("#consent")).to_be_focused()
    keyboard.press("Escape")
    expect(seen.page.locator("#consent")).to_be_hidden()
    expect(seen.page.locator("#camera")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_is_cut_off(visit: Visits, scheme: str, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: 'npm ci' in web/ brings it")
    axe = AXE.read_text(encoding="utf-8")
    size = {"width": width, "height": 800}
    seen = visit(viewport=size, color_scheme=scheme, init=axe)
    seen.page.get_by_role("button", name="Use the camera").click()
    seen.read(SAMPLES / "happiness.png", SAMPLES / "together.png", said="5 faces")
    seen.page.locator("#list button").last.click()
    seen.page.locator("#faces summary").first.click()
    expect(seen.page.locator("#faces .bars")).to_be_visible()
    found = seen.page.evaluate("axe.run()")
    assert len(found["passes"]) > 15
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_webassembly_it_reports_it(visit: Visits) -> None:
    seen = visit(init="delete globalThis.WebAssembly")
    expect(seen.page.get_by_role("alert")).to_contain_text("WebAssembly")
    assert seen.page.locator("#ways button:not([disabled])").count() == 0
