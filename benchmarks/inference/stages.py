"""Using the detector: cold start, crops, whole pictures and where their time goes; `fer` beside it.

    python -m benchmarks.inference.stages [--picture PHOTO.jpg] [--install] [--fer PYTHON] \
        [--rounds 15]

- **Cold start**: ``emotion predict one.jpg --json`` as a process, and ``import emotion_detection``
  alone, each in a process of its own. With ``--install`` in a fresh environment that holds
  ``pip install .`` and nothing else, whose size is told.
- **Crops**: ``EmotionDetector.classify``: one face, and many, on one and on two threads.
- **Whole pictures**: a picture of 1920 x 1080 with three faces as JPEG, split into decode, detect,
  align and classify, on one thread; and a folder of 128 of it by ``emotion predict --out``, start
  and table included, in a process a core.
- **fer** (``--fer`` is the Python of an environment with ``pip install fer``): the same picture
  file and the same crops, in turn with this project's, in one run.

A round times each thing once, in turn; figures are medians over rounds, with the least and the
greatest, ratios are taken within a round.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.common import (
    ROOT,
    Parser,
    check_least,
    describe_hardware,
    format_spread,
    get_load,
    name_command,
    report_errors,
    spread,
    write_json,
)
from benchmarks.inference.fer_comparison import beside
from emotion_detection import EmotionDetector
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.images.opening import image_to_array, open_image
from emotion_detection.inference.align import align
from emotion_detection.inference.face_detector import FaceDetector

WIDTH, HEIGHT, FACES, CROPS, COPIES = 1920, 1080, 3, 256, 128
Things = dict[str, Callable[[], object]]


def compose(folder: Path, picture: Path | None) -> Path:
    """Write the picture: a photograph fitted to 1920 x 1080, or three drawn faces on grey."""
    path = folder / "picture.jpg"
    if picture is not None:
        image = open_image(picture).convert("RGB")
        image.thumbnail((WIDTH, HEIGHT))
        canvas = Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90))
        canvas.paste(image, ((WIDTH - image.width) // 2, (HEIGHT - image.height) // 2))
    else:
        canvas = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
        for place, face in enumerate(make_synthetic_faces(3, seed=1).faces):
            big = Image.fromarray(face).resize((300, 300), Image.Resampling.BICUBIC)
            canvas.paste(big.convert("RGB"), (200 + 600 * place, 390))
    canvas.save(path, quality=90)
    return path


def stages(path: Path) -> Things:
    """Return the stages of a picture on one thread, each on what the one before gave."""
    detector, finder = EmotionDetector(threads=1), FaceDetector(threads=1)
    pixels, _ = image_to_array(path)
    found = finder.find(pixels).faces
    if len(found) != FACES:
        raise InputError(f"--picture: {len(found)} faces are found in it; {FACES} are needed")
    size, channels = detector.input

    def aligned() -> list[npt.NDArray[np.uint8]]:
        return [align(pixels, face.box, face.landmarks, size, channels) for face in found]

    crops = np.stack(aligned())
    things: Things = {
        "decode": lambda: image_to_array(path),
        "detect": lambda: finder.find(pixels),
        "align": aligned,
        "classify": lambda: detector.classify(crops),
        "whole picture": lambda: detector.detect(path),
    }
    return things


def classifying(crops: npt.NDArray[np.uint8]) -> Things:
    """Return the classifier's things: one face and many, on one thread and on two."""
    one, two = (EmotionDetector(threads=threads) for threads in (1, 2))
    return {
        "1 face, 1 thread": lambda: one.classify(crops[:1]),
        "1 face, 2 threads": lambda: two.classify(crops[:1]),
        f"{len(crops)} faces, 1 thread": lambda: one.classify(crops),
        f"{len(crops)} faces, 2 threads": lambda: two.classify(crops),
    }


def starting(path: Path, python: str) -> Things:
    """Return the cold starts, each a process of its own."""

    def process(*words: str) -> Callable[[], object]:
        command = [python, *words]
        # not from the checkout: what is installed is meant
        return lambda: subprocess.run(command, check=True, capture_output=True, cwd=path.parent)

    predict = ("-m", "emotion_detection", "predict", str(path), "--json")
    return {
        "python -c pass": process("-c", "pass"),
        "import emotion_detection": process("-c", "import emotion_detection"),
        "emotion predict one.jpg": process(*predict),
    }


def installed(folder: Path) -> tuple[str, dict[str, Any]]:
    """Install the package alone into a fresh environment; return its Python, and what is in it."""
    venv = folder / "venv"
    python = str(venv / "bin" / "python")
    for command in ([sys.executable, "-m", "venv"], [python, "-m", "pip", "install", "-q"]):
        what = str(venv) if command[0] == sys.executable else str(ROOT)
        subprocess.run([*command, what], check=True, capture_output=True)
    size = sum(file.lstat().st_size for file in venv.rglob("*") if not file.is_symlink())
    code = "import importlib.util as u; print(*[m for m in ('torch', 'cv2') if u.find_spec(m)])"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return python, {"megabytes": round(size / 1e6, 1), "of_torch_and_cv2": done.stdout.split()}


def folder_of_copies(path: Path, python: str) -> dict[str, Any]:
    """Time the command over a folder of copies of the picture."""
    folder, table = path.parent / "copies", path.parent / "copies.jsonl"
    folder.mkdir()
    for number in range(COPIES):
        (folder / f"{number:04d}.jpg").write_bytes(path.read_bytes())
    command = [python, "-m", "emotion_detection", "predict", str(folder), "--out", str(table)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=path.parent)
    seconds = time.perf_counter() - start
    return {
        "pictures": COPIES,
        "seconds": round(seconds, 3),
        "pictures_per_second": round(COPIES / seconds, 2),
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


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all of it."""
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as name:
        path = compose(Path(name), options.picture)
        crops = make_synthetic_faces(CROPS, seed=0).faces
        things = stages(path)
        result: dict[str, Any] = {
            "command": f"{name_command(__file__)} --rounds {options.rounds}"
            + (" --picture PHOTO" if options.picture else "")
            + (" --install" if options.install else "")
            + (" --fer PYTHON" if options.fer else ""),
            "rounds": options.rounds,
            "load_before": get_load(),
            "hardware": describe_hardware(),
            "onnxruntime": metadata.version("onnxruntime"),
            "python": platform.python_version(),
        }
        python = sys.executable
        if options.install:
            python, result["installation"] = installed(Path(name))
        groups = {
            "cold start": starting(path, python),
            "crops": classifying(crops),
            "picture": things,
        }
        for group, them in groups.items():
            seconds = timed(them, options.rounds)
            result[group] = {name: spread(values) for name, values in seconds.items()}
        result["folder"] = folder_of_copies(path, python)
        if options.fer:
            result["fer"] = beside(options.fer, options.rounds, path, crops)
    return result


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--picture", type=Path, help="photograph; default: drawn faces")
    parser.add_argument("--install", action="store_true", help="cold start in a fresh environment")
    parser.add_argument("--fer", metavar="PYTHON", help="Python of an environment with fer")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_out("inference.json")
    options = parser.parse_args(words)
    check_least(options, rounds=1)
    result = measure(options)
    for group in ("cold start", "crops", "picture"):
        for name, row in result[group].items():
            print(f"{group:10}  {name:26} {format_spread(row, 2, 1000)} ms")
    for name, row in result.get("fer", {}).get("of_32_crops_and_a_picture", {}).items():
        print(f"{name:38} {format_spread(row, 4)}")
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
