"""Folders of pictures: ``train/<emotion>/*``, ``test/<emotion>/*``, or ``<emotion>/*`` alone.

Format: JPEG, PNG or WebP of any size and colour; each class is a folder, pictures may lie deeper
in it. Classes: the folders' names; when all are known emotions they take this project's names and
order. Split: the folders ``train``, ``val``/``validation`` and ``test`` (each optional); FER-2013's
file name prefixes (``Training_``, ``PublicTest_``, ``PrivateTest_``) decide where they stand; what
is missing is split off (:mod:`.splitting`). Licence and citation: those of your pictures.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from emotion_detection.data.source import SPLIT_NAMES, Face, Source, fer2013_place
from emotion_detection.emotions import FER2013, canonical, class_names, ordered
from emotion_detection.errors import InputError
from emotion_detection.image_kinds import HEIF_SUFFIXES, OTHER_SUFFIXES, SUFFIXES


def folder_classes(root: Path) -> list[tuple[str | None, str, Path]]:
    """Find (split, class name, folder) below a folder; empty when it holds no such thing."""
    tops = [entry for entry in sorted(root.iterdir()) if _visible_folder(entry)]
    splits = [entry for entry in tops if entry.name.lower() in SPLIT_NAMES]
    if splits:
        return [
            (SPLIT_NAMES[top.name.lower()], entry.name, entry)
            for top in splits
            for entry in sorted(top.iterdir())
            if _visible_folder(entry)
        ]
    found = [(None, entry.name, entry) for entry in tops if not _is_dataset(entry)]
    return [item for item in found if next(_pictures(item[2]), None) is not None]


def folders(root: Path) -> Source:
    """Recognise a folder of pictures.

    Raises:
        InputError: there are fewer than two classes in it.
    """
    found = folder_classes(root)
    used = class_names(name for _, name, _ in found)
    labels = ordered(used)
    if len(labels) < 2:
        raise InputError(
            f"{root}: needs a folder of pictures for each of at least two emotions, as in "
            f"{root.name}/train/happy/1.png or {root.name}/happy/1.png; found {len(labels)}"
        )
    listed = [
        _face(root, split, labels.index(used[name]), path)
        for split, name, folder in found
        for path in _pictures(folder)
    ]
    is_fer = bool(listed) and labels == FER2013 and all(face.order is not None for face in listed)

    def read() -> Iterator[Face]:
        yield from listed

    return Source(
        kind="folders",
        files=tuple(face.content for face in listed if isinstance(face.content, Path)),
        labels=labels,
        read=read,
        label_set="fer2013" if is_fer else "own",
        count=len(listed),
    )


def _visible_folder(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith((".", "__"))


def _is_dataset(folder: Path) -> bool:
    """Say whether a folder holds splits or emotions, so that it is no emotion itself."""
    return any(
        _visible_folder(entry) and (entry.name.lower() in SPLIT_NAMES or canonical(entry.name))
        for entry in folder.iterdir()
    )


def _pictures(folder: Path) -> Iterator[Path]:
    # followlinks stays off: a link to a parent folder would never end
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(
                SUFFIXES + HEIF_SUFFIXES + OTHER_SUFFIXES
            ):
                yield Path(here, name)


def _face(root: Path, split: str | None, label: int, path: Path) -> Face:
    place = fer2013_place(path.name)
    return Face(
        name=path.relative_to(root).as_posix(),
        content=path,
        label=label,
        split=place[0] if place else split,
        order=place[1] if place else None,
    )
