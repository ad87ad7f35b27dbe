"""Exact and near-duplicate faces.

Exact: the same pixels. Near: the Pearson correlation of two faces' 8 x 8 thumbnails (block means)
is at least :data:`NEAR`. The measure is robust to changes of brightness, contrast, compression and
a pixel's shift. It is stated with every metric that uses it. On posed images it also matches other
expressions of one person, so a pair only counts as a duplicate after a comparison at full size.

Two posed images of one person correlate as highly as two versions of one image, but they differ in
the mouth, the eyes or the brows. Therefore a pair is first aligned (shift, scale, rotation,
contrast; Lucas and Kanade 1981) and then compared window by window: in a duplicate no window
differs much, in another expression at least one does.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from emotion_detection.data.stored_arrays import Images

LARGEST_DIFFERENCE = 0.03
"""Largest difference of any window of duplicates, in units of the faces' variance.

Measured on both sides of the trade-off. Of FER-2013's pairs of near-duplicates 95 % lie below it.
So do JPEG copies of quality 75 and WebP copies of quality 80. Of pairs of synthetic posed faces
of one person with different expressions, 3 % do: weak expressions that hardly change the face.
"""

LARGEST_CERTAIN = 0.01
"""Stricter limit for leaving out duplicates with different labels, so that a weaker expression is
not mistaken for a duplicate. Of FER-2013's pairs 89 % lie below it, of the posed pairs under 1
%."""

WINDOW = 0.25
"""Side of a window as a fraction of the face's; neighbouring windows overlap by half."""

_ITERATIONS = 6
_ROWS_AT_ONCE = 128
_LARGEST_WARP = 0.3
_DAMPING = 1e-5

Values = npt.NDArray[np.float32]


def are_copies(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], largest: float = LARGEST_DIFFERENCE
) -> npt.NDArray[np.bool_]:
    """Return which pairs of faces are duplicates.

    Args:
        first: uint8 (P, H, W), the pairs' first faces, grey.
        second: uint8 (P, H, W), their second faces.
        largest: largest difference of duplicates.

    Returns:
        bool (P,). Faces without contrast are never duplicates.
    """
    found = np.zeros(len(first), np.bool_)
    for start in range(0, len(first), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        one, other = _standardize(first[rows]), _standardize(second[rows])
        found[rows] = find_largest_differences(one, other) <= largest
        # most duplicates need no alignment, which takes ten times as long
        left = np.flatnonzero(~found[rows])
        if len(left):
            aligned, border = _align(one[left], other[left]), first.shape[1] // 16
            inner = slice(border, first.shape[1] - border)
            differences = find_largest_differences(
                one[left][:, inner, inner], aligned[:, inner, inner]
            )
            found[rows][left] = differences <= largest
        blank = ~(one.any(axis=(1, 2)) & other.any(axis=(1, 2)))
        found[rows][blank] = False
    return found


def find_largest_differences(first: Values, second: Values) -> Values:
    """Return the largest difference of any window, float32 (P,), of standardized faces (P, H, W).

    A window's difference is the variance of what one face has more than the other there, so that
    another brightness of a whole region does not count.
    """
    width = max(2, round(first.shape[1] * WINDOW))
    difference = first - second
    mean = _sum_windows(difference, width) / width**2
    squares = _sum_windows(difference * difference, width) / width**2
    largest: Values = (squares - mean * mean).max(axis=(1, 2))
    return largest


def _sum_windows(values: Values, width: int) -> npt.NDArray[np.float64]:
    sums = np.pad(values.cumsum(1, dtype=np.float64).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    low = np.arange(0, values.shape[1] - width + 1, max(1, width // 2))
    high = low + width
    corners: npt.NDArray[np.float64] = (
        sums[:, high][:, :, high]
        - sums[:, low][:, :, high]
        - sums[:, high][:, :, low]
        + sums[:, low][:, :, low]
    )
    return corners


def _standardize(images: npt.NDArray[np.uint8]) -> Values:
    """Return faces, slightly blurred, with mean 0 and variance 1; all zeros where they are flat."""
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1)), "edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    blurred = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return standardize(blurred.astype(np.float32))


def standardize(images: Values) -> Values:
    """Return images float32 (P, H, W) with mean 0 and variance 1; all zeros where they are flat."""
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    spread = centred.std(axis=(1, 2), keepdims=True)
    return np.where(spread < 1e-3, 0, centred / np.maximum(spread, 1e-3)).astype(np.float32)


def _align(target: Values, moving: Values) -> Values:
    """Return the second faces, warped affinely onto the first, float32 (P, H, W), standardized."""
    pairs, side = len(target), target.shape[1]
    centre = (side - 1) / 2
    y, x = (
        ((axis - centre) / centre).ravel() for axis in np.mgrid[:side, :side].astype(np.float32)
    )
    warp = np.zeros((pairs, 6), np.float32)
    damping = np.eye(8, dtype=np.float32) * side * side * _DAMPING
    for _ in range(_ITERATIONS):
        warped = _warp(moving, warp)
        down, right = (
            slope.reshape(pairs, -1) * centre for slope in np.gradient(warped, axis=(1, 2))
        )
        flat = warped.reshape(pairs, -1)
        # what each parameter changes: six of the warp, then contrast and brightness
        columns = [right * x, right * y, right, down * x, down * y, down, flat, np.ones_like(flat)]
        slopes = np.stack(columns, axis=1)
        squares = slopes @ slopes.transpose(0, 2, 1) + damping
        errors = slopes @ (target.reshape(pairs, -1) - flat)[:, :, np.newaxis]
        step = np.linalg.solve(squares, errors)[:, :6, 0]
        warp = np.clip(warp + step, -_LARGEST_WARP, _LARGEST_WARP).astype(np.float32)
    return standardize(_warp(moving, warp))


def _warp(images: Values, warp: Values) -> Values:
    """Sample images (P, H, W) bilinearly at affinely moved places; warp float32 (P, 6)."""
    side = images.shape[1]
    centre = (side - 1) / 2
    y, x = ((axis - centre) / centre for axis in np.mgrid[:side, :side].astype(np.float32))
    a, b, c, d, e, f = warp.T[:, :, np.newaxis, np.newaxis]
    right = np.clip((x + a * x + b * y + c) * centre + centre, 0, side - 1.001)
    down = np.clip((y + d * x + e * y + f) * centre + centre, 0, side - 1.001)
    left, top = right.astype(np.int64), down.astype(np.int64)
    right, down = right - left, down - top
    pair = np.arange(len(images))[:, np.newaxis, np.newaxis]
    upper = images[pair, top, left] * (1 - right) + images[pair, top, left + 1] * right
    lower = images[pair, top + 1, left] * (1 - right) + images[pair, top + 1, left + 1] * right
    moved: Values = (upper * (1 - down) + lower * down).astype(np.float32)
    return moved


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
            size (:func:`.duplicates.are_copies`); None: all count.
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
