"""The shipped model's report on FER-2013 itself, by either labels, opened in a real browser."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.cli import main

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.release]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FACES = {"ferplus": 3153, "fer2013": 3589}
"""Faces of PrivateTest; by FER+ those with a majority."""


@pytest.fixture(scope="module", params=list(FACES))
def report(
    request: pytest.FixtureRequest,
    fer2013_root: Path,
    fer2013_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path]:
    """A label set and the folder of the report by it."""
    place = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        words = ["report", "pretrained", "--data", str(fer2013_root), "--labels", request.param]
        assert main([*words, "--cache", str(fer2013_cache), "--out", "out"]) == 0
    return request.param, place / "out"


def test_the_report_tells_of_every_face(report: tuple[str, Path]) -> None:
    labels, folder = report
    facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    (model,) = facts["models"]
    assert model["test"]["n"] == FACES[labels]
    assert model["test"]["data"]["label_set"] == labels
    assert (model["vote_shares"] is not None) == (labels == "ferplus")
    assert model["places"] == {"test": None, "validation": None}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "The images are not shown" not in page
    assert "The curves of the shipped model" in page
    assert page.count('src="data:image/png') >= 40


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")
def test_a_browser_shows_it_whole(playwright: Any, report: tuple[str, Path]) -> None:
    _, folder = report
    asked: list[str] = []
    said: list[Any] = []
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    address = (folder / "report.html").as_uri()
    page.goto(address, wait_until="load")
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.screenshot(path=folder / "page.png", full_page=False)
    browser.close()
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert said == []
