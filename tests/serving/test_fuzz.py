"""Whatever is sent: an answer, a problem, never a failure; and memory does not grow."""

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest

Encode = Callable[..., bytes]
EXPECTED = {200, 400, 413, 415, 422}
RELEASE = [pytest.mark.slow, pytest.mark.release]


@pytest.fixture(scope="module")
def fuzz(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("serving.damaged_requests")


@pytest.mark.parametrize("count", [250, pytest.param(2500, marks=RELEASE)])
def test_damaged_bodies_are_never_a_failure(
    fuzz: Any, running: Any, photograph: np.ndarray, crop: np.ndarray, encode: Encode, count: int
) -> None:
    small = photograph[::2, ::2]
    seeds = [encode(image, kind) for image in (small, crop) for kind in ("JPEG", "PNG", "WEBP")]
    generator = random.Random(count)
    statuses = set()
    with httpx.Client(base_url=running.url, timeout=60) as client:
        for number in range(count):
            url, content, kind = fuzz.asked(seeds, generator, number)
            answer = client.post(url, content=content, headers={"content-type": kind})
            assert answer.status_code in EXPECTED, (number, answer.text)
            statuses.add(answer.status_code)
    assert statuses >= {200, 400, 415, 422}
    assert running.get("/health/ready").status_code == 200
    assert running.figure("emotion_workers_replaced_total") == 0


@pytest.mark.slow
@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=RELEASE)])
def test_the_openapi_document_is_kept(running: Any, examples: int) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="it is in the extra dev")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    kept = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_url(running.url + "/openapi.json")
        seen = set()
        for made in schema.get_all_operations():
            operation = made.ok()

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                answer = case.call_and_validate(checks=kept)
                seen.add((case.operation.path, answer.status_code))

            ask()
    assert {path for path, _ in seen} >= {"/v1/predict", "/v1/classify", "/v1/model", "/metrics"}
    assert {status for _, status in seen} <= {*EXPECTED, 408}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("count", [120, pytest.param(1500, marks=RELEASE)])
def test_memory_does_not_grow_with_requests(
    process: Any, photograph: np.ndarray, crop: np.ndarray, encode: Encode, count: int
) -> None:
    crops, whole = encode(crop), encode(photograph)
    files = {"a": ("a.png", whole, "image/png")}

    def some(client: httpx.Client, number: int) -> None:
        for turn in range(number):
            kind = {"content-type": "image/png"}
            answers = [client.post("/v1/classify", content=crops, headers=kind)]
            answers.append(client.post("/v1/classify", content=crops[:200], headers=kind))
            if turn % 10 == 0:
                answers.append(client.post("/v1/predict", files=files))
            assert {answer.status_code for answer in answers} <= {200, 422}

    with (
        process("--workers", "2") as served,
        httpx.Client(base_url=served.url, timeout=60) as client,
    ):
        some(client, count)
        before = _resident(served.process.pid)
        some(client, count)
        # a leak of one crop's pixels a request would be more
        assert _resident(served.process.pid) - before < 2 * count * 48 * 48 + 4_000_000


def _resident(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024
