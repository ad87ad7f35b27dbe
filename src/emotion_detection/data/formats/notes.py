"""Notes of readers on splits and classes."""

from collections.abc import Iterable, Mapping

from emotion_detection.data.formats.columns import is_number
from emotion_detection.labels import canonical_name

_SPLITS = ("train", "validation", "test")


def describe_splits(counts: Mapping[str, int], own: Mapping[str, str] | None = None) -> str:
    """Return a note on the splits, with numbers of images.

    Args:
        counts: split to number of images; '' for those without one.
        own: split to the data's own name for it.
    """
    words = []
    for split in (split for split in _SPLITS if counts.get(split)):
        name = (own or {}).get(split, split)
        words.append(f"{split}{f' ({name})' * (name != split)} {counts[split]:,}")
    if counts.get("") and words:
        words.append(f"none {counts['']:,}")
    return f"splits {', '.join(words)}" if words else "no splits: they are drawn"


def describe_classes(counts: Mapping[str, int], used: Mapping[str, str]) -> str:
    """Return a note on the classes, with numbers of images.

    Args:
        counts: own name to number of images.
        used: own name to the name that the project uses.
    """
    words = []
    for name in dict.fromkeys(used.values()):
        own = sorted({other for other, known in used.items() if known == name and other != name})
        total = sum(counts.get(other, 0) for other, known in used.items() if known == name)
        words.append(f"{name}{f' ({chr(47).join(own)})' * bool(own)} {total:,}")
    return f"classes {', '.join(words)}"


def note_numbers(labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note if classes are numbers of unknown meaning, else nothing."""
    numbers = [label for label in labels if is_number(label)]
    if not numbers:
        return ()
    return (
        f"it is not known what the classes {', '.join(numbers)} mean; "
        f"name them, for example --rename {numbers[0]}=anger",
    )


def note_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note if the classes do not look like emotions, else nothing."""
    labels = list(labels)
    if any(canonical_name(label) for label in labels):
        return ()
    digits = [any(c.isdigit() for c in label) for label in labels]
    if all(is_number(label) for label in labels) or not (len(labels) > 10 or all(digits)):
        return ()
    shown = ", ".join(labels[:3])
    return (
        f"no class is a known emotion ({shown}, …: {len(labels)} in all): are these people or "
        "image sets rather than emotions?",
    )
