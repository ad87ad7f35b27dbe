"""Describe the left-out files of folders."""

from collections import Counter
from collections.abc import Callable, Mapping

from emotion_detection.images.kinds import HEIF_SUFFIXES, JPEG2000_SUFFIXES, READ
from emotion_detection.inference.video import SUFFIXES as VIDEO_SUFFIXES

SHOWN = 5
"""Suffixes that are named."""


def describe_left_out(counts: Mapping[str, int]) -> str:
    """Return in one line the left-out files, and how to include them.

    Args:
        counts: of files, by suffix in lower case.

    >>> describe_left_out({".heic": 2, ".txt": 1})
    "2 .heic (they need pillow-heif: pip install '.[heif]' in the checkout), 1 .txt (read are \
JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PPM and TGA)"
    """
    kinds: list[tuple[Callable[[str], bool], str]] = [
        (
            HEIF_SUFFIXES.__contains__,
            "they need pillow-heif: pip install '.[heif]' in the checkout",
        ),
        (
            JPEG2000_SUFFIXES.__contains__,
            "JPEG 2000 is read in datasets alone, since it may take very long",
        ),
        (VIDEO_SUFFIXES.__contains__, "videos: --videos reads them, too"),
        (lambda _: True, f"read are {READ}"),
    ]
    left, parts = Counter(counts), []
    for belongs, reason in kinds:
        some = Counter({suffix: count for suffix, count in left.items() if belongs(suffix)})
        left -= some
        if some:
            named = [
                f"{count:,} {suffix or 'without suffix'}"
                for suffix, count in some.most_common(SHOWN)
            ]
            more = [] if len(some) <= SHOWN else ["..."]
            parts.append(f"{', '.join(named + more)} ({reason})")
    return ", ".join(parts)
