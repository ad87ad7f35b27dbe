"""Distinguish duplicates of an image from images that are merely similar.

Two posed images of one person correlate as highly as two versions of one image, but they differ in
the mouth, the eyes or the brows. Therefore a pair is first aligned (shift, scale, rotation,
contrast; Lucas and Kanade 1981) and then compared window by window: in a duplicate no window
differs much, in another expression at least one does.
"""

import numpy as np
import numpy.typing as npt

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
_BLOCK = 128
_LARGEST_WARP = 0.3
_DAMPING = 1e-5

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]


def are_copies(
    first: Images, second: Images, largest: float = LARGEST_DIFFERENCE
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
    for start in range(0, len(first), _BLOCK):
        rows = slice(start, start + _BLOCK)
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


def _standardize(images: Images) -> Values:
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
