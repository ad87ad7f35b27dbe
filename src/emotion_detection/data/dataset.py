"""Memory-mapped arrays of faces, by split."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.config import ALL, TESTED_SPLITS
from emotion_detection.config import SPLITS as SPLITS
from emotion_detection.data.fingerprints import Fingerprints, take_fingerprints
from emotion_detection.data.stored_arrays import (
    StoredRows,
    damage_error,
    open_array,
    open_pixels,
    read_optional,
    take_rows,
)
from emotion_detection.errors import InputError
from emotion_detection.io.plain_values import read_json


@dataclass(frozen=True)
class Faces:
    """The faces of one split.

    Args:
        stored: uint8 (M, C, H, W), memory-mapped: the source's pixels in the cache.
        labels: int64 (N,), index into the dataset's class names; -1 where unknown, which only
            :func:`join_splits` makes.
        targets: float32 (N, classes), rows sum to 1, or None for plain labels.
        intensity: float32 (N,), 0 to 1, NaN where unknown, or None.
        digests: uint8 (N, 16), BLAKE2 of each face's pixels at 48 x 48 in grey: equal means the
            same image, whatever input it is read for.
        thumbnails: float32 (N, 64), of the same pixels, for near-duplicates (:mod:`.duplicates`).
        folder: folder of the pixels.
        shares: float32 (N, classes), fraction of all raters who chose each class, or None.
        also: labels of further label sets for the same faces, each int64 (N,).
        rows: int64 (N,), rows of these faces in ``stored``; None: all, in order.
        reference: uint8 (M, 48, 48), memory-mapped: the stored faces at the size of digests and
            thumbnails; None if ``stored`` has this size.
    """

    stored: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32] | None
    intensity: npt.NDArray[np.float32] | None
    digests: npt.NDArray[np.uint8]
    thumbnails: npt.NDArray[np.float32]
    folder: Path
    shares: npt.NDArray[np.float32] | None = None
    also: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    rows: npt.NDArray[np.int64] | None = None
    reference: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """Pixels, uint8 (N, C, H, W): a memory map, or a copy if rows are not contiguous."""
        return self.stored if self.rows is None else take_rows(self.stored, self.rows)

    @property
    def pixels(self) -> StoredRows:
        """The same, read only when some of them are asked for."""
        return StoredRows(self.stored, self.rows)

    def draw(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return the pixels of some faces as a new array: uint8 (places, C, H, W)."""
        return self.stored[places if self.rows is None else self.rows[places]]

    @property
    def reference_images(self) -> npt.NDArray[np.uint8]:
        """Pixels at the fixed size of fingerprints, uint8 (N, 48, 48), grey, as :attr:`images`."""
        pixels = self.stored[:, 0] if self.reference is None else self.reference
        return pixels if self.rows is None else take_rows(pixels, self.rows)

    @property
    def reference_pixels(self) -> StoredRows:
        """The same, read only when some of them are asked for."""
        pixels = self.stored[:, 0] if self.reference is None else self.reference
        return StoredRows(pixels, self.rows)

    @property
    def fingerprints(self) -> Fingerprints:
        """The fingerprints of these faces."""
        return take_fingerprints(self.digests, self.reference_pixels)

    @cached_property
    def names(self) -> Sequence[str]:
        """Name of each face: the file, or FER-2013's ``Training_00017.png``; loaded lazily."""
        path = self.folder / "names.json"
        try:
            names: list[str] = read_json(path)
        except (OSError, ValueError) as error:
            raise damage_error(path, error) from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise damage_error(path, "no list of names")
        if len(names) != len(self.stored):
            raise damage_error(path, "not a name for each face")
        return names if self.rows is None else [names[row] for row in self.rows]

    def counts(self, classes: int) -> npt.NDArray[np.int64]:
        """Return the number of faces per class, int64 (classes,)."""
        known = self.labels[self.labels >= 0]
        return np.bincount(known, minlength=classes).astype(np.int64)

    def keep(self, rows: npt.NDArray[np.int64]) -> "Faces":
        """Return a selection of faces without copying pixels."""
        return replace(
            self,
            labels=self.labels[rows],
            targets=None if self.targets is None else self.targets[rows],
            intensity=None if self.intensity is None else self.intensity[rows],
            shares=None if self.shares is None else self.shares[rows],
            also={name: labels[rows] for name, labels in self.also.items()},
            digests=self.digests[rows],
            thumbnails=self.thumbnails[rows],
            rows=rows if self.rows is None else self.rows[rows],
        )


