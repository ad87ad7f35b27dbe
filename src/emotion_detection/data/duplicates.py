"""Exact and near-duplicate faces.

Exact: the same pixels. Near: the Pearson correlation of two faces' 8 x 8 thumbnails (block means)
is at least :data:`NEAR`. The measure is robust to changes of brightness, contrast, compression and
a pixel's shift. It is stated with every metric that uses it. On posed images it also matches other
expressions of one person, so a pair only counts as a duplicate after a comparison at full size
(:mod:`.image_similarity`).
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from emotion_detection.data.image_similarity import LARGEST_DIFFERENCE, are_copies
from emotion_detection.data.stored_arrays import Images

NEAR = 0.98
"""Minimum correlation of near-duplicates.

Of FER-2013 pairs drawn between 0.97 and 0.99 all were, by eye, one image cut or printed twice;
below 0.97 different people begin to appear. That holds for images from the web alone.
"""

SIDE = 8
_BLOCK = 2048
_CONFIRMED = 512

Pairs = npt.NDArray[np.int64]


def digest_faces(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return BLAKE2b of a face's pixels, uint8 (16,)."""
    whole = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
    return np.frombuffer(whole.digest(), np.uint8)


def make_thumbnails(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return 8 x 8 thumbnails with mean 0 and length 1, so that a product is a correlation.

    Args:
        images: uint8 (N, C, H, W), at least 8 pixels high and wide.

    Returns:
        float32 (N, 64); all zeros for a face without any contrast.
    """
    grey = images.mean(axis=1, dtype=np.float32)
    for axis in (1, 2):
        edges = np.linspace(0, grey.shape[axis], SIDE + 1).astype(int)
        sums = np.add.reduceat(grey, edges[:-1], axis=axis)
        grey = sums / np.diff(edges).reshape((-1, 1) if axis == 1 else (1, -1))
    flat = grey.reshape(len(grey), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length < 1e-3, 0, flat / np.maximum(length, 1e-3)).astype(np.float32)


def find_near_pairs(
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32] | None = None,
    threshold: float = NEAR,
) -> Iterator[tuple[Pairs, npt.NDArray[np.float32]]]:
    """Find pairs of near-duplicates, block by block; every pair is compared.

    Args:
        first: thumbnails, float32 (N, 64).
        second: thumbnails to compare with, float32 (M, 64); None: pairs within ``first``.
        threshold: smallest correlation of a pair.

    Yields:
        pairs int64 (P, 2), positions in ``first`` and ``second`` (within one set, the lower
        position first), and their correlations float32 (P,).
    """
    other = first if second is None else second
    for top in range(0, len(first), _BLOCK):
        rows = np.asarray(first[top : top + _BLOCK])
        start = top if second is None else 0
        for left in range(start, len(other), _BLOCK):
            likeness = rows @ np.asarray(other[left : left + _BLOCK]).T
            here, there = np.nonzero(likeness >= threshold)
            values = likeness[here, there]
            pairs = np.stack([here + top, there + left], axis=1)
            if second is None:
                ahead = pairs[:, 0] < pairs[:, 1]
                pairs, values = pairs[ahead], values[ahead]
            if len(pairs):
                yield pairs, values


def group_exact(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Number the faces so that faces with equal pixels have equal numbers.

    Args:
        digests: uint8 (N, 16).

    Returns:
        int64 (N,), the position of the first face with the same pixels.
    """
    if not len(digests):
        return np.empty(0, np.int64)
    keys = np.ascontiguousarray(digests).view("V16").ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def group_alike(
    digests: npt.NDArray[np.uint8],
    thumbnails: npt.NDArray[np.float32],
    threshold: float = NEAR,
    faces: Images | None = None,
    largest: float = LARGEST_DIFFERENCE,
) -> npt.NDArray[np.int64]:
    """Group faces that are exact or near-duplicates, of each other or of a common third.

    Args:
        digests: uint8 (N, 16).
        thumbnails: float32 (N, 64).
        threshold: smallest correlation of near-duplicates.
        faces: uint8 (N, H, W), grey: near-duplicates count only where they are copies at this
            size (:func:`.image_similarity.are_copies`); None: all count.
        largest: largest difference of two copies.

    Returns:
        int64 (N,), the smallest position in each face's group.
    """
    parent = group_exact(digests).tolist()

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return int(position)

    for pairs, _ in find_near_pairs(thumbnails, threshold=threshold):
        for part in np.array_split(pairs, -(-len(pairs) // _CONFIRMED)):
            # only pairs that would join two groups are compared
            apart = np.array([root(one) != root(other) for one, other in part.tolist()], np.bool_)
            some = part[apart]
            if faces is not None and len(some):
                some = some[are_copies(faces[some[:, 0]], faces[some[:, 1]], largest)]
            for one, other in some.tolist():
                low, high = sorted((root(one), root(other)))
                parent[high] = low
    return np.array([root(position) for position in range(len(parent))], np.int64)


def find_duplicates(
    digests: npt.NDArray[np.uint8],
    thumbnails: npt.NDArray[np.float32],
    other_digests: npt.NDArray[np.uint8],
    other_thumbnails: npt.NDArray[np.float32],
    threshold: float = NEAR,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Find the faces with an exact, or an exact or near, duplicate in another set.

    Returns:
        exact bool (N,), near bool (N,); near includes exact.
    """
    known = {row.tobytes() for row in np.asarray(other_digests)}
    exact = np.array([row.tobytes() in known for row in np.asarray(digests)], np.bool_)
    near = exact.copy()
    for pairs, _ in find_near_pairs(thumbnails, other_thumbnails, threshold):
        near[pairs[:, 0]] = True
    return exact, near
