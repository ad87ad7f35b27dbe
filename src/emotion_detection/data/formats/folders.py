"""Folders of images: ``train/<emotion>/*``, ``test/<emotion>/*``, or ``<emotion>/*`` alone.

Format: every image that Pillow reads, of any size and colour; each class is a folder, images may
lie deeper in it. Classes: the folders' names; known emotions take this project's names. Split: the
folders ``train``, ``validation`` and ``test`` (each optional, by any of their usual names, above
the classes or in each of them); FER-2013's file name prefixes (``Training_``, ``PublicTest_``,
``PrivateTest_``) decide where they stand; what is missing is split off
(:mod:`emotion_detection.data.splitting`). Folders of people below the classes (``happy/S01``) and
the file names of CK+, KDEF and JAFFE give the person. Licence and citation: those of your images.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emotion_detection.data.formats.columns import (
    describe_classes,
    describe_splits,
    is_number,
    note_classes,
    note_numbers,
)
from emotion_detection.data.formats.known_labels import numbers_by_file_names
from emotion_detection.data.formats.tree import Tree, read_tree
from emotion_detection.data.source import Face, Source, place_in_fer2013, split_of
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013, canonical_name, class_names, sort_labels

_CODE = re.compile(r"[A-Za-z]{0,8}[\s_.-]?\d+[A-Za-z]?")
"""Pattern of a person's code, such as S01, AF17, subject_3 or 0042."""
_NO_PERSON = re.compile(
    r"(fold|set|part|batch|split|session|cam|camera|day|take|v|version|group)[\s_.-]?\d+\w?",
    re.IGNORECASE,
)

PERSON_IN_NAME = (
    re.compile(r"(S\d{3})_\d{3}_\d{6,8}\b.*"),
    re.compile(r"([A-Z]{2})\.(?:AN|DI|FE|HA|NE|SA|SU)\d\..*"),
    re.compile(r"[AB]([FM]\d\d)(?:AF|AN|DI|HA|NE|SA|SU)(?:S|HL|HR|FL|FR)\b.*", re.IGNORECASE),
)
"""Patterns of the person in file names of CK+, JAFFE and KDEF."""


@dataclass(frozen=True)
class ClassImage:
    """One image in a folder of its class.

    Args:
        parts: its path relative to the root.
        name: the class, as the folder is called.
        split: 'train', 'validation', 'test' or None.
        below: the folders between class and file.
        person: the folder above the class, where that is a person's.
    """

    parts: tuple[str, ...]
    name: str
    split: str | None
    below: tuple[str, ...]
    person: str | None = None


def read_folders(root: Path, tree: Tree | None = None) -> Source | None:
    """Recognise a folder of images.

    Args:
        root: the folder.
        tree: what lies below it, if that is known.

    Returns:
        The source, or None: these are no folders of classes, but perhaps there are some deeper.

    Raises:
        InputError: known names of splits stand beside others, or there are fewer than two classes.
    """
    tree = tree or read_tree(root)
    tops = tree.tops()
    loose = len(tops.pop("", []))
    splits = {name: split for name in tops if (split := split_of(name))}
    if splits:
        images = _in_splits(root, tops, splits)
    elif _are_people(tree.images, 0):
        images = [
            ClassImage(parts, parts[1], None, parts[2:-1], parts[0])
            for parts in tree.images
            if len(parts) > 2
        ]
    elif any(_is_dataset(name, images) for name, images in tops.items()):
        _refuse_classes_beside(root, tops)
        return None
    elif len(tops) == 1 and _holds_folders(*tops.items()):
        return None
    else:
        images = [image for name, found in tops.items() for image in _in_class(root, name, found)]
    if not images:
        if loose and not splits:
            return None
        if splits and tree.images:
            raise InputError(
                f"{root}: no folders of emotions in {', '.join(sorted(splits))}, as in "
                f"{root.name}/{min(splits)}/happy/1.png"
            )
        return None
    taken = {image.parts for image in images}
    left_out = _describe_rest(tree, len([p for p in tree.images if p not in taken]))
    return _source(root, tree, images, splits, left_out)


