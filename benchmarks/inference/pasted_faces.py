"""From picture to emotion: FER-2013's faces pasted into larger pictures, found, cut out, read.

    python -m benchmarks.inference.pasted_faces --data FER2013 --split validation \
        --out docs/results/pasted.json
    python -m benchmarks.inference.pasted_faces --data FER2013 --split test \
        --out docs/results/pasted.json

Each face is enlarged to 96-200 pixels, turned by up to 20 degrees and pasted at a random place of a
picture of its own, 400-800 x 300-600 pixels of gradients, smooth noise, stripes and grain. Then the
face detector looks for it, the face is cut out in several ways, and the shipped model reads each
cut. Told are the share of faces missed, finds where no face was pasted, and for each way of cutting
the accuracy over the faces found, beside that of ``classify`` on the same faces' own crops: by
FER+'s majority labels, with 95 % bootstrap intervals over faces (2,000 draws; differences are
paired). A quarter as many pictures without a face are looked at too.

The ways are the plain box, the box turned until the eyes are level, and a cut fitted to the places
where the landmarks lie in FER-2013's crops (:data:`emotion_detection.inference.align.TEMPLATE`).
The way was chosen on the validation split; on the test split only that one and the plain box are
looked at.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.common import (
    Parser,
    name_command,
    read_result,
    report_errors,
    sample_rows,
    write_json,
)
from emotion_detection import EmotionDetector
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.inference.align import (
    MARGIN,
    TEMPLATE,
    TEMPLATE_SIZE,
    Placement,
    compute_placement,
    cut_out,
)
from emotion_detection.inference.face_detector import MIN_CONFIDENCE, DetectedFace, FaceDetector
from emotion_detection.io.progress import show_progress
from emotion_detection.metrics.classification import compute_class_means, count_confusions

SIDES, TURNS = (96, 200), (-20.0, 20.0)
WIDTHS, HEIGHTS = (400, 800), (300, 600)
EMPTY = 4
DRAWS = 2000

Bytes = npt.NDArray[np.uint8]


class Pasted(NamedTuple):
    """A picture with one face: where its middle is, how long its side."""

    pixels: Bytes
    x: float
    y: float
    side: int


def background(generator: np.random.Generator, width: int, height: int) -> Bytes:
    """Draw a picture without a face: uint8 (height, width, 3)."""
    across, down = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height)[:, None]
    angle, stripes = generator.uniform(0, np.pi), generator.uniform(2, 40)
    along = across * np.cos(angle) + down.astype(np.float32) * np.sin(angle)
    grey = generator.uniform(60, 195) + (along - 0.5) * generator.uniform(-120, 120)
    for cells in (3, 9, 30):
        coarse = generator.normal(0, 1, (cells, cells)).astype(np.float32)
        noise = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        grey += np.asarray(noise) * generator.uniform(0, 25)
    grey += np.sin(along * stripes * 2 * np.pi) * generator.uniform(0, 25)
    grey += generator.standard_normal(grey.shape, np.float32) * generator.uniform(0, 8)
    tint = generator.uniform(-40, 40, 3) * along[..., None] + generator.uniform(-20, 20, 3)
    picture: Bytes = (grey[..., None] + tint).clip(0, 255).astype(np.uint8)
    return picture


def paste(generator: np.random.Generator, crop: Bytes) -> Pasted:
    """Paste a face, uint8 (S, S), into a picture of its own."""
    width, height = (int(generator.integers(*ends, endpoint=True)) for ends in (WIDTHS, HEIGHTS))
    picture = Image.fromarray(background(generator, width, height))
    side = int(generator.integers(*SIDES, endpoint=True))
    turn = generator.uniform(*TURNS)
    face = Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC)
    turned = face.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    mask = Image.new("L", face.size, 255).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    left = int(generator.integers(0, width - turned.width, endpoint=True))
    top = int(generator.integers(0, height - turned.height, endpoint=True))
    picture.paste(turned.convert("RGB"), (left, top), mask)
    middle = left + turned.width / 2, top + turned.height / 2
    return Pasted(np.asarray(picture), *middle, side)


def fitted(zoom: float) -> Callable[[DetectedFace, int], Placement]:
    """Fit the landmarks to the template, and cut ``zoom`` times as widely as FER-2013's crops are.

    The similarity that fits best (Umeyama 1991), as complex numbers.
    """

    def place(face: DetectedFace, size: int) -> Placement:
        middle = TEMPLATE_SIZE / 2
        places = ((np.array(TEMPLATE) - middle) / zoom + middle) * (size / TEMPLATE_SIZE)
        there, here = np.array(face.landmarks) @ (1, 1j), places @ (1, 1j)
        there_mean, here_mean = there.mean(), here.mean()
        here = here - here_mean
        turn = complex(np.vdot(here, there - there_mean) / np.vdot(here, here).real)
        return Placement(turn, complex(there_mean - turn * here_mean))

    return place


def turned(margin: float) -> Callable[[DetectedFace, int], Placement]:
    """Cut a square ``margin`` times the box's longer side, turned until the eyes are level."""
    return lambda face, size: compute_placement(face.box, face.landmarks, size, margin)


