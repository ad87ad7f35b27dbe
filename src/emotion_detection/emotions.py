"""The emotions, their order, and every dataset's names for them."""

import unicodedata
from collections.abc import Iterable, Sequence

EMOTIONS = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
    "contempt",
)
"""All emotions known by name. The first seven stand in FER-2013's own order (0 to 6)."""

FER2013 = EMOTIONS[:7]
"""FER-2013's classes; the position is the number in its files (Goodfellow et al. 2013)."""

FERPLUS = EMOTIONS
"""FER+'s eight emotions, in this project's order (Barsoum et al. 2016)."""

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""The vote columns of ``fer2013new.csv`` in file order; the last two are no emotions."""

_OTHER_NAMES = {
    "anger": ("angry", "mad"),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happiness": ("happy", "joy", "joyful"),
    "sadness": ("sad",),
    "surprise": ("surprised",),
    "neutral": ("neutrality", "calm"),
    "contempt": ("contemptuous",),
}
_CANONICAL = {other: name for name, others in _OTHER_NAMES.items() for other in (name, *others)}


def canonical(name: str) -> str | None:
    """Return the project's name for a dataset's emotion name, or None for one it does not know.

    >>> canonical("Angry"), canonical("confused")
    ('anger', None)
    """
    return _CANONICAL.get(name.strip().lower())


def composed(name: str) -> str:
    """Return a class name in Unicode's composed form (NFC), which looks the same."""
    return unicodedata.normalize("NFC", name)


def class_names(found: Iterable[str]) -> dict[str, str]:
    """Map each class name of a dataset to the name that the project uses for it.

    When every name is a known emotion they become the project's names in its order. As soon as
    one is not, all names stay as they are, sorted: someone's own classes are not renamed.

    Names that differ only in their Unicode form, such as an accent that is a character of its own
    (as macOS writes file names), are one class.

    Args:
        found: class names as they stand on disk; repeated names count once.

    Returns:
        Own name to used name. The used names, each once and in this order, are the classes.

    >>> class_names(["sad", "Angry"])
    {'Angry': 'anger', 'sad': 'sadness'}
    >>> class_names(["sad", "bored"])
    {'bored': 'bored', 'sad': 'sad'}
    """
    names = sorted(set(found))
    known = {name: canonical(name) for name in names}
    if any(value is None for value in known.values()):
        return {name: composed(name) for name in names}
    return {
        name: emotion for emotion in EMOTIONS for name, value in known.items() if value == emotion
    }


def ordered(mapping: dict[str, str]) -> tuple[str, ...]:
    """Return the classes that :func:`class_names` maps to, each once, in order."""
    return tuple(dict.fromkeys(mapping.values()))


def positions(labels: Sequence[str], within: Sequence[str]) -> list[int | None]:
    """Return where each label stands in another list of labels, None where it does not."""
    place = {name: index for index, name in enumerate(within)}
    return [place.get(name) for name in labels]
