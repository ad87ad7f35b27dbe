"""The page in a real browser: nothing is fetched, nothing runs over, colours follow the reader."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.evaluation.report import ReportRequest, open_test, write_report
from emotion_detection.labels import FERPLUS

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here"),
]
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory,
    some_scores: Make,
    some_votes: Make,
    write_tested: Make,
) -> Path:
    place = tmp_path_factory.mktemp("browser")
    scores, truth = some_scores(200, 8)
    write_tested(place / "one", scores, truth, FERPLUS, shares=some_votes(truth, 8))
    write_tested(place / "two", scores[:, ::-1].copy(), truth, FERPLUS)
    (place / "two" / "metrics.json").write_bytes((place / "one" / "metrics.json").read_bytes())
    models = [open_test(str(place / name), ReportRequest()) for name in ("one", "two")]
    return write_report(models, place / "out", "emotion report").path


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    options.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    opened = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
    yield opened
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_asks_for_nothing_and_fits(
    browser: Any, report: Path, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.wait_for_timeout(200)
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    charts = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.clientWidth)")
    assert len(charts) > 6
    assert min(charts) > 200
    page.close()


def test_it_prints_light_whatever_the_reader_likes(browser: Any, report: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(report.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")
    page.close()
