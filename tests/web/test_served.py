"""The page behind `emotion serve`, and behind a host that isolates it, so that it has threads."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAMPLES = Path(__file__).resolve().parents[2] / "web" / "public" / "samples"
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
Visits = Callable[..., Any]


@pytest.fixture
def serve(site: Path) -> Iterator[str]:
    """The address of the page that `emotion serve` says."""
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-m", "emotion_detection", "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.match(r"page: (http://\S+)", server.stdout.readline())
        assert found is not None
        yield found[1]
        server.terminate()
        server.stdout.read()


def test_emotion_serve_has_the_page_with_its_own_headers(visit: Visits, serve: str) -> None:
    seen = visit(address=serve)
    table = seen.read(SAMPLES / "together.png", said="4 faces")
    assert [row["emotion"] for row in table] == ["happiness", "sadness", "surprise", "neutral"]
    assert [url for url in seen.requests if not url.startswith((serve, "blob:"))] == []
    # pictures stay in the browser: nothing was asked of the API
    assert [url for url in seen.requests if "/v1/" in url] == []


def test_threads_give_the_same(visit: Visits, site: Path, benchmark: ModuleType) -> None:
    with benchmark.served(site / "some" / "where", ISOLATED) as address:
        seen = visit(address=address)
        assert seen.page.evaluate("crossOriginIsolated") is True
        table = seen.read(SAMPLES / "together.png", said="4 faces")
        assert [row["emotion"] for row in table] == ["happiness", "sadness", "surprise", "neutral"]
