"""The numbers of emotions in published datasets.

A number has a meaning only where the dataset is known by something else than the number: the
columns of the table or the names of the images.
"""

import re
from collections.abc import Sequence

from emotion_detection.data.source import place_in_fer2013
from emotion_detection.labels import EMOTIONS

Numbers = dict[int, str | None]
"""Number -> emotion; None: such faces have no emotion and are left out."""

FER2013_NUMBERS: Numbers = dict(enumerate(EMOTIONS))
"""0 to 6; the CSV files of CK+ in the same columns (``ckextended.csv``) add 7 for contempt."""

RAFDB_NUMBERS: Numbers = {
    1: "surprise",
    2: "fear",
    3: "disgust",
    4: "happiness",
    5: "sadness",
    6: "anger",
    7: "neutral",
}
"""RAF-DB's basic emotions (Li et al. 2017, "Reliable Crowdsourcing and Deep Locality-Preserving
Learning for Expression Recognition in the Wild")."""

AFFECTNET_NUMBERS: Numbers = {
    0: "neutral",
    1: "happiness",
    2: "sadness",
    3: "surprise",
    4: "fear",
    5: "disgust",
    6: "anger",
    7: "contempt",
    8: None,
    9: None,
    10: None,
}
"""AffectNet's classes; 8 is none, 9 uncertain, 10 no face (Mollahosseini et al. 2017)."""

CKPLUS_NUMBERS: Numbers = {
    0: "neutral",
    1: "anger",
    2: "contempt",
    3: "disgust",
    4: "fear",
    5: "happiness",
    6: "sadness",
    7: "surprise",
}
"""Numbers in CK+'s emotion files (Lucey et al. 2010)."""

_RAFDB_NAME = re.compile(r"(train|test)_\d{3,6}(_aligned)?\.(jpg|png)", re.IGNORECASE)


def is_rafdb_name(file: str) -> bool:
    """Return True if an image is called as RAF-DB's are: ``train_00001_aligned.jpg``."""
    return _RAFDB_NAME.fullmatch(file.replace("\\", "/").rpartition("/")[2]) is not None


def numbers_by_file_names(files: Sequence[str]) -> Numbers | None:
    """Return the meaning of numbers by the names of the images, or None.

    Args:
        files: names of some images, at least one.
    """
    names = [file.replace("\\", "/").rpartition("/")[2] for file in files]
    if names and all(place_in_fer2013(name) for name in names):
        return dict(enumerate(EMOTIONS[:7]))
    if names and all(is_rafdb_name(name) for name in names):
        return RAFDB_NUMBERS
    return None


def numbers_by_columns(columns: Sequence[str]) -> Numbers | None:
    """Return the meaning of numbers by the columns of a table, or None.

    Args:
        columns: their plain names (:func:`.columns.simplify_name`).
    """
    if {"emotion", "pixels"} <= set(columns):
        return FER2013_NUMBERS
    if {"subdirectoryfilepath", "expression"} <= set(columns):
        return AFFECTNET_NUMBERS
    return None
