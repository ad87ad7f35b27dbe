"""Cuts a face out of a picture as FER-2013's crops are: eyes, nose and mouth at fixed places.

Everything is said exactly, so that other code, as in a browser, gets the same pixels.

A point x + iy lies x pixels to the right of, and y below, the upper left corner of a picture; its
first pixel has its centre at 0.5 + 0.5i. Numbers are float64.

1. **Placement** (Umeyama 1991, the similarity in the plane that fits best): for landmarks p and
   their places q in the crop, each without its mean, ``turn = sum(conj(q) p) / sum(|q|^2)``;
   the crop's point z lies at ``turn * z + corner`` in the picture, where ``corner`` takes the mean
   of the places to the mean of the landmarks.
2. **Grey**, for crops of one channel: ``(19595 R + 38470 G + 7471 B + 32768) >> 16``, ITU-R 601 as
   Pillow computes it.
3. **Blocks**: with ``block = max(1, floor(|turn| + 0.5))``, the picture is shrunk to the means of
   blocks of ``block`` x ``block`` pixels, not rounded. Blocks start at the picture's corner; beyond
   its edges the nearest pixel of the picture stands.
4. **Bilinear**: a crop's pixel (column, row) has its centre at ``z = column + 0.5 + (row + 0.5)i``;
   of its point in the picture, divided by ``block``, and less 0.5 + 0.5i, the whole parts
   (``floor``) name the upper left of four blocks and the rest x, y weighs them: first
   ``left * (1 - x) + right * x`` above and below, then ``above * (1 - y) + below * y``.
5. **Rounding**: ``floor(value + 0.5)``.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.errors import InputError

TEMPLATE = ((15.58, 19.36), (32.42, 19.36), (24.0, 28.63), (17.23, 35.65), (30.77, 35.65))
"""Where the landmarks lie in FER-2013's crops: x, y in 48 x 48 pixels, in the order of
:data:`emotion_detection.results.LANDMARKS`; means over training faces, as
``benchmarks/template.py`` measures them."""
TEMPLATE_SIZE = 48

ZOOM = 0.9
"""Side of what is cut out, by that of FER-2013's crops, about their middle;
``benchmarks/pasted.py`` says why."""

FARTHEST = 1_000_000
"""Pixels from a picture's corner to a landmark, at most: all sums stay exact."""

Points = Sequence[Sequence[float]] | npt.NDArray[np.floating]


class Placement(NamedTuple):
    """Where a crop lies in a picture: its point z at ``turn * z + corner``.

    Args:
        turn: pixels of the picture for one of the crop, and their angle.
        corner: of the crop, upper left, in the picture.
    """

    turn: complex
    corner: complex


def align(
    rgb: npt.NDArray[np.uint8], landmarks: Points, size: int, channels: int = 1
) -> npt.NDArray[np.uint8]:
    """Cut a face out of a picture, upright and of the size of FER-2013's.

    Args:
        rgb: uint8 (H, W, 3).
        landmarks: (5, 2), x and y of each, in pixels of the picture.
        size: height and width of the crop in pixels.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (size, size) or (size, size, 3).

    Raises:
        InputError: landmarks that are not five points, or farther than :data:`FARTHEST`.
    """
    return cut_out(rgb, placement(landmarks, size), size, channels)


def placement(landmarks: Points, size: int, zoom: float = ZOOM) -> Placement:
    """Say where the crop of a face lies (step 1 above).

    Args:
        landmarks: (5, 2), x and y of each, in pixels of the picture.
        size: height and width of the crop in pixels.
        zoom: side of what is cut out, by that of FER-2013's crops.

    Raises:
        InputError: landmarks that are not five points, or farther than :data:`FARTHEST`.
    """
    points = np.array(landmarks, np.float64)
    if points.shape != (len(TEMPLATE), 2) or not (np.abs(points) <= FARTHEST).all():
        raise InputError(
            f"landmarks {points.tolist()}: must be x and y of five points, "
            f"from -{FARTHEST:,} to {FARTHEST:,}"
        )
    middle = TEMPLATE_SIZE / 2
    places = ((np.array(TEMPLATE) - middle) / zoom + middle) * (size / TEMPLATE_SIZE)
    there, here = points @ (1, 1j), places @ (1, 1j)
    there_mean, here_mean = there.mean(), here.mean()
    here = here - here_mean
    turn = complex(np.vdot(here, there - there_mean) / np.vdot(here, here).real)
    return Placement(turn, complex(there_mean - turn * here_mean))


