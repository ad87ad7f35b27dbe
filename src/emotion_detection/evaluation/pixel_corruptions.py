"""Corruptions of faces: blur, noise, compression, light and occlusion.

Each function maps uint8 (N, C, H, W), a strength and the faces' random words to uint8 of the same
shape. All arithmetic is exact in integers, with sines rounded to 1/65536, so that every platform
returns the same bytes; only :func:`compress` depends on the JPEG library. Areas outside the image
are filled by replicating border pixels.
"""

import hashlib
import io
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

Images = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Words = Callable[[int], npt.NDArray[np.uint64]]
"""count -> uint64 (N, count), uniform; a face's words do not depend on other faces."""

DIRECTIONS = 16
"""Number of directions of shifts and motion blur."""

ONE = 65536
"""Fixed-point unit of :func:`circle` and of pixel positions."""


def make_random_words(salt: str, rows: npt.NDArray[np.int64]) -> Words:
    """Return the random words of faces: Philox (Salmon et al. 2011) keyed by salt and row.

    NumPy guarantees the same raw words in every version, but not the same distributions.
    """

    def words(count: int) -> npt.NDArray[np.uint64]:
        found = np.empty((len(rows), count), np.uint64)
        for own, row in zip(found, rows, strict=True):
            key = hashlib.blake2b(f"{salt}/{row}".encode(), digest_size=16).digest()
            own[:] = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(count)
        return found

    return words


def circle(degrees: float) -> tuple[int, int]:
    """Return cosine and sine, times 65536."""
    angle = math.radians(degrees)
    return round(math.cos(angle) * ONE), round(math.sin(angle) * ONE)


def grouped(faces: Images, choices: Integers, change: Callable[[Images, int], Images]) -> Images:
    """Change faces by their choices, in one batch per choice."""
    changed = np.empty_like(faces)
    for choice in np.unique(choices):
        own = choices == choice
        changed[own] = change(faces[own], int(choice))
    return changed


def chosen(words: Words, count: int) -> Integers:
    """Return a random choice per face, 0 to ``count`` - 1: int64 (N,)."""
    return (words(1)[:, 0] % np.uint64(count)).astype(np.int64)


