"""Ways to look for faces: how long each takes, and which faces it loses.

    python -m benchmarks.inference.detector_comparison --data FER2013 [--photos FOLDER] \
        [--faces 600] [--rounds 15]

Working sizes; coarser resampling; JPEG decoded at half its size; the network in 8 bits
(``quantized_detector.py``, its ranges measured on pasted training faces); one thread and two, with
and without spinning; several pictures a run; fewer looks. All get the same pictures, FER-2013's
validation faces amid what is drawn. What is varied is one look, and two more where it finds
nothing; for closer looks, and on real images, see ``detection_accuracy.py``:

- **pasted**: as ``pasted_faces.py`` does it: 96-200 pixels, in 400-800 x 300-600;
- **small**: a sixth as many, 24-80 pixels, in pictures 1280-1920 wide and 9/16 as high;
- **filling**: a sixth as many, each the whole picture, 150-400 pixels;
- **empty**: a sixth as many pictures without a face, 400-1920 x 300-1080.

Told are missed faces with Wilson's 95 % interval, finds where no face is, and the faces that a way
loses and gains beside the one that is used. Times are of one picture of 1920 x 1080 with three
faces, by the clock and of the processor; a round times each thing once, in turn; figures are
medians, least and greatest. ``--times`` does this part again, as on a quiet machine, and keeps the
rest.
"""

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import (
    Parser,
    check_least,
    describe_hardware,
    get_load,
    name_command,
    read_json,
    report_errors,
    sample_rows,
    spread,
    write_json,
)
from benchmarks.inference import pasted_faces as pasted
from benchmarks.inference import stages as inference
from benchmarks.inference.detector_variants import (
    FORMER_THRESHOLD,
    LOOKS,
    SETS,
    Bytes,
    Finder,
    Found,
    Way,
    halved,
    looked,
)
from benchmarks.inference.quantized_detector import floats, quantised
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.images.file_types import SUFFIXES
from emotion_detection.images.opening import image_to_array
from emotion_detection.inference.face_detector import DETECTION_SIZE, DetectedFace
from emotion_detection.metrics.statistics import compute_wilson_interval

Clocks = dict[str, dict[str, dict[str, float]]]
"""Of each thing: seconds by the clock, and of the processor; median, least and greatest."""

SIZES = (320, 480, 640, 960)
USED = str(DETECTION_SIZE)
REST = 0.05
"""Seconds before each thing: threads of the one before wait busily for a while."""
CALIBRATION, CALIBRATION_SIZE, BATCH = 24, (640, 480), 4


def told(found: dict[str, Found], way: str) -> dict[str, Any]:
    """Return the figures of a way in all sets."""
    figures: dict[str, Any] = {}
    for name, ways in found.items():
        (hit, elsewhere), (own, _) = ways[way], ways[USED]
        figures[name] = {"pictures": len(hit), "false_finds": elsewhere}
        if name != "empty":
            missed = int((~hit).sum())
            figures[name] |= {
                "missed": missed / len(hit),
                "missed_ci95": list(compute_wilson_interval(missed, len(hit))),
                "lost": int((own & ~hit).sum()),
                "gained": int((hit & ~own).sum()),
            }
    return figures


def timings(finders: dict[str, Finder], path: Path, rounds: int) -> Clocks:
    """Time each way on one picture, several pictures a run, and decoding."""
    pixels, _ = image_to_array(path)
    one = finders[USED]._session
    inputs = {count: np.full((count, 3, 384, 640), 128, np.float32) for count in (1, BATCH)}
    things: inference.Things = {
        name: partial(finder.find, pixels) for name, finder in finders.items()
    }
    things |= {
        f"network, {count} picture(s) a run": partial(one.run, None, {"input.1": some})
        for count, some in inputs.items()
    }
    things |= {"decode": partial(image_to_array, path), "decode at half": partial(halved, path)}
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in things}
    for turn in range(1 + rounds):
        for name, thing in things.items():
            time.sleep(REST)
            start, own = time.perf_counter(), time.process_time()
            thing()
            if turn:
                seconds[name][0].append(time.perf_counter() - start)
                seconds[name][1].append(time.process_time() - own)
    kinds = ("clock", "processor")
    return {
        name: {kind: spread(some) for kind, some in zip(kinds, values, strict=True)}
        for name, values in seconds.items()
    }


