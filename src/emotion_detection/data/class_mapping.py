"""Choosing and renaming classes, and putting several datasets together."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emotion_detection.data.source import Face, Source, Unreadable, relabel_source
from emotion_detection.errors import InputError
from emotion_detection.labels import class_key, class_names, sort_labels


def join_paths(paths: Sequence[str]) -> str:
    """Return one text for one dataset or several, quoted as in a shell.

    >>> join_paths(["my faces"]), join_paths(["my faces", "ckplus"])
    ('my faces', "'my faces' ckplus")
    """
    return paths[0] if len(paths) == 1 else shlex.join(paths)


def split_paths(data: str) -> list[Path]:
    """Return the paths of one dataset or several; the reverse of :func:`join_paths`."""
    if not Path(data).exists():
        try:
            words = shlex.split(data, posix=os.name != "nt")
        except ValueError:
            words = []
        paths = [Path(word.strip("'\"")) for word in words]
        if len(paths) > 1 and any(path.exists() for path in paths):
            return paths
    return [Path(data)]


def choose_classes(source: Source, rename: Sequence[str], classes: Sequence[str]) -> Source:
    """Rename a source's classes, then keep some of them.

    Args:
        source: any source.
        rename: ``old=new`` each; two classes of one new name become one.
        classes: those to keep; none: all.

    Raises:
        InputError: there is no class of that name, or fewer than two are left.
    """
    if not rename and not classes:
        return source
    named = _renamed(source.labels, rename)
    used = class_names(named)
    kept = _chosen(sort_labels(used), classes)
    mapping = [kept.index(used[name]) if used[name] in kept else None for name in named]
    if len(kept) < 2:
        raise InputError(f"{', '.join(kept)}: at least two classes are needed")
    if kept == source.labels:
        return source

    def relabel(faces: Iterable[Face]) -> Iterator[Face]:
        for face in faces:
            if isinstance(face.content, Unreadable):
                yield replace(face, label=0, target=None, shares=None)
            elif (changed := _mapped(face, mapping, len(kept))) is not None:
                yield changed

    left_out = [name for name in sort_labels(used) if name not in kept]
    note = f"classes {', '.join(kept)}" + f"; left out: {', '.join(left_out)}" * bool(left_out)
    return relabel_source(
        source, relabel, labels=kept, label_set="own", count=None, notes=(*source.notes, note)
    )


def _renamed(labels: Sequence[str], rename: Sequence[str]) -> list[str]:
    names = list(labels)
    for words in rename:
        old, mark, new = (part.strip() for part in words.partition("="))
        if not (old and mark and new):
            raise InputError(f"--rename {words}: must be OLD=NEW, for example 1=surprise")
        places = [n for n, label in enumerate(labels) if class_key(label) == class_key(old)]
        if not places:
            raise InputError(f"--rename {words}: no class {old!r}; there are {', '.join(labels)}")
        for place in places:
            names[place] = new
    return names


def _chosen(labels: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    keys = {class_key(label) for label in labels}
    for name in classes:
        if class_key(name) not in keys:
            raise InputError(f"--classes {name}: no such class; there are {', '.join(labels)}")
    chosen = {class_key(name) for name in classes} or keys
    return tuple(label for label in labels if class_key(label) in chosen)


def _mapped(face: Face, mapping: Sequence[int | None], classes: int) -> Face | None:
    """Return a face with its class in the new list of classes; None: it is left out."""
    label = mapping[face.label]
    if label is None:
        return None
    matrix = np.zeros((len(mapping), classes), np.float32)
    for old, new in enumerate(mapping):
        if new is not None:
            matrix[old, new] = 1
    target = None if face.target is None else face.target @ matrix
    if target is not None:
        target = target / target.sum() if target.sum() else np.eye(classes, dtype=np.float32)[label]
    shares = None if face.shares is None else face.shares @ matrix
    return replace(face, label=label, target=target, shares=shares)


def join_sources(sources: Sequence[Source], places: Sequence[Path]) -> Source:
    """Join several datasets; each face keeps the split and the name of the dataset.

    Args:
        sources: at least two.
        places: where each lies; their last parts name them.
    """
    used = class_names(label for source in sources for label in source.labels)
    labels = sort_labels(used)
    origins = _origins(places)
    if len(set(origins)) < len(origins):
        raise InputError(f"--data {' '.join(origins)}: the same dataset twice")

    def read() -> Iterator[Face]:
        for origin, source in zip(origins, sources, strict=True):
            for face in source.read():
                yield replace(
                    face,
                    name=f"{origin}/{face.name}",
                    label=labels.index(used[source.labels[face.label]]),
                    target=None,
                    shares=None,
                    order=None,
                    person=face.person and f"{origin}/{face.person}",
                    origin=origin,
                )

    counts = [source.count for source in sources]
    return Source(
        kind=" + ".join(dict.fromkeys(source.kind for source in sources)),
        files=tuple(path for source in sources for path in source.files),
        labels=labels,
        read=read,
        label_set="own",
        count=None if None in counts else sum(count or 0 for count in counts),
        notes=(
            *(note for source in sources for note in source.notes),
            f"{len(sources)} datasets together: classes {', '.join(labels)}",
        ),
    )


def _origins(places: Sequence[Path]) -> list[str]:
    """Return names of datasets: the last parts of their paths, or the paths where these repeat."""
    names = [place.name for place in places]
    return names if len(set(names)) == len(names) else [place.as_posix() for place in places]


def find_origins(names: Sequence[str], data: str) -> list[str] | None:
    """Return which of several datasets each face comes from; None: there is one dataset.

    Args:
        names: of the faces, as :func:`join_sources` makes them.
        data: the paths of the datasets, as in ``--data``.
    """
    places = split_paths(data)
    if len(places) < 2:
        return None
    origins = sorted(_origins(places), key=len, reverse=True)
    return [next((o for o in origins if name.startswith(f"{o}/")), "") for name in names]