def _filtered(faces: Images, kernel: Integers) -> Images:
    """Convolve with a normalized kernel (K, K), K odd, of integer weights."""
    height, width = faces.shape[2:]
    reach, total = len(kernel) // 2, int(kernel.sum())
    padded = np.pad(faces, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    padded = padded.astype(np.int32)
    found = np.full(faces.shape, total // 2, np.int32)
    for down, right in zip(*np.nonzero(kernel), strict=True):
        part = padded[:, :, down : down + height, right : right + width]
        found += np.int32(kernel[down, right]) * part
    return (found // total).astype(np.uint8)


def blur_by_motion(faces: Images, length: float, words: Words) -> Images:
    """Apply motion blur; ``length`` is in widths, the direction is random per face."""
    pixels = length * faces.shape[3]
    reach = math.ceil(pixels / 2) + 1

    def smear(faces: Images, choice: int) -> Images:
        across, down = circle(180 * choice / DIRECTIONS)  # a line has no front
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.int64)
        steps = 4 * reach
        for step in range(-steps, steps + 1):
            # in 1/16 pixel, spread over the four pixels around it
            at = pixels / 2 * step / steps * 16 / ONE
            x, y = (reach * 16 + round(at * part) for part in (across, down))
            for place, weight in _four(x, y):
                kernel[place] += weight
        return _filtered(faces, kernel)

    return grouped(faces, chosen(words, DIRECTIONS), smear)


def _four(x: int, y: int) -> list[tuple[tuple[int, int], int]]:
    """Return the pixels (row, column) around a point in 1/16 pixel, and their weights."""
    (column, right), (row, down) = divmod(x, 16), divmod(y, 16)
    return [
        ((row, column), (16 - down) * (16 - right)),
        ((row, column + 1), (16 - down) * right),
        ((row + 1, column), down * (16 - right)),
        ((row + 1, column + 1), down * right),
    ]


def blur_by_defocus(faces: Images, radius: float, words: Words) -> Images:
    """Apply defocus blur: a disc with a ``radius`` in widths."""
    pixels = radius * faces.shape[3]
    reach = math.ceil(pixels)
    side = 2 * reach + 1
    # each pixel's fraction of the disc, sampled at 8 x 8 points
    axis = (2 * np.arange(8 * side) + 1) / 16 - side / 2
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 <= pixels**2
    return _filtered(faces, inside.reshape(side, 8, side, 8).sum(axis=(1, 3)))


def _bell(faces: Images, words: Words) -> npt.NDArray[np.int32]:
    """Return approximately normal noise, s.d. 209.02: a centred sum of 8 random bytes per pixel."""
    drawn = words(math.prod(faces.shape[1:])).view(np.uint8).reshape(*faces.shape, 8)
    bell: npt.NDArray[np.int32] = drawn.sum(axis=-1, dtype=np.int32) - 1020
    return bell


_BELL = math.sqrt(8 * (256**2 - 1) / 12)


def _noisy(faces: Images, deviations: npt.NDArray[np.int32], words: Words) -> Images:
    """Add noise; ``deviations`` is each pixel's s.d. in 1/65536 of a bell's."""
    noise = (_bell(faces, words).astype(np.int64) * deviations + ONE // 2) >> 16
    return np.clip(faces + noise, 0, 255).astype(np.uint8)


def add_noise(faces: Images, deviation: float, words: Words) -> Images:
    """Add Gaussian noise of a standard deviation in grey levels, to each channel by itself."""
    return _noisy(faces, np.array(round(deviation / _BELL * ONE), np.int32), words)


def add_shot_noise(faces: Images, photons: float, words: Words) -> Images:
    """Add shot noise, which grows as the square root of the light.

    ``photons`` is their number for a white pixel; the normal limit of a Poisson count.
    """
    table = [round(255 * math.sqrt(level / 255 / photons) / _BELL * ONE) for level in range(256)]
    return _noisy(faces, np.array(table, np.int32)[faces], words)


def compress(faces: Images, quality: int, words: Words) -> Images:
    """Compress as JPEG; ``quality`` is libjpeg's, 1 to 95. Blocks have 8 pixels."""
    found = np.empty_like(faces)
    for own, face in zip(found, faces, strict=True):
        file = io.BytesIO()
        pixels = face[0] if len(face) == 1 else np.moveaxis(face, 0, -1)
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
        with Image.open(file, formats=["JPEG"]) as image:
            read = np.asarray(image)
        own[:] = read if read.ndim == 2 else np.moveaxis(read, -1, 0)
    return found


def darken(faces: Images, percent: int, words: Words) -> Images:
    """Reduce the brightness to some percent."""
    return ((faces.astype(np.int32) * percent + 50) // 100).astype(np.uint8)


def flatten(faces: Images, percent: int, words: Words) -> Images:
    """Reduce the contrast to some percent, around the face's mean."""
    pixels = math.prod(faces.shape[1:])
    mean = (faces.sum(axis=(1, 2, 3), dtype=np.int64) + pixels // 2) // pixels
    mixed = mean[:, None, None, None] * (100 - percent) + faces.astype(np.int64) * percent
    flat: Images = ((mixed + 50) // 100).astype(np.uint8)
    return flat


def cover(
    faces: Images, area: tuple[float, float, float, float], tones: tuple[int, int], words: Words
) -> Images:
    """Cover an area with one grey level.

    Args:
        faces: the faces.
        area: left, top, right, bottom, in widths and heights.
        tones: darkest and brightest grey; the level is random per face.
        words: the faces' random words.
    """
    height, width = faces.shape[2:]
    left, top, right, bottom = (
        round(share * pixels) for share, pixels in zip(area, (width, height) * 2, strict=True)
    )
    tone = tones[0] + chosen(words, tones[1] - tones[0] + 1)
    covered = faces.copy()
    covered[:, :, top:bottom, left:right] = tone[:, None, None, None].astype(np.uint8)
    return covered
