"""Crop a face from an image, rotated upright, as the crops of FER-2013 are.

The steps are specified exactly, so that another implementation (the web page) gets equal pixels.

A point x + iy lies x pixels to the right of, and y below, the upper left corner of an image; its
first pixel has its centre at 0.5 + 0.5i. Numbers are float64.

1. **Placement**: a square about the middle ``c`` of the face's box, its side the box's longer side
   times :data:`MARGIN`, turned until the line between the eyes is level: with the eyes' difference
   ``d = right - left`` and ``length = sqrt(dx dx + dy dy)``, ``turn = side / size * d / length``
   (``side / size`` where both eyes are in one point); the crop's point z lies at
   ``turn * z + corner`` in the image, ``corner = c - turn * (size / 2 + size / 2 i)``.
2. **Grey**, for crops of one channel: ``(19595 R + 38470 G + 7471 B + 32768) >> 16``, ITU-R 601 as
   Pillow computes it.
3. **Blocks**: with ``block = max(1, floor(|turn| + 0.5))``, the image is shrunk to the means of
   blocks of ``block`` x ``block`` pixels, not rounded. Blocks start at the image's corner. Areas
   outside the image are filled by replicating border pixels.
4. **Bilinear**: a crop's pixel (column, row) has its centre at ``z = column + 0.5 + (row + 0.5)i``;
   of its point in the image, divided by ``block``, and less 0.5 + 0.5i, the whole parts
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
"""Mean landmark positions in FER-2013's crops: x, y in 48 x 48 pixels, in the order of
:data:`emotion_detection.results.LANDMARKS`. They were measured on training faces by
``benchmarks/inference/landmark_template.py``."""
TEMPLATE_SIZE = 48

MARGIN = 1.0
"""Side of the crop, as a multiple of the longer side of the face's box. It was chosen by
``benchmarks/inference/pasted_faces.py``: crops of this kind are classified more accurately than
crops that are aligned to the template."""

FARTHEST = 1_000_000
"""Largest distance in pixels from the image's corner to a landmark or box edge. Within it, all sums
are exact."""

Points = Sequence[Sequence[float]] | npt.NDArray[np.floating]
Box = Sequence[float] | npt.NDArray[np.floating]


class Placement(NamedTuple):
    """Placement of a crop: its point z lies at ``turn * z + corner`` in the image.

    Args:
        turn: scale (pixels of the image per pixel of the crop) and rotation.
        corner: upper left corner of the crop, in the image.
    """

    turn: complex
    corner: complex


def align(
    rgb: npt.NDArray[np.uint8], box: Box, landmarks: Points, size: int, channels: int = 1
) -> npt.NDArray[np.uint8]:
    """Crop a face from an image, rotated upright.

    Args:
        rgb: uint8 (H, W, 3).
        box: x and y of the upper left corner, width and height, in pixels of the image.
        landmarks: (5, 2), x and y of each, in pixels of the image.
        size: height and width of the crop in pixels.
        channels: 1 for grey, 3 for RGB.

    Returns:
        uint8 (size, size) or (size, size, 3).

    Raises:
        InputError: a box without size, landmarks that are not five points, or what lies farther
            than :data:`FARTHEST`.
    """
    return cut_out(rgb, compute_placement(box, landmarks, size), size, channels)


def compute_placement(box: Box, landmarks: Points, size: int, margin: float = MARGIN) -> Placement:
    """Return the placement of a face's crop (step 1 above).

    Args:
        box: x and y of the upper left corner, width and height, in pixels of the image.
        landmarks: (5, 2), x and y of each, in pixels of the image.
        size: height and width of the crop in pixels.
        margin: side of the crop, as a multiple of the box's longer side.

    Raises:
        InputError: a box without size, landmarks that are not five points, or what lies farther
            than :data:`FARTHEST`.
    """
    points = np.array(landmarks, np.float64)
    if points.shape != (len(TEMPLATE), 2) or not (np.abs(points) <= FARTHEST).all():
        raise InputError(
            f"landmarks {points.tolist()}: must be x and y of five points, "
            f"from -{FARTHEST:,} to {FARTHEST:,}"
        )
    x, y, wide, high = map(float, box)
    near = all(abs(value) <= FARTHEST for value in (x, y, wide, high))  # NaN is not
    if not (near and min(wide, high) > 0):
        raise InputError(
            f"box {(x, y, wide, high)}: must be x, y, and a width and height above 0, "
            f"up to {FARTHEST:,}"
        )
    scale = max(wide, high) * margin / size
    across, down = (float(value) for value in points[1] - points[0])
    length = math.sqrt(across * across + down * down)
    turn = complex(scale * (across / length), scale * (down / length)) if length else scale + 0j
    half = size / 2
    corner = complex(
        x + wide / 2 - (turn.real * half - turn.imag * half),
        y + high / 2 - (turn.real * half + turn.imag * half),
    )
    return Placement(turn, corner)


def cut_out(
    rgb: npt.NDArray[np.uint8], where: Placement, size: int, channels: int
) -> npt.NDArray[np.uint8]:
    """Resample a part of an image (steps 2 to 5 above).

    Args:
        rgb: uint8 (H, W, 3).
        where: the crop in the image.
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
    """Return the means of some blocks of an image: float64 (rows, columns, channels)."""
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
    """Return the range of pixels along one side that some blocks cover, at least one pixel."""
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

    Replicated border pixels are multiplied by their count instead of being materialized, so a crop
    far outside the image, or far larger than it, costs no more than others.
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
