"""The server beside images that are small on disk and dear to open: latency, and memory.

    python -m benchmarks.reliability.bombs [--requests 1000] [--seconds 10] [--parts latency memory]
        [--out docs/results/bombs.json]

- **Latency**: small crops by one client, alone and beside one client that sends a bomb of each
  kind again and again: the answers' status, the bombs' own time, and that of the crops.
- **Memory**: resident bytes of the server after the first ten requests and after all of a mix of
  crops, photographs of 25 megapixels in all formats, and bombs; and the greatest between.

The server runs with its defaults but for a port. A part that is not asked for stays in the file.
"""

import http.client
import json
import platform
import random
import sys
import threading
import time
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import (
    Parser,
    describe_machine,
    encode_image,
    get_load,
    name_command,
    read_result,
    report_errors,
    write_json,
)
from benchmarks.serving.server_process import Served, served
from emotion_detection.data.synthetic import make_synthetic_faces

PARTS = ("latency", "memory")


def make_bombs() -> dict[str, bytes]:
    """Return a file of each kind."""
    small = encode_image(Image.new("L", (64, 64), 90), "JPEG")
    progressive = encode_image(Image.new("L", (5000, 5000), 90), "JPEG", progressive=True)
    last, end = progressive.rindex(b"\xff\xda"), progressive.rindex(b"\xff\xd9")
    scan = progressive[last:end]
    exif = b"\xff\xe1" + (4_000).to_bytes(2, "big") + b"Exif\0\0" + b"a" * 3_992
    text = (3).to_bytes(4, "big") + b"tEXta\0b" + zlib.crc32(b"tEXta\0b").to_bytes(4, "big")
    png = encode_image(Image.new("L", (64, 64), 90), "PNG")
    return {
        "progressive JPEG, 5000 x 5000, 300 scans": progressive[:last] + scan * 300 + b"\xff\xd9",
        "JPEG, 19 MB of metadata segments": small[:2] + exif * 4_800 + small[2:],
        "PNG, a million text chunks": png[:33] + text * 1_000_000 + png[33:],
        "lossless WebP of one colour, 5000 x 5000": encode_image(
            Image.new("RGB", (5000, 5000)), "WEBP", lossless=True
        ),
        "PNG of one colour, 5000 x 5000": encode_image(Image.new("RGB", (5000, 5000), 90), "PNG"),
    }


def make_large() -> list[bytes]:
    """Return images of 25 megapixels that the server reads: JPEG, PNG, WebP."""
    rng = np.random.default_rng(0)
    ground = Image.fromarray(rng.integers(0, 255, (50, 50, 3), dtype=np.uint8))
    image = ground.resize((5000, 5000))
    return [
        encode_image(image, "JPEG", quality=80),
        encode_image(image, "JPEG", quality=80, progressive=True),
        encode_image(image, "WEBP", quality=50, method=0),
        encode_image(image.convert("L"), "PNG", compress_level=1),
    ]


def post(server: Served, path: str, content: bytes) -> tuple[int, float]:
    """Send one image; return the status and the seconds to the answer."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request("POST", path, content, {"content-type": "application/octet-stream"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - begun
    finally:
        connection.close()


def summarize_latency(seconds: list[float]) -> dict[str, float]:
    """Return median, 99th percentile and maximum in milliseconds, and the number."""
    found = np.array(seconds) * 1000
    return {
        "n": len(seconds),
        "p50_ms": round(float(np.median(found)), 1),
        "p99_ms": round(float(np.quantile(found, 0.99)), 1),
        "max_ms": round(float(found.max()), 1),
    }


def latency(server: Served, crop: bytes, seconds: float) -> dict[str, Any]:
    """Measure crops alone and beside each bomb."""
    found: dict[str, Any] = {
        "alone": {"crops": summarize_latency(crops_for(server, crop, seconds))}
    }
    for name, content in make_bombs().items():
        stop, own, statuses = threading.Event(), list[float](), set[int]()

        def send(
            content: bytes = content,
            stop: threading.Event = stop,
            own: list[float] = own,
            statuses: set[int] = statuses,
        ) -> None:
            while not stop.is_set():
                status, took = post(server, "/v1/predict", content)
                statuses.add(status)
                own.append(took)

        thread = threading.Thread(target=send)
        thread.start()
        crops = crops_for(server, crop, seconds)
        stop.set()
        thread.join()
        found[name] = {
            "bytes": len(content),
            "crops": summarize_latency(crops),
            "bomb": {**summarize_latency(own), "statuses": sorted(statuses)},
        }
        print(name, json.dumps(found[name]), flush=True)
    return found


def crops_for(server: Served, crop: bytes, seconds: float) -> list[float]:
    """Send crops one after another; return the seconds of each."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        took.append(post(server, "/v1/classify", crop)[1])
    return took


def memory(server: Served, crop: bytes, requests: int, seed: int) -> dict[str, Any]:
    """Send a mix of requests; return the server's resident memory on the way."""
    rng, large, bombs = random.Random(seed), make_large(), list(make_bombs().values())
    mix = [*large, *bombs, *[crop] * (len(large) + len(bombs))]
    found: dict[str, Any] = {"requests": requests, "seed": seed}
    highest, statuses = 0, dict[int, int]()
    for number in range(1, requests + 1):
        # the first ten hold each of the large images twice
        content = large[number % len(large)] if number <= 10 else rng.choice(mix)
        path = "/v1/classify" if content is crop else "/v1/predict"
        status, _ = post(server, path, content)
        statuses[status] = statuses.get(status, 0) + 1
        highest = max(highest, server.resident())
        if number == 10:
            found["after_ten_mb"] = round(server.resident() / 1e6)
    found["after_all_mb"] = round(server.resident() / 1e6)
    found["highest_after_an_answer_mb"] = round(highest / 1e6)
    found["statuses"] = {str(status): count for status, count in sorted(statuses.items())}
    text = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    found["peak_mb"] = round(int(text.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)
    print(json.dumps(found), flush=True)
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_out("bombs.json")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args(words)
    crop = encode_image(Image.fromarray(make_synthetic_faces(1).faces[0]), "PNG")
    values = read_result(asked.out)
    values["command"] = name_command(__file__)
    for part in asked.parts:
        load = get_load()
        with served() as server:
            if part == "latency":
                values[part] = {"beside": latency(server, crop, asked.seconds)}
            else:
                values[part] = memory(server, crop, asked.requests, asked.seed)
        values[part]["load"] = load
    values["machine"] = {
        **describe_machine(),
        "python": platform.python_version(),
        "pillow": metadata.version("pillow"),
        "onnxruntime": metadata.version("onnxruntime"),
    }
    write_json(asked.out, values)
    return 0


if __name__ == "__main__":
    sys.exit(main())
