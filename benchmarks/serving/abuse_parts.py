"""Overload, slow clients, damaged bodies, memory and the end of the server; likewise."""

import asyncio
import random
import threading
import time
from typing import Any

from PIL import Image

from benchmarks.common import encode_image
from benchmarks.serving.damaged_requests import asked
from benchmarks.serving.load_client import Load, post, run_load
from benchmarks.serving.load_parts import MANY, Pictures, said
from benchmarks.serving.server_process import Served, served


def overload(pictures: Pictures, share: float) -> dict[str, Any]:
    """Ask for more than can be done, at the default queue."""
    figures = {}
    with served() as server:
        for name, clients, pause in (
            ("64 clients", 64, 0.0),
            ("256 clients, back after 1 s", 256, 1.0),
            ("256 clients, back at once", 256, 0.0),
        ):
            outcome = run_load(
                server.port, pictures.of_photograph, clients, seconds=12 * share, pause=pause
            )
            figures[name] = said(f"photographs, {name}", outcome.figures())
    return figures


def slow(pictures: Pictures, share: float) -> dict[str, Any]:
    """Ask for crops beside clients that send a byte now and then."""
    seconds = 6 * share
    with served("--body_timeout", "4") as server:
        alone = run_load(server.port, pictures.of_crops, 16, seconds=seconds).figures()
        cut: list[float] = []
        thread = threading.Thread(target=lambda: cut.extend(asyncio.run(_trickle(server.port))))
        thread.start()
        time.sleep(0.5)
        beside = run_load(server.port, pictures.of_crops, 16, seconds=min(seconds, 3)).figures()
        thread.join()
    said("16 clients alone", alone)
    said("16 clients beside 200 slow ones", beside)
    seconds_to_cut = {"count": len(cut), "longest_s": round(max(cut), 2)}
    return {
        "body_timeout_s": 4,
        "slow_clients": 200,
        "alone": alone,
        "beside_slow_ones": beside,
        "slow_ones_cut_off": said("slow ones cut off", seconds_to_cut),
    }


async def _trickle(port: int) -> list[float]:
    """Return the seconds after which each of 200 slow clients was cut off."""

    async def one(number: int) -> float:
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = post("/v1/classify", bytes(1000), "image/png")
        writer.write(whole[: 20 if number % 2 else -990])
        answer = asyncio.ensure_future(reader.read())
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=0.25)
        writer.close()
        answer.exception()
        return time.perf_counter() - start

    return await asyncio.gather(*(one(number) for number in range(200)))


def damaged(pictures: Pictures, share: float) -> dict[str, Any]:
    """Send bodies that are damaged in many ways."""
    seeds = list(pictures.crops[:2])
    with Image.open(pictures.path) as image:
        for size in ((48, 48), (480, 270)):
            small = image.resize(size)
            seeds += [encode_image(small, kind) for kind in ("JPEG", "PNG", "WEBP")]
    generator = random.Random(0)
    requests = [post(*asked(seeds, generator, n)) for n in range(max(100, round(10_000 * share)))]
    with served(*MANY) as server:
        outcome = run_load(server.port, requests, 16, count=len(requests))
        statuses = outcome.figures()["statuses"]
        alive = server.get("/health/ready")[0] == 200
    failures = sum(count for status, count in statuses.items() if status[0] == "5")
    figures = {"bodies": len(requests), "statuses": statuses, "failures": failures}
    return said("damaged", {**figures, "ready_after": alive})


def memory(pictures: Pictures, share: float) -> dict[str, Any]:
    """Watch the memory of the server over many requests."""
    requests = pictures.of_crops * 4 + [
        *(post("/v1/classify", crop[:300], "image/png") for crop in pictures.crops),
        *pictures.of_photograph,
    ]
    total = max(1000, round(50_000 * share))
    resident = []
    with served(*MANY) as server:
        for step in range(10):
            run_load(server.port, requests, 64, count=total // 10)
            resident.append(round(server.resident() / 1e6, 1))
            print(f"memory: {(step + 1) * total // 10:,} requests, {resident[-1]} MB", flush=True)
    return {
        "requests": total,
        "megabytes": resident,
        "growth": round(resident[-1] - resident[0], 1),
    }


def stop(pictures: Pictures, _: float) -> list[dict[str, Any]]:
    """Send SIGTERM under load; compare what was taken with what clients got."""
    rows = []
    for _turn in range(5):
        with served(*MANY) as server:
            load = Load(server.port, pictures.of_crops, seconds=60)
            ended: list[tuple[int, int, int]] = []

            def end(server: Served = server, ended: list[tuple[int, int, int]] = ended) -> None:
                time.sleep(1.5)
                ended.append(server.stop())

            thread = threading.Thread(target=end)
            thread.start()
            outcome = asyncio.run(load.run(64))
            thread.join()
            ((code, taken, answered),) = ended
            row = {
                "exit_code": code,
                "accepted": taken - server.asked,
                "answered": answered - server.asked,
                "received_whole": len(outcome.answers),
                "cut": outcome.cut,
                "closed_before_accepted": outcome.unanswered,
            }
            rows.append(said("stop", row))
    return rows
