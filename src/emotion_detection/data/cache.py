"""Decoding, once: a source's faces become arrays on disk that later starts map into memory.

The folder of a dataset is named by a key over the paths, sizes and times of its files and the
options that shape the arrays. It is written under another name, flushed, and renamed when whole:
a killed start leaves nothing that looks finished. A content hash is stored as it is built.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from emotion_detection.config import DataConfig, data_fields
from emotion_detection.data import duplicates
from emotion_detection.data.cache_folder import cache_folder, hold, make_room, remove_stale
from emotion_detection.data.faces import SPLITS, Corrupt, Dataset, damaged
from emotion_detection.data.fingerprints import SIZE
from emotion_detection.data.photographs import find_crop
from emotion_detection.data.source import Content, Face, Source, Unreadable
from emotion_detection.data.split_faces import split_faces
from emotion_detection.errors import InputError
from emotion_detection.images import PictureError, face_array, read_face
from emotion_detection.plain_values import read_json
from emotion_detection.progress import progress

FORMAT = 3
"""Raised when the arrays' layout, the decoding or the drawing of splits changes, so that old
caches are not used."""

_COPY_ROWS = 4096
_BATCH = 512


def cached(source: Source, config: DataConfig) -> Dataset:
    """Return a source's faces as arrays, decoding them if that was not done before.

    Raises:
        InputError: too many pictures are unreadable, or the folder cannot be written.
    """
    folder = cache_folder(config.cache) / _key(source, config)
    if not (folder / "meta.json").exists():
        _build(source, config, folder)
        make_room(folder, config.cache_limit)
    try:
        meta = read_json(folder / "meta.json")
        corrupt = tuple(
            Corrupt(str(entry["name"]), str(entry["reason"])) for entry in meta["corrupt"]
        )
        sizes, content = {name: int(meta["sizes"][name]) for name in SPLITS}, str(meta["hash"])
        drawn, too_few, notes = bool(meta["drawn"]), tuple(meta["too_few"]), list(meta["notes"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(folder / "meta.json", error) from None
    _check_corrupt(corrupt, sum(sizes.values()), config)
    for note in notes:
        print(f"note: {config.data}: {note}", file=sys.stderr)
    dataset = Dataset(
        source=config.data,
        kind=source.kind,
        label_set=source.label_set,
        labels=source.labels,
        folder=folder,
        hash=content,
        sizes=sizes,
        corrupt=corrupt,
        drawn=drawn,
        too_few=too_few,
    )
    hold(folder, dataset)
    if not (folder / "meta.json").exists():  # another process has just made room
        return cached(source, config)
    return dataset


def _options(config: DataConfig) -> dict[str, Any]:
    # of a training's config only what says how faces are read: one cache for all trainings
    options = data_fields(dataclasses.asdict(config))
    for name in ("data", "cache", "cache_limit", "max_corrupt"):
        del options[name]
    for name in ("classes", "rename", "crop"):
        if options[name] in ([], "none"):  # the same key as before there were these options
            del options[name]
    if options["labels"] == "original":  # likewise
        options["labels"] = "fer2013"
    return options


def _place(source: Source, config: DataConfig) -> str:
    """Return what a dataset was read from, and how, whatever its files held."""
    place = os.path.abspath(config.data) if source.files else config.data
    return json.dumps([place, source.kind, _options(config)], sort_keys=True)


def _key(source: Source, config: DataConfig) -> str:
    options = _options(config)
    key = hashlib.sha256()
    key.update(json.dumps([FORMAT, source.kind, source.labels, options], sort_keys=True).encode())
    for path in source.files:
        try:
            status = path.stat()
            entry = f"{os.path.abspath(path)}|{status.st_size}|{status.st_mtime_ns}\n"
        except (OSError, ValueError):  # no path at all, as with a null byte
            entry = f"{path}|missing\n"
        key.update(entry.encode("utf-8", "surrogateescape"))
    return key.hexdigest()[:24]


def _build(source: Source, config: DataConfig, folder: Path) -> None:
    working = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(8)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(folder.parent)
        working.mkdir()
        meta = _write(source, config, working)
        _write_json(working / "meta.json", meta)
        _flush(working)
        try:
            working.rename(folder)
        except OSError:
            if not (folder / "meta.json").exists():  # else another process was first: the same
                shutil.rmtree(folder, ignore_errors=True)  # what an interrupted deletion left
                working.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder.parent}: the decoded faces cannot be kept there: {error.strerror or error}; "
            "free space there or choose another folder with --cache"
        ) from None
    finally:
        shutil.rmtree(working, ignore_errors=True)


@dataclasses.dataclass
class _Read:
    """What is kept in memory of each face while the pixels go to disk."""

    faces: list[Face] = dataclasses.field(default_factory=list)
    digests: list[npt.NDArray[np.uint8]] = dataclasses.field(default_factory=list)
    thumbnails: list[npt.NDArray[np.float32]] = dataclasses.field(default_factory=list)
    corrupt: list[Corrupt] = dataclasses.field(default_factory=list)


def _write(source: Source, config: DataConfig, working: Path) -> dict[str, object]:
    shape = (config.channels, config.size, config.size)
    raw, reference_raw = working / "raw", working / "reference"
    read = _decode(source, config, raw, reference_raw)
    _check_corrupt(tuple(read.corrupt), len(read.faces), config)
    if not read.faces:
        raise InputError(f"{config.data}: there are no faces in it")
    count = len(read.faces)
    pixels = np.memmap(raw, np.uint8, "r", shape=(count, *shape))
    reference = None
    if reference_raw.exists():
        reference = np.memmap(reference_raw, np.uint8, "r", shape=(count, SIZE, SIZE))
    images = pixels[:, 0] if reference is None else reference
    prints = np.stack(read.digests), np.stack(read.thumbnails), images
    assigned = split_faces(read.faces, *prints, source.labels, config, working.parent)
    splits = assigned.splits
    content = hashlib.sha256(json.dumps(source.labels).encode())
    sizes = {}
    for number, name in enumerate(SPLITS):
        rows = np.flatnonzero(splits == number)
        # FER-2013's own numbers are the order, whatever shape the data came in
        order = [-1 if (k := read.faces[row].order) is None else k for row in rows]
        rows = rows[np.argsort(np.array(order, np.int64), kind="stable")]
        sizes[name] = len(rows)
        content.update(f"{name} {len(rows)}".encode())
        _write_split(working / name, pixels, rows, read, len(source.labels), content)
        if reference is not None and len(rows):
            _write_rows(working / name / "reference.npy", reference, rows)
    del pixels, reference, images, prints
    raw.unlink()
    reference_raw.unlink(missing_ok=True)
    return {
        "hash": content.hexdigest(),
        "drawn": assigned.drawn,
        "too_few": assigned.too_few,
        "notes": assigned.notes,
        "sizes": sizes,
        "labels": list(source.labels),
        "kind": source.kind,
        "place": _place(source, config),
        "corrupt": [dataclasses.asdict(entry) for entry in read.corrupt],
    }


def _decode(source: Source, config: DataConfig, raw: Path, reference_raw: Path) -> _Read:
    """Write all pixels, and where they are not what fingerprints are taken from, those too."""
    read = _Read()
    batch: list[npt.NDArray[np.uint8]] = []
    references: list[npt.NDArray[np.uint8]] = []
    apart = (config.size, config.channels) != (SIZE, 1)
    with contextlib.ExitStack() as files:
        outs = [files.enter_context(raw.open("wb"))]
        outs += [files.enter_context(reference_raw.open("wb"))] if apart else []
        faces: Iterator[Face] = source.read()
        for face in progress(faces, f"reading {source.kind}", source.count):
            try:
                if config.crop == "faces":
                    pixels, _ = find_crop(face.content, config.size, config.channels)
                    cut, _ = find_crop(face.content, SIZE, 1) if apart else (pixels, None)
                    reference = cut
                else:
                    pixels = _pixels(face.content, config.size, config.channels)
                    reference = _pixels(face.content, SIZE, 1) if apart else pixels
            except PictureError as error:
                read.corrupt.append(Corrupt(face.name, str(error)))
                continue
            read.faces.append(dataclasses.replace(face, content=b""))
            batch.append(pixels)
            references.append(reference)
            if len(batch) == _BATCH:
                _keep(batch, references, outs, read)
        _keep(batch, references, outs, read)
    return read


def _keep(
    batch: list[npt.NDArray[np.uint8]],
    references: list[npt.NDArray[np.uint8]],
    outs: Sequence[BinaryIO],
    read: _Read,
) -> None:
    if not batch:
        return
    reference = np.stack(references)
    for out, images in zip(outs, (np.stack(batch), reference), strict=False):
        out.write(images.tobytes())
    read.digests.extend(map(duplicates.digest, reference))
    read.thumbnails.extend(duplicates.thumbnails(reference))
    batch.clear()
    references.clear()


def _pixels(content: Content, size: int, channels: int) -> npt.NDArray[np.uint8]:
    if isinstance(content, Unreadable):
        raise PictureError(content.reason)
    if not isinstance(content, np.ndarray):
        return read_face(content, size, channels)
    if not content.size:
        raise PictureError("the pixels are not a square of grey levels from 0 to 255")
    if content.shape == (size, size) and channels == 1:
        return content[np.newaxis]
    from PIL import Image

    return face_array(Image.fromarray(content), size, channels)


def _write_split(
    folder: Path,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    read: _Read,
    classes: int,
    content: "hashlib._Hash",
) -> None:
    folder.mkdir()
    faces = [read.faces[row] for row in rows]
    if faces:
        _write_rows(folder / "images.npy", pixels, rows, content)
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
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        content.update(name.encode() + array.tobytes())
    if faces:
        np.save(folder / "digests.npy", np.stack([read.digests[row] for row in rows]))
        np.save(folder / "thumbnails.npy", np.stack([read.thumbnails[row] for row in rows]))
    _write_json(folder / "names.json", [face.name for face in faces])


def _write_rows(
    path: Path,
    pixels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    content: "hashlib._Hash | None" = None,
) -> None:
    # not through a memory map: on a full disk that kills the process instead of failing
    with path.open("wb") as out:
        shape = (len(rows), *pixels.shape[1:])
        np.lib.format.write_array_header_1_0(
            out, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        for start in range(0, len(rows), _COPY_ROWS):
            part = pixels[rows[start : start + _COPY_ROWS]].tobytes()
            out.write(part)
            if content is not None:
                content.update(part)


def _write_json(path: Path, value: object) -> None:
    # a file name that is no UTF-8 must not stop a whole dataset
    path.write_text(json.dumps(value), encoding="utf-8")


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:  # Windows flushes only what it may write
                os.fsync(file.fileno())


def _check_corrupt(corrupt: tuple[Corrupt, ...], good: int, config: DataConfig) -> None:
    if len(corrupt) > config.max_corrupt * (good + len(corrupt)):
        first = corrupt[0]
        raise InputError(
            f"{config.data}: {len(corrupt)} of {good + len(corrupt)} pictures cannot be read, more "
            f"than {config.max_corrupt:.1%} (--max_corrupt); "
            f"the first: {first.name}: {first.reason}"
        )
