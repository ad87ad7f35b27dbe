"""Where the face detector puts eyes, nose and mouth in FER-2013's crops of 48 x 48 pixels.

    python -m benchmarks.inference.landmark_template --data FER2013 [--faces 6000] \
        [--out docs/results/template.json]

The means are the template that faces are aligned to (``emotion_detection.inference.align``). They
are taken over training faces alone, drawn at random, in which exactly one face was found. A point
(0.5, 0.5) is the centre of the upper left pixel. FER-2013 looks as often to the left as to the
right, so the template is the mean of what was found and of its mirror image.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import (
    Parser,
    name_command,
    report_errors,
    sample_rows,
    write_json,
)
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.io.progress import show_progress
from emotion_detection.results import LANDMARKS

MIRRORED = [1, 0, 2, 4, 3]
"""The order of the landmarks in a mirror image."""


def template(crops: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Find the landmarks of crops and sum them up.

    Args:
        crops: uint8 (N, S, S), grey.

    Returns:
        ``faces``, ``found`` (with exactly one face), ``several``; for each landmark mean and
        standard deviation of x and y in pixels of the crop; ``template``: the symmetric means.
    """
    finder = FaceDetector(min_face_size=0, threads=1)
    size = crops.shape[1]
    points, several = [], 0
    for crop in show_progress(crops, "finding landmarks", len(crops)):
        faces = finder.find(np.repeat(crop[..., None], 3, axis=2)).faces
        several += len(faces) > 1
        if len(faces) == 1:
            points.append(faces[0].landmarks)
    if not points:
        raise InputError("no face was found in any of these crops")
    found = np.array(points)
    mean, spread = found.mean(axis=0), found.std(axis=0)
    symmetric = (mean + mean[MIRRORED] * (-1, 1) + (size, 0)) / 2
    return {
        "faces": len(crops),
        "found": len(found),
        "several": several,
        "size": size,
        "landmarks": {
            name: {"mean": mean[row].tolist(), "sd": spread[row].tolist()}
            for row, name in enumerate(LANDMARKS)
        },
        "template": [[round(float(value), 2) for value in point] for point in symmetric],
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data()
    parser.add_argument("--faces", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_out()
    options = parser.parse_args(words)
    dataset = load(DataConfig(data=options.data, cache=options.cache))
    faces = dataset.split("train")
    count = min(max(1, options.faces), len(faces))
    found = template(faces.draw(sample_rows(len(faces), count, options.seed))[:, 0])
    print(f"found in {found['found']:,} of {found['faces']:,} faces")
    for name, point in found["landmarks"].items():
        (x, y), (sd_x, sd_y) = point["mean"], point["sd"]
        print(f"{name:12} x {x:5.2f} (sd {sd_x:.2f})  y {y:5.2f} (sd {sd_y:.2f})")
    if options.out:
        record = {
            "command": f"{name_command(__file__)} --data FER2013 "
            f"--faces {count} --seed {options.seed}",
            "data": f"{dataset.kind}, train split",
            "points": "x, y in pixels of the crop; (0.5, 0.5): centre of the upper left pixel",
            **found,
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
