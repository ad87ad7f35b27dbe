"""Decode a source's faces once, to arrays on disk that later runs map into memory.

The cache has a folder for the decoded faces of each source and size (:mod:`.pixel_store`). Below
``labels`` in it, there is a folder for each label set, split and choice of classes, with the splits
and labels of these faces. Both are named by keys over the paths, sizes and times of the source
files and the options. A folder is written under a temporary name, flushed, and renamed when it is
complete, so a killed run leaves no incomplete folder. A content hash over pixels and labels is
stored with the labels.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig, data_config_fields
from emotion_detection.data.cache_folder import (
    LABELS,
    find_cache_folder,
    hold,
    make_room,
    remove_replaced,
    remove_stale,
)
from emotion_detection.data.dataset import SPLITS, Dataset, UnreadableImage
from emotion_detection.data.dataset_splits import SplitFaces, split_faces
from emotion_detection.data.pixel_store import Decoder, read_faces
from emotion_detection.data.source import Decoded, Face, Source, Unreadable
from emotion_detection.data.stored_arrays import (
    Numbers,
    Pixels,
    StoredRows,
    damage_error,
    digest_rows,
    open_pixels,
    take_rows,
    write_json,
)
from emotion_detection.errors import InputError
from emotion_detection.io.plain_values import read_json

FORMAT = 4
"""Version of the format; increased when the arrays' layout, the decoding or the sampling of splits
changes, so that old caches are not used."""


def open_cached(source: Source, config: DataConfig) -> Dataset:
    """Return a source's faces as arrays, decoding them unless they are cached.

    Raises:
        InputError: too many images are unreadable, or the folder cannot be written.
    """
    base = source.base or source
    store = find_cache_folder(config.cache) / _store_key(base, config)
    folder = store / LABELS / _key(source, config)
    if not _is_complete(store):
        _build_store(source, config, store, folder.name)
        make_room(store, config.cache_limit)
    held = _HeldLock()
    hold(store, held)
    if not _is_complete(store):  # another process has just made room
        return open_cached(source, config)
    if not _is_complete(folder):
        _build_labels(source, config, store, folder)
        remove_replaced(folder)
    dataset = _open(source, config, store, folder)
    hold(store, dataset)
    hold(folder, dataset)
    if not _is_complete(folder):  # as above
        return open_cached(source, config)
    return dataset


class _HeldLock:
    """Token that marks a store as used for the lifetime of the object."""


def _is_complete(folder: Path) -> bool:
    return (folder / "meta.json").exists()


def _open(source: Source, config: DataConfig, store: Path, folder: Path) -> Dataset:
    try:
        meta = read_json(folder / "meta.json")
        corrupt = tuple(
            UnreadableImage(str(entry["name"]), str(entry["reason"])) for entry in meta["corrupt"]
        )
        sizes, content = {name: int(meta["sizes"][name]) for name in SPLITS}, str(meta["hash"])
        drawn, too_few, notes = bool(meta["drawn"]), tuple(meta["too_few"]), list(meta["notes"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damage_error(folder / "meta.json", error) from None
    _check_corrupt(corrupt, sum(sizes.values()), config)
    for note in notes:
        print(f"note: {config.data}: {note}", file=sys.stderr)
    return Dataset(
        source=config.data,
        kind=source.kind,
        label_set=source.label_set,
        labels=source.labels,
        folder=folder,
        pixels=store,
        hash=content,
        sizes=sizes,
        corrupt=corrupt,
        drawn=drawn,
        too_few=too_few,
    )


def _options(config: DataConfig) -> dict[str, Any]:
    # only the data settings of a training's config, so that all trainings share one cache
    options = data_config_fields(dataclasses.asdict(config))
    for name in ("data", "cache", "cache_limit", "max_corrupt"):
        del options[name]
    if options["labels"] == "original":  # the same labels under an earlier name
        options["labels"] = "fer2013"
    return options


def _store_options(config: DataConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in ("size", "channels", "crop")}


def _describe_place(source: Source, config: DataConfig, options: dict[str, Any]) -> str:
    """Return the source and the settings, independent of the files' content."""
    place = os.path.abspath(config.data) if source.files else config.data
    return json.dumps([place, source.kind, options], sort_keys=True)


