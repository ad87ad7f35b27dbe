"""What is refused, how it is said, and that it is refused early."""

import asyncio
import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from emotion_detection import EmotionDetector

Encode = Callable[..., bytes]


def _problem(answer: httpx.Response, status: int, part: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert part in problem["detail"]
    assert {*problem} == {"type", "title", "status", "detail"}
    assert "Traceback" not in answer.text


def _head(more: str) -> bytes:
    return f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{more}\r\n".encode()


def _until_closed(connection: socket.socket) -> bytes:
    got = b""
    while data := connection.recv(65536):
        got += data
    return got


@pytest.mark.parametrize(
    ("kind", "content", "status", "part"),
    [
        ("image/png", b"", 400, "0 bytes"),
        ("image/png", b"no image", 415, "not a JPEG, PNG or WebP"),
        ("image/png", b"GIF89a" + bytes(40), 415, "not a JPEG, PNG or WebP"),
        ("image/gif", b"GIF89a", 415, "content-type image/gif: must be one of image/jpeg"),
        ("application/json", b'{"url": "http://example.org/a.jpg"}', 415, "content-type"),
        ("application/x-www-form-urlencoded", b"\x89PNG", 415, "-F picture=@photo.jpg"),
        ("image/jpeg", b"\xff\xd8\xff" + bytes(100), 422, "cannot be read"),
        ("multipart/form-data", b"", 400, "boundary"),
        ("multipart/form-data; boundary=b", b"nothing of the kind", 400, "multipart"),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400, "no image"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="url"\r\n\r\nhttp://a/\r\n--b--\r\n',
            400,
            "no file",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nhalf a',
            400,
            "its end is missing",
        ),
    ],
)
def test_bad_bodies(running: Any, kind: str, content: bytes, status: int, part: str) -> None:
    _problem(running.post("/v1/predict", content, kind), status, part)


