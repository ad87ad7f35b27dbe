"""Identify faces of FER-2013 by their pixels.

``fer2013_digests.bin`` holds for each of the 35,887 faces, in the order of Kaggle's file, the first
8 bytes of BLAKE2b (of 16) over its 48 x 48 grey levels. ``benchmarks/data/fer2013_digests.py``
writes it. Faces cannot be reconstructed from it.
"""

import hashlib
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from emotion_detection.data.source import FER2013_SPLITS, Face

COUNT = 35_887
SIDE = 48
USAGES = {split: usage for usage, split in FER2013_SPLITS.items()}
_ENDS = {"Training": 28_709, "PublicTest": 32_298, "PrivateTest": COUNT}


def find_usage(number: int) -> str:
    """Return the usage of a face of FER-2013 by its number.

    >>> find_usage(28708), find_usage(28709)
    ('Training', 'PublicTest')
    """
    return next(usage for usage, end in _ENDS.items() if number < end)


def name_file(number: int) -> str:
    """Return the name of a face of FER-2013, such as ``Training_00017.png``."""
    return f"{find_usage(number)}_{number:05d}.png"


def shorten_digest(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return 8 bytes that identify the pixels of a face, uint8 (48, 48)."""
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16)
    return digest.digest()[:8]


@cache
def _numbers() -> dict[bytes, tuple[int, ...]]:
    content = (resources.files("emotion_detection.data") / "fer2013_digests.bin").read_bytes()
    found: dict[bytes, list[int]] = {}
    for number in range(len(content) // 8):
        found.setdefault(content[8 * number : 8 * number + 8], []).append(number)
    return {digest: tuple(numbers) for digest, numbers in found.items()}


class Fer2013Matcher:
    """Find the numbers of FER-2013's faces, each number once.

    FER-2013 has exact duplicates. Among these the expected number is used, else the lowest unused
    one of the same usage, else the lowest unused one.
    """

    def __init__(self) -> None:
        self._used: set[int] = set()

    def match(
        self, pixels: npt.NDArray[np.uint8], expected: int | None = None, usage: str | None = None
    ) -> int | None:
        """Return the number of a face, or None: these are not the pixels of one.

        Args:
            pixels: uint8 (H, W).
            expected: the number that it should have.
            usage: 'Training', 'PublicTest' or 'PrivateTest', where it is known.
        """
        if pixels.shape != (SIDE, SIDE):
            return None
        return self.match_digest(shorten_digest(pixels), expected, usage)

    def match_digest(
        self, digest: bytes, expected: int | None = None, usage: str | None = None
    ) -> int | None:
        """Return the number of a face by the :func:`shorten_digest` of its pixels, or None."""
        left = [n for n in _numbers().get(digest, ()) if n not in self._used]
        if not left:
            return None
        same = [number for number in left if find_usage(number) == usage]
        number = expected if expected in left else (same or left)[0]
        self._used.add(number)
        return number


class PixelNames:
    """Name the faces of a table of pixels by content, not by row.

    A face of FER-2013 gets its number there, also if rows were left out or shuffled. Any other face
    gets a digest of its pixels.
    """

    def __init__(self) -> None:
        self._matcher = Fer2013Matcher()
        self._given: Counter[str] = Counter()
        self._is_fer2013 = False

    def name(self, face: Face, row: int) -> Face:
        """Return a face with its name, and its number where it is one of FER-2013.

        Args:
            face: its content is its grey levels.
            row: where it stands in the table.
        """
        content = face.content
        if not isinstance(content, np.ndarray):
            raise TypeError(f"{type(content).__name__}: grey levels are needed")
        usage = USAGES.get(face.split or "")
        number = self._matcher.match(content, row, usage)
        if number is not None:
            self._is_fer2013 = True
            return replace(face, name=name_file(number), order=number)
        digest = shorten_digest(content).hex()
        name = f"{usage or 'face'}_{digest}"
        self._given[name] += 1
        if self._given[name] > 1:
            name = f"{name}_{self._given[name]}"
        return replace(face, name=f"{name}.png", order=None if self._is_fer2013 else row)
