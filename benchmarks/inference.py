"""Using the detector: cold start, crops, whole pictures and where their time goes; `fer` beside it.

    python benchmarks/inference.py [--picture PHOTO.jpg] [--fer PYTHON] [--rounds 15]

- **Cold start**: ``emotion predict one.jpg --json`` as a process, and ``import emotion_detection``
  alone, each in a process of its own.
- **Crops**: ``EmotionDetector.classify``: one face, and many, on one and on two threads.
- **Whole pictures**: a picture of 1920 x 1080 with three faces as JPEG, split into decode, detect,
  align and classify, on one thread, and in two processes of one thread each by ``emotion predict``.
- **fer** (``--fer`` is the Python of an environment with ``pip install fer``): the same picture
  file and the same crops, in turn with this project's, in one run.

A round times each thing once, in turn; figures are medians over rounds, with the least and the
greatest, ratios are taken within a round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.data.drawn import draw_faces
from emotion_detection.errors import InputError
from emotion_detection.files import write_whole
from emotion_detection.images import open_picture
from emotion_detection.inference.align import align
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.training.provenance import processor

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT, CROPS = 1920, 1080, 256
Things = dict[str, Callable[[], object]]

FER = """
import json, sys, time
import cv2, numpy as np
begun = time.perf_counter()
from fer.fer import FER
detector = FER(mtcnn=False)
picture, crops = cv2.imread(sys.argv[1]), np.load(sys.argv[2])
found = detector.detect_emotions(picture)
first = time.perf_counter() - begun
print(json.dumps({"faces": len(found), "first_answer": first}), flush=True)
boxes = [(0, 0, crops.shape[2], crops.shape[1])]
for line in sys.stdin:
    begun = time.perf_counter()
    if line.strip() == "picture":
        detector.detect_emotions(cv2.imread(sys.argv[1]))
    else:
        for crop in crops[:32]:
            detector.detect_emotions(crop, face_rectangles=boxes)
    print(time.perf_counter() - begun, flush=True)
"""
"""What runs in fer's environment: reads 'picture' or 'crops', answers the seconds."""


