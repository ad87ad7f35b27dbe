"""Finds faces and five landmarks of each in an image: CenterFace on onnxruntime.

Xu, Yan, Sun and He: CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019,
https://arxiv.org/abs/1911.03599. The network's file is brought into the package when it is built;
``LICENSE.txt`` beside it says whose it is.
"""

import hashlib
import math
import numbers
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.defaults import CERTAIN, SMALLEST, THRESHOLD, WORKING_SIZE
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

__all__ = [
    "CERTAIN",
    "SMALLEST",
    "THRESHOLD",
    "WORKING_SIZE",
    "DetectedFace",
    "Detections",
    "FaceDetector",
]

MODEL_SHA256 = "ebd260ffb74d82a1f28d80d3e582f3ae5ed8be00682ca4b276eea06d65646b40"
"""Of the network's file. The build reads this line, and packages no other file."""

REDUCING_GAP = 2.0
"""Images are first shrunk to the means of whole blocks of pixels, and then resampled, as long as
at least this many times the working size is left in between."""

_STRIDE = 4
"""Pixels of the network's input for one place of its outputs."""
_MULTIPLE = 32
"""The network's input must be whole numbers of these high and wide."""
_OVERLAP = 0.3
"""Intersection over union from which two boxes are the same face."""
_CLOSE_SIZE, _CLOSE_MARGIN = 128, 32
"""Of a close look: longer side of the image, and the grey around it."""
_LARGER = 1.4
"""Of a closer look: its size by the working size, for images that are no larger than that."""
_CLOSEST = 4
"""Of the closest look: its size by the working size."""
_MOST_AT_ONCE, _TILE, _OVERLAPPING = 1_300_000, 1120, 192
"""Of a closer look: pixels that are looked at in one go (they take 0.3 GB); where there are more,
sides of tiles, and what two of them have in common."""
_LARGEST, _ASTRAY = 4, 1
"""Bounds of what is believed: of a box's sides, by the longer side of the network's input (tight
close-ups come to 1.4), and of how many sides a landmark lies beyond its box (a tenth)."""
_GREY = 128
_TOUCHING = 0.02


class FaceDetector:
    """Finds faces. Any number of threads may use one at once; equal images give equal faces.

    An image is looked at with its longer side at ``detection_size`` pixels, or as it is if that is
    less. Where small or doubtful faces show, the part around them is looked at again, twice as
    large (at most as large as the image; small images at up to 1.4 times the working size), and
    again as long as faces are small and the image is larger. Where nothing is found, all of it is
    looked at closer, and once at 128 pixels amid grey, where a blurred face that fills the whole
    image shows; the more certain look counts. An image of up to 128 pixels gets that look alone.

    Args:
        detection_size: pixels, 32 to 8192; more finds smaller faces and takes longer.
        min_confidence: least confidence, above 0, below 1.
        min_face_size: faces whose longer side is below this, in pixels of the image, are only
            counted.
        threads: that one call may use; None: what onnxruntime finds best.
        device: what it runs on.

    Raises:
        InputError: a setting is out of its range; the network's file is missing or damaged.
    """

    def __init__(
        self,
        detection_size: int = WORKING_SIZE,
        min_confidence: float = THRESHOLD,
        min_face_size: float = SMALLEST,
        threads: int | None = None,
        device: Device = CPU,
    ) -> None:
        check_settings(detection_size, min_confidence, min_face_size, threads)
        self.detection_size: int = int(detection_size)
        self.min_confidence: float = float(min_confidence)
        self.min_face_size: float = float(min_face_size)
        self._threads, self._device = threads, device
        self._session: Any = _session(threads, device)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = self.detection_size, self.min_confidence, self.min_face_size
        return type(self), (*settings, self._threads, self._device)

    def find(self, rgb: npt.NDArray[np.uint8], scale: float = 1.0) -> Detections:
        """Find the faces of an image.

        Args:
            rgb: uint8 (H, W, 3).
            scale: pixels of the image for one of ``rgb``, where that is reduced: what is
                returned, and the smallest size, are in pixels of the image.

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
        """Find faces, looking closer where small or doubtful ones show."""
        height, width = rgb.shape[:2]
        longer = max(height, width)
        size = min(longer, self.detection_size)
        # a closer look may raise the confidence of what the first look doubts
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
        """Return the sizes of further looks, in pixels of the longer side."""
        working = self.detection_size
        sizes = [max(min(longer, 2 * working), min(2 * longer, round(_LARGER * working)))]
        while 2 * sizes[-1] <= min(longer, _CLOSEST * working):
            sizes.append(2 * sizes[-1])
        return sizes

    def _look_at_part(
        self, rgb: npt.NDArray[np.uint8], part: Part, scale: float, least: float
    ) -> list[DetectedFace]:
        """Find faces in a part of an image, in tiles where that is large.

        Args:
            rgb: uint8 (H, W, 3).
            part: of it.
            scale: pixels of the look for one of the image.
            least: confidence.
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
        """Find faces with the image's longer side at some pixels, and grey around it."""
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
        # grey disturbs the network least: of edges repeated or in black it finds fewer faces
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
    """Cut a range of pixels into overlapping ones of a length at most."""
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
    """Read boxes and landmarks from CenterFace's outputs (section 3 of the paper).

    A place (row, column) stands for the 4 x 4 pixels there. Where its heat is above the threshold
    there is a face: centre ((column, row) + 0.5 + offset) * 4, sides exp(size) * 4, and landmarks
    as shares of the sides from the upper left corner. Of size, offset and marks, the vertical
    channel stands before the horizontal one. Sides are at most 4 times the longer side of the
    network's input, and shares from -1 to 2, however wild the outputs.

    Args:
        heat: float32 (1, rows, columns).
        size: float32 (2, rows, columns).
        offset: float32 (2, rows, columns).
        marks: float32 (10, rows, columns).
        threshold: least confidence.

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
    """Choose one box for each face: the surest, without those that overlap it, and so on.

    Args:
        corners: (N, 2, 2), upper left and lower right, each x, y.
        confidence: (N,).

    Returns:
        int64 indices of the boxes kept, the surest first (greedy non-maximum suppression).
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
    """Say whether a part of a face lies beyond the edge of its image.

    CenterFace was trained on boxes that end at the edge, and lets them do so, give or take a few
    hundredths of their size, however much of the face is missing: hence a box that comes within
    0.02 of its size of an edge counts.

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
        InputError: one is out of its range.
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
    """Return True for a number of Python or NumPy, of some kind of :mod:`numbers`."""
    return isinstance(value, kind)


def _check_image(rgb: object) -> None:
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        kind = rgb.dtype if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise InputError(f"an image of {kind}: must be a NumPy array, uint8 (H, W, 3) RGB")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise InputError(f"an image of shape {rgb.shape}: must be uint8 (H, W, 3) RGB")


def _session(threads: int | None, device: Device = CPU) -> Any:
    """Open the network once its file is known to be the right one."""
    path = Path(str(resources.files(__package__))) / "centerface" / "centerface.onnx"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: missing, the network that finds faces; {REINSTALL}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}; {REINSTALL}"
        ) from None
    if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
        raise InputError(f"{path}: damaged, it is not the file that was shipped; {REINSTALL}")
    return open_session(content, device, threads)
