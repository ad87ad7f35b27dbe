"""Rates and latencies of the server; each part prints its figures as they come."""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.common import encode_image
from benchmarks.inference.stages import compose
from benchmarks.serving.load_client import post, run_load
from benchmarks.serving.server_process import Served, served
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError

CLIENTS = (1, 16, 64, 256)
MANY = ("--queue", "300")
"""Words for a server that turns none of 256 clients away."""


class Pictures:
    """What is sent.

    Args:
        folder: for files; the photograph's is written there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = compose(folder, None)
        self.photograph = self.path.read_bytes()
        self.crops = [
            encode_image(Image.fromarray(face), "PNG")
            for face in make_synthetic_faces(32, seed=2).faces
        ]

    @property
    def of_crops(self) -> list[bytes]:
        """Requests with a crop each."""
        return [post("/v1/classify", crop, "image/png") for crop in self.crops]

    @property
    def of_photograph(self) -> list[bytes]:
        """The request with the photograph."""
        return [post("/v1/predict", self.photograph, "image/jpeg")]


def said(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Print figures, and return them."""
    print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()), flush=True)
    return figures


def crops(pictures: Pictures, share: float) -> dict[str, Any]:
    """Ask for crops at several numbers of clients."""
    return _at_clients("crops", pictures.of_crops, 10 * share)


def photographs(pictures: Pictures, share: float) -> dict[str, Any]:
    """Ask for photographs at several numbers of clients."""
    return _at_clients("photographs", pictures.of_photograph, 12 * share)


def _at_clients(name: str, requests: list[bytes], seconds: float) -> dict[str, Any]:
    figures = {}
    with served(*MANY) as server:
        run_load(server.port, requests, 8, seconds=min(2, seconds))
        for clients in CLIENTS:
            before = server.cpu_seconds()
            outcome = run_load(server.port, requests, clients, seconds=seconds)
            cpu = (server.cpu_seconds() - before) / len(outcome.answers)
            row = {**outcome.figures(), "server_cpu_ms": round(1000 * cpu, 3)}
            figures[str(clients)] = said(f"{name}, {clients} clients", row)
    return figures


def beside_predict(pictures: Pictures, share: float) -> dict[str, Any]:
    """Read whole pictures by the server and by ``emotion predict``, in turn."""
    few, more = 64, 64 + max(64, round(192 * share))
    folders = {count: _copies(pictures, count) for count in (few, more)}
    seconds: dict[int, list[float]] = {few: [], more: []}
    serve: list[float] = []
    with served(*MANY) as server:
        run_load(server.port, pictures.of_photograph, 8, count=16)
        for turn in range(3):
            for count, folder in folders.items():
                seconds[count].append(_predict_seconds(folder))
            outcome = run_load(server.port, pictures.of_photograph, 16, count=more - few)
            serve.append(outcome.figures()["per_second"])
            took = {f"predict, {count} pictures, s": own[-1] for count, own in seconds.items()}
            said(f"round {turn + 1}", {**took, "serve, pictures/s": serve[-1]})
    short, long = (statistics.median(own) for own in seconds.values())
    if long <= short:
        raise InputError("predict: what else runs here makes it slower than more pictures do")
    rates: dict[str, dict[str, Any]] = {
        "emotion predict": {"median": round((more - few) / (long - short), 2)},
        "emotion serve, 16 clients": {"median": statistics.median(serve), "rounds": serve},
    }
    predict, median = (row["median"] for row in rates.values())
    return said(
        "whole pictures",
        {
            "pictures": more - few,
            "rounds": len(serve),
            "predict_seconds": {str(count): _rounded(own) for count, own in seconds.items()},
            "pictures_per_second": rates,
            "share": {"median": round(median / predict, 3)},
        },
    )


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in values]


def _copies(pictures: Pictures, count: int) -> Path:
    folder = pictures.folder / f"copies-{count}"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:04d}.jpg").write_bytes(pictures.photograph)
    return folder


def _predict_seconds(folder: Path) -> float:
    table = folder.with_suffix(".jsonl")
    table.unlink(missing_ok=True)
    command = [sys.executable, "-m", "emotion_detection", "predict", str(folder)]
    start = time.perf_counter()
    subprocess.run([*command, "--out", str(table)], check=True, capture_output=True)
    return time.perf_counter() - start


def together(pictures: Pictures, share: float) -> dict[str, Any]:
    """Compare crops read one by one with crops read up to eight in one go."""
    ways = {"one by one": "1", "up to 8 in one go": "8"}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    with served(*MANY, "--max_batch", "1") as one, served(*MANY, "--max_batch", "8") as eight:
        servers = dict(zip(ways, (one, eight), strict=True))
        for server in servers.values():
            run_load(server.port, pictures.of_crops, 8, seconds=min(2, 4 * share))
        for _ in range(5):
            for name, server in servers.items():
                rows[name].append(_crops_row(server, pictures, 4 * share))
    figures = {
        name: {key: round(statistics.median(row[key] for row in own), 3) for key in own[0]}
        for name, own in rows.items()
    }
    for name, row in figures.items():
        said(name, row)
    rates = ([row["per_second"] for row in own] for own in rows.values())
    gains = [with_eight / alone for alone, with_eight in zip(*rates, strict=True)]
    gain = {"median": round(statistics.median(gains), 3), "rounds": _rounded(gains)}
    return {"clients": 64, "ways": figures, "gain": said("gain", gain)}


def _crops_row(server: Served, pictures: Pictures, seconds: float) -> dict[str, float]:
    before = server.cpu_seconds()
    outcome = run_load(server.port, pictures.of_crops, 64, seconds=seconds)
    cpu = (server.cpu_seconds() - before) / len(outcome.answers)
    figures = outcome.figures()
    return {
        "per_second": figures["per_second"],
        "p50_ms": figures["p50_ms"],
        "p99_ms": figures["p99_ms"],
        "server_cpu_ms": 1000 * cpu,
    }
