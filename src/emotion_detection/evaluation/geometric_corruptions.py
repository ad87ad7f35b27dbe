"""Corruptions that resample faces: rotation, shift, zoom and low resolution.

As in :mod:`.pixel_corruptions`, all arithmetic is exact in integers (float64 in
:func:`lower_resolution`, exact for faces up to 1,700 pixels wide). Areas outside the image are
filled by replicating border pixels.
"""

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.pixel_corruptions import (
    DIRECTIONS,
    ONE,
    Images,
    Integers,
    Words,
    chosen,
    circle,
    grouped,
)


def lower_resolution(faces: Images, share: float, words: Words) -> Images:
    """Downsample to a fraction of the size (area mean), and upsample again (bilinear)."""
    rows, columns = (_low(pixels, max(1, round(share * pixels))) for pixels in faces.shape[2:])
    total = int(rows[0].sum() * columns[0].sum())
    found = rows @ faces.astype(np.float64) @ columns.T  # integers: in any order
    return ((found.astype(np.int64) + total // 2) // total).astype(np.uint8)


def _low(pixels: int, few: int) -> npt.NDArray[np.float64]:
    """Return integer weights (pixels, pixels), rows of equal sums: to ``few`` pixels and back."""
    ours, theirs = np.arange(pixels), np.arange(few)[:, None]
    first = np.maximum(theirs * pixels, ours * few)
    last = np.minimum((theirs + 1) * pixels, (ours + 1) * few)
    down = np.maximum(last - first, 0)
    place = (2 * ours + 1) * few - pixels  # of a pixel's centre among the few, in 1/(2 pixels)
    up = np.zeros((pixels, few), np.int64)
    low, part = np.divmod(place, 2 * pixels)
    np.add.at(up, (ours, np.clip(low, 0, few - 1)), 2 * pixels - part)
    np.add.at(up, (ours, np.clip(low + 1, 0, few - 1)), part)
    both: npt.NDArray[np.float64] = (up @ down).astype(np.float64)
    return both


def rotate(faces: Images, degrees: float, words: Words) -> Images:
    """Rotate about the centre, in a random direction per face."""

    def turn(faces: Images, side: int) -> Images:
        cosine, sine = circle(degrees if side else -degrees)
        x, y = _from_middle(faces)
        return _sampled(faces, x * cosine + y * sine, y * cosine - x * sine)

    return grouped(faces, chosen(words, 2), turn)


def shift(faces: Images, share: float, words: Words) -> Images:
    """Shift by a fraction of the width, in a random direction per face."""
    pixels = share * faces.shape[3]

    def move(faces: Images, choice: int) -> Images:
        across, down = (round(2 * pixels * part) for part in circle(360 * choice / DIRECTIONS))
        x, y = _from_middle(faces)
        return _sampled(faces, x * ONE - across, y * ONE - down)

    return grouped(faces, chosen(words, DIRECTIONS), move)


def zoom(faces: Images, factor: float, words: Words) -> Images:
    """Zoom about the centre; a factor below 1 shrinks."""
    x, y = _from_middle(faces)
    step = round(ONE / factor)
    return _sampled(faces, x * step, y * step)


def _from_middle(faces: Images) -> tuple[Integers, Integers]:
    """Return the pixels' offsets from the centre, in half pixels: (1, W) and (H, 1)."""
    height, width = faces.shape[2:]
    x, y = (2 * np.arange(n, dtype=np.int64) - (n - 1) for n in (width, height))
    return x[None, :], y[:, None]


def _sampled(faces: Images, x: Integers, y: Integers) -> Images:
    """Sample faces at points, bilinear; x, y from the centre in 1/65536 of half a pixel."""
    height, width = faces.shape[2:]
    first, last = [], []
    for place, pixels in ((y, height), (x, width)):
        place = (place + (pixels - 1) * ONE + 256) >> 9  # from the first pixel, in 1/256 pixel
        place = np.clip(np.broadcast_to(place, (height, width)), 0, (pixels - 1) * 256)
        first.append(place >> 8)
        last.append((place & 255).astype(np.int32))
    (row, column), (down, right) = first, last
    below, beside = np.minimum(row + 1, height - 1), np.minimum(column + 1, width - 1)
    wide = faces.astype(np.int32)
    above = wide[:, :, row, column] * (256 - right) + wide[:, :, row, beside] * right
    under = wide[:, :, below, column] * (256 - right) + wide[:, :, below, beside] * right
    mixed: npt.NDArray[np.uint8] = ((above * (256 - down) + under * down + ONE // 2) >> 16).astype(
        np.uint8
    )
    return mixed
