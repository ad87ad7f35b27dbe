"""``fer`` from PyPI, in an environment of its own, side by side with this project."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import spread
from emotion_detection import EmotionDetector
from emotion_detection.errors import InputError

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


def beside(python: str, rounds: int, path: Path, crops: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Set this project and fer side by side."""
    place = path.with_name("crops.npy")
    # fer takes colour pictures as OpenCV has them
    np.save(place, np.repeat(crops[..., None], 3, axis=3))
    fer = Fer(python, path, place)
    detector = EmotionDetector()
    rows: dict[str, list[float]] = {}
    for _ in range(rounds):
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
        "version": _version(python),
        "of_32_crops_and_a_picture": {name: spread(values) for name, values in rows.items()},
    }


def _version(python: str) -> str:
    code = "import importlib.metadata as m; print(m.version('fer'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
