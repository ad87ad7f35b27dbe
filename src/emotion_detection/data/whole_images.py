"""Datasets of whole images instead of faces: notice them, and crop their faces.

Faces are cropped by :func:`emotion_detection.inference.detection.detect_faces`, as in
``emotion predict``, so that a model is trained on the input that it gets in use.
"""

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.data.source import Content, Decoded, Source, Unreadable
from emotion_detection.errors import InputError
from emotion_detection.images.opening import DATASET_FORMATS, ImageError, open_image

if TYPE_CHECKING:
    from emotion_detection.inference.face_detector import FaceDetector

SAMPLE = 24
"""Images in which faces are searched."""

SMALL = 0.6
"""A face is much smaller than its image below this fraction of the image's shorter side: the side
of the square that is trained on. Cut-out faces fill their image."""

LEAST_SIDE = 96
"""Pixels; smaller images count as cut-out faces."""

_FIRST = 2000
"""Images among which the sample is spread."""


def find_crop(content: Content, size: int, channels: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Crop the largest face of an image, exactly as ``emotion predict`` does.

    Args:
        content: the image.
        size: height and width of the crop in pixels.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (channels, size, size), and the number of faces that were found.

    Raises:
        ImageError: the image cannot be read, or no face is detected.
    """
    from emotion_detection.inference.detection import detect_faces
    from emotion_detection.inference.model import ModelInput

    seen = detect_faces(_pixels(content), _detector(), ModelInput(size, channels))
    if not seen.faces:
        raise ImageError("no face was found in it")
    areas = [face.box[2] * face.box[3] for face in seen.faces]
    crop = seen.crops[int(np.argmax(areas))]
    planes = crop[np.newaxis] if channels == 1 else crop.transpose(2, 0, 1)
    return np.ascontiguousarray(planes), len(seen.faces)


def note_photographs(source: Source, folder: Path) -> str | None:
    """Return a note if a dataset's images are not face crops, or None.

    The answer is stored in the dataset's cache.

    Args:
        source: the dataset.
        folder: its decoded faces, in the cache.
    """
    kept = folder / "photographs.json"
    try:
        fractions = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        fractions = measure_faces(source.base or source)
        try:
            kept.write_text(json.dumps(fractions), encoding="utf-8")
        except OSError:  # a cache that may only be read
            return None
    small = sum(fraction < SMALL for fraction in fractions)
    if not fractions or small * 2 <= len(fractions):
        return None
    return (
        f"these look like uncropped images, not face crops: in {small} of {len(fractions)} the "
        f"face is smaller than {SMALL:.0%} of the image; a model trained on them does not fit the "
        "faces that 'emotion predict' cuts out; 'emotion data crop IN OUT' cuts them out, or add "
        "--crop faces"
    )


def measure_faces(source: Source) -> list[float]:
    """Return the size of the largest face as a fraction of its image's shorter side.

    Args:
        source: a dataset; :data:`SAMPLE` of its images are examined.

    Returns:
        A fraction for each image of the sample in which a face was found; empty where the images
        are small or the detector is not there.
    """
    fractions = []
    try:
        for rgb in _sample(source):
            faces = _detector().find(rgb).faces
            if faces:
                largest = max(max(face.box[2:]) for face in faces)
                fractions.append(round(float(largest / min(rgb.shape[:2])), 3))
    except InputError:  # the network of the detector is missing
        return []
    return fractions


def _sample(source: Source) -> Iterator[npt.NDArray[np.uint8]]:
    if source.label_set != "own":
        return
    step = max(1, min(source.count or _FIRST, _FIRST) // SAMPLE)
    for face in islice(source.read(), 0, SAMPLE * step, step):
        try:
            rgb = _pixels(face.content)
        except ImageError:
            continue
        if min(rgb.shape[:2]) < LEAST_SIDE:
            # images of a dataset are of one kind
            return
        yield rgb


@cache
def _detector() -> "FaceDetector":
    from emotion_detection.inference.face_detector import FaceDetector

    return FaceDetector()


def _pixels(content: Content) -> npt.NDArray[np.uint8]:
    """Return the pixels of an image, uint8 (H, W, 3).

    Raises:
        ImageError: it cannot be read.
    """
    if isinstance(content, Unreadable | Decoded):
        raise ImageError(content.reason)
    if isinstance(content, np.ndarray):
        image = Image.fromarray(content)
    else:
        image = open_image(content, DATASET_FORMATS)
    return np.asarray(image.convert("RGB"))
