"""Servers over real sockets, in a thread or in a process of their own, and images to send."""

import asyncio
import contextlib
import io
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.data.synthetic import make_synthetic_faces

for needed in ("fastapi", "uvicorn", "prometheus_client", "python_multipart"):
    pytest.importorskip(needed, reason="the extra serve is not installed")


@dataclass
class Running:
    """A server in a thread of this process."""

    port: int
    server: Any
    detector: EmotionDetector

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, content: Any, kind: str = "image/png", **more: Any) -> httpx.Response:
        headers = {"content-type": kind, **more.pop("headers", {})}
        return httpx.post(self.url + path, content=content, headers=headers, timeout=30, **more)

    def form(self, path: str, files: Any) -> httpx.Response:
        """Post images as a browser's form does."""
        return httpx.post(self.url + path, files=files, timeout=30)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **more)

    def figure(self, line: str) -> float:
        """Return a figure of /metrics, 0 where it is not there yet."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


def _run_async(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns.

    It runs in a thread of its own: the main thread has a running loop once a browser was started.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def wait_until(well: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so; fail if it does not become so."""
    end = time.monotonic() + seconds
    while not well():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.01)


@contextlib.contextmanager
def _serving(
    detector: EmotionDetector | None = None,
    ready: bool = True,
    page: Path | None = None,
    model: str | None = None,
    **settings: Any,
) -> Iterator[Running]:
    from emotion_detection.serving.server import bound, make_server
    from emotion_detection.serving.server_settings import Settings

    detector = detector or EmotionDetector(model, threads=1)
    server = make_server(detector, Settings(**{"workers": 2, **settings}), page)
    listener = bound("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    running = Running(port, server, detector)
    try:
        wait_until(lambda: server.started)
        if ready:
            wait_until(lambda: running.get("/health/ready").status_code == 200)
        yield running
    finally:
        server.should_exit = server.force_exit = True
        thread.join(20)
        listener.close()


@dataclass
class Process:
    """``emotion serve`` in a process of its own."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def _process(*words: str, before: str = "", **options: Any) -> Iterator[Process]:
    code = f"import sys\n{before}\nfrom emotion_detection.cli import main\nsys.exit(main())"
    command = [sys.executable, "-c", code, "serve", "--port", "0", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"API:  http://127\.0\.0\.1:(\d+)/", said)
        assert found, said + process.communicate(timeout=20)[1]
        yield Process(int(found[1]), process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """``with serving(detector, ready, page, model, **settings) as running``."""
    return _serving


@pytest.fixture(scope="session")
def process() -> Callable[..., Any]:
    """``with process(*words, before=code) as process``."""
    return _process


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(well, seconds)``: wait until something is so."""
    return wait_until


@pytest.fixture(scope="session")
def run_async() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """``run_async(coroutine)``: what it returns."""
    return _run_async


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """A server with two workers and small limits, for all tests that change nothing in it."""
    limits = {"max_bytes": 3_000_000, "max_pixels": 2_000_000, "max_pictures": 4}
    with _serving(**limits) as server:
        yield server


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """``encode(pixels or image, format, **options)`` -> bytes."""

    def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
        out = io.BytesIO()
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(out, kind, **options)
        return out.getvalue()

    return encoded


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """Three drawn faces on grey, uint8 (300, 800, 3)."""
    canvas = Image.new("RGB", (800, 300), (128, 128, 128))
    places = [(60, 40, 160), (330, 90, 120), (560, 30, 200)]
    for face, (x, y, size) in zip(make_synthetic_faces(3, seed=3).faces, places, strict=True):
        canvas.paste(Image.fromarray(face).convert("RGB").resize((size, size)), (x, y))
    return np.asarray(canvas)


@pytest.fixture(scope="session")
def crop() -> np.ndarray:
    """A drawn face, uint8 (48, 48)."""
    return make_synthetic_faces(1, seed=5).faces[0]
