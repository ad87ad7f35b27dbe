"""The settings of a detector: face detection and flags."""

import numbers
import warnings
from typing import Any, NamedTuple, TypedDict

from emotion_detection.errors import InputError
from emotion_detection.images.opening import DEFAULT_MAX_PIXELS
from emotion_detection.inference.face_detector import CERTAIN, check_settings, is_number
from emotion_detection.other_libraries import DETECTOR_SETTINGS, raise_unknown_argument


class DetectorSettings(NamedTuple):
    """The settings of an :class:`.EmotionDetector`.

    Args:
        detection_size: longer side in pixels that images are resized to for detection.
        min_confidence: minimum confidence of a detection, 0 to 1.
        min_face_size: longer side of the smallest face that is classified, in pixels of the image.
        min_score: faces whose highest score is below this, 0 to 1, are flagged 'unsure'; 0: none.
        certain: faces with less confidence are flagged 'uncertain_face', 0 to 1; 0: none.
        max_pixels: files and PIL images with more are refused.
    """

    detection_size: int
    min_confidence: float
    min_face_size: float
    min_score: float
    certain: float = CERTAIN
    max_pixels: int = DEFAULT_MAX_PIXELS

    def check(self, threads: Any) -> None:
        """Check all settings, and the number of threads.

        Raises:
            InputError: a setting has another type, or is out of range.
        """
        check_settings(self.detection_size, self.min_confidence, self.min_face_size, threads)
        for name in ("min_score", "certain"):
            value = getattr(self, name)
            if not (is_number(value) and 0 <= value <= 1):
                raise InputError(f"{name} {value!r}: must be a number between 0 and 1")
        if not (is_number(self.max_pixels, numbers.Integral) and self.max_pixels >= 1):
            raise InputError(f"max_pixels {self.max_pixels!r}: must be a whole number from 1")


class OldNames(TypedDict, total=False):
    """Deprecated names of keyword arguments."""

    working_size: int
    threshold: float
    smallest: float
    least_score: float


NEW_NAMES = {
    "working_size": "detection_size",
    "threshold": "min_confidence",
    "smallest": "min_face_size",
    "least_score": "min_score",
}


def rename_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments under their new names; warn of each old one.

    Raises:
        TypeError: an unknown argument; the message names the right one.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     rename_settings({"threshold": 0.4})
    ...     print(caught[0].message)
    {'min_confidence': 0.4}
    threshold is now called min_confidence
    """
    renamed = {}
    for name, value in given.items():
        if name not in NEW_NAMES:
            raise_unknown_argument("EmotionDetector", name, DETECTOR_SETTINGS)
        warnings.warn(f"{name} is now called {NEW_NAMES[name]}", DeprecationWarning, stacklevel=3)
        renamed[NEW_NAMES[name]] = value
    return renamed