def _store_key(base: Source, config: DataConfig) -> str:
    return _digest([FORMAT, base.kind, base.labels, _store_options(config)], base.files)


def _key(source: Source, config: DataConfig) -> str:
    return _digest([FORMAT, source.kind, source.labels, _options(config)], source.files)


def _digest(values: list[Any], files: Iterable[Path]) -> str:
    key = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in files:
        try:
            status = path.stat()
            entry = f"{os.path.abspath(path)}|{status.st_size}|{status.st_mtime_ns}\n"
        except (OSError, ValueError):  # no path at all, as with a null byte
            entry = f"{path}|missing\n"
        key.update(entry.encode("utf-8", "surrogateescape"))
    return key.hexdigest()[:24]


@contextlib.contextmanager
def _write_locked(folder: Path, cache: Path) -> Iterator[Path]:
    """Write a folder atomically: yield a temporary one, which is renamed after a flush.

    If another process was first, its folder is kept.
    """
    working = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(8)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        working.mkdir()
        yield working
        _flush(working)
        try:
            working.rename(folder)
        except OSError:
            if not _is_complete(folder):  # remains of an interrupted deletion
                shutil.rmtree(folder, ignore_errors=True)
                working.rename(folder)
    except OSError as error:
        raise InputError(
            f"{cache}: the decoded faces cannot be kept there: {error.strerror or error}; "
            "free space there or choose another folder with --cache"
        ) from None
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:  # Windows can only flush files that are open for writing
                os.fsync(file.fileno())


@dataclass
class _LabelledRows:
    """The faces of a label set, without their pixels, and the images that cannot be read."""

    faces: list[Face] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    corrupt: list[UnreadableImage] = field(default_factory=list)


def _build_store(source: Source, config: DataConfig, store: Path, name: str) -> None:
    """Decode the faces, and keep them with the first label set."""
    base, cache = source.base or source, store.parent
    with _write_locked(store, cache) as working:
        remove_stale(cache)
        decoder = Decoder(base, config, working)
        with contextlib.closing(decoder.decode_faces()) as faces:
            labelled = _collect(source.relabel(faces), config)
            for _ in faces:  # the label set may have stopped early
                pass
        pixels = decoder.pixels()
        splits = _assign(source, config, labelled, pixels, cache)
        order = _lay_out(splits, len(pixels.images))
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        labels = working / LABELS / name
        labels.mkdir(parents=True)
        meta = _write_labels(labels, source, labelled, splits, pixels, places)
        _write_meta(labels, meta, source, config)
        decoder.write_store(working, pixels, order)
        place = _describe_place(base, config, _store_options(config))
        write_json(working / "meta.json", {"place": place, "kind": base.kind})


def _build_labels(source: Source, config: DataConfig, store: Path, folder: Path) -> None:
    """Create a label set of decoded faces."""
    base = source.base or source
    labelled = _collect(source.relabel(read_faces(store, len(base.labels))), config)
    pixels = open_pixels(store)
    if labelled.rows and max(labelled.rows) >= len(pixels.images):
        raise damage_error(store / "faces.json", "a row beyond the pixels")
    with _write_locked(folder, store.parent) as working:
        remove_stale(store / LABELS)
        splits = _assign(source, config, labelled, pixels, store.parent)
        places = np.arange(len(pixels.images))
        meta = _write_labels(working, source, labelled, splits, pixels, places)
        _write_meta(working, meta, source, config)


def _collect(faces: Iterable[Face], config: DataConfig) -> _LabelledRows:
    """Iterate over the faces of a label set.

    Raises:
        InputError: no face can be read, or too many cannot.
    """
    found = _LabelledRows()
    for face in faces:
        content = face.content
        if isinstance(content, Decoded) and content.row >= 0:
            found.faces.append(face)
            found.rows.append(content.row)
        elif isinstance(content, Decoded | Unreadable):
            found.corrupt.append(UnreadableImage(face.name, content.reason))
    _check_corrupt(found.corrupt, len(found.faces), config)
    if not found.faces:
        raise InputError(f"{config.data}: there are no faces in it")
    return found