def _in_splits(
    root: Path, tops: dict[str, list[tuple[str, ...]]], splits: dict[str, str]
) -> list[ClassImage]:
    """Return the images of ``train/<emotion>/*`` and the like.

    Raises:
        InputError: other folders with images stand beside the splits.
    """
    if others := [name for name in tops if name not in splits]:
        raise InputError(
            f"{root}: the folders {', '.join(splits)} are splits, but {', '.join(others)} beside "
            "them are not: put them into a split (train, validation, test), rename them, or move "
            "them away"
        )
    images = []
    for top, split in splits.items():
        depth = 1
        # train/images/happy/1.png, train/train/happy/1.png
        while _is_wrapper(tops[top], depth, top):
            depth += 1
        people = _are_people(tops[top], depth)
        depth += people
        images += [
            ClassImage(
                parts,
                parts[depth],
                split,
                parts[depth + 1 : -1],
                parts[depth - 1] if people else None,
            )
            for parts in tops[top]
            if len(parts) > depth + 1
        ]
    return images


def _are_people(images: list[tuple[str, ...]], depth: int) -> bool:
    """Return True if the folders at a depth are people with emotions below: ``S01/happy/1.png``."""
    names = {parts[depth] for parts in images if len(parts) > depth + 1}
    below = {parts[depth + 1] for parts in images if len(parts) > depth + 2}
    known = sum(canonical_name(name) is not None for name in below)
    return bool(names) and all(map(_is_person, names)) and known > 1 and 2 * known >= len(below)


def _is_person(name: str) -> bool:
    return _CODE.fullmatch(name) is not None and _NO_PERSON.fullmatch(name) is None


def _is_wrapper(images: list[tuple[str, ...]], depth: int, above: str) -> bool:
    names = {parts[depth] for parts in images if len(parts) > depth + 1}
    if len(names) != 1 or canonical_name(name := names.pop()):
        return False
    deeper = any(len(parts) > depth + 2 for parts in images)
    return deeper and (name.lower() == above.lower() or split_of(f"train_{name}") == "train")


def _in_class(root: Path, name: str, images: list[tuple[str, ...]]) -> Iterator[ClassImage]:
    """Yield the images of one class; ``happy/train/*`` gives their splits.

    Raises:
        InputError: only some of its folders are splits.
    """
    folders = {parts[1] for parts in images if len(parts) > 2}
    splits = {folder: split for folder in folders if (split := split_of(folder))}
    others = sorted(folders - set(splits))
    if splits and (others or any(len(parts) == 2 for parts in images)):
        raise InputError(
            f"{root / name}: the folders {', '.join(sorted(splits))} are splits, but "
            f"{', '.join(others) or 'other images'} beside them are not: sort all images of a "
            "class into splits, or none"
        )
    for parts in images:
        yield ClassImage(parts, name, splits.get(parts[1]), parts[(2 if splits else 1) : -1])


def _is_dataset(name: str, images: list[tuple[str, ...]]) -> bool:
    """Return True if a folder holds splits or emotions, so that it is no emotion itself."""
    if canonical_name(name):
        return False
    for parts in images:
        for depth in (1, 2):
            # with a folder of the class below a split: bored/train/1.png is a class with splits
            if len(parts) > depth + 2 and split_of(parts[depth]):
                return True
            if len(parts) > depth + 1 and canonical_name(parts[depth]):
                return True
    return False


def _holds_folders(top: tuple[str, list[tuple[str, ...]]]) -> bool:
    """Return True if the only folder is no emotion and holds images in further folders alone."""
    name, images = top
    return canonical_name(name) is None and all(len(parts) > 2 for parts in images)


def _refuse_classes_beside(root: Path, tops: dict[str, list[tuple[str, ...]]]) -> None:
    known = sorted(name for name in tops if canonical_name(name))
    if known:
        others = sorted(name for name, images in tops.items() if _is_dataset(name, images))
        raise InputError(
            f"{root}: folders of emotions ({', '.join(known)}) stand beside folders that hold "
            f"datasets themselves ({', '.join(others)}): name one of them, or move them apart"
        )


