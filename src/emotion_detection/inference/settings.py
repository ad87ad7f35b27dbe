"""What a detector was told: how faces are found, and when an emotion is not named."""

from typing import NamedTuple


class DetectorSettings(NamedTuple):
    """The settings of an :class:`.EmotionDetector`, as they were given.

    Args:
        working_size: pixels on the longer side of the picture that faces are looked for in.
        threshold: least confidence of a face, 0 to 1.
        smallest: longer side of the smallest face that is read, in pixels of the picture.
        least_score: faces whose highest score is below this, 0 to 1, are called unsure; 0: none.
    """

    working_size: int
    threshold: float
    smallest: float
    least_score: float
