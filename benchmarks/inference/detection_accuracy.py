"""Face detection on real images: recall, false finds and time of several ways, side by side.

    python -m benchmarks.inference.detection_accuracy --photos FOLDER \
        --counted party1.jpg=14-17 sample3.jpg=3 ...
        [--data FER2013] [--pasted 120] [--rounds 3] [--kinds KIND ...]
        [--out docs/results/detection.json]

The images:

- **faceless**: what scikit-image, scikit-learn and matplotlib carry and nobody is in;
- **photos**: those of ``--counted``, each with the number of its faces by eye, or with the number
  of its readable faces and that of all heads, which may be found or not;
- **scenes**: the same photos in landscapes of 1920 x 1080, reduced until their median face has 16
  to 60 pixels, the rest of the scene a blurred copy. The most confident finds at the photo's full
  size say where the faces are: as many as were counted;
- **pasted**, **small**, **filling** (with ``--data``): FER-2013's validation faces amid what is
  drawn, as in ``detector_comparison.py``: 96-200 px, 24-80 px, and as large as the image.

The ways are one look at a size; the way before ("first look, and two more where nothing is found");
and the one that is used, which looks closer where small or doubtful faces show; each at several
least confidences. Of the way that is used it is also counted how many of the finds are flagged as
uncertain. A find is right where it overlaps a face (intersection over union above 0.3).

``--kinds`` measures some kinds alone, by the beginnings of their names, or "times", and leaves what
``--out`` holds of the others.

Times are the processor's, of all images of a kind; ratios to the way before, image by image.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from benchmarks.common import (
    Parser,
    check_least,
    describe_hardware,
    get_load,
    name_command,
    read_result,
    report_errors,
    sample_rows,
    write_json,
)
from benchmarks.inference import detector_variants as detector_finders
from benchmarks.inference.detector_variants import Bytes, FormerDetector
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.images.file_types import SUFFIXES
from emotion_detection.images.opening import image_to_array
from emotion_detection.inference.detected_face import Box, DetectedFace, intersect_boxes
from emotion_detection.inference.face_detector import CERTAIN, MIN_CONFIDENCE, FaceDetector
from emotion_detection.io.progress import show_progress
from emotion_detection.metrics.statistics import compute_wilson_interval

PACKAGES = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}
PEOPLE = ("astronaut.png", "camera.png", "grace_hopper.jpg")
"""Those of the packages' images that somebody is in."""
WIDTH, HEIGHT = 1920, 1080
SIZES = (16, 24, 30, 45, 60)
"""Pixels of the median face of a scene."""
TIMED = 30
"""Size of the faces in scenes that times are taken of."""
OVERLAP = 0.3
FEW = 3
"""An ordinary photo has at most so many faces; a group more."""
LOOK = 0.05
"""Least confidence at which looks are kept, for ways with several thresholds."""


class Case(NamedTuple):
    """An image, and where its faces are.

    Args:
        kind: as "faceless"; of a scene with the size of its faces.
        name: of the image.
        pixels: uint8 (H, W, 3).
        faces: boxes of the faces.
        ignored: boxes that may be found or not.
    """

    kind: str
    name: str
    pixels: Bytes
    faces: list[Box]
    ignored: list[Box]


Find = Callable[[Bytes], list[DetectedFace]]


class Remembered(FaceDetector):
    """Looks once at the same pixels in the same size, whatever the threshold."""

    seen: dict[Any, list[DetectedFace]] = {}  # noqa: RUF012 - shared by all ways on purpose

    def _look(
        self, rgb: Bytes, longer: int, margin: int, least: float | None = None
    ) -> list[DetectedFace]:
        key = rgb.__array_interface__["data"][0], rgb.shape, longer, margin
        if key not in self.seen:
            self.seen[key] = super()._look(rgb, longer, margin, LOOK)
        least = self.min_confidence if least is None else least
        return [face for face in self.seen[key] if face.confidence > least]


class RememberedFormer(Remembered, FormerDetector):
    """Does so, in the way before."""


