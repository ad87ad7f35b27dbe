"""Start, end, and what happens to workers in between."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from emotion_detection import EmotionDetector

Encode = Callable[..., bytes]
PNG = {"content-type": "image/png"}


class Slow(EmotionDetector):
    """A detector whose first look and whose reading wait for what a test says."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.warm = threading.Event()
        self.warm.set()
        self.fail: BaseException | None = None
        self.hang = threading.Event()
        self.hang.set()

    def look(self, image: Any) -> Any:
        assert self.warm.wait(20)
        if self.fail is not None and not self.hang.is_set():
            raise self.fail
        return super().look(image)

    def read(self, seen: Any) -> Any:
        if self.fail is not None and seen:
            raise self.fail
        self.hang.wait(5)
        return super().read(seen)


def test_it_is_not_ready_until_it_is_warm(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector = Slow()
    detector.warm.clear()
    with serving(detector, ready=False, workers=1) as running, ThreadPoolExecutor(1) as pool:
        answer = running.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})
        assert running.get("/health/live").status_code == 200
        early = pool.submit(running.post, "/v1/classify", encode(crop))
        time.sleep(0.1)
        assert not early.done()
        detector.warm.set()
        until(lambda: running.get("/health/ready").status_code == 200)
        assert early.result().status_code == 200