def ways(folder: Path, crops: Bytes) -> tuple[dict[str, Way], dict[str, Way]]:
    """Return the ways that look at all pictures, and those that are timed alone.

    Args:
        folder: for networks.
        crops: uint8 (N, S, S), training faces that ranges are measured on.
    """
    plain = floats()
    inputs = []
    for row, crop in enumerate(crops):
        pixels = pasted.paste(np.random.default_rng((1, row)), crop).pixels
        fitted = Image.fromarray(pixels).resize(CALIBRATION_SIZE)
        inputs.append(np.asarray(fitted, np.float32).transpose(2, 0, 1)[None])
    eight = {name: Way(DETECTION_SIZE, file) for name, file in quantised(folder, inputs).items()}
    slow = {name: eight.pop(name) for name in list(eight) if "dynamic" in name}
    look = {str(size): Way(size, plain) for size in SIZES}
    look["coarser resampling"] = Way(DETECTION_SIZE, plain, gap=1.0)
    look["JPEG at half"] = Way(DETECTION_SIZE, plain, half=True)
    look |= eight
    pairs = {name: way for name, way in look.items() if not way.half}
    time = {f"{name}, 2 threads": way._replace(threads=2) for name, way in pairs.items()}
    time |= slow
    used = look[USED]
    time[f"{USED}, 2 threads, no spinning"] = used._replace(threads=2, spinning=False)
    time[f"{USED}, graph not optimised"] = used._replace(optimised=False)
    return look, {**pairs, **time}


def photographs(folder: Path, finders: dict[str, Finder]) -> dict[str, dict[str, Any]]:
    """Return how many faces each way finds in each photograph, and how far its landmarks lie off.

    The latter is the greatest distance from those of the way that is used, by the box's longer
    side; None where the faces are not as many.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    rows: dict[str, dict[str, Any]] = {name: {"faces": [], "farthest": 0.0} for name in finders}
    for path in paths:
        pixels, _ = image_to_array(path)
        own = finders[USED].faces(pixels)
        for name, finder in finders.items():
            faces, row = finder.faces(pixels), rows[name]
            row["faces"].append(len(faces))
            if len(faces) != len(own) or row["farthest"] is None:
                row["farthest"] = None
                continue
            row["farthest"] = max(row["farthest"], *map(_away, own, faces))
    return rows


def _away(one: DetectedFace, other: DetectedFace) -> float:
    off = np.abs(np.array(one.landmarks) - np.array(other.landmarks)).max()
    return float(off / max(one.box[2:]))


def measure(options: argparse.Namespace, result: dict[str, Any]) -> None:
    """Do all of it, or time alone, into a result."""
    data = load(DataConfig(data=options.data, cache=options.cache, labels="ferplus"))
    seed = np.random.default_rng(options.seed)

    def some(split: str, count: int) -> Bytes:
        faces = data.split(split)
        crops: Bytes = faces.draw(sample_rows(len(faces), count, seed))[:, 0]
        return crops

    crops, drawn = some("validation", options.faces), some("train", CALIBRATION)
    about = {
        "command": f"{name_command(__file__)} --data FER2013 "
        f"--faces {len(crops)} --rounds {options.rounds}"
        f"{' --photos FOLDER' if options.photos else ''}",
        "threshold": FORMER_THRESHOLD,
        "hardware": describe_hardware(),
        "onnxruntime": metadata.version("onnxruntime"),
    }
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        looking, timed = ways(Path(name), drawn)
        if not options.times:
            finders = {name: Finder(way) for name, way in looking.items()}
            found = {name: looked(crops, name, finders, USED, options.seed) for name in SETS}
            result["ways"] = {name: told(found, name) for name in looking}
            result["looks"] = {name: told(found, name) for name in LOOKS}
            if options.photos:
                result["photographs"] = photographs(options.photos, finders)
            result |= {"used": USED, **about}
        result["about_times"] = {**about, "load_before": get_load()}
        picture = inference.compose(Path(name), None)
        clocked = {name: Finder(way) for name, way in timed.items()}
        result["times"] = timings(clocked, picture, options.rounds)
        result["times_of_looks"] = times_of_looks(clocked[USED], options.rounds)


def times_of_looks(finder: Finder, rounds: int) -> dict[str, dict[str, float]]:
    """Take the processor's seconds for each look at a picture without a face."""
    empty = np.full((1080, 1920, 3), 90, np.uint8)
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        finder.faces(empty)
        for name, (_, value) in finder.looks.items():
            seconds.setdefault(name, []).append(value)
    return {name: spread(values) for name, values in seconds.items()}


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data("FER-2013 with FER+'s votes beside it")
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    parser.add_argument("--faces", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", action="store_true", help="time alone; what --out has stays")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_out("detector_ways.json")
    options = parser.parse_args(words)
    check_least(options, faces=1, rounds=1)
    result: dict[str, Any] = read_json(options.out) if options.times else {}
    measure(options, result)
    print(json.dumps(result, indent=2))
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