@dataclass(frozen=True)
class _Splits:
    """Return the faces of each split in order, as positions in the label set."""

    places: dict[str, Numbers]
    rows: dict[str, Numbers]
    assigned: SplitFaces


def _assign(
    source: Source, config: DataConfig, labelled: _LabelledRows, pixels: Pixels, cache: Path
) -> _Splits:
    rows = np.array(labelled.rows, np.int64)
    prints = take_rows(pixels.digests, rows), take_rows(pixels.thumbnails, rows)
    reference = StoredRows(pixels.grey, rows)
    assigned = split_faces(labelled.faces, *prints, reference, source.labels, config, cache)
    places = {}
    for number, name in enumerate(SPLITS):
        own = np.flatnonzero(assigned.splits == number)
        # faces of FER-2013 are sorted by number, whatever the format of the data
        order = [-1 if (k := labelled.faces[place].order) is None else k for place in own]
        places[name] = own[np.argsort(np.array(order, np.int64), kind="stable")]
    return _Splits(places, {name: rows[own] for name, own in places.items()}, assigned)


def _lay_out(splits: _Splits, count: int) -> Numbers:
    """Return the rows of decoded faces split by split, with unused ones last."""
    used = np.concatenate(list(splits.rows.values()))
    rest = np.setdiff1d(np.arange(count), used)
    return np.concatenate([used, rest])


def _write_labels(
    folder: Path,
    source: Source,
    labelled: _LabelledRows,
    splits: _Splits,
    pixels: Pixels,
    places: Numbers,
) -> dict[str, object]:
    """Write the arrays of a label set, and return the record.

    Args:
        folder: folder to write to.
        source: source of the class names.
        labelled: the faces.
        splits: the faces of each split.
        pixels: pixels of all faces of the store.
        places: int64 (M,), final position of each row of ``pixels`` in the store.
    """
    content = hashlib.sha256(json.dumps(source.labels).encode())
    for name, rows in splits.rows.items():
        content.update(f"{name} {len(rows)}".encode())
        digest_rows(pixels.images, rows, content)
        (folder / name).mkdir()
        np.save(folder / name / "rows.npy", places[rows])
        faces = [labelled.faces[place] for place in splits.places[name]]
        for key, array in _label_arrays(faces, len(source.labels)).items():
            np.save(folder / name / f"{key}.npy", array)
            content.update(key.encode() + array.tobytes())
    return {
        "hash": content.hexdigest(),
        "drawn": splits.assigned.drawn,
        "too_few": splits.assigned.too_few,
        "notes": splits.assigned.notes,
        "sizes": {name: len(rows) for name, rows in splits.rows.items()},
        "corrupt": [dataclasses.asdict(entry) for entry in labelled.corrupt],
    }


def _write_meta(folder: Path, meta: dict[str, object], source: Source, config: DataConfig) -> None:
    place = _describe_place(source, config, _options(config))
    own = {"labels": list(source.labels), "kind": source.kind, "place": place}
    write_json(folder / "meta.json", {**meta, **own})


def _label_arrays(faces: Sequence[Face], classes: int) -> dict[str, npt.NDArray[np.generic]]:
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "labels": np.array([face.label for face in faces], np.int64)
    }
    if any(face.target is not None for face in faces):
        one_hot = np.eye(classes, dtype=np.float32)
        arrays["targets"] = np.stack(
            [one_hot[f.label] if f.target is None else f.target for f in faces]
        )
    if any(face.intensity is not None for face in faces):
        arrays["intensity"] = np.array(
            [np.nan if f.intensity is None else f.intensity for f in faces], np.float32
        )
    if any(face.shares is not None for face in faces):
        unknown = np.full(classes, np.nan, np.float32)
        arrays["shares"] = np.stack([unknown if f.shares is None else f.shares for f in faces])
    return arrays


def _check_corrupt(corrupt: Sequence[UnreadableImage], good: int, config: DataConfig) -> None:
    if len(corrupt) > config.max_corrupt * (good + len(corrupt)):
        first = corrupt[0]
        raise InputError(
            f"{config.data}: {len(corrupt)} of {good + len(corrupt)} images cannot be read, more "
            f"than {config.max_corrupt:.1%} (--max_corrupt); "
            f"the first: {first.name}: {first.reason}"
        )
