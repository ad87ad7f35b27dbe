"""Detect faces and five landmarks of each with CenterFace on onnxruntime.

Xu, Yan, Sun and He: CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019,
https://arxiv.org/abs/1911.03599. The network's file is added to the package at build time, with
``LICENSE.txt`` beside it.
"""

import math
import numbers
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.defaults import CERTAIN, DETECTION_SIZE, MIN_CONFIDENCE, MIN_FACE_SIZE
from emotion_detection.errors import REINSTALL, InputError
from emotion_detection.inference.detected_face import DetectedFace, Detections, move_face
from emotion_detection.inference.devices import CPU, Device, open_session
from emotion_detection.inference.second_pass import (
    FURTHER_HINT,
    HINT,
    Part,
    choose_min_confidence,
    cut_part_around,
    keep_distinct,
    merge_looks,
    needs_closer_look,
)
from emotion_detection.io.files import LoadedFile, load_file

__all__ = [
    "CERTAIN",
    "DETECTION_SIZE",
    "MIN_CONFIDENCE",
    "MIN_FACE_SIZE",
    "DetectedFace",
    "Detections",
    "FaceDetector",
]

MODEL_SHA256 = "ebd260ffb74d82a1f28d80d3e582f3ae5ed8be00682ca4b276eea06d65646b40"
"""SHA-256 of the network's file. The build reads this line, and packages no other file."""

REDUCING_GAP = 2.0
"""Images are first reduced by averaging whole blocks of pixels, and then resampled. The size in
between is at least this many times the final one."""

_STRIDE = 4
"""Stride: pixels of the network's input per cell of the outputs."""
_MULTIPLE = 32
"""Height and width of the network's input must be multiples of this."""
_OVERLAP = 0.3
"""Intersection over union from which two boxes are the same face."""
_CLOSE_SIZE, _CLOSE_MARGIN = 128, 32
"""Longer side in pixels of the small-scale pass, and the grey border around the image."""
_LARGER = 1.4
"""Size of the second pass relative to the detection size, for images that are not larger."""
_CLOSEST = 4
"""Largest size of a pass, relative to the detection size."""
_MOST_AT_ONCE, _TILE, _OVERLAPPING = 1_300_000, 1120, 192
"""Pixels of a pass that the network takes in one run (0.3 GB of memory). Larger passes are tiled;
the other numbers are the sides of tiles and their overlap."""
_LARGEST, _ASTRAY = 4, 1
"""Bounds of plausible outputs: largest side of a box, relative to the longer side of the network's
input (tight close-ups reach 1.4), and largest distance of a landmark from the box, in sides of the
box (0.1 is usual)."""
_GREY = 128
_TOUCHING = 0.02


