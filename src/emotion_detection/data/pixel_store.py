"""Store decoded faces on disk, for all label sets, splits and choices of classes.

A store is a folder of the cache: ``images.npy`` and fingerprints, ``names.json``, and
``faces.json`` with the data's facts on each face, in the reader's order. Label sets are created
from it without decoding images again.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.config import DataConfig
from emotion_detection.data import duplicates
from emotion_detection.data.fer2013_faces import SIDE, shorten_digest
from emotion_detection.data.fingerprints import SIZE
from emotion_detection.data.source import Content, Decoded, Face, Source, Unreadable
from emotion_detection.data.stored_arrays import (
    Bytes,
    Numbers,
    Pixels,
    damage_error,
    open_array,
    read_optional,
    write_json,
    write_rows,
)
from emotion_detection.data.whole_images import find_crop
from emotion_detection.errors import InputError
from emotion_detection.images.opening import (
    DATASET_FORMATS,
    ImageError,
    crop_to_square,
    open_image,
)
from emotion_detection.io.plain_values import read_json
from emotion_detection.io.progress import show_progress

_BATCH = 512
_COLUMNS = ("label", "split", "order", "intensity", "person", "origin")
_MATRICES = ("target", "shares")
_DIGEST = 8
"""Bytes of the digest that identifies a face of FER-2013."""

_Stored = tuple[Face, Decoded | Unreadable]


def decode(content: Content) -> Image.Image:
    """Decode an image of a dataset: mode "L" or "RGB".

    Raises:
        ImageError: it cannot be read.
    """
    if isinstance(content, Unreadable | Decoded):
        raise ImageError(content.reason)
    if not isinstance(content, np.ndarray):
        return open_image(content, DATASET_FORMATS)
    if not content.size:
        raise ImageError("the pixels are not a square of grey levels from 0 to 255")
    return Image.fromarray(content)


class Decoder:
    """Decode the faces of a source once, into files of a working folder.

    Args:
        source: the source with the labels that its data brings.
        config: size, channels, and whether faces are cut out.
        working: an empty folder.
    """

    def __init__(self, source: Source, config: DataConfig, working: Path) -> None:
        self._source, self._config = source, config
        self._raw, self._reference_raw = working / "raw", working / "reference"
        self._apart = (config.size, config.channels) != (SIZE, 1)
        self._faces: list[_Stored] = []
        self._batch: list[tuple[Bytes, Bytes]] = []
        self._digests: list[Bytes] = []
        self._thumbnails: list[npt.NDArray[np.float32]] = []
        self._count = 0

    def decode_faces(self) -> Generator[Face]:
        """Yield the faces in the reader's order, each once it is decoded."""
        with ExitStack() as files:
            outs = [files.enter_context(self._raw.open("wb"))]
            outs += [files.enter_context(self._reference_raw.open("wb"))] if self._apart else []
            faces = self._source.read()
            for face in show_progress(faces, f"reading {self._source.kind}", self._source.count):
                given = face.content
                content = given if isinstance(given, Unreadable) else self._decode(given)
                face = replace(face, content=content)
                self._faces.append((face, content))
                yield face
                if len(self._batch) == _BATCH:
                    self._flush(outs)
            self._flush(outs)

    def _decode(self, content: Content) -> Decoded:
        digest = b""
        try:
            image = decode(content)
            if image.size == (SIDE, SIDE) and getattr(content, "ndim", 2) == 2:
                digest = shorten_digest(np.asarray(image.convert("L")))
            self._batch.append(self._inputs(image))
        except ImageError as error:
            return Decoded(-1, digest, str(error))
        self._count += 1
        return Decoded(self._count - 1, digest)

    def _inputs(self, image: Image.Image) -> tuple[Bytes, Bytes]:
        """Return a face as the network's input, and at the size of fingerprints."""
        size, channels = self._config.size, self._config.channels
        if self._config.crop == "faces":
            rgb = np.asarray(image.convert("RGB"))
            pixels, _ = find_crop(rgb, size, channels)
            return pixels, find_crop(rgb, SIZE, 1)[0] if self._apart else pixels
        pixels = crop_to_square(image, size, channels)
        return pixels, crop_to_square(image, SIZE, 1) if self._apart else pixels

    def _flush(self, outs: Sequence[BinaryIO]) -> None:
        if not self._batch:
            return
        images, references = (np.stack(arrays) for arrays in zip(*self._batch, strict=True))
        for out, array in zip(outs, (images, references), strict=False):
            out.write(array.tobytes())
        self._digests.extend(map(duplicates.digest_faces, references))
        self._thumbnails.extend(duplicates.make_thumbnails(references))
        self._batch.clear()

    def pixels(self) -> Pixels:
        """Memory-map the decoded faces (at least one), in the reader's order."""
        config, count = self._config, self._count
        shape = (count, config.channels, config.size, config.size)
        reference = None
        if self._apart:
            reference = np.memmap(self._reference_raw, np.uint8, "r", shape=(count, SIZE, SIZE))
        images = np.memmap(self._raw, np.uint8, "r", shape=shape)
        return Pixels(images, np.stack(self._digests), np.stack(self._thumbnails), reference)

    def write_store(self, folder: Path, pixels: Pixels, order: Numbers) -> None:
        """Write the store, and remove the working files.

        Args:
            folder: where to.
            pixels: of :meth:`pixels`.
            order: int64 (M,), the decoded faces in the order in which they are to lie.
        """
        write_rows(folder / "images.npy", pixels.images, order)
        if pixels.reference is not None:
            write_rows(folder / "reference.npy", pixels.reference, order)
        np.save(folder / "digests.npy", pixels.digests[order])
        np.save(folder / "thumbnails.npy", pixels.thumbnails[order])
        names = {_row_of(content): face.name for face, content in self._faces}
        write_json(folder / "names.json", [names[row] for row in order.tolist()])
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        _write_faces(folder, self._faces, places)
        self._raw.unlink()
        self._reference_raw.unlink(missing_ok=True)