class OneLook(Remembered):
    """One look, whatever is found."""

    def _find_closer(self, rgb: Bytes) -> list[DetectedFace]:
        return self._look(rgb, min(max(rgb.shape[:2]), self.detection_size), 0)


WAYS: dict[str, tuple[type[FaceDetector], int, tuple[float, ...]]] = {
    "one look at 640": (OneLook, 640, (0.2, 0.3, 0.4)),
    "one look at 960": (OneLook, 960, (0.2, 0.3, 0.4)),
    "one look at 1280": (OneLook, 1280, (0.2, 0.3, 0.4)),
    "before": (RememberedFormer, 640, (0.2, 0.3, 0.4)),
    "used": (Remembered, 640, (0.2, 0.3, 0.4, 0.5)),
}


def find_images(package: str, folder: str) -> Iterator[Path]:
    """Yield the images that a package carries and nobody is in."""
    module = __import__(package)
    for path in sorted(Path(str(module.__file__)).parent.joinpath(folder).iterdir()):
        if path.suffix.lower() in SUFFIXES and path.name not in PEOPLE:
            yield path


def faceless_cases() -> Iterator[Case]:
    """Yield the packages' images without a face."""
    for package, folder in PACKAGES.items():
        for path in find_images(package, folder):
            try:
                yield Case("faceless", path.name, image_to_array(path)[0], [], [])
            except InputError as error:
                print(f"{path.name}: left out: {error}", file=sys.stderr)


def photo_cases(folder: Path, counted: dict[str, tuple[int, int]]) -> Iterator[Case]:
    """Yield the counted photos: the most confident finds at full size are their faces."""
    for name, (count, heads) in counted.items():
        pixels, _ = image_to_array(folder / name)
        finder = FaceDetector(detection_size=min(max(pixels.shape[:2]), 8192), threads=1)
        finds = sorted(finder._look(pixels, max(pixels.shape[:2]), 0, LOOK), key=_confidence)
        boxes = [find.box for find in finds]
        yield Case("photos", name, pixels, boxes[:count], boxes[count:heads])


def _confidence(face: DetectedFace) -> float:
    return -face.confidence


def scene(photo: Case, size: int, rng: np.random.Generator) -> Case:
    """Lay a photo, reduced, into a scene of 1920 x 1080.

    Args:
        photo: the photo with its faces.
        size: pixels of the longer side that the median face gets.
        rng: places it.
    """
    high, wide = photo.pixels.shape[:2]
    share = size / float(np.median([max(box[2:]) for box in photo.faces]))
    share = min(share, WIDTH / wide, HEIGHT / high)
    image = Image.fromarray(photo.pixels)
    small = image.resize((round(wide * share), round(high * share)), Image.Resampling.BOX)
    blur = ImageFilter.GaussianBlur(WIDTH / 25)
    canvas = image.resize((WIDTH, HEIGHT)).filter(blur)
    left = int(rng.integers(0, WIDTH - small.width, endpoint=True))
    top = int(rng.integers(0, HEIGHT - small.height, endpoint=True))
    canvas.paste(small, (left, top))

    def place(box: Box) -> Box:
        x, y, width, height = (share * side for side in box)
        return x + left, y + top, width, height

    faces, ignored = ([place(box) for box in boxes] for boxes in photo[3:])
    return Case(f"scenes, {size} px", photo.name, np.asarray(canvas), faces, ignored)


def scene_cases(photos: list[Case], sizes: list[int], repeats: int, seed: int) -> Iterator[Case]:
    """Yield scenes of each photo and size."""
    for size in sizes:
        for number, photo in enumerate(photos):
            for repeat in range(repeats):
                yield scene(photo, size, np.random.default_rng((seed, size, number, repeat)))


def pasted_cases(crops: Bytes, seed: int) -> Iterator[Case]:
    """Yield images with one pasted face each: its box is the crop's middle."""
    for kind in ("pasted", "small", "filling"):
        for row, drawn in enumerate(detector_finders.pictures(crops, kind, seed)):
            wide, high = 0.7 * drawn.side, 0.9 * drawn.side
            box = drawn.x - wide / 2, drawn.y - high / 2, wide, high
            yield Case(kind, str(row), drawn.pixels, [box], [])


