"""Detect images without a face: flat ones, and those without a face detection."""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.inference.face_detector import FaceDetector
from emotion_detection.io.files import write_atomic
from emotion_detection.io.progress import show_progress

FLAT = 0.5
"""Fraction of pixels with the same grey level above which an image is flat: a sign, a drawing, or
empty. In FER-2013 45 training images reach it, and FER+'s raters saw no face in any of them.
"""

UNSEEN = 0.05
"""Confidence of the detector up to which an image has no face."""

UNFIT = 0.02
"""Fraction of undetected faces above which the detector does not suit the data and is not used."""

_LOWEST = 0.01
_TRIAL = 1000

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]


def measure_flatness(images: Images) -> Values:
    """Return the fraction of pixels with the most frequent grey level: float32 (N,).

    Args:
        images: uint8 (N, C, H, W).
    """
    grey = images.mean(axis=1, dtype=np.float32).round().astype(np.uint8).reshape(len(images), -1)
    most = [int(np.bincount(pixels, minlength=256).max()) for pixels in grey]
    shares: Values = (np.array(most) / grey.shape[1]).astype(np.float32)
    return shares


def detect_confidences(images: Images, said: bool = True) -> Values:
    """Return the face detector's highest confidence in each image: float32 (N,).

    Images are detected with a grey border, since a face may fill the image
    (:class:`emotion_detection.inference.face_detector.FaceDetector`). 4 ms per face.

    Args:
        images: uint8 (N, C, H, W), grey or RGB.
        said: show the progress.

    Returns:
        0 to 1; below 0.01 is 0.
    """
    detector = FaceDetector(min_confidence=_LOWEST, min_face_size=1, threads=1)
    found = np.zeros(len(images), np.float32)
    shown = show_progress(images, "looking for faces", len(images)) if said else images
    for row, image in enumerate(shown):
        rgb = np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))
        found[row] = max((face.confidence for face in detector.find(rgb).faces), default=0)
    return found


def score_nonfaces(images: Images, kept: Path | None = None) -> Values:
    """Score the images without a face.

    Args:
        images: uint8 (N, C, H, W), 48 px or more.
        kept: file that caches the detector's confidences, which take longest; None: no file.

    Returns:
        float32 (N,), from 0.5 to 1 for images without a face; 0 for all others.
    """
    flat = measure_flatness(images)
    scores = np.where(flat >= FLAT, flat, 0).astype(np.float32)
    trial = np.linspace(0, len(images) - 1, min(_TRIAL, len(images))).astype(int)
    if (detect_confidences(images[trial], said=False) <= UNSEEN).mean() > UNFIT:
        print(
            f"note: the face detector detects no face in more than {UNFIT:.0%} of these images: "
            "it is not used to find non-faces",
            file=sys.stderr,
        )
        return scores
    unseen = UNSEEN - _kept_confidences(images, kept)
    scores = np.where(unseen >= 0, np.maximum(scores, 0.5 + unseen / UNSEEN / 2), scores)
    return scores.astype(np.float32)


def _kept_confidences(images: Images, kept: Path | None) -> Values:
    if kept is None:
        return detect_confidences(images)
    which = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    try:
        # read into memory first: numpy does not close a file that it cannot parse
        with np.load(io.BytesIO(kept.read_bytes())) as file:
            if str(file["images"]) == which:
                return np.asarray(file["confidences"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        pass
    found = detect_confidences(images)
    content = io.BytesIO()
    np.savez(content, images=np.array(which), confidences=found)
    try:
        write_atomic(kept, content.getvalue())
    except OSError as error:
        raise InputError(f"{kept}: cannot be written: {error.strerror or error}") from None
    return found