def compose(folder: Path, picture: Path | None) -> Path:
    """Write the picture: a photograph fitted to 1920 x 1080, or three drawn faces on grey."""
    path = folder / "picture.jpg"
    if picture is not None:
        image = open_picture(picture).convert("RGB")
        image.thumbnail((WIDTH, HEIGHT))
        canvas = Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90))
        canvas.paste(image, ((WIDTH - image.width) // 2, (HEIGHT - image.height) // 2))
    else:
        canvas = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
        for place, face in enumerate(draw_faces(3, seed=1).faces):
            big = Image.fromarray(face).resize((300, 300), Image.Resampling.BICUBIC)
            canvas.paste(big.convert("RGB"), (200 + 600 * place, 390))
    canvas.save(path, quality=90)
    return path


def stages(path: Path) -> tuple[Things, int]:
    """Return the stages of a picture on one thread, each on what the one before gave."""
    detector, finder = EmotionDetector(threads=1), FaceDetector(threads=1)
    pixels = np.asarray(open_picture(path).convert("RGB"))
    found = finder.find(pixels).faces
    size, channels = detector.input

    def aligned() -> list[npt.NDArray[np.uint8]]:
        return [align(pixels, face.landmarks, size, channels) for face in found]

    crops = np.stack(aligned()) if found else np.zeros((0, size, size), np.uint8)
    things: Things = {
        "decode": lambda: np.asarray(open_picture(path).convert("RGB")),
        "detect": lambda: finder.find(pixels),
        "align": aligned,
        "classify": lambda: detector.classify(crops),
        "whole picture": lambda: detector.detect(path),
    }
    return things, len(found)


def classifying(crops: npt.NDArray[np.uint8]) -> Things:
    """Return the classifier's things: one face and many, on one thread and on two."""
    one, two = (EmotionDetector(threads=threads) for threads in (1, 2))
    return {
        "1 face, 1 thread": lambda: one.classify(crops[:1]),
        "1 face, 2 threads": lambda: two.classify(crops[:1]),
        f"{len(crops)} faces, 1 thread": lambda: one.classify(crops),
        f"{len(crops)} faces, 2 threads": lambda: two.classify(crops),
    }


def starting(path: Path) -> Things:
    """Return the cold starts, each a process of its own."""

    def process(*words: str) -> Callable[[], object]:
        command = [sys.executable, *words]
        return lambda: subprocess.run(command, check=True, capture_output=True)

    predict = ("-m", "emotion_detection", "predict", str(path), "--json")
    return {
        "python -c pass": process("-c", "pass"),
        "import emotion_detection": process("-c", "import emotion_detection"),
        "emotion predict one.jpg": process(*predict),
    }


def timed(things: Things, rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Return each thing's seconds, a figure a round."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warm + rounds):
        for name, thing in things.items():
            start = time.perf_counter()
            thing()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Return median, least and greatest."""
    return {
        "median": round(statistics.median(values), 6),
        "min": round(min(values), 6),
        "max": round(max(values), 6),
    }


class Fer:
    """The peer, in an environment of its own, answering when it is asked.

    Args:
        python: that environment's Python.
        path: the picture.
        crops: file of the crops.
    """

    def __init__(self, python: str, path: Path, crops: Path) -> None:
        self.process = subprocess.Popen(
            [python, "-c", FER, str(path), str(crops)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.about: dict[str, Any] = json.loads(self._line())

    def ask(self, what: str) -> float:
        """Return the seconds that it took, by its own clock."""
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip()[:1] in "{0123456789":  # its libraries print, too
                return line
        raise InputError("--fer: that Python ended without an answer: is fer installed there?")


def beside(options: argparse.Namespace, path: Path, crops: npt.NDArray[np.uint8]) -> Any:
    """Set this project and fer side by side."""
    place = path.with_name("crops.npy")
    # fer takes colour pictures as OpenCV has them
    np.save(place, np.repeat(crops[..., None], 3, axis=3))
    fer = Fer(options.fer, path, place)
    detector = EmotionDetector()
    rows: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for what, ours in (
            ("picture", lambda: detector.detect(path)),
            ("crops", lambda: detector.classify(crops[:32])),
        ):
            start = time.perf_counter()
            ours()
            own = time.perf_counter() - start
            other = fer.ask(what)
            for name, value in (("ours", own), ("fer", other), ("fer/ours", other / own)):
                rows.setdefault(f"{what}: {name}", []).append(value)
    fer.process.kill()
    return {
        "fer": fer.about,
        "version": _version(options.fer),
        "of_32_crops_and_a_picture": {name: spread(values) for name, values in rows.items()},
    }


def _version(python: str) -> str:
    code = "import importlib.metadata as m; print(m.version('fer'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all of it."""
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        path = compose(Path(name), options.picture)
        crops = draw_faces(CROPS, seed=0).faces
        things, found = stages(path)
        result: dict[str, Any] = {
            "command": f"python benchmarks/inference.py --rounds {options.rounds}"
            + (" --picture PHOTO" if options.picture else "")
            + (" --fer PYTHON" if options.fer else ""),
            "picture": f"{WIDTH} x {HEIGHT} JPEG, {found} faces found",
            "rounds": options.rounds,
            "load_before": round(os.getloadavg()[0], 2),
            "hardware": f"{processor()}, {os.cpu_count()} cores",
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        }
        groups = {"cold start": starting(path), "crops": classifying(crops), "picture": things}
        for group, them in groups.items():
            seconds = timed(them, options.rounds)
            result[group] = {name: spread(values) for name, values in seconds.items()}
        if options.fer:
            result["fer"] = beside(options, path, crops)
    return result


def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--picture", type=Path, help="photograph; default: drawn faces")
    parser.add_argument("--fer", metavar="PYTHON", help="Python of an environment with fer")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/inference.json")
    options = parser.parse_args(words)
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: must be at least 1")
    try:
        result = measure(options)
    except (InputError, OSError, ValueError) as error:
        print(f"inference: {error}", file=sys.stderr)
        return 2
    for group in ("cold start", "crops", "picture"):
        for name, row in result[group].items():
            print(
                f"{group:10}  {name:26} {1000 * row['median']:9.2f} ms "
                f"({1000 * row['min']:.2f}-{1000 * row['max']:.2f})"
            )
    for name, row in result.get("fer", {}).get("of_32_crops_and_a_picture", {}).items():
        print(f"{name:38} {row['median']:9.4f} ({row['min']:.4f}-{row['max']:.4f})")
    write_whole(options.out, json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
