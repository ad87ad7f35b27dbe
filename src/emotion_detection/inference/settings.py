"""What a detector was told: how faces are found, and when an emotion is not named."""

from typing import NamedTuple

from emotion_detection.images import DEFAULT_MAX_PIXELS
from emotion_detection.inference.face_detector import CERTAIN


class DetectorSettings(NamedTuple):
    """The settings of an :class:`.EmotionDetector`, as they were given.

    Args:
        working_size: pixels on the longer side of the picture in the first look for faces.
        threshold: least confidence of a face, 0 to 1.
        smallest: longer side of the smallest face that is read, in pixels of the picture.
        least_score: faces whose highest score is below this, 0 to 1, are called unsure; 0: none.
        certain: faces with less confidence are flagged 'uncertain_face', 0 to 1; 0: none.
        max_pixels: files and PIL images with more are refused.
    """

    working_size: int
    threshold: float
    smallest: float
    least_score: float
    certain: float = CERTAIN
    max_pixels: int = DEFAULT_MAX_PIXELS