def cut_out(
    rgb: npt.NDArray[np.uint8], where: Placement, size: int, channels: int
) -> npt.NDArray[np.uint8]:
    """Resample a part of a picture (steps 2 to 5 above).

    Args:
        rgb: uint8 (H, W, 3).
        where: the crop in the picture.
        size: height and width of the crop in pixels.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (size, size) or (size, size, 3).
    """
    block = max(1, math.floor(abs(where.turn) + 0.5))
    centres = np.arange(size) + 0.5
    points = where.turn * (centres + 1j * centres[:, None]) + where.corner
    x, y = points.real / block - 0.5, points.imag / block - 0.5
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x, y = (x - column)[..., None], (y - row)[..., None]
    first_column, first_row = int(column.min()), int(row.min())
    rows = range(first_row, int(row.max()) + 2)
    columns = range(first_column, int(column.max()) + 2)
    means = _blocks(rgb, rows, columns, block, channels)
    column, row = column - first_column, row - first_row
    above = means[row, column] * (1 - x) + means[row, column + 1] * x
    below = means[row + 1, column] * (1 - x) + means[row + 1, column + 1] * x
    crop = np.floor(above * (1 - y) + below * y + 0.5).astype(np.uint8)
    return crop if channels == 3 else crop[..., 0]


def _blocks(
    rgb: npt.NDArray[np.uint8], rows: range, columns: range, block: int, channels: int
) -> npt.NDArray[np.float64]:
    """Return the means of some blocks of a picture: float64 (rows, columns, channels)."""
    high, wide = (
        _inside(blocks, block, length)
        for blocks, length in zip((rows, columns), rgb.shape[:2], strict=True)
    )
    part = np.ascontiguousarray(rgb[high, wide])
    if channels == 1:
        part = np.asarray(Image.fromarray(part).convert("L"))[..., None]
    # sums of whole numbers are exact, in whatever order they are taken
    height, width = rgb.shape[:2]
    tall = _sums(part.reshape(1, len(part), -1), rows, block, height, np.uint32)
    tall = tall.reshape(len(rows), -1, channels)
    means: npt.NDArray[np.float64] = _sums(tall, columns, block, width, np.uint64) / block**2
    return means


def _inside(blocks: range, block: int, length: int) -> slice:
    """Return the pixels of a picture's side that have a say in some blocks, at least one."""
    first = min(max(blocks.start * block, 0), length - 1)
    return slice(first, max(min(blocks.stop * block, length), first + 1))


def _sums(
    pixels: npt.NDArray[Any],
    blocks: range,
    block: int,
    length: int,
    dtype: type[np.uint32] | type[np.uint64],
) -> npt.NDArray[Any]:
    """Return the sums of blocks along a side: (M, blocks, N) of the pixels inside, (M, pixels, N).

    What is repeated beyond the picture's edges, ``length`` apart, is counted and not made: a crop
    costs no more for lying far out or being far too large.
    """
    outer, _, rest = pixels.shape
    before = min(max(-blocks.start, 0), len(blocks))
    whole = max(min(blocks.stop, length // block) - max(blocks.start, 0), 0)
    sums = np.empty((outer, len(blocks), rest), dtype)
    sums[:, :before] = dtype(block) * pixels[:, :1]
    within = pixels[:, : whole * block].reshape(outer, whole, block, rest)
    sums[:, before : before + whole] = within.sum(axis=2, dtype=dtype)
    sums[:, before + whole :] = dtype(block) * pixels[:, -1:]
    if length % block and length // block in blocks:
        left = pixels[:, whole * block :]
        lacking = dtype(block - left.shape[1])
        sums[:, before + whole] = left.sum(axis=1, dtype=dtype) + lacking * pixels[:, -1]
    return sums