class FaceDetector:
    """Detect faces. A detector is thread-safe; equal images give equal faces.

    The first pass runs on the image with its longer side at ``detection_size`` pixels, or at its
    own size if that is smaller. The region around small or uncertain faces is detected again, at
    twice the size (at most the image's size; small images at up to 1.4 times the detection size).
    This is repeated as long as faces are small and the image is larger. If nothing is detected, the
    whole image is passed again at a larger size, and once at 128 pixels with a grey border, which
    finds a blurred face that fills the image; the more confident pass counts. Images of up to 128
    pixels get the last pass only.

    Args:
        detection_size: pixels, 32 to 8192; a higher value finds smaller faces and takes longer.
        min_confidence: minimum confidence, above 0 and below 1.
        min_face_size: faces whose longer side is below this, in pixels of the image, are only
            counted.
        threads: threads per call; None: onnxruntime's default.
        device: device to run on.

    Raises:
        InputError: a setting is out of range, or the network's file is missing or damaged.
    """

    def __init__(
        self,
        detection_size: int = DETECTION_SIZE,
        min_confidence: float = MIN_CONFIDENCE,
        min_face_size: float = MIN_FACE_SIZE,
        threads: int | None = None,
        device: Device = CPU,
    ) -> None:
        check_settings(detection_size, min_confidence, min_face_size, threads)
        self.detection_size: int = int(detection_size)
        self.min_confidence: float = float(min_confidence)
        self.min_face_size: float = float(min_face_size)
        self._threads, self._device = threads, device
        self._session: Any = open_session(read_network().content, device, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = self.detection_size, self.min_confidence, self.min_face_size
        return type(self), (*settings, self._threads, self._device)

    def find(self, rgb: npt.NDArray[np.uint8], scale: float = 1.0) -> Detections:
        """Detect the faces of an image.

        Args:
            rgb: uint8 (H, W, 3).
            scale: pixels of the image per pixel of ``rgb``, if that is reduced. Faces and the
                minimum size are in pixels of the image.

        Raises:
            InputError: an array of another type or shape.
        """
        _check_image(rgb)
        faces = self._find_closer(rgb) if max(rgb.shape[:2]) > _CLOSE_SIZE else []
        if not faces:
            close = self._look(rgb, _CLOSE_SIZE, _CLOSE_MARGIN)
            faces = [face for face in close if face.confidence > self.min_confidence]
        if scale != 1:
            faces = [move_face(face, scale, scale, 0, 0) for face in faces]
        large = tuple(face for face in sorted(faces) if max(face.box[2:]) >= self.min_face_size)
        return Detections(large, len(faces) - len(large))

    def _find_closer(self, rgb: npt.NDArray[np.uint8]) -> list[DetectedFace]:
        """Detect faces, with further passes where faces are small or uncertain."""
        height, width = rgb.shape[:2]
        longer = max(height, width)
        size = min(longer, self.detection_size)
        # a second pass may raise the confidence of uncertain detections
        least = min(HINT, self.min_confidence)
        faces = self._look(rgb, size, 0, least)
        for number, larger in enumerate(self._closer_sizes(longer)):
            scale = size / longer
            if number == 0 and all(face.confidence <= self.min_confidence for face in faces):
                part = Part(0, 0, width, height)
            else:
                hint = FURTHER_HINT if number else least
                reasons = [
                    face
                    for face in faces
                    if face.confidence >= hint and needs_closer_look(face, scale)
                ]
                if not reasons:
                    break
                part = cut_part_around(reasons, width, height, larger / longer)
            closer = self._look_at_part(rgb, part, larger / longer, least)
            faces = merge_looks(faces, closer, part, width, height, scale)
            size = larger

        def counts(face: DetectedFace) -> bool:
            return face.confidence > choose_min_confidence(face, size / longer, self.min_confidence)

        return list(filter(counts, faces))

    def _closer_sizes(self, longer: int) -> list[int]:
        """Return the sizes of further passes, in pixels of the longer side."""
        working = self.detection_size
        sizes = [max(min(longer, 2 * working), min(2 * longer, round(_LARGER * working)))]
        while 2 * sizes[-1] <= min(longer, _CLOSEST * working):
            sizes.append(2 * sizes[-1])
        return sizes

    def _look_at_part(
        self, rgb: npt.NDArray[np.uint8], part: Part, scale: float, least: float
    ) -> list[DetectedFace]:
        """Detect faces in a region of an image, in tiles where it is large.

        Args:
            rgb: uint8 (H, W, 3).
            part: the region.
            scale: pixels of the pass per pixel of the image.
            least: minimum confidence.
        """
        faces: list[DetectedFace] = []
        pixels = (part.right - part.left) * (part.bottom - part.top) * scale**2
        longest = _TILE / scale if pixels > _MOST_AT_ONCE else float("inf")
        common = _OVERLAPPING / scale
        for top, bottom in _tiles(part.top, part.bottom, longest, common):
            for left, right in _tiles(part.left, part.right, longest, common):
                tile = rgb[top:bottom, left:right]
                size = max(1, round(scale * max(tile.shape[:2])))
                found = self._look(tile, size, 0, least)
                faces += [move_face(face, 1, 1, left, top) for face in found]
        return keep_distinct(faces)

    def _look(
        self, rgb: npt.NDArray[np.uint8], longer: int, margin: int, least: float | None = None
    ) -> list[DetectedFace]:
        """Detect faces with the image's longer side at some pixels, and a grey border."""
        height, width = rgb.shape[:2]
        share = longer / max(height, width)
        high, wide = max(1, round(height * share)), max(1, round(width * share))
        pixels = rgb
        if (high, wide) != (height, width):
            small = Image.fromarray(np.ascontiguousarray(rgb)).resize(
                (wide, high), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP
            )
            pixels = np.asarray(small)
        sides = [-(-(side + 2 * margin) // _MULTIPLE) * _MULTIPLE for side in (high, wide)]
        # with replicated or black borders the network finds fewer faces
        canvas = np.full((1, 3, *sides), _GREY, np.float32)
        canvas[0, :, margin : margin + high, margin : margin + wide] = pixels.transpose(2, 0, 1)
        heat, size, offset, marks = (out[0] for out in self._session.run(None, {"input.1": canvas}))
        least = self.min_confidence if least is None else least
        corners, landmarks, confidence = decode_outputs(heat, size, offset, marks, least)
        scale = np.array([width / wide, height / high])
        corners, landmarks = (corners - margin) * scale, (landmarks - margin) * scale
        kept = suppress_overlaps(corners, confidence)
        faces = []
        for place in kept:
            (x, y), (wide, high) = corners[place, 0], corners[place, 1] - corners[place, 0]
            points = tuple((float(x), float(y)) for x, y in landmarks[place])
            box = float(x), float(y), float(wide), float(high)
            faces.append(DetectedFace(box, points, float(confidence[place])))
        return keep_distinct(faces)


def _tiles(start: int, end: int, longest: float, common: float) -> list[tuple[int, int]]:
    """Split a range of pixels into overlapping ranges of a maximum length."""
    length = end - start
    if length <= longest:
        return [(start, end)]
    count = math.ceil((length - common) / (longest - common))
    step = (length - common) / count
    starts = [start + int(step * number) for number in range(count)]
    return [(place, min(end, place + math.ceil(step + common))) for place in starts]


def decode_outputs(
    heat: npt.NDArray[np.float32],
    size: npt.NDArray[np.float32],
    offset: npt.NDArray[np.float32],
    marks: npt.NDArray[np.float32],
    threshold: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Decode boxes and landmarks from CenterFace's outputs (section 3 of the paper).

    Each cell (row, column) covers 4 x 4 pixels. A heat above the threshold is a face: centre
    ((column, row) + 0.5 + offset) * 4, sides exp(size) * 4, and landmarks as fractions of the sides
    from the upper left corner. In size, offset and marks, the vertical channel comes before the
    horizontal one. Sides are clipped to 4 times the longer side of the network's input, and
    fractions to -1 to 2.

    Args:
        heat: float32 (1, rows, columns).
        size: float32 (2, rows, columns).
        offset: float32 (2, rows, columns).
        marks: float32 (10, rows, columns).
        threshold: minimum confidence.

    Returns:
        In pixels of the network's input, for each face: corners (N, 2, 2), upper left and lower
        right, each x, y; landmarks (N, 5, 2), each x, y; confidence (N,).
    """
    rows, columns = np.nonzero(heat[0] > threshold)
    largest = np.log(_LARGEST * max(heat.shape[1:]))
    sizes = size[::-1, rows, columns].astype(np.float64)
    sides = np.exp(np.minimum(sizes, largest)).T * _STRIDE
    places = np.stack([columns, rows], axis=1)
    centres = (places + 0.5 + offset[::-1, rows, columns].T) * _STRIDE
    low = centres - sides / 2
    shares = marks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    shares = np.clip(shares, -_ASTRAY, 1 + _ASTRAY)
    landmarks = low[:, None] + shares * sides[:, None]
    return (
        np.stack([low, low + sides], axis=1),
        landmarks,
        heat[0, rows, columns].astype(np.float64),
    )


def suppress_overlaps(
    corners: npt.NDArray[np.float64], confidence: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Apply greedy non-maximum suppression: keep the most confident box of each face.

    Args:
        corners: (N, 2, 2), upper left and lower right, each x, y.
        confidence: (N,).

    Returns:
        int64 indices of the kept boxes, the most confident first.
    """
    areas = (corners[:, 1] - corners[:, 0]).prod(axis=1)
    left = np.argsort(-confidence, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(corners[best, 0], corners[left, 0])
        high = np.minimum(corners[best, 1], corners[left, 1])
        shared = np.maximum(high - low, 0).prod(axis=1)
        left = left[shared < _OVERLAP * (areas[best] + areas[left] - shared)]
    return np.array(kept, np.int64)


def is_cut(face: DetectedFace, width: int, height: int) -> bool:
    """Return True if the face touches the image border, so that part may be cut off.

    CenterFace was trained on boxes that end at the image border. Its boxes end there, to within a
    few hundredths of their size, however much of the face is missing. Therefore a box within 0.02
    of its size of the border counts.

    Args:
        face: the face.
        width: of the image in pixels.
        height: of the image in pixels.
    """
    x, y, wide, high = face.box
    reach_x, reach_y = _TOUCHING * wide, _TOUCHING * high
    return x < reach_x or y < reach_y or x + wide > width - reach_x or y + high > height - reach_y


def check_settings(
    detection_size: Any, min_confidence: Any, min_face_size: Any, threads: Any
) -> None:
    """Check the settings of a :class:`FaceDetector`.

    Raises:
        InputError: a setting is out of range.
    """
    if not (is_number(detection_size, numbers.Integral) and 32 <= detection_size <= 8192):
        raise InputError(f"detection_size {detection_size!r}: must be a whole number, 32 to 8192")
    if not (is_number(min_confidence) and 0 < min_confidence < 1):
        raise InputError(f"min_confidence {min_confidence!r}: must be a number above 0 and below 1")
    if not (is_number(min_face_size) and 0 <= min_face_size < float("inf")):
        raise InputError(f"min_face_size {min_face_size!r}: must be a number of pixels, 0 or more")
    if threads is not None and not (is_number(threads, numbers.Integral) and threads >= 1):
        raise InputError(f"threads {threads!r}: must be a whole number from 1, or None")


def is_number(value: object, kind: type = numbers.Real) -> bool:
    """Return True for a Python or NumPy number of a type of :mod:`numbers`."""
    return isinstance(value, kind)


def _check_image(rgb: object) -> None:
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        kind = rgb.dtype if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise InputError(f"an image of {kind}: must be a NumPy array, uint8 (H, W, 3) RGB")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise InputError(f"an image of shape {rgb.shape}: must be uint8 (H, W, 3) RGB")


def read_network() -> LoadedFile:
    """Return the network's file after verifying its checksum.

    Raises:
        InputError: the file is missing, cannot be read, or is damaged.
    """
    path = Path(str(resources.files(__package__))) / "centerface" / "centerface.onnx"
    try:
        file = load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing, the network that finds faces; {REINSTALL}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}; {REINSTALL}"
        ) from None
    if file.sha256 != MODEL_SHA256:
        raise InputError(f"{path}: damaged, it is not the file that was shipped; {REINSTALL}")
    return file
