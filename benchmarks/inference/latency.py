"""How long the shipped model, or another one, takes for a face: onnxruntime, one thread.

    python -m benchmarks.inference.latency [--model PATH] [--threads 1] \
        [--out docs/results/latency.json]

Measured are the session alone (a face ready as the graph wants it) and ``classify`` (a grey crop,
checked and resized), one face and 64 faces at a time, and one face in two and in four views. A
round times each of them in turn; the figure is the median over the rounds, beside it the 5th and
the 95th percentile.
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    Parser,
    check_least,
    name_command,
    report_errors,
    write_json,
)
from emotion_detection import EmotionDetector
from emotion_detection.inference.model import open_onnx
from emotion_detection.io.processes import describe_processor
from emotion_detection.pretrained import find_model


def measure(model: Path, threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Time a model.

    Args:
        model: an ONNX file.
        threads: of onnxruntime.
        rounds: how often each thing is timed.

    Returns:
        For each thing: milliseconds a call, median and percentiles.
    """
    opened = open_onnx(model, threads)
    detector, two, four = (EmotionDetector(model, threads=threads, views=n) for n in (1, 2, 4))
    size, channels = opened.input
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 256, (64, size, size), dtype=np.uint8)
    faces = np.repeat(crops[:, None], channels, axis=1)
    names = [opened.scores_name(name) for name in opened.label_sets]
    things: dict[str, Callable[[], object]] = {
        "session, 1 face": lambda: opened.run(faces[:1], names),
        "session, 64 faces": lambda: opened.run(faces, names),
        "classify, 1 face": lambda: detector.classify(crops[:1]),
        "classify, 1 face, 2 views": lambda: two.classify(crops[:1]),
        "classify, 1 face, 4 views": lambda: four.classify(crops[:1]),
        "classify, 64 faces": lambda: detector.classify(crops),
    }
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(rounds + 5):
        for name, thing in things.items():
            start = time.perf_counter()
            thing()
            if turn >= 5:  # the first calls lay out memory
                seconds[name].append(time.perf_counter() - start)
    quantiles = {"median_ms": 0.5, "p05_ms": 0.05, "p95_ms": 0.95}
    return {
        name: {key: float(np.quantile(times, q)) * 1000 for key, q in quantiles.items()}
        for name, times in seconds.items()
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--model", help="ONNX file; default: the shipped model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_out()
    options = parser.parse_args(words)
    check_least(options, threads=1, rounds=1)
    model = Path(options.model) if options.model else find_model()
    load = os.getloadavg()
    found = measure(model, options.threads, options.rounds)
    for name, figures in found.items():
        print(
            f"{name:20} {figures['median_ms']:8.3f} ms "
            f"({figures['p05_ms']:.3f} to {figures['p95_ms']:.3f})"
        )
    if options.out:
        record: dict[str, Any] = {
            "command": f"{name_command(__file__)} --threads {options.threads} "
            f"--rounds {options.rounds}",
            "model": options.model or "pretrained",
            "figures": found,
            "faces": "random pixels; the time does not depend on them",
            "rounds": options.rounds,
            "load_before": load,
            "hardware": f"{describe_processor()}, {options.threads} thread(s)",
            "onnxruntime": metadata.version("onnxruntime"),
            "python": platform.python_version(),
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