def boxed(margin: float) -> Callable[[DetectedFace, int], Placement]:
    """Cut an upright square ``margin`` times the box's longer side."""
    level = ((0.0, 0.0),) * len(TEMPLATE)
    return lambda face, size: compute_placement(face.box, level, size, margin)


CHOSEN = f"box x {MARGIN:.2f}, turned"
PLAIN = "box x 0.90"
WAYS: dict[str, Callable[[DetectedFace, int], Placement]] = {
    **{f"fitted x {zoom:.2f}": fitted(zoom) for zoom in (0.8, 0.85, 0.9, 1.0, 1.1)},
    **{f"box x {margin:.2f}": boxed(margin) for margin in (0.8, 0.9, 1.0, 1.1)},
    **{f"box x {margin:.2f}, turned": turned(margin) for margin in (0.8, 0.9, MARGIN, 1.1)},
}


class Looked(NamedTuple):
    """What came of all pictures.

    Args:
        found: bool (N,), whether each face was found.
        elsewhere: finds where no face was pasted.
        empty: finds in pictures without a face.
        cuts: for each way uint8 (found, S, S).
    """

    found: npt.NDArray[np.bool_]
    elsewhere: int
    empty: int
    cuts: dict[str, Bytes]


def look(crops: Bytes, finder: FaceDetector, seed: int, ways: Iterable[str]) -> Looked:
    """Paste, find and cut out faces.

    Args:
        crops: uint8 (N, S, S).
        finder: the face detector.
        seed: of everything that is drawn.
        ways: of cutting.
    """
    size = crops.shape[1]
    found = np.zeros(len(crops), np.bool_)
    elsewhere = empty = 0
    cuts: dict[str, list[Bytes]] = {way: [] for way in ways}
    for row, crop in enumerate(show_progress(crops, "finding faces", len(crops))):
        generator = np.random.default_rng((seed, row))
        picture = paste(generator, crop)
        faces = finder.find(picture.pixels).faces
        at = [face for face in faces if _same(picture, face)]
        elsewhere += len(faces) - min(1, len(at))
        if row % EMPTY == 0:
            height, width = picture.pixels.shape[:2]
            empty += len(finder.find(background(generator, width, height)).faces)
        if at:
            found[row] = True
            face = max(at, key=lambda one: one.confidence)
            for way, cut in cuts.items():
                cut.append(cut_out(picture.pixels, WAYS[way](face, size), size, 1))
    if not found.any():
        raise InputError("none of the faces was found")
    return Looked(found, elsewhere, empty, {way: np.array(cut) for way, cut in cuts.items()})