def test_a_failure_is_a_500_without_words_of_it(
    serving: Any, crop: np.ndarray, encode: Encode, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Slow()
    with serving(detector, workers=1) as running:
        detector.fail = RuntimeError("pixels 1 2 3")
        answer = running.post("/v1/classify", encode(crop))
        assert (answer.status_code, answer.headers["content-type"]) == (
            *(500, "application/problem+json"),
        )
        detector.fail = None
        assert running.post("/v1/classify", encode(crop)).status_code == 200
        assert "pixels" not in answer.text + caplog.text
        assert "RuntimeError at " in caplog.text
        assert "test_lifecycle.py" in caplog.text


def test_a_dead_worker_is_replaced_until_there_have_been_too_many(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector, content = Slow(), encode(crop)
    with serving(detector, workers=1) as running:
        for number in range(1, 6):
            detector.fail = SystemExit()
            assert running.post("/v1/classify", content).status_code == 500
            detector.fail = None
            assert running.post("/v1/classify", content).status_code == 200
            assert running.figure("emotion_workers_replaced_total") == number
        detector.fail = SystemExit()
        assert running.post("/v1/classify", content).status_code == 500
        until(lambda: running.server.should_exit)
        assert running.server.failed


def test_a_hanging_worker_is_replaced(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector, content = Slow(), encode(crop)
    with serving(detector, workers=1, timeout=0.2) as running:
        detector.hang.clear()
        assert running.post("/v1/classify", content).status_code == 504
        until(lambda: running.figure("emotion_workers_replaced_total") == 1)
        detector.hang.set()
        assert running.post("/v1/classify", content).status_code == 200


def test_a_warm_up_that_fails_ends_the_process(process: Any) -> None:
    before = (
        "from emotion_detection.inference import EmotionDetector as E\n"
        "def look(self, image):\n    if len(image) > 100: raise RuntimeError('no')\n"
        "E.look = look"
    )
    with process(before=before) as served:
        _, err = served.process.communicate(timeout=20)
        assert served.process.returncode == 1
        assert "RuntimeError at " in err
        assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_request_ends_it_cleanly(process: Any, number: int) -> None:
    with process("--workers", "1") as served:
        assert httpx.get(served.url + "/health/live").status_code == 200
        served.process.send_signal(number)
        out, err = served.process.communicate(timeout=20)
        assert (served.process.returncode, err) == (0, "")
        assert "1 requests taken, 1 answered" in out


@pytest.mark.slow
def test_nothing_accepted_is_lost_at_the_end(
    process: Any, photograph: np.ndarray, encode: Encode
) -> None:
    """Requests of every kind are under way, or come on open connections, at the end."""
    content = encode(photograph)
    with process("--workers", "1", "--queue", "100") as served:
        port = served.port
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        idle.request("GET", "/health/live")
        assert idle.getresponse().read()
        half = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = f"Content-Type: image/png\r\nContent-Length: {len(content)}\r\n\r\n"
        half.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n" + head.encode() + content[:500])
        with ThreadPoolExecutor(12) as pool:
            url = served.url + "/v1/predict"

            def ask(_: int) -> httpx.Response:
                return httpx.post(url, content=content, headers=PNG, timeout=30)

            under_way = [pool.submit(ask, number) for number in range(12)]
            _wait_for_requests(served.url, 13)
            served.process.send_signal(signal.SIGTERM)
            _wait_until_refused(port)
            idle.request("POST", "/v1/predict", content, PNG)
            half.sendall(content[500:])
            answers = [one.result() for one in under_way]
        assert [answer.status_code for answer in answers] == [200] * 12
        assert {len(answer.json()["faces"]) for answer in answers} == {3}
        late = idle.getresponse()
        assert (late.status, late.getheader("connection")) == (200, "close")
        assert len(json.loads(late.read())["faces"]) == 3
        assert half.recv(65536).startswith(b"HTTP/1.1 200 ")
        half.close()
        out, _ = served.process.communicate(timeout=30)
        assert served.process.returncode == 0
        taken, answered = (int(word) for word in out.split() if word.isdecimal())
        assert taken == answered >= 15


def _wait_for_requests(url: str, count: int) -> None:
    """Wait until so many are being read or wait, those that ask for it left out."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        text = httpx.get(url + "/metrics").text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        done = sum(
            float(value)
            for name, value in lines.items()
            if name.startswith("emotion_requests_total{") and "/v1/predict" in name
        )
        busy = float(lines["emotion_queue_length"]) + float(lines["emotion_workers_busy"])
        if done + busy >= count - 1:  # one of them is still sending its body
            return
        time.sleep(0.01)
    raise AssertionError("they did not come")


def _wait_until_refused(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError("it goes on taking connections")


@pytest.mark.slow
def test_while_it_drains_it_is_not_ready_and_answers(
    process: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    with process("--workers", "1", "--shutdown_delay", "1.5") as served:
        ready, url = served.url + "/health/ready", served.url + "/v1/classify"
        until(lambda: httpx.get(ready).status_code == 200)
        served.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(ready).status_code == 503, 1)
        assert httpx.get(served.url + "/health/live").status_code == 200
        answer = httpx.post(url, content=encode(crop), headers=PNG)
        assert answer.status_code == 200
        assert served.process.wait(20) == 0


def test_a_port_that_is_taken(process: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from emotion_detection import cli

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert cli.main(["serve", "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"--port {port}" in err
    assert "in use" in err
    assert err.count("\n") == 1


AUDIT = """
import os
for name in 'torch torchvision pytorch_lightning lightning'.split():
    sys.modules[name] = None  # importing it fails
def seen(event, words):
    if event == 'open' and words[0] is not None:
        flags = words[2] if isinstance(words[2], int) else 0
        if str(words[1] or '')[:1] in ('w', 'a', 'x') or flags & (os.O_WRONLY | os.O_RDWR):
            if words[0] not in ('/dev/null',):
                os.write(2, f'WRITES {words[0]!r}\\n'.encode())
    elif event in ('os.mkdir', 'os.rename', 'tempfile.mkstemp', 'tempfile.mkdtemp'):
        os.write(2, f'WRITES {event}\\n'.encode())
sys.addaudithook(seen)
"""


def test_nothing_of_an_image_is_stored_or_logged_and_torch_is_not_needed(
    process: Any, tmp_path: Path, photograph: np.ndarray, encode: Encode
) -> None:
    """Python's audit hook sees every file that is opened to be written."""
    large = encode(np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8))
    assert len(large) > 2_000_000  # Starlette's own forms put files over 1 MB on disk
    environment = {**os.environ, "TMPDIR": str(tmp_path / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
    options = {"env": environment, "cwd": tmp_path}
    with process("--access_log", before=AUDIT, **options) as served:
        url = served.url + "/v1/predict"
        files = [("a", ("secret-name.png", part, "image/png")) for part in (large, large)]
        assert httpx.post(url + "?secret-query=1", files=files, timeout=30).status_code == 422
        answer = httpx.post(url, files=files, timeout=30)
        assert [len(one["faces"]) for one in answer.json()["results"]] == [0, 0]
        content = encode(photograph)
        assert httpx.post(url, content=content, headers=PNG, timeout=30).status_code == 200
        drawn = httpx.post(url + "?annotate=1", content=content, headers=PNG, timeout=30)
        assert drawn.headers["content-type"] == "image/jpeg"
        broken = {"a": ("secret-name.png", content[:2000], "image/png")}
        assert httpx.post(url, files=broken, timeout=30).status_code == 422
        boundary = {"content-type": "multipart/form-data; boundary=b"}
        assert httpx.post(url, content=content, headers=boundary).status_code == 400
        served.process.send_signal(signal.SIGTERM)
        out, err = served.process.communicate(timeout=20)
    assert err == ""
    assert list(tmp_path.iterdir()) == []
    assert "secret" not in out
    lines = [line.split() for line in out.splitlines() if line.startswith("POST")]
    assert [line[:3] for line in lines] == [
        ["POST", "/v1/predict", status] for status in ("422", "200", "200", "200", "422", "400")
    ]
