"""The page behind `emotion serve`, and behind a host that isolates it, so that it has threads."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import urlopen

import pytest

from emotion_detection import EmotionDetector
from emotion_detection.results import UNSURE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAMPLES = Path(__file__).resolve().parents[2] / "web" / "public" / "samples"
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
Visits = Callable[..., Any]


def expect(locator: Any) -> Any:
    from playwright import sync_api

    return sync_api.expect(locator)


@contextlib.contextmanager
def _serving(*words: str) -> Iterator[str]:
    """The address of the page that `emotion serve` says."""
    command = [sys.executable, "-m", "emotion_detection", "serve", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            found = re.match(r"page: (http://\S+)", server.stdout.readline())
            assert found is not None
            yield found[1]
        finally:
            server.terminate()
            server.stdout.read()


@pytest.fixture
def serve(site: Path) -> Callable[..., contextlib.AbstractContextManager[str]]:
    """``with serve(*words) as address``: `emotion serve` with one worker and the built page."""
    pytest.importorskip("uvicorn")
    return lambda *words: _serving("--workers", "1", *words)


def test_emotion_serve_has_the_page_isolated_and_to_itself(
    visit: Visits, serve: Callable[..., Any]
) -> None:
    with serve() as address:
        seen = visit(address=address)
        # both of its headers are there, so that WebAssembly has threads
        assert seen.page.evaluate("crossOriginIsolated") is True
        table = seen.read(SAMPLES / "together.png", said="4 faces")
        assert [row["emotion"] for row in table] == ["happiness", "sadness", "surprise", "neutral"]
        assert [url for url in seen.requests if not url.startswith((address, "blob:"))] == []
        # images stay in the browser: nothing was asked of the API
        assert [url for url in seen.requests if "/v1/" in url] == []


def test_the_page_starts_with_the_settings_of_the_server(
    visit: Visits, serve: Callable[..., Any]
) -> None:
    words = ["--min_confidence", "0.5", "--min_face_size", "150", "--detection_size", "500"]
    with serve(*words, "--min_score", "0.999") as address:
        with urlopen(f"{address}models/model.json") as answer:
            told = json.load(answer)["thresholds"]
        wanted = {"confidence": 0.5, "smallest": 150, "working_size": 500, "least_score": 0.999}
        assert told == told | wanted
        seen = visit(address=address)
        image = SAMPLES / "together.png"
        table = seen.read(image, said="too small to read")
        expect(seen.page.get_by_role("switch")).to_be_checked()
        expect(seen.page.locator("#least")).to_be_enabled()
        assert seen.page.locator("#least-shown").inner_text() == "99.9 %"
        python = EmotionDetector(
            min_confidence=0.5, min_face_size=150, detection_size=500, min_score=0.999
        ).detect(image)
        assert 0 < len(table) == len(python.faces) < 4
        assert ["unsure" in row["flags"] for row in table] == [
            UNSURE in face.flags for face in python.faces
        ]


def test_answers_of_the_api_are_read_by_isolated_pages_of_allowed_origins(
    visit: Visits, serve: Callable[..., Any], site: Path, benchmark: ModuleType
) -> None:
    below = "some/where"
    (site / "plain.html").write_text("<!doctype html><title>a page of another origin</title>")
    ask = """async ([address, sample]) => {
      const image = await (await fetch(sample)).blob();
      const answer = await fetch(`${address}v1/predict`, { method: 'POST', body: image });
      return [answer.status, (await answer.json()).faces.length];
    }"""
    with benchmark.served(site, ISOLATED) as host:
        sample = f"{host}{below}/samples/together.png"
        with serve("--allow_origin", host.rstrip("/")) as address:
            seen = visit(address=f"{host}plain.html")
            assert seen.page.evaluate("crossOriginIsolated") is True
            assert seen.page.evaluate(ask, [address, sample]) == [200, 4]
        with serve() as address:
            said = seen.page.evaluate(f"(x) => ({ask})(x).catch(String)", [address, sample])
            assert "TypeError" in said
    seen.problems.clear()  # the refusal, which browsers report


def test_threads_give_the_same(visit: Visits, site: Path, benchmark: ModuleType) -> None:
    with benchmark.served(site / "some" / "where", ISOLATED) as address:
        seen = visit(address=address)
        assert seen.page.evaluate("crossOriginIsolated") is True
        table = seen.read(SAMPLES / "together.png", said="4 faces")
        assert [row["emotion"] for row in table] == ["happiness", "sadness", "surprise", "neutral"]
