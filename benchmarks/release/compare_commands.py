"""Time whole commands of an older commit and of this tree side by side, in one run.

    python -m benchmarks.release.compare_commands --commit 839178d [--rounds 5] \
        [--parts training "many files" server …] [--out docs/results/commands_against.json]

Both trees take turns, the next round the other way round, with one thread, and with each tree's own
defaults, so that a slower default shows. The parts:

- **training**: ``emotion train --preset compact``, eight epochs of 1,200 synthetic faces, with its
  start, validation and export;
- **many files**: ``emotion predict FOLDER --out table.csv`` on 60 files, half of them NASA's
  portrait of Eileen Collins (public domain, from scikit-image), half scikit-image's cup of coffee,
  each a little brighter than the last;
- **many files, one view**: the same, with the newer tree's ``--views 1``, which the older one does
  without being asked;
- **server**: ``emotion serve``, 60 portraits and 600 crops of faces, one after the other;
- **server, one view**: the same, with ``emotion serve --views 1``.

Measured is processor time: of a command with its child processes, of the server by its own count
between the first request and the last. A ratio is the median over rounds of this tree's time by the
older one's; its interval is the smallest and the largest.
"""

import http.client
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.common import (
    ROOT,
    Parser,
    check_least,
    describe_machine,
    encode_image,
    get_load,
    name_command,
    report_errors,
    spread,
    write_json,
)
from benchmarks.inference.compare_commits import extract, make_environment
from benchmarks.serving.server_process import served
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013

FACES, TRAINING = 1500, 1200
FILES = 60
CROPS = 600
TRAIN = (
    *("train", "--data", "faces", "--preset", "compact", "--epochs", "8", "--name", "run"),
    *("--cache", "cache", "--trainer.accelerator", "cpu", "--trainer.precision", "32-true"),
    *("--trainer.enable_progress_bar", "false"),
)
PREDICT = ("predict", "images", "--workers", "1", "--out", "table.csv")
ONE_VIEW = ("--views", "1")
"""For the newer tree alone."""
PARTS = ("training", "many files", "many files, one view", "server", "server, one view")


def make_inputs(folder: Path) -> None:
    """Write ``faces/``, ``images/`` and ``crops/``."""
    import skimage

    synthetic = make_synthetic_faces(FACES)
    for row, (face, label) in enumerate(zip(synthetic.faces, synthetic.labels, strict=True)):
        split = "train" if row < TRAINING else "validation"
        place = folder / "faces" / split / FER2013[label] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(place)
    images_of = Path(skimage.__file__).parent / "data"
    originals = [Image.open(images_of / name) for name in ("astronaut.png", "coffee.png")]
    (folder / "images").mkdir()
    for number in range(FILES):
        image = originals[number % 2].convert("RGB")
        brighter = ImageEnhance.Brightness(image).enhance(0.7 + 0.6 * number / FILES)
        brighter.save(folder / "images" / f"{number:03}.jpg", quality=90)
    (folder / "crops").mkdir()
    for number in range(CROPS):
        content = encode_image(Image.fromarray(synthetic.faces[number]), "PNG")
        (folder / "crops" / f"{number:03}.png").write_bytes(content)


def time_command(source: Path, inputs: Path, words: tuple[str, ...]) -> float:
    """Run a command in a fresh folder; return processor seconds of it and its children.

    Raises:
        InputError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="command-") as name:
        for entry in inputs.iterdir():
            (Path(name) / entry.name).symlink_to(entry)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "emotion_detection", *words],
            cwd=name,
            env=make_environment(source),
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise InputError(f"emotion {' '.join(words)}: {done.stderr.strip()[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def time_server(source: Path, inputs: Path, words: tuple[str, ...]) -> float:
    """Send images and crops, one after the other; return the server's processor seconds.

    Raises:
        InputError: an answer is not 200.
    """
    images, crops = (
        [path.read_bytes() for path in sorted((inputs / name).iterdir())]
        for name in ("images", "crops")
    )
    sent = [("/v1/predict", "image/jpeg", content) for content in images]
    sent += [("/v1/classify", "image/png", content) for content in crops]
    with served(*words, env=make_environment(source)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

        def post(path: str, kind: str, content: bytes) -> None:
            connection.request("POST", path, content, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise InputError(f"POST {path}: {answer.status}: {text[:200]!r}")

        for one in (sent[0], sent[-1]):  # warm
            post(*one)
        before = server.cpu_seconds()
        for one in sent:
            post(*one)
        return server.cpu_seconds() - before


def time_part(part: str, newer: bool, source: Path, inputs: Path) -> float:
    """Return the processor seconds of one part with one tree."""
    if part == "training":
        return time_command(source, inputs, TRAIN)
    words = ONE_VIEW if newer and part.endswith("one view") else ()
    if part.startswith("many files"):
        return time_command(source, inputs, (*PREDICT, *words))
    return time_server(source, inputs, words)


def compare(
    sources: tuple[Path, Path], inputs: Path, parts: list[str], rounds: int
) -> dict[str, Any]:
    """Return seconds of both trees (older, newer) and their ratio, for each part."""
    found: dict[str, Any] = {}
    for part in parts:
        seconds = np.empty((rounds, 2))
        for number in range(rounds):
            for tree in (0, 1) if number % 2 else (1, 0):
                seconds[number, tree] = time_part(part, bool(tree), sources[tree], inputs)
        found[part] = {
            "older_seconds": spread(seconds[:, 0].tolist(), 2),
            "newer_seconds": spread(seconds[:, 1].tolist(), 2),
            "ratio": spread((seconds[:, 1] / seconds[:, 0]).tolist(), 3),
        }
        print(part, json.dumps(found[part]), flush=True)
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--commit", required=True, help="the older one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_out("commands_against.json")
    options = parser.parse_args(words)
    check_least(options, rounds=1)
    load = get_load()
    with tempfile.TemporaryDirectory(prefix="against-") as name:
        sources = extract(options.commit, Path(name)), ROOT / "src"
        inputs = Path(name) / "inputs"
        inputs.mkdir()
        make_inputs(inputs)
        parts = compare(sources, inputs, options.parts, options.rounds)
    result = {
        "command": f"{name_command(__file__)} --commit {options.commit} --rounds {options.rounds}",
        "commit": options.commit,
        "rounds": options.rounds,
        "parts": parts,
        **describe_machine(),
        "load": load,
    }
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
