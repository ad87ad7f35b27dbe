"""Time an older commit and this tree side by side, in one run.

    python -m benchmarks.inference.compare_commits --commit 839178d [--rounds 15] \
        [--out docs/results/against.json]

Both trees run in a process of their own, with one thread, and take turns: image by image, first one
and then the other, and the next round the other way round. The parts:

- **three faces**: NASA's portrait of Eileen Collins (public domain, from scikit-image) three times
  in an image of 1920 x 1080, as a JPEG file: decoded, detected, classified;
- **one face**: the portrait alone, 512 x 512;
- **no face**: scikit-image's cup of coffee;
- **64 crops**: synthetic faces of 48 x 48, classified as one array.

Every part is measured with each tree's own defaults, so that a slower default shows; images also
with one view of each face in both trees. A ratio is the
median over rounds of this tree's processor time by the older one's; its interval is a bootstrap of
the rounds.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import (
    ROOT,
    Parser,
    check_least,
    describe_machine,
    get_load,
    name_command,
    report_errors,
    write_json,
)
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError

PACKAGE = "src/emotion_detection"
BUILT = "inference/centerface"
"""Files that the build makes and git does not hold."""
PARTS = ("three faces", "one face", "no face", "64 crops")
ONE_VIEW = "{}, one view"
DRAWS = 2000
WORKER = """
import json, sys, time
import numpy as np
from emotion_detection import EmotionDetector
detector = one_view = EmotionDetector()
if hasattr(detector, "views"):
    one_view = EmotionDetector(views=1)
crops = np.load(sys.argv[1])
for line in sys.stdin:
    views, _, place = line.strip().partition(" ")
    use = one_view if views == "1" else detector
    begun = time.process_time()
    found = len(use.detect(place).faces) if place else len(use.classify(crops))
    print(json.dumps([time.process_time() - begun, found]), flush=True)
"""


def make_images(folder: Path) -> dict[str, str]:
    """Write the images; return what each part asks the worker for: views ("-" or 1), file."""
    import skimage

    images_of = Path(skimage.__file__).parent / "data"
    portrait = Image.open(images_of / "astronaut.png").convert("RGB")
    three = Image.new("RGB", (1920, 1080), (90, 100, 110))
    for number in range(3):
        three.paste(portrait, (64 + 640 * number, 284))
    images = (three, portrait, Image.open(images_of / "coffee.png"))
    places = {}
    for part, image in zip(PARTS, images, strict=False):
        path = folder / f"{part.replace(' ', '-')}.jpg"
        image.save(path, quality=90)
        places[part] = f"- {path}"
        places[ONE_VIEW.format(part)] = f"1 {path}"
    np.save(folder / "crops.npy", make_synthetic_faces(64).faces)
    return {**places, "64 crops": "-"}


def extract(commit: str, folder: Path) -> Path:
    """Write the package of a commit into a folder; return what to put on Python's path.

    Raises:
        InputError: git knows no such commit.
    """
    archive = folder / "commit.tar"
    words = ["git", "archive", "--output", str(archive), commit, PACKAGE]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"--commit {commit}: {done.stderr.strip()}")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    built = folder / PACKAGE / BUILT
    if not built.exists():
        built.symlink_to(ROOT / PACKAGE / BUILT)
    return folder / "src"


def make_environment(source: Path) -> dict[str, str]:
    """Return the variables under which a process uses the package of a tree, on one thread.

    Args:
        source: the folder on Python's path.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {
        **os.environ,
        **one,
        "PYTHONPATH": str(source),
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # or each start would compile all modules again
    }


class Tree:
    """A process that detects with the package of one tree.

    Args:
        source: the folder on Python's path.
        crops: file of the crops.
    """

    def __init__(self, source: Path, crops: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(crops)],
            env=make_environment(source),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, place: str) -> tuple[float, int]:
        """Detect one image, or classify the crops; return processor seconds and faces."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(place + "\n")
        self._process.stdin.flush()
        seconds, faces = json.loads(self._process.stdout.readline())
        return float(seconds), int(faces)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare(older: Tree, newer: Tree, places: dict[str, str], rounds: int) -> dict[str, Any]:
    """Return milliseconds of both trees and their ratio, for each part."""
    found: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    for part, place in places.items():
        faces = {name: tree.run(place)[1] for name, tree in (("older", older), ("newer", newer))}
        seconds = np.empty((rounds, 2))
        for number in range(rounds):
            order = ((0, older), (1, newer))
            for column, tree in order if number % 2 else reversed(order):
                tree.run(place)  # the other tree has taken the caches
                seconds[number, column] = tree.run(place)[0]
        ratios = seconds[:, 1] / seconds[:, 0]
        drawn = np.median(ratios[rng.integers(0, rounds, (DRAWS, rounds))], axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        found[part] = {
            "faces": faces,
            "older_ms": round(float(np.median(seconds[:, 0])) * 1000, 2),
            "newer_ms": round(float(np.median(seconds[:, 1])) * 1000, 2),
            "ratio": round(float(np.median(ratios)), 3),
            "ratio_ci95": [round(float(low), 3), round(float(high), 3)],
        }
        print(part, json.dumps(found[part]), flush=True)
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--commit", required=True, help="the older one")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_out("against.json")
    options = parser.parse_args(words)
    check_least(options, rounds=1)
    with tempfile.TemporaryDirectory(prefix="against-") as name:
        folder = Path(name)
        places = make_images(folder)
        sources = extract(options.commit, folder), ROOT / "src"
        older, newer = (Tree(source, folder / "crops.npy") for source in sources)
        try:
            parts = compare(older, newer, places, options.rounds)
        finally:
            older.close()
            newer.close()
    result = {
        "command": f"{name_command(__file__)} --commit {options.commit}",
        "commit": options.commit,
        "rounds": options.rounds,
        "parts": parts,
        **describe_machine(),
        "load": get_load(),
        "onnxruntime": metadata.version("onnxruntime"),
    }
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
