"""Faces looked for in several ways, in the same pictures."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.inference import pasted_faces as pasted
from emotion_detection.inference import face_detector
from emotion_detection.inference.face_detector import DetectedFace, FaceDetector
from emotion_detection.io.progress import show_progress

SETS = {"pasted": 1, "small": 6, "filling": 6, "empty": 6}
"""Sets of pictures; each Nth face has one."""
FORMER_THRESHOLD = 0.2
"""Least confidence that was used before closer looks."""
SMALL, WIDE, FILLING = (24, 80), (1280, 1920), (150, 400)
FIRST, CLOSE, LARGER = "first", "close", "larger"
LOOKS: dict[str, set[str]] = {
    "all three": {CLOSE, LARGER},
    "first and close": {CLOSE},
    "first and larger": {LARGER},
    "first alone": set(),
}

Bytes = npt.NDArray[np.uint8]
Found = dict[str, tuple[npt.NDArray[np.bool_], int]]
"""Of each way: whether each face was found, and how many finds there are where no face is."""


class Way(NamedTuple):
    """A way to look.

    Args:
        size: working size.
        model: the network's file.
        gap: as :data:`.face_detector.REDUCING_GAP`.
        half: looks at the picture as a JPEG that is decoded at half its size.
        threads: of a run.
        spinning: whether threads that wait keep their core busy.
        optimised: whether onnxruntime may rewrite the graph.
    """

    size: int
    model: Path
    gap: float = face_detector.REDUCING_GAP
    half: bool = False
    threads: int = 1
    spinning: bool = True
    optimised: bool = True


class FormerDetector(FaceDetector):
    """Finds faces in the way before closer looks: one look, and two more where nothing is found."""

    def _find_closer(self, rgb: Bytes) -> list[DetectedFace]:
        longer = max(rgb.shape[:2])
        if faces := self._look(rgb, min(longer, self.detection_size), 0):
            return faces
        close = self._look(rgb, face_detector._CLOSE_SIZE, face_detector._CLOSE_MARGIN)
        more = min(2 * longer, round(face_detector._LARGER * self.detection_size))
        return max(self._look(rgb, more, 0), close, key=_surest)


def _surest(faces: list[DetectedFace]) -> float:
    return max((face.confidence for face in faces), default=0.0)


class Finder(FormerDetector):
    """Looks in one way; keeps what each look at the last picture found, and its processor time."""

    def __init__(self, way: Way) -> None:
        import onnxruntime  # after the package, which turns its telemetry off

        super().__init__(way.size, FORMER_THRESHOLD, min_face_size=0, threads=way.threads)
        self.way = way
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = way.threads
        options.use_deterministic_compute = True
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(way.spinning)))
        if not way.optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(way.model), options, providers=providers)
        self.looks: dict[str, tuple[list[DetectedFace], float]] = {}

    def _look(
        self, rgb: Bytes, longer: int, margin: int, least: float | None = None
    ) -> list[DetectedFace]:
        name = CLOSE if margin else LARGER if self.looks else FIRST
        start = time.process_time()
        with mock.patch.object(face_detector, "REDUCING_GAP", self.way.gap):
            faces = super()._look(rgb, longer, margin, least)
        self.looks[name] = faces, time.process_time() - start
        return faces

    def faces(self, rgb: Bytes) -> list[DetectedFace]:
        """Return the faces of a picture."""
        self.looks.clear()
        if not self.way.half:
            return list(self.find(rgb).faces)
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=90)
        small = halved(file)
        share = rgb.shape[1] / small.shape[1]
        return [_larger(face, share) for face in self.find(small).faces]

    def by(self, which: str) -> list[DetectedFace]:
        """Return what would have been found in the last picture by some of the looks alone."""
        seen = {name: faces for name, (faces, _) in self.looks.items()}
        if seen.get(FIRST) or FIRST not in seen:
            return seen.get(FIRST) or seen[CLOSE]
        more = [seen[name] for name in (LARGER, CLOSE) if name in LOOKS[which]]
        sure = [max((face.confidence for face in faces), default=0.0) for faces in more]
        return more[int(np.argmax(sure))] if more else []


def _larger(face: DetectedFace, share: float) -> DetectedFace:
    x, y, wide, high = (share * side for side in face.box)
    points = tuple((share * x, share * y) for x, y in face.landmarks)
    return DetectedFace((x, y, wide, high), points, face.confidence)


def halved(file: Any) -> Bytes:
    """Decode a JPEG at half, or less, of its size, but not below the working size."""
    image = Image.open(file)
    image.draft("RGB", (face_detector.DETECTION_SIZE, face_detector.DETECTION_SIZE * 9 // 16))
    return np.asarray(image.convert("RGB"))


def pictures(crops: Bytes, name: str, seed: int) -> Iterator[pasted.Pasted]:
    """Draw the pictures of a set; the same ones whenever it is asked."""
    for row, crop in enumerate(crops[:: SETS[name]]):
        generator = np.random.default_rng((seed, row))
        if name == "pasted":
            yield pasted.paste(generator, crop)
        elif name == "small":
            width = int(generator.integers(*WIDE, endpoint=True))
            height = width * 9 // 16
            with mock.patch.multiple(
                pasted, WIDTHS=(width, width), HEIGHTS=(height, height), SIDES=SMALL
            ):
                yield pasted.paste(generator, crop)
        elif name == "filling":
            side = int(generator.integers(*FILLING, endpoint=True))
            big = Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC)
            yield pasted.Pasted(np.asarray(big.convert("RGB")), side / 2, side / 2, side)
        else:
            width, height = (int(generator.integers(*ends)) for ends in ((400, 1920), (300, 1080)))
            yield pasted.Pasted(pasted.background(generator, width, height), -1e6, -1e6, 1)


def looked(crops: Bytes, name: str, finders: dict[str, Finder], used: str, seed: int) -> Found:
    """Look at the pictures of a set in all ways, and in the used one with fewer looks."""
    hits: dict[str, list[bool]] = {}
    elsewhere: dict[str, int] = {}
    for picture in show_progress(pictures(crops, name, seed), name, len(crops[:: SETS[name]])):
        answers = {way: finder.faces(picture.pixels) for way, finder in finders.items()}
        answers |= {which: finders[used].by(which) for which in LOOKS}
        for way, faces in answers.items():
            at = sum(pasted._same(picture, face) for face in faces)
            hits.setdefault(way, []).append(at > 0)
            elsewhere[way] = elsewhere.get(way, 0) + len(faces) - min(1, at)
    return {way: (np.array(hits[way]), elsewhere[way]) for way in hits}
