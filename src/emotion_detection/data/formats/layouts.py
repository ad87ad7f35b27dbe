"""Layouts of published datasets whose labels are neither folders nor columns.

Each is recognised by its files and read as its authors describe them:

- RAF-DB (Li et al. 2017): ``list_patition_label.txt`` with lines ``train_00001.jpg 5``, images in
  ``Image/aligned`` (``train_00001_aligned.jpg``) or ``Image/original``. Split: the names'.
- AffectNet (Mollahosseini et al. 2017) as arrays: ``train_set/images/0.jpg`` with
  ``train_set/annotations/0_exp.npy``, and ``val_set``. Labels 8 to 10 are no emotions.
- CK+ (Lucey et al. 2010): ``cohn-kanade-images/S005/001/S005_001_00000011.png`` with
  ``Emotion/S005/001/S005_001_00000011_emotion.txt``. Of each labelled sequence, from neutral to
  the peak, the last three images have its emotion and the first one is neutral.
- KDEF (Lundqvist et al. 1998): ``AF01ANS.JPG``: session, sex and number of the person, expression,
  angle. JAFFE (Lyons et al. 1998): ``KA.AN1.39.tiff``: person, expression.

The splits are those of the data where it has any. Licences and citations: the authors'.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_detection.data.formats.columns import describe_classes, describe_splits
from emotion_detection.data.formats.known_labels import (
    AFFECTNET_NUMBERS,
    CKPLUS_NUMBERS,
    RAFDB_NUMBERS,
)
from emotion_detection.data.formats.tree import ImagePaths, Tree
from emotion_detection.data.source import Content, Face, Source, Unreadable, split_of
from emotion_detection.errors import InputError
from emotion_detection.io.progress import show_progress
from emotion_detection.labels import canonical_name, class_names, sort_labels

RAFDB_LISTS = ("list_patition_label.txt", "list_partition_label.txt")


@dataclass(frozen=True)
class Labelled:
    """One image of a layout.

    Args:
        name: relative to the dataset's folder.
        content: its path, or why it cannot be read.
        emotion: the project's name of its class; None: it has none and is left out.
        split: 'train', 'validation', 'test' or None.
        person: whose face it is, where that is known.
        label_file: the file that its emotion stands in.
    """

    name: str
    content: Content
    emotion: str | None
    split: str | None = None
    person: str | None = None
    label_file: Path | None = None


def read_layout(tree: Tree) -> Source | None:
    """Recognise one of the published layouts; None: it is none of them.

    Raises:
        InputError: it is one, and a file of labels cannot be read.
    """
    for name, read in _LAYOUTS.items():
        images = read(tree)
        if images is not None:
            return _source(name, tree.root, images)
    return None


def _source(layout: str, root: Path, images: list[Labelled]) -> Source:
    kept = [(image, image.emotion) for image in images if image.emotion is not None]
    counts = Counter(emotion for _, emotion in kept)
    used = class_names(counts)
    labels = sort_labels(used)
    if len(labels) < 2:
        raise InputError(f"{root}: {layout} with {len(labels)} emotions; needs at least two")
    splits = Counter(image.split or "" for image, _ in kept)
    people = {image.person for image, _ in kept if image.person}
    note = f"{root}: {layout}; {describe_splits(splits)}; {describe_classes(counts, used)}"
    note += f"; {len(people)} people" * bool(people)
    if len(kept) < len(images):
        note += f"; left out: {len(images) - len(kept):,} images that show no emotion by the data"
    label_files = dict.fromkeys(image.label_file for image in images if image.label_file)
    paths = (image.content for image, _ in kept if isinstance(image.content, Path))
    return Source(
        kind=layout,
        files=(*label_files, *paths),
        labels=labels,
        read=lambda: (
            Face(
                name=image.name,
                content=image.content,
                label=labels.index(used[emotion]),
                split=image.split,
                person=image.person,
            )
            for image, emotion in kept
        ),
        label_set="own",
        count=len(kept),
        notes=(note,),
    )


def find_rafdb_list(root: Path) -> Path | None:
    """Return RAF-DB's list file in a folder, in the one beside it, or up to two levels deeper."""
    for name in RAFDB_LISTS:
        for pattern in (name, f"EmoLabel/{name}", f"*/EmoLabel/{name}"):
            if found := sorted(root.glob(pattern)):
                return found[0]
    return None


def read_rafdb_list(path: Path) -> list[Labelled]:
    """Read RAF-DB's list of images and labels.

    Raises:
        InputError: it cannot be read as text.
    """
    root = path.parent.parent if path.parent.name == "EmoLabel" else path.parent
    folders = [root / "Image" / "aligned", root / "aligned", root / "Image" / "original", root]
    paths = ImagePaths(next(folder for folder in folders if folder.is_dir()))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    images = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        file, label = words[0], words[-1]
        if len(words) != 2 or not label.isdecimal() or int(label) not in RAFDB_NUMBERS:
            reason = Unreadable("a file name and a number from 1 to 7 are needed")
            name = f"{path.name} line {number}"
            images.append(Labelled(name, reason, "neutral", label_file=path))
            continue
        split = split_of(file.partition("_")[0])
        emotion = RAFDB_NUMBERS[int(label)]
        images.append(Labelled(file, paths.find(file), emotion, split, label_file=path))
    return images


def read_rafdb(path: Path) -> Source:
    """Recognise RAF-DB by its list file.

    Raises:
        InputError: it cannot be read, or has fewer than two emotions.
    """
    return _source("RAF-DB", path.parent, read_rafdb_list(path))


