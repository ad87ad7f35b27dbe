"""The emotions, in order, and the names that datasets use for them."""

import re
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
"""All known emotions. The first seven are in the order of FER-2013 (0 to 6)."""

FER2013 = EMOTIONS[:7]
"""Classes of FER-2013; the position is the number in the files (Goodfellow et al. 2013)."""

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
    "surprise": ("surprised", "suprise"),
    "neutral": ("neutrality", "calm", "normal"),
    "contempt": ("contemptuous",),
}
_CANONICAL = {other: name for name, others in _OTHER_NAMES.items() for other in (name, *others)}


_NUMBERED = re.compile(r"^\d+[\s._-]*(?=[^\W\d])")
"""Number before a class name, in folders such as ``0_angry``."""


def canonical_name(name: str) -> str | None:
    """Return the project's name of a dataset's emotion, or None if it is unknown.

    A number before the name is ignored.

    >>> canonical_name("Angry"), canonical_name("0_angry"), canonical_name("confused")
    ('anger', 'anger', None)
    """
    plain = unicodedata.normalize("NFKC", name)  # full-width letters, too
    return _CANONICAL.get(_NUMBERED.sub("", plain.strip().lower()))


def class_key(name: str) -> str:
    """Return a key that is equal for all spellings of a class name.

    For known emotions the key is the project's name, for other classes the name without regard to
    case and Unicode form.

    >>> class_key("Happy") == class_key("joy"), class_key("Bored") == class_key("bored")
    (True, True)
    """
    return canonical_name(name) or unicodedata.normalize("NFC", name.strip()).casefold()


def compose_name(name: str) -> str:
    """Return a class name in Unicode's composed form (NFC), which looks the same."""
    return unicodedata.normalize("NFC", name)


def class_names(found: Iterable[str]) -> dict[str, str]:
    """Map each class name of a dataset to the project's name.

    Known emotions get the project's names and come first, in the project's order. Other classes
    keep their names, in Unicode's composed form, and follow in sorted order. Names that differ only
    in case or Unicode form are one class.

    Args:
        found: class names from disk; repeated names count once.

    Returns:
        Name on disk to name in the project. The latter, each once and in this order, are the
        classes.

    >>> class_names(["sad", "Angry"])
    {'Angry': 'anger', 'sad': 'sadness'}
    >>> class_names(["sad", "bored", "Bored"])
    {'sad': 'sadness', 'Bored': 'Bored', 'bored': 'Bored'}
    """
    names = sorted(set(found))
    known = {name: canonical_name(name) for name in names}
    used = {
        name: emotion for emotion in EMOTIONS for name, value in known.items() if value == emotion
    }
    spelling: dict[str, str] = {}
    for name in names:
        if known[name] is None:
            used[name] = spelling.setdefault(class_key(name), compose_name(name))
    return used


def sort_labels(mapping: dict[str, str]) -> tuple[str, ...]:
    """Return the classes that :func:`class_names` maps to, each once, in order."""
    return tuple(dict.fromkeys(mapping.values()))


def find_positions(labels: Sequence[str], within: Sequence[str]) -> list[int | None]:
    """Return the index of each label in another list of labels, or None.

    Labels are compared by :func:`class_key`.

    >>> find_positions(["happy", "bored"], ["anger", "happiness"])
    [1, None]
    """
    exact = {name: index for index, name in enumerate(within)}
    keyed = {class_key(name): index for index, name in enumerate(within)}
    return [exact.get(name, keyed.get(class_key(name))) for name in labels]


def shared_classes(labels: Iterable[str], others: Iterable[str]) -> set[str]:
    """Return the labels that are also in another list, compared by :func:`class_key`.

    >>> shared_classes(["happy", "bored"], ["anger", "happiness"])
    {'happy'}
    """
    keys = {class_key(other) for other in others}
    return {label for label in labels if class_key(label) in keys}
