"""Many pictures through ``emotion predict``: killed and resumed, memory, rate by its parts.

    python -m benchmarks.inference.many_images [--pictures 20000] [--rounds 5] \
        [--out docs/results/many.json]

Small drawn faces, PNG of 48 x 48, a thousand a folder, by ``emotion predict DIR --crops --out
table.jsonl`` on the local engine:

1. in one go: pictures a second, and the memory of all its processes at a quarter, half, three
   quarters and the end of the work;
2. killed (SIGKILL to all of its processes) at a quarter and at half of the shards, and the same
   command again each time: every picture must stand in the table exactly once, and the table must
   be the one of the first run to the byte;
3. by its parts: two processes at once that each read, score and write down pictures in memory, with
   no list, no shards, no table: what the same cores do at best.

1 and 3 are done in turn, 3, 1, 3 a round. Told are medians with the least and the greatest; the
share of the parts' rate is that of a round, by the mean of both its 3. The seconds until the first
shard, and from the last one to the end, are told as well: there one process works alone.

Linux only (memory is read from /proc).
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.common import (
    Parser,
    check_least,
    describe_hardware,
    name_command,
    report_errors,
    spread,
    write_json,
)
from emotion_detection import pretrained
from emotion_detection.batch.classify import Settings, open_detector, read
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job_folder import LARGEST_SHARD, SHARDS, SMALLEST_SHARD
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference.face_detector import DETECTION_SIZE, MIN_CONFIDENCE, MIN_FACE_SIZE

FOLDER, WORKERS, SAMPLE = 1000, 2, 2000


def draw(folder: Path, count: int) -> list[Path]:
    """Write drawn faces; return their paths in the order of the table."""
    paths = []
    for start in range(0, count, FOLDER):
        place = folder / f"{start // FOLDER:04d}"
        place.mkdir(parents=True)
        for number, face in enumerate(
            make_synthetic_faces(min(FOLDER, count - start), seed=start).faces
        ):
            paths.append(place / f"{number:04d}.png")
            Image.fromarray(face).save(paths[-1])
    return paths


def started(folder: Path, table: Path) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    words = [sys.executable, "-m", "emotion_detection", "predict", str(folder), "--crops"]
    words += ["--workers", str(WORKERS), "--out", str(table)]
    return subprocess.Popen(words, process_group=0, stderr=subprocess.DEVNULL)


def shards_done(table: Path) -> int:
    """Return how many shards are done."""
    return sum(1 for _ in Path(f"{table}.parts").glob("shards-*/*.jsonl"))


def memory(group: int) -> float:
    """Return the resident memory of a process group in MiB."""
    pages = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if os.getpgid(int(entry.name)) == group:
                pages += int((entry / "statm").read_text().split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_one_go(folder: Path, table: Path, whole: int) -> dict[str, Any]:
    """Run the command undisturbed."""
    begun = time.perf_counter()
    process = started(folder, table)
    seen: dict[str, float] = {}
    first = last = begun
    done = 0
    while process.poll() is None:
        now, before = time.perf_counter(), done
        done = max(done, shards_done(table))  # they are removed in the end
        first = now if not before else first
        last = now if done > before else last
        for mark in (0.25, 0.5, 0.75, 1.0):
            if done / whole >= mark - 0.02 and f"{mark:.0%}" not in seen:
                seen[f"{mark:.0%}"] = round(memory(process.pid), 1)
        time.sleep(0.05)
    ended = time.perf_counter()
    return {
        "seconds": ended - begun,
        "first_shard": first - begun,
        "after_last_shard": ended - last,
        "exit": process.returncode,
        "memory_mib": seen,
    }


def killed_and_resumed(folder: Path, table: Path, whole: int) -> dict[str, Any]:
    """Kill the command at a quarter and at half of its work; then let it end."""
    kept = []
    for share in (0.25, 0.5):
        process = started(folder, table)
        while process.poll() is None and shards_done(table) < share * whole:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept.append(shards_done(table))
    process = started(folder, table)
    return {"shards_done_when_killed": kept, "shards": whole, "exit": process.wait()}


def parts(paths: list[Path]) -> float:
    """Return pictures a second of two processes that read, score and write down in memory."""
    context = multiprocessing.get_context("spawn")
    ready, seconds = context.Barrier(WORKERS), context.SimpleQueue()
    names = [str(path) for path in paths[:SAMPLE]]
    processes = [
        context.Process(target=_part, args=(names, ready, seconds)) for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a process ended with {process.exitcode}")
    return float(sum(len(names) / seconds.get() for _ in processes))


def _part(names: list[str], ready: Any, seconds: Any) -> None:
    model = pretrained.read_model()
    settings = Settings(
        model=str(model.path),
        sha256=model.sha256,
        labels=None,
        detection_size=DETECTION_SIZE,
        min_confidence=MIN_CONFIDENCE,
        min_face_size=MIN_FACE_SIZE,
        crops=True,
    )
    detector, entries = open_detector(settings, 1), [Entry(name) for name in names]
    list(read(entries[:256], settings, detector))  # memory is laid out
    ready.wait(timeout=120)
    begun = time.perf_counter()
    for record in read(entries, settings, detector):
        json.dumps(record)
    seconds.put(time.perf_counter() - begun)


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Draw the pictures and do all of it."""
    whole = -(-count // min(max(count // SHARDS, SMALLEST_SHARD), LARGEST_SHARD))
    runs, best = [], []
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        folder, first, second = (Path(name, part) for part in ("pictures", "a.jsonl", "b.jsonl"))
        paths = draw(folder, count)
        load = os.getloadavg()[0]
        for _ in range(rounds):
            before = parts(paths)
            runs.append(in_one_go(folder, first, whole))
            best.append((before + parts(paths)) / 2)
        killed = killed_and_resumed(folder, second, whole)
        sources = Counter(json.loads(line)["source"] for line in second.open(encoding="utf-8"))
        killed["rows"] = sum(sources.values())
        killed["each_once"] = set(sources) == set(map(str, paths)) and set(sources.values()) == {1}
        killed["same_to_the_byte"] = first.read_bytes() == second.read_bytes()
    rates = [count / run["seconds"] for run in runs]
    return {
        "command": f"{name_command(__file__)} --pictures {count} --rounds {rounds}",
        "pictures": f"{count:,} drawn faces, PNG of 48 x 48, --crops",
        "workers": WORKERS,
        "rounds": rounds,
        "in_one_go": {
            "pictures_per_second": spread(rates),
            **{
                name: spread([run[name] for run in runs])
                for name in ("seconds", "first_shard", "after_last_shard")
            },
            "exit": max(run["exit"] for run in runs),
            "memory_mib": runs[-1]["memory_mib"],
        },
        "by_its_parts": {"pictures_per_second": spread(best)},
        "share_of_its_parts": spread([rate / one for rate, one in zip(rates, best, strict=True)]),
        "killed": killed,
        "load_before": round(load, 2),
        "hardware": describe_hardware(),
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write; 1 where a picture was lost or doubled."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_out("many.json")
    options = parser.parse_args(words)
    check_least(options, pictures=200, rounds=1)
    result = measure(options.pictures, options.rounds)
    print(json.dumps(result, indent=2))
    write_json(options.out, result)
    return int(not (result["killed"]["each_once"] and result["killed"]["same_to_the_byte"]))


if __name__ == "__main__":
    sys.exit(main())