def _same(picture: Pasted, face: DetectedFace) -> bool:
    x, y, wide, high = face.box
    away = abs(complex(x + wide / 2 - picture.x, y + high / 2 - picture.y))
    return away < picture.side / 2


def interval(values: npt.NDArray[np.float64]) -> list[float]:
    """Return the 95 % bootstrap interval of a mean."""
    generator = np.random.default_rng(0)
    draws = (values[generator.integers(0, len(values), len(values))].mean() for _ in range(DRAWS))
    return [float(value) for value in np.quantile(list(draws), (0.025, 0.975))]


def _mean(name: str, values: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {name: float(values.mean()), f"{name}_ci95": interval(values)}


def figures(
    crops: Bytes, labels: npt.NDArray[np.int64], looked: Looked, detector: EmotionDetector
) -> dict[str, Any]:
    """Read the cuts and the crops themselves, and compare.

    Args:
        crops: uint8 (N, S, S).
        labels: int64 (N,), index into the detector's labels.
        looked: what came of :func:`look`.
        detector: reads them.
    """
    found = looked.found
    missed = (~found).astype(np.float64)

    truth = labels[found].astype(np.int64)

    def call(cuts: Bytes) -> npt.NDArray[np.int64]:
        return np.asarray(detector.classify(cuts).argmax(axis=1), np.int64)

    def class_means(called: npt.NDArray[np.int64]) -> dict[str, float]:
        means = compute_class_means(count_confusions(truth, called, len(detector.labels)))
        return dict(zip(("balanced_accuracy", "macro_f1"), means, strict=True))

    called = {name: call(cuts) for name, cuts in looked.cuts.items()}
    called_own = call(crops[found])
    own = np.asarray(called_own == truth, np.float64)
    correct = {name: np.asarray(one == truth, np.float64) for name, one in called.items()}
    ways = {
        name: {
            **_mean("accuracy", ours),
            **class_means(called[name]),
            **_mean("less_classify", ours - own),
            **_mean("less_chosen", ours - correct[CHOSEN]),
        }
        for name, ours in correct.items()
    }
    return {
        "faces": len(crops),
        **_mean("missed", missed),
        "finds_elsewhere": looked.elsewhere,
        "pictures_without_a_face": -(-len(crops) // EMPTY),
        "finds_in_them": looked.empty,
        "classify": _mean("accuracy", own) | class_means(called_own),
        "chosen": CHOSEN,
        "ways": ways,
    }


def _report(found: dict[str, Any]) -> None:
    print(
        f"{found['faces']:,} faces: missed {found['missed']:.2%}, finds elsewhere "
        f"{found['finds_elsewhere']}; finds in {found['pictures_without_a_face']} pictures "
        f"without a face {found['finds_in_them']}"
    )
    print(f"{'classify':20} {found['classify']['accuracy']:.4f}")
    for name, way in found["ways"].items():
        low, high = way["less_classify_ci95"]
        print(
            f"{name:20} {way['accuracy']:.4f}  "
            f"{way['less_classify']:+.4f} ({low:+.4f} to {high:+.4f})"
        )


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data("FER-2013 with FER+'s votes beside it")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_out()
    options = parser.parse_args(words)
    config = DataConfig(data=options.data, cache=options.cache, labels="ferplus")
    faces = load(config).split(options.split)
    count = min(max(1, options.faces), len(faces))
    rows = sample_rows(len(faces), count, options.seed)
    crops, labels = faces.draw(rows)[:, 0], faces.labels[rows]
    ways = (CHOSEN, PLAIN) if options.split == "test" else tuple(WAYS)
    looked = look(crops, FaceDetector(threads=1), options.seed, ways)
    found = figures(crops, labels, looked, EmotionDetector(threads=1))
    _report(found)
    if options.out:
        record = read_result(options.out)
        record[options.split] = {
            "command": f"{name_command(__file__)} --data FER2013 "
            f"--split {options.split} --faces {count} --seed {options.seed}",
            "threshold": MIN_CONFIDENCE,
            **found,
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
