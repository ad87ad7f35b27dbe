"""Images without a face: one flat tone for most of it, or nothing that a face detector sees."""

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
"""Share of one grey level from which on an image is called flat: a sign, a drawing, nothing.

Of FER-2013's training faces 45 reach it, and FER+'s raters saw no face in any of them.
"""

UNSEEN = 0.05
"""Confidence of the detector up to which it is said to see no face."""

UNFIT = 0.02
"""Share of unseen faces from which on the detector, made for photographs, is not asked."""

_LOWEST = 0.01
_TRIAL = 1000

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]


def measure_flatness(images: Images) -> Values:
    """Return the share of a face's pixels that have its commonest grey level: float32 (N,).

    Args:
        images: uint8 (N, C, H, W).
    """
    grey = images.mean(axis=1, dtype=np.float32).round().astype(np.uint8).reshape(len(images), -1)
    most = [int(np.bincount(pixels, minlength=256).max()) for pixels in grey]
    shares: Values = (np.array(most) / grey.shape[1]).astype(np.float32)
    return shares


def detect_confidences(images: Images, said: bool = True) -> Values:
    """Return how sure the face detector is that there is a face in each image: float32 (N,).

    A face that fills its image is looked at amid grey, as in photographs
    (:class:`emotion_detection.inference.face_detector.FaceDetector`). 4 ms a face.

    Args:
        images: uint8 (N, C, H, W), grey or RGB.
        said: show how far it is.

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
    """Say how surely there is no face in an image.

    Args:
        images: uint8 (N, C, H, W), 48 px or more.
        kept: file of the detector's answers, which take longest: read where it is of these very
            images, else written; None: none.

    Returns:
        float32 (N,), from 0.5 for those that are named, up to 1; 0 for all others.
    """
    flat = measure_flatness(images)
    scores = np.where(flat >= FLAT, flat, 0).astype(np.float32)
    trial = np.linspace(0, len(images) - 1, min(_TRIAL, len(images))).astype(int)
    if (detect_confidences(images[trial], said=False) <= UNSEEN).mean() > UNFIT:
        print(
            f"note: the face detector sees no face in more than {UNFIT:.0%} of these images: "
            "it is not asked for non-faces",
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
        # whole and at once: numpy leaves a file that it cannot read open
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