def _row_of(content: Decoded | Unreadable) -> int:
    return content.row if isinstance(content, Decoded) else -1


def _write_faces(folder: Path, stored: Sequence[_Stored], places: Numbers) -> None:
    """Write the data's facts on the faces, in the reader's order."""
    faces = [face for face, _ in stored]
    found = [_row_of(content) for _, content in stored]
    rows = [int(places[row]) if row >= 0 else -1 for row in found]
    table: dict[str, Any] = {"row": rows}
    for name in _COLUMNS:
        values = [getattr(face, name) for face in faces]
        if any(value is not None for value in values):
            table[name] = values
    # of the others the store has no row to keep their names at
    table["left_out"] = {
        str(place): [face.name, content.reason, isinstance(content, Unreadable)]
        for place, (face, content) in enumerate(stored)
        if rows[place] < 0
    }
    write_json(folder / "faces.json", table)
    digests = [content.digest if isinstance(content, Decoded) else b"" for _, content in stored]
    own = b"".join(digest.ljust(_DIGEST, b"\0") for digest in digests)
    np.save(folder / "own_digests.npy", np.frombuffer(own, np.uint8).reshape(-1, _DIGEST))
    for name in _MATRICES:
        given = [getattr(face, name) for face in faces]
        if (first := next((row for row in given if row is not None), None)) is not None:
            unknown = np.full_like(first, np.nan)
            np.save(folder / f"{name}.npy", np.stack([unknown if r is None else r for r in given]))


def read_faces(folder: Path, classes: int) -> Iterator[Face]:
    """Yield the faces of a store in the reader's order, with the labels of their own data.

    Args:
        folder: the store.
        classes: number of these labels' classes.

    Raises:
        InputError: the store is damaged.
    """
    path = folder / "faces.json"
    try:
        yield from _read_faces(folder, read_json(path), read_json(folder / "names.json"), classes)
    except InputError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damage_error(path, error) from None


def _read_faces(folder: Path, table: Any, names: Any, classes: int) -> Iterator[Face]:
    digests = open_array(folder / "own_digests.npy", "uint8", 2)
    matrices = {name: read_optional(folder / f"{name}.npy", 2) for name in _MATRICES}
    columns = {name: table[name] for name in _COLUMNS if name in table}
    rows, left_out = table["row"], table["left_out"]
    if {len(column) for column in (*columns.values(), digests)} != {len(rows)}:
        raise ValueError("columns of different lengths")
    if not all(0 <= label < classes for label in columns["label"]):
        raise ValueError("a label beyond the classes")
    for place, row in enumerate(rows):
        own = digests[place].tobytes() if digests[place].any() else b""
        content: Content = Decoded(row, own)
        if row < 0:
            name, reason, unreadable = left_out[str(place)]
            content = Unreadable(reason) if unreadable else Decoded(-1, own, reason)
        else:
            name = names[row]
        values = {key: column[place] for key, column in columns.items()}
        for key, matrix in matrices.items():
            if matrix is not None and not np.isnan(matrix[place]).all():
                values[key] = matrix[place]
        yield Face(name, content, **values)
