"""The page, built and exported, behind a web server and in Chromium; and its engine in Node."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emotion_detection.commands import export_web
from emotion_detection.serving.built_page import find_page_folder, is_page_built

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
BELOW = "some/where"
"""Path of the page on its host: it must work there too."""


@pytest.fixture(scope="session")
def engine() -> Callable[..., list[Any]]:
    """``engine(call, *values)``: what JavaScript makes of each value; see ``engine.mjs``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")

    def run(call: str, *values: Any) -> list[Any]:
        script = str(Path(__file__).with_name("engine.mjs"))
        said = json.dumps({"call": call, "values": values})
        done = subprocess.run([node, script], input=said, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        made: list[Any] = json.loads(done.stdout)
        return made

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a host that has the exported page somewhere below."""
    if not is_page_built(find_page_folder()):
        pytest.skip("the page is not built: 'make web' builds it")
    root = tmp_path_factory.mktemp("site")
    export_web.export_page(root / BELOW)
    return root


@pytest.fixture(scope="session")
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    """``benchmarks/serving/browser_page.py``, which serves a folder and films a drawn face."""
    return load_benchmark("serving.browser_page")


@pytest.fixture(scope="session")
def address(site: Path, benchmark: ModuleType) -> Iterator[str]:
    """Where the page is served, by Python's own web server."""
    with benchmark.served(site) as root:
        yield f"{root}{BELOW}/"


@pytest.fixture(scope="session")
def moving_face(tmp_path_factory: pytest.TempPathFactory, benchmark: ModuleType) -> Path:
    """A video for a fake camera: a drawn face that moves to and fro."""
    path = tmp_path_factory.mktemp("video") / "moving.y4m"
    benchmark.moving_face(path)
    return path


@pytest.fixture(scope="session")
def launch(playwright: Any) -> Callable[..., Any]:
    """``launch(*arguments)``: Chromium, headless, that finds no host but this machine."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")

    def start(*arguments: str) -> Any:
        alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        return playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", alone, *arguments]
        )

    return start


@pytest.fixture(scope="session")
def chromium(launch: Callable[..., Any], moving_face: Path) -> Iterator[Any]:
    """Chromium with a camera that shows :func:`moving_face`; it asks before it gives it."""
    browser = launch(
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={moving_face}"
    )
    yield browser
    browser.close()


@dataclass
class Visit:
    """The page as it was opened, and what it did."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def saved(self, name: str = "Save as a table (CSV)") -> Path:
        """Return the file that a button saves."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=name).click()
        return Path(waiting.value.path())

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the table that it saves."""
        with self.saved().open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def read(self, *images: Path, said: str) -> list[dict[str, str]]:
        """Choose images, wait for words in the status, and return the table's rows."""
        from playwright.sync_api import expect

        self.page.set_input_files("#files", [str(image) for image in images])
        expect(self.page.locator("#status")).to_contain_text(said, timeout=120_000)
        return self.rows()


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """``visit(browser=None, **context)``: the page in a context of its own, without problems."""
    contexts, visits = [], []

    def start(browser: Any = None, address: str = address, init: str = "", **more: Any) -> Visit:
        context = (browser or chromium).new_context(accept_downloads=True, **more)
        contexts.append(context)
        seen = Visit(context.new_page(), address)
        visits.append(seen)
        context.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
        seen.page.on(
            "console",
            lambda said: seen.problems.append(said.text) if said.type == "error" else None,
        )
        if init:
            context.add_init_script(init)
        seen.page.goto(address)
        return seen

    yield start
    for context in contexts:
        context.close()
    assert [problem for seen in visits for problem in seen.problems] == []