class Score(NamedTuple):
    """What a way found in an image: faces found, faces there, false finds, finds twice."""

    found: int
    faces: int
    false: int
    twice: int


def score_finds(case: Case, finds: list[DetectedFace]) -> Score:
    """Compare finds with the faces that are there."""
    hits = [[is_at(find.box, box, case.kind) for find in finds] for box in case.faces]
    ignored = [any(is_at(find.box, box, case.kind) for box in case.ignored) for find in finds]
    false = sum(
        not any(row[place] for row in hits) and not ignored[place] for place in range(len(finds))
    )
    twice = sum(max(0, sum(row) - 1) for row in hits)
    return Score(sum(map(any, hits)), len(hits), false, twice)


def is_at(find: Box, face: Box, kind: str) -> bool:
    """Return True where a find is of a face."""
    shared = intersect_boxes(find, face)
    together = find[2] * find[3] + face[2] * face[3] - shared
    # where exactly a pasted crop has its face is not known
    return shared > (0.1 if kind in ("pasted", "small", "filling") else OVERLAP) * together


def measure(cases: list[Case]) -> dict[str, dict[str, Any]]:
    """Return the scores of each way and threshold, by kind of image."""
    finders = {
        (name, threshold): way(size, threshold, min_face_size=0, threads=1)
        for name, (way, size, thresholds) in WAYS.items()
        for threshold in thresholds
    }
    scores: dict[tuple[str, float], dict[str, list[Score]]] = {key: {} for key in finders}
    certain: dict[str, list[Score]] = {}
    for case in show_progress(cases, "detecting", len(cases)):
        for key, finder in finders.items():
            finds = list(finder.find(case.pixels).faces)
            scores[key].setdefault(case.kind, []).append(score_finds(case, finds))
            if key == ("used", MIN_CONFIDENCE):
                sure = [find for find in finds if find.confidence >= CERTAIN]
                certain.setdefault(case.kind, []).append(score_finds(case, sure))
        Remembered.seen.clear()
    table = {
        f"{name}, {threshold:g}": _sum_kinds(scores[name, threshold]) for name, threshold in finders
    }
    return {**table, f"used, {MIN_CONFIDENCE:g}, certain": _sum_kinds(certain)}


def _sum_kinds(kinds: dict[str, list[Score]]) -> dict[str, Any]:
    return {kind: _sum(scores) for kind, scores in kinds.items()}


def _sum(scores: list[Score]) -> dict[str, Any]:
    found, faces, false, twice = (sum(column) for column in zip(*scores, strict=True))
    values = {"images": len(scores), "faces": faces, "false_finds": false, "twice": twice}
    if faces:
        low, high = compute_wilson_interval(found, faces)
        values |= {"found": found, "recall": found / faces, "recall_ci95": [low, high]}
    return values


def times(cases: list[Case], rounds: int) -> dict[str, dict[str, Any]]:
    """Return the processor's milliseconds an image, and the ratio to the way before."""
    finders = {
        "before": FormerDetector(640, 0.2, threads=1),
        "used": FaceDetector(threads=1),
        **{f"one look at {size}": _timed(size) for size in (640, 1280)},
    }
    kinds: dict[str, dict[str, list[float]]] = {}
    for case in show_progress(cases, "taking times", len(cases)):
        seconds: dict[str, list[float]] = {name: [] for name in finders}
        for turn in range(rounds + 1):
            for name, finder in finders.items():
                start = time.process_time()
                finder.find(case.pixels)
                if turn:
                    seconds[name].append(time.process_time() - start)
        rows = kinds.setdefault(_timed_kind(case), {})
        for name, values in seconds.items():
            rows.setdefault(name, []).append(float(np.median(values)))
    return {
        kind: {
            "images": len(rows["before"]),
            "ms": {name: 1000 * float(np.median(values)) for name, values in rows.items()},
            "ratio": {
                name: float(np.median(np.divide(values, rows["before"])))
                for name, values in rows.items()
            },
        }
        for kind, rows in kinds.items()
    }