def _source(
    root: Path, tree: Tree, images: list[ClassImage], splits: dict[str, str], left_out: str
) -> Source:
    numbers = numbers_by_file_names([image.parts[-1] for image in images[:500]])
    classes = {image.name: _class_of(image.name, numbers) for image in images}
    used = class_names(name for name in classes.values() if name)
    labels = sort_labels(used)
    if len(labels) < 2:
        raise InputError(
            f"{root}: needs a folder of images for each of at least two emotions, as in "
            f"{root.name}/train/happy/1.png or {root.name}/happy/1.png; found {len(labels)}"
        )
    person_of = find_people(images)
    listed = [
        _face(root, image, labels.index(used[name]), person_of(image))
        for image in images
        if (name := classes[image.name])
    ]
    counts = Counter(name for image in images if (name := classes[image.name]))
    by_split = Counter(face.split or "" for face in listed)
    own: dict[str, str] = {}
    for name, split in splits.items():
        own[split] = f"{own[split]}, {name}" if split in own else name
    people_found = {face.person for face in listed if face.person}
    is_fer = labels == FER2013 and all(face.order is not None for face in listed)
    note = f"{root}: {describe_splits(by_split, own)}; {describe_classes(counts, used)}"
    if people_found:
        shown = ", ".join(sorted(people_found)[:3])
        note += f"; {len(people_found)} people ({shown}, …)"
    return Source(
        kind="folders",
        files=tuple(face.content for face in listed if isinstance(face.content, Path)),
        labels=labels,
        read=lambda: iter(listed),
        label_set="fer2013" if is_fer else "own",
        count=len(listed),
        notes=(note + left_out, *note_numbers(labels), *note_classes(labels)),
    )


def _class_of(folder: str, numbers: dict[int, str | None] | None) -> str | None:
    return numbers.get(int(folder), folder) if numbers and is_number(folder) else folder


def find_people(images: list[ClassImage]) -> Callable[[ClassImage], str | None]:
    """Return a function that gives the person of an image, from its name or folder.

    Folders count where all of them look like codes (``S01``) and they come again in other classes.
    """
    if any(image.person for image in images):
        return lambda image: image.person
    some = images[:: max(1, len(images) // 500)]
    for pattern in PERSON_IN_NAME:
        if sum(pattern.fullmatch(image.parts[-1]) is not None for image in some) > 0.9 * len(some):
            return lambda image: found[1] if (found := pattern.fullmatch(image.parts[-1])) else None
    classes: dict[str, set[str]] = {}
    for image in images:
        if image.below:
            classes.setdefault(image.below[0], set()).add(image.name)
    again = any(len(names) > 1 for names in classes.values())
    if len(classes) < 2 or not again or not all(map(_is_person, classes)):
        return lambda image: None
    return lambda image: image.below[0] if image.below else None


def holds_several(source: Source, root: Path) -> bool:
    """Return True if the folders below a root are rather datasets than classes.

    That is so where no class is a known emotion and all images lie in folders of words below them.
    """
    if source.kind != "folders" or any(canonical_name(label) for label in source.labels):
        return False
    places = [path.relative_to(root).parts for path in source.files]
    if any(split_of(parts[0]) for parts in places):
        return False
    return all(len(parts) > 2 and not _CODE.fullmatch(parts[1]) for parts in places)


def _describe_rest(tree: Tree, images: int) -> str:
    """Return a note on left-out files with counts, or ''."""
    words = [f"{images:,} {'image' if images == 1 else 'images'} outside the classes"] * bool(
        images
    )
    words += [f"{'/'.join(parts)} (no images)" for parts in tree.empty[:5]]
    if len(tree.empty) > 5:
        words.append(f"{len(tree.empty) - 5} more folders without images")
    if tree.others:
        kinds = ", ".join(suffix for suffix, _ in tree.others.most_common(3))
        files = sum(tree.others.values())
        words.append(f"{files:,} other {'file' if files == 1 else 'files'} ({kinds})")
    return f"; left out: {', '.join(words)}" if words else ""


def _face(root: Path, image: ClassImage, label: int, person: str | None) -> Face:
    place = place_in_fer2013(image.parts[-1])
    return Face(
        name="/".join(image.parts),
        content=root.joinpath(*image.parts),
        label=label,
        split=place[0] if place else image.split,
        order=place[1] if place else None,
        person=person,
    )