def _rafdb(tree: Tree) -> list[Labelled] | None:
    path = find_rafdb_list(tree.root)
    return None if path is None else read_rafdb_list(path)


def _affectnet(tree: Tree) -> list[Labelled] | None:
    root = tree.root
    # the arrays lie beside the images, or in the folder itself where it is one split
    tops = sorted({parts[0] for parts in tree.images if len(parts) > 2 and parts[1] == "images"})
    places = [(root / top, split_of(top)) for top in tops]
    if any(parts[0] == "images" for parts in tree.images if len(parts) == 2):
        places.append((root, None))
    places = [(place, split) for place, split in places if (place / "annotations").is_dir()]
    if not places:
        return None
    listed = []
    for place, split in places:
        files = sorted((place / "images").iterdir())
        for path in show_progress(files, f"reading labels of {place.name}", len(files)):
            name = path.relative_to(root).as_posix()
            label_file = place / "annotations" / f"{path.stem}_exp.npy"
            found = _affectnet_label(label_file)
            if isinstance(found, Unreadable):
                listed.append(Labelled(name, found, "neutral", split, None, label_file))
            else:
                emotion = AFFECTNET_NUMBERS[found]
                listed.append(Labelled(name, path, emotion, split, None, label_file))
    return listed


def _affectnet_label(path: Path) -> int | Unreadable:
    try:
        label = int(str(np.load(path, allow_pickle=False)))
    except (OSError, ValueError, EOFError) as error:
        return Unreadable(f"its label {path.name} cannot be read: {error}")
    return label if label in AFFECTNET_NUMBERS else Unreadable(f"{path.name}: label {label}")


_CKPLUS_IMAGE = re.compile(r"(S\d{3})_(\d{3})_(\d{6,8})\.(png|tiff?|jpe?g)", re.IGNORECASE)
_CKPLUS_PEAK = 3
"""Images at the end of a sequence that show the emotion."""


def _ckplus(tree: Tree) -> list[Labelled] | None:
    places = (tree.root / "Emotion", *sorted(tree.root.glob("*/Emotion")))
    labels = next((place for place in places if place.is_dir()), None)
    if labels is None:
        return None
    sequences: dict[str, list[tuple[str, ...]]] = {}
    for parts in tree.images:
        if found := _CKPLUS_IMAGE.fullmatch(parts[-1]):
            sequences.setdefault(f"{found[1]}_{found[2]}", []).append(parts)
    if not sequences:
        return None
    images = []
    for path in sorted(labels.rglob("*_emotion.txt")):
        sequence = sorted(sequences.get(path.name[:8], []), key=lambda parts: parts[-1])
        emotion = _ckplus_label(path)
        if not sequence or emotion is None:
            continue
        chosen = [(sequence[0], "neutral")] * (len(sequence) > _CKPLUS_PEAK)
        chosen += [(parts, emotion) for parts in sequence[-_CKPLUS_PEAK:]]
        images += [
            Labelled("/".join(parts), tree.root.joinpath(*parts), label, None, path.name[:4], path)
            for parts, label in chosen
        ]
    return images


def _ckplus_label(path: Path) -> str | None:
    try:
        return CKPLUS_NUMBERS[int(float(path.read_text(encoding="ascii")))]
    except (OSError, ValueError, KeyError):
        raise InputError(f"{path}: a number from 0 to 7 is needed") from None


@dataclass(frozen=True)
class NameLayout:
    """A dataset whose file names hold person and expression.

    Args:
        pattern: of complete file names, with the groups ``person`` and ``emotion``.
        emotions: the codes of the expressions.
    """

    pattern: re.Pattern[str]
    emotions: dict[str, str]


_CODES = {
    "AN": "anger",
    "DI": "disgust",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
    "NE": "neutral",
}
KDEF = NameLayout(
    re.compile(
        r"[AB](?P<person>[FM]\d\d)(?P<emotion>AF|AN|DI|HA|NE|SA|SU)(?:S|HL|HR|FL|FR)\.\w+",
        re.IGNORECASE,
    ),
    _CODES | {"AF": "fear"},
)
JAFFE = NameLayout(
    re.compile(r"(?P<person>[A-Z]{2})\.(?P<emotion>AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.\w+"),
    _CODES | {"FE": "fear"},
)


def _by_names(layout: NameLayout) -> Callable[[Tree], list[Labelled] | None]:
    def read(tree: Tree) -> list[Labelled] | None:
        found = [layout.pattern.fullmatch(parts[-1]) for parts in tree.images]
        known = sum(match is not None for match in found)
        # folders of emotions take precedence over names
        folders = {canonical_name(part) for parts in tree.images for part in parts[:-1]} - {None}
        if not known or known < 0.9 * len(found) or len(folders) > 1:
            return None
        return list(_named(layout, tree, found))

    return read


def _named(layout: NameLayout, tree: Tree, found: list[re.Match[str] | None]) -> Iterator[Labelled]:
    for parts, match in zip(tree.images, found, strict=True):
        split = next((split for part in parts[:-1] if (split := split_of(part))), None)
        yield Labelled(
            "/".join(parts),
            tree.root.joinpath(*parts),
            layout.emotions[match["emotion"].upper()] if match else None,
            split,
            match["person"].upper() if match else None,
        )


_LAYOUTS: dict[str, Callable[[Tree], list[Labelled] | None]] = {
    "RAF-DB": _rafdb,
    "AffectNet": _affectnet,
    "CK+": _ckplus,
    "KDEF": _by_names(KDEF),
    "JAFFE": _by_names(JAFFE),
}
"""The layouts by the names of their datasets, in the order in which they are tried."""
