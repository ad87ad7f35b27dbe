"""How long a report takes, and how large it is: 100,000 synthetic predictions of eight classes.

    python -m benchmarks.evaluation.report_time [--faces 100000] [--out docs/results/report.json]

A test's folder is written with random scores, labels that follow them, votes, intensity, an
identity and two groups for each face; then the report of two such models is made of it, as
``emotion report ONE TWO --groups FILE`` does. There are no pictures of faces: galleries hold at
most 76 of them, whatever the number of predictions (about 3 kB each).
"""

import csv
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import (
    Parser,
    check_least,
    describe_hardware,
    name_command,
    report_errors,
    write_json,
)
from emotion_detection.evaluation.report import ReportRequest, open_test, write_report
from emotion_detection.labels import FERPLUS
from emotion_detection.metrics.agreement import compute_intensity_metrics, compute_vote_metrics
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.classification import compute_classification_metrics

Scores = npt.NDArray[np.float32]


def write_tests(folder: Path, faces: int) -> None:
    """Write the folders of two tests, ``one`` and ``two``, and ``groups.csv``."""
    generator = np.random.default_rng(0)
    classes = len(FERPLUS)
    logits = 1.5 * generator.standard_normal((faces, classes))
    scores = _softmax(logits)
    chances = scores.cumsum(axis=1) < generator.random((faces, 1))
    truth = np.minimum(chances.sum(axis=1), classes - 1)
    saw = 0.3 / classes + 0.7 * np.eye(classes)[truth]
    shares = (generator.multinomial(10, saw) / 10).astype(np.float32)
    wanted = (1 - shares[:, FERPLUS.index("neutral")]).astype(np.float32)
    files = [f"faces/{row:08d}.png" for row in range(faces)]
    for name, noise in (("one", 0.0), ("two", 1.0)):
        own = _softmax(logits + noise * generator.standard_normal(logits.shape))
        own_intensity = np.clip(wanted + generator.normal(0, 0.15, faces), 0, 1)
        _write(folder / name, files, truth, own, shares, wanted, own_intensity.astype(np.float32))
    with (folder / "groups.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "identity", "age", "light"])
        ages, lights = generator.integers(0, 6, faces), generator.integers(0, 2, faces)
        rows.writerows(
            (
                name,
                f"person {row // 10}",
                f"{10 * age} to {10 * age + 9}",
                ("dark", "bright")[light],
            )
            for row, (name, age, light) in enumerate(zip(files, ages, lights, strict=True))
        )


def _softmax(logits: npt.NDArray[np.float64]) -> Scores:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Scores = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _write(
    folder: Path,
    files: list[str],
    truth: npt.NDArray[np.int64],
    scores: Scores,
    shares: Scores,
    wanted: Scores,
    intensity: Scores,
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "file": files,
            "label": [FERPLUS[label] for label in truth],
            "scores": pa.array(list(scores), pa.list_(pa.float32())),
            "intensity": intensity,
            "wanted_intensity": wanted,
            "vote_shares": pa.array(list(shares), pa.list_(pa.float32())),
        }
    ).replace_schema_metadata({"labels": json.dumps(list(FERPLUS))})
    metrics = compute_classification_metrics(scores, truth, FERPLUS) | {
        "data": {"source": "synthetic", "label_set": "ferplus", "hash": "0" * 64},
        "split": "test",
        "model": "synthetic",
        "parameters": 0,
        "tta": False,
        "temperature": [1.0],
        "before_temperature": compute_calibration_metrics(scores, truth),
        "intensity": compute_intensity_metrics(intensity, wanted, 10),
        "vote_shares": compute_vote_metrics(scores, shares, FERPLUS, 10),
    }
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "predictions.parquet")
    (folder / "metrics.json").write_text(json.dumps(metrics))


def measure(faces: int) -> dict[str, Any]:
    """Make a report of two tests and return what it took."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_tests(folder, faces)
        start, busy = time.perf_counter(), time.process_time()
        models = [open_test(str(folder / name), ReportRequest()) for name in ("one", "two")]
        read = time.perf_counter() - start
        made = write_report(models, folder / "out", "emotion report", 0.9, folder / "groups.csv")
        return {
            "seconds": round(time.perf_counter() - start, 2),
            "seconds_of_reading": round(read, 2),
            "cpu_seconds": round(time.process_time() - busy, 2),
            "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "html_bytes": made.path.stat().st_size,
            "json_bytes": made.path.with_name("report.json").stat().st_size,
            "figures": len(made.images),
        }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_out()
    options = parser.parse_args(words)
    check_least(options, faces=1000)
    load = os.getloadavg()
    found = measure(options.faces)
    print(
        f"{options.faces:,} predictions, two models: {found['seconds']:.1f} s "
        f"({found['cpu_seconds']:.1f} s of processor), {found['html_bytes'] / 1e6:.2f} MB"
    )
    if options.out:
        record = {
            "command": f"{name_command(__file__)} --faces {options.faces}",
            "data": "synthetic: 8 classes, votes, intensity, identity, two columns of groups",
            "faces": options.faces,
            "models": 2,
            **found,
            "load_before": load,
            "hardware": f"{describe_hardware()}, shared with other work",
            "python": platform.python_version(),
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