def test_truncated_images_and_too_many_pixels(
    running: Any, photograph: np.ndarray, encode: Encode
) -> None:
    content = encode(photograph, "JPEG")
    _problem(running.post("/v1/predict", content[: len(content) // 2]), 422, "truncated")
    large = encode(np.zeros((1001, 2000), np.uint8))
    assert len(large) < 10_000
    _problem(running.post("/v1/predict", large), 413, "2000 x 1001: more than 2,000,000 pixels")
    bomb = bytearray(large)
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2  # what its header says: 2.5 gigapixels
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    _problem(running.post("/v1/classify", bytes(bomb)), 413, "pixels")


def test_too_many_images(running: Any, crop: np.ndarray, encode: Encode) -> None:
    files = [("a", (f"{number}.png", encode(crop), "image/png")) for number in range(5)]
    _problem(running.form("/v1/classify", files), 413, "more than 4")
    assert len(running.form("/v1/classify", files[:4]).json()["results"]) == 4
    url = "/v1/predict?annotate=true"
    _problem(running.form(url, files[:2]), 400, "one image")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/predict", 405), ("DELETE", "/v1/model", 405)],
)
def test_wrong_routes_are_problems_too(running: Any, method: str, path: str, status: int) -> None:
    _problem(httpx.request(method, running.url + path), status, "")


def test_wrong_parameters_and_encodings(running: Any, crop: np.ndarray, encode: Encode) -> None:
    _problem(running.post("/v1/predict?annotate=perhaps", encode(crop)), 422, "annotate")
    misspelt = "query option 'annotat' is unknown; allowed: annotate"
    _problem(running.post("/v1/predict?annotat=true", encode(crop)), 422, misspelt)
    other = "query option 'annotate' is unknown; allowed: none"
    _problem(running.post("/v1/classify?annotate=true", encode(crop)), 422, other)
    long = running.post(f"/v1/predict?annotate=true&{'x' * 500}", encode(crop))
    _problem(long, 422, f"'{'x' * 80}' is unknown")
    packed = {"content-encoding": "gzip"}
    _problem(running.post("/v1/predict", encode(crop), headers=packed), 415, "content-encoding")


def test_a_body_that_is_declared_too_large_is_not_read(running: Any) -> None:
    with running.socket() as connection:
        connection.sendall(_head("Content-Length: 3000001\r\nExpect: 100-continue\r\n"))
        answer = _until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"3,000,000 bytes" in answer
    assert b"connection: close" in answer.lower()


def test_a_chunked_body_over_the_limit_is_cut_off(running: Any) -> None:
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = 0
    with running.socket() as connection:
        connection.sendall(_head("Transfer-Encoding: chunked\r\n"))
        try:
            while sent < 1000:  # 65 MB, were they taken
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert 3_000_000 / 65536 < sent < 400


def test_a_body_without_length_within_the_limit_is_answered(
    running: Any, photograph: np.ndarray, encode: Encode
) -> None:
    content = encode(photograph)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    answer = running.post("/v1/predict", pieces())
    assert len(answer.json()["faces"]) == 3


@pytest.mark.slow
def test_slow_clients_are_cut_off(serving: Any) -> None:
    with serving(workers=1, body_timeout=0.4) as running:
        with running.socket() as body:
            body.sendall(_head("Content-Length: 1000\r\n") + bytes(10))
            assert _until_closed(body).startswith(b"HTTP/1.1 408 ")
        start = time.monotonic()
        with running.socket() as head, running.socket() as idle:
            for byte in b"GET / HT":  # each byte in time, the whole not
                head.sendall(bytes([byte]))
                time.sleep(0.04)
            for connection in (head, idle):
                with contextlib.suppress(ConnectionResetError):
                    assert _until_closed(connection) == b""
        assert time.monotonic() - start < 5
        assert running.figure('emotion_errors_total{reason="slow_body"}') == 1
        assert running.get("/health/ready").status_code == 200


def test_connections_and_nonsense_are_problems_too(serving: Any) -> None:
    with serving(workers=1, max_connections=3) as running:
        with running.socket(), running.socket(), running.socket():
            time.sleep(0.1)
            with running.socket() as fourth:
                answer = _until_closed(fourth)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"].startswith("too many")
        time.sleep(0.1)
        with running.socket() as connection:
            connection.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
            answer = _until_closed(connection)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in answer


class Held(EmotionDetector):
    """A detector that reads nothing before it is let."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.let = threading.Event()
        self.let.set()
        self.begun = 0

    def read(self, seen: Any) -> Any:
        self.begun += 1
        assert self.let.wait(20)
        return super().read(seen)


def test_overload_is_shed_early_and_what_was_accepted_is_answered(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector, content = Held(), encode(crop)
    with (
        serving(detector, workers=1, queue=3, max_batch=1) as running,
        ThreadPoolExecutor(8) as pool,
    ):
        detector.let.clear()
        begun = detector.begun
        accepted = [pool.submit(running.post, "/v1/classify", content)]
        until(lambda: detector.begun > begun)
        accepted += [pool.submit(running.post, "/v1/classify", content) for _ in range(3)]
        until(lambda: running.figure("emotion_queue_length") == 3)
        with running.socket() as connection:  # the body is not waited for
            connection.sendall(_head("Content-Length: 1000000\r\n"))
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        _problem(running.post("/v1/classify", content), 503, "3 requests are waiting already")
        assert running.figure('emotion_shed_total{reason="queue"}') == 2
        assert running.get("/health/ready").status_code == 200
        detector.let.set()
        assert [one.result().status_code for one in accepted] == [200] * 4


def test_who_could_not_be_answered_in_time_is_rejected_immediately(
    run_async: Callable[..., Any],
) -> None:
    from emotion_detection.serving.connection import Connection
    from emotion_detection.serving.error_responses import Problem
    from emotion_detection.serving.image_jobs import Answer, Job
    from emotion_detection.serving.prometheus_metrics import ServerMetrics
    from emotion_detection.serving.server_settings import Settings
    from emotion_detection.serving.workers import Workers

    def read(jobs: list[Job]) -> list[Any]:
        time.sleep(0.1)
        return [Answer(b"", "") for _ in jobs]

    settings = Settings(workers=1, timeout=0.5, max_batch=1, queue=64)
    workers = Workers(read, settings, ServerMetrics(), lambda: None)

    async def ask() -> Answer:
        return await workers.answer(Job(b"", b"", True, None, Connection()))

    async def run() -> list[Any]:
        for _ in range(5):
            await ask()
        return await asyncio.gather(*(ask() for _ in range(40)), return_exceptions=True)

    workers.start()
    answers = run_async(run())
    workers.close()
    refused = [one for one in answers if isinstance(one, Problem) and one.status == 503]
    assert 10 <= len(refused) < 40
    assert isinstance(answers[0], Answer)
    assert all(1 <= int(one.headers["Retry-After"]) <= 30 for one in refused)


def test_memory_for_bodies_is_bounded(serving: Any, crop: np.ndarray, encode: Encode) -> None:
    with serving(workers=1, max_bytes=1000_000, max_inflight_bytes=1000_000) as running:
        with running.socket() as one, running.socket() as two:
            for connection in (one, two):
                connection.sendall(_head("Content-Length: 900000\r\n") + bytes(600_000))
            one.settimeout(0.5)
            answers = []
            for connection in (one, two):
                connection.settimeout(0.5)
                try:
                    answers.append(connection.recv(65536))
                except TimeoutError:
                    answers.append(b"")
        assert sorted(answer[:12] for answer in answers) == [b"", b"HTTP/1.1 503"]
        time.sleep(0.2)
        assert running.post("/v1/classify", encode(crop)).status_code == 200


def test_no_answer_in_time_is_a_504_and_who_waits_no_more_is_left_out(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector, content = Held(), encode(crop)
    with serving(detector, workers=1, timeout=0.3, max_batch=1) as running:
        detector.let.clear()
        begun = detector.begun
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: running.post("/v1/classify", content), range(3)))
        for answer in answers:
            _problem(answer, 504, "no answer within 0.3 s")
        detector.let.set()
        assert running.post("/v1/classify", content).status_code == 200
        # the first had been begun; the others were never read
        assert detector.begun - begun == 2


def test_whose_client_left_is_left_out(
    serving: Any, until: Any, crop: np.ndarray, encode: Encode
) -> None:
    detector, content = Held(), encode(crop)
    with serving(detector, workers=1, max_batch=1) as running, ThreadPoolExecutor(1) as pool:
        detector.let.clear()
        begun = detector.begun
        first = pool.submit(running.post, "/v1/classify", content)
        until(lambda: detector.begun > begun)
        with running.socket() as connection:
            connection.sendall(_head(f"Content-Length: {len(content)}\r\n") + content)
            until(lambda: running.figure("emotion_queue_length") == 1)
        time.sleep(0.1)
        detector.let.set()
        assert first.result().status_code == 200
        until(lambda: running.figure("emotion_held_bytes") == 0, 5)
        assert detector.begun - begun == 1
        assert running.figure('emotion_errors_total{reason="client_left"}') == 1


def test_cors_is_off_unless_asked_for(
    running: Any, serving: Any, crop: np.ndarray, encode: Encode
) -> None:
    asked = {"origin": "https://example.org"}
    answer = running.post("/v1/classify", encode(crop), headers=asked)
    assert "access-control-allow-origin" not in answer.headers
    with serving(workers=1, allow_origin=("https://example.org",)) as other:
        answer = other.post("/v1/classify", encode(crop), headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        answer = other.post("/v1/classify", encode(crop), headers={"origin": "https://a.org"})
        assert "access-control-allow-origin" not in answer.headers


def test_many_at_once_are_each_answered_with_their_own(
    running: Any, encode: Encode, run_async: Callable[..., Any]
) -> None:
    from emotion_detection.data.synthetic import make_synthetic_faces

    faces = make_synthetic_faces(12, seed=9).faces
    wanted = running.detector.classify(faces)

    async def ask() -> list[httpx.Response]:
        kind = {"content-type": "image/png"}
        async with httpx.AsyncClient(timeout=30) as client:
            url = f"{running.url}/v1/classify"
            posts = [client.post(url, content=encode(f), headers=kind) for f in [*faces, *faces]]
            return await asyncio.gather(*posts)

    for answer, scores in zip(run_async(ask()), [*wanted, *wanted], strict=True):
        (face,) = answer.json()["faces"]
        assert list(face["scores"].values()) == pytest.approx(scores, abs=2e-4)