def _timed_kind(case: Case) -> str:
    if case.kind != "photos":
        return case.kind
    return f"photos, 1-{FEW} faces" if len(case.faces) <= FEW else "photos, more faces"


def _timed(size: int) -> FaceDetector:
    class Single(FaceDetector):
        def _find_closer(self, rgb: Bytes) -> list[DetectedFace]:
            return self._look(rgb, min(max(rgb.shape[:2]), self.detection_size), 0)

    return Single(size, threads=1)


def parse_counted(texts: list[str]) -> dict[str, tuple[int, int]]:
    """Return for each image how many readable faces, and how many heads, it has.

    Raises:
        InputError: a text is not NAME=N or NAME=N-M.
    """
    counted = {}
    for text in texts:
        match = re.fullmatch(r"(.+)=(\d+)(?:-(\d+))?", text)
        if match is None:
            raise InputError(f"--counted {text}: must be NAME=N or NAME=N-M, as party.jpg=14-17")
        counted[match[1]] = int(match[2]), int(match[3] or match[2])
    return counted


def some_crops(data: str, cache: str, count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return some of FER-2013's validation faces: uint8 (N, S, S)."""
    faces = load(DataConfig(data=data, cache=cache, labels="ferplus")).split("validation")
    return faces.draw(sample_rows(len(faces), count, seed))[:, 0]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Do all of it."""
    counted = parse_counted(options.counted)
    photos = list(photo_cases(options.photos, counted))
    faceless = list(faceless_cases())
    kinds = tuple(options.kinds)
    is_timed = "times".startswith(kinds)
    sizes = [size for size in SIZES if f"scenes, {size} px".startswith(kinds)]
    sizes += [TIMED] if is_timed and TIMED not in sizes else []
    scenes = list(scene_cases(photos, sizes, options.repeats, options.seed))
    cases = [*faceless, *photos, *scenes]
    if options.data and any(kind.startswith(kinds) for kind in ("pasted", "small", "filling")):
        cases += pasted_cases(
            some_crops(options.data, options.cache, options.pasted, options.seed), options.seed
        )
    before = read_result(options.out)
    ways: dict[str, dict[str, Any]] = before.get("ways", {})
    for way, row in measure([case for case in cases if case.kind.startswith(kinds)]).items():
        ways[way] = {**ways.get(way, {}), **row}
    timed: dict[str, Any] = {"times": before.get("times", {})}
    if is_timed:
        timed = {"load_before": get_load()}
        groups = [case for case in scenes if case.kind == f"scenes, {TIMED} px"]
        timed["times"] = times([*photos, *groups], options.rounds)
    return {
        **before,
        "command": f"{name_command(__file__)} --photos FOLDER --counted "
        f"{' '.join(options.counted)}{' --data FER2013' if options.data else ''} "
        f"--pasted {options.pasted} --repeats {options.repeats} --rounds {options.rounds}",
        "threshold": MIN_CONFIDENCE,
        "certain": CERTAIN,
        "faceless": [case.name for case in faceless],
        "ways": ways,
        "hardware": describe_hardware(),
        "onnxruntime": metadata.version("onnxruntime"),
        **timed,
    }


def print_table(result: dict[str, Any]) -> None:
    """Print recall and false finds of each way."""
    for way, kinds in result["ways"].items():
        cells = [
            f"{kind} {row.get('found', 0)}/{row['faces']} +{row['false_finds']}"
            for kind, row in kinds.items()
        ]
        print(f"{way:28} {'; '.join(cells)}")
    for kind, row in result["times"].items():
        print(f"{kind:28} ms {_rounded(row['ms'])} ratio {_rounded(row['ratio'])}")


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in row.items()}


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of counted photos")
    parser.add_argument("--counted", nargs="+", required=True, metavar="NAME=N[-M]")
    parser.add_argument("--data", help="FER-2013, for pasted faces")
    parser.add_argument("--cache", default=DataConfig.cache)
    parser.add_argument("--pasted", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=2, help="scenes of each photo and size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=[""], help="beginnings of names; or times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_out("detection.json")
    options = parser.parse_args(words)
    check_least(options, pasted=1, repeats=1, rounds=1)
    result = run(options)
    print_table(result)
    write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
