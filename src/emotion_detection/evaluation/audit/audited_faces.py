"""The audited faces, and their assignment to folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from emotion_detection.data import Dataset, Faces
from emotion_detection.data.duplicates import LARGEST_CERTAIN, group_alike
from emotion_detection.errors import InputError

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AuditedFaces:
    """The audited faces of all splits, concatenated.

    Args:
        names: of the faces.
        splits: the split of each.
        labels: int64 (N,), the given classes.
        groups: int64 (N,), equal numbers for near-duplicates, which stay in one fold.
        copies: int64 (N,), equal numbers for duplicates.
        thumbnails: float32 (N, 64).
        digests: uint8 (N, 16).
        parts: the splits, in order.
    """

    names: list[str]
    splits: list[str]
    labels: Numbers
    groups: Numbers
    copies: Numbers
    thumbnails: Values
    digests: npt.NDArray[np.uint8]
    parts: dict[str, Faces]

    def __len__(self) -> int:
        return len(self.names)

    def images(self, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
        """Return the pixels of some faces as a new array: uint8 (n, C, H, W)."""
        ends = np.cumsum([len(faces) for faces in self.parts.values()])[:-1]
        chosen = np.split(wanted, ends)
        return np.concatenate(
            [
                faces.draw(np.flatnonzero(rows))
                for faces, rows in zip(self.parts.values(), chosen, strict=True)
            ]
        )


def load_audited_faces(dataset: Dataset, splits: Sequence[str]) -> AuditedFaces:
    """Open the faces of some splits.

    Raises:
        InputError: a split has no faces, or a face has a name that an exclude file cannot hold.
    """
    parts = {name: dataset.split(name) for name in splits}
    _check_names([name for faces in parts.values() for name in faces.names])
    digests = np.concatenate([faces.digests for faces in parts.values()])
    thumbnails = np.concatenate([faces.thumbnails for faces in parts.values()])
    reference = np.concatenate([faces.reference_images for faces in parts.values()])
    return AuditedFaces(
        names=[name for faces in parts.values() for name in faces.names],
        splits=[split for split, faces in parts.items() for _ in range(len(faces))],
        labels=np.concatenate([faces.labels for faces in parts.values()]),
        # a network may also learn the label of a face from a merely similar one
        groups=group_alike(digests, thumbnails),
        copies=group_alike(digests, thumbnails, faces=reference, largest=LARGEST_CERTAIN),
        thumbnails=thumbnails,
        digests=digests,
        parts=parts,
    )


def _check_names(names: Sequence[str]) -> None:
    """Reject names by which ``exclude`` would leave out another face, or none."""
    short = {PurePosixPath(name).name for name in names if "/" in name}
    for name in names:
        if name in short:
            raise InputError(f"{name}: means several faces, {name} and one in a folder; rename one")
        if name.startswith("#") or name != name.strip() or not name.isprintable():
            raise InputError(
                f"{name!r}: a face of this name cannot be left out by --exclude: no '#' or space "
                "in front, no space behind, nothing that cannot be printed; rename it"
            )


def assign_folds(labels: Numbers, groups: Numbers, folds: int, seed: int) -> Numbers:
    """Assign faces to folds: groups are not split, classes are spread evenly.

    Args:
        labels: int64 (N,), classes.
        groups: int64 (N,), equal numbers for faces that belong together.
        folds: number of folds.
        seed: seed of the assignment.

    Returns:
        int64 (N,), 0 to folds - 1.
    """
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.random.default_rng(seed).permutation(len(first))
    # large groups first: smaller ones then balance the folds
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros((int(labels.max()) + 1, folds), np.int64)
    place = np.empty(len(first), np.int64)
    for group in order:
        own = filled[labels[first[group]]]
        # of equally empty folds the one with the fewest faces of all classes
        place[group] = np.lexsort((filled.sum(axis=0), own))[0]
        own[place[group]] += sizes[group]
    return place[inverse]