def _concatenate(parts: Sequence[Faces]) -> Faces:
    """Return the faces of several splits of one dataset, without targets."""

    def join(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    names = ("labels", "intensity", "shares", "digests", "thumbnails", "rows")
    return replace(parts[0], targets=None, **{name: join(name) for name in names})


def join_splits(first: Faces, other: Faces, name: str) -> Faces:
    """Join two label sets of the same faces, for joint training.

    Args:
        first: faces with the first label set.
        other: the same faces and perhaps more, with the other label set.
        name: the other label set's name.

    Returns:
        The faces of ``other``, with the labels of both. Where ``first`` has no such face its label
        is -1, its targets are zero and its intensity is NaN.

    Raises:
        InputError: ``first`` has faces that ``other`` has not.
    """
    place = {face: row for row, face in enumerate(other.names)}
    try:
        rows = np.array([place[face] for face in first.names], np.int64)
    except KeyError as error:
        raise InputError(
            f"--extra_labels {name}: face {error} has no label of that set; the set with fewer "
            "faces must be the first, as in --labels ferplus --extra_labels fer2013"
        ) from None

    def spread(values: npt.NDArray[Any] | None, empty: float) -> Any:
        if values is None:
            return None
        whole = np.full((len(other), *values.shape[1:]), empty, values.dtype)
        whole[rows] = values
        return whole

    return replace(
        other,
        labels=spread(first.labels, -1),
        targets=spread(first.targets, 0),
        intensity=spread(first.intensity, np.nan),
        shares=spread(first.shares, np.nan),
        also={**other.also, name: other.labels},
    )


@dataclass(frozen=True)
class UnreadableImage:
    """An image that could not be read."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A loaded data source: class names, splits and problems.

    Args:
        source: the user's name of the source.
        kind: description of the format.
        label_set: 'fer2013', 'ferplus', 'demo' or 'own'.
        labels: the class names, in order.
        folder: the cache's folder of these labels.
        pixels: the cache's folder of the decoded faces.
        hash: SHA-256 of pixels, labels, targets and splits: equal from every shape of the data.
        sizes: number of faces a split.
        corrupt: images that could not be read.
        drawn: whether any split was sampled rather than given by the data.
        too_few: sentences on classes with less than half of the requested faces in a split.
        kept: for splits with left-out faces, int64, the remaining faces.
        stored: number of faces of these splits in the cache.
    """

    source: str
    kind: str
    label_set: str
    labels: tuple[str, ...]
    folder: Path
    pixels: Path
    hash: str
    sizes: dict[str, int]
    corrupt: tuple[UnreadableImage, ...]
    drawn: bool = False
    too_few: tuple[str, ...] = ()
    kept: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, int]:
        """Number of left-out faces of each split that has any."""
        return {name: self.stored[name] - len(rows) for name, rows in self.kept.items()}

    def leave_out(self, name: str, faces: npt.NDArray[np.bool_]) -> "Dataset":
        """Return this dataset without some faces of a split, bool (N,); the hash is unchanged."""
        rows = np.flatnonzero(~faces)
        rows = self.kept[name][rows] if name in self.kept else rows
        return replace(
            self,
            kept={**self.kept, name: rows},
            sizes={**self.sizes, name: len(rows)},
            stored={name: self.sizes[name], **self.stored},
        )

    def split(self, name: str) -> Faces:
        """Open one split, without the others; or all faces.

        Args:
            name: 'train', 'validation' or 'test'; or 'all', for these three in order.

        Raises:
            InputError: the split does not exist, or has no faces.
        """
        if name == ALL:
            return _concatenate([self.split(own) for own in SPLITS if self.sizes[own]])
        if name not in SPLITS:
            raise InputError(f"--split {name}: must be one of {', '.join(TESTED_SPLITS)}")
        if not self.sizes[name]:
            raise InputError(f"{self.source}: there are no faces in the {name} split")
        folder = self.folder / name
        rows = np.array(open_array(folder / "rows.npy", "int64", 1))
        labels = np.array(open_array(folder / "labels.npy", "int64", 1))
        targets, shares = (read_optional(folder / f"{key}.npy", 2) for key in ("targets", "shares"))
        intensity = read_optional(folder / "intensity.npy", 1)
        own = [array for array in (labels, targets, shares, intensity) if array is not None]
        if {len(rows), *map(len, own)} != {self.stored.get(name, self.sizes[name])}:
            raise damage_error(folder, "its arrays are of different lengths")
        if not ((labels >= 0) & (labels < len(self.labels))).all():
            raise damage_error(folder / "labels.npy", "a label beyond the classes")
        pixels = open_pixels(self.pixels)
        if rows.min() < 0 or rows.max() >= len(pixels.images):
            raise damage_error(folder / "rows.npy", "a row beyond the pixels")
        faces = Faces(
            stored=pixels.images,
            labels=labels,
            targets=targets,
            intensity=intensity,
            digests=take_rows(pixels.digests, rows),
            thumbnails=take_rows(pixels.thumbnails, rows),
            folder=self.pixels,
            shares=shares,
            rows=rows,
            reference=pixels.reference,
        )
        return faces.keep(self.kept[name]) if name in self.kept else faces

    def record(self) -> dict[str, Any]:
        """Return plain values that describe this data, for records."""
        return {
            "source": self.source,
            "kind": self.kind,
            "label_set": self.label_set,
            "labels": list(self.labels),
            "hash": self.hash,
            "sizes": self.sizes,
            "unreadable": len(self.corrupt),
        }

    def missing_classes(self, faces: Faces) -> list[str]:
        """Return the names of the classes without a face among these."""
        counts = faces.counts(len(self.labels))
        return [name for name, count in zip(self.labels, counts, strict=True) if not count]
