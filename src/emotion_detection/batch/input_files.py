"""List the files of the inputs (images, videos, live sources), and describe what is left out."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emotion_detection.errors import InputError
from emotion_detection.images.file_types import (
    HEIF_SUFFIXES,
    JPEG2000_SUFFIXES,
    READ,
    read_suffixes,
)
from emotion_detection.inference.image_files import list_image_files
from emotion_detection.inference.video import SUFFIXES as VIDEO_SUFFIXES
from emotion_detection.inference.video import is_video
from emotion_detection.inference.video_live import find_live_source

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


class Entry(NamedTuple):
    """One file.

    Args:
        source: its name, as results say it.
        error: why it cannot be read, where that is known before it is tried.
        is_video: whether it is a video, or a live source.
    """

    source: str
    error: str | None = None
    is_video: bool = False


def list_entries(
    inputs: Sequence[str], left_out: Counter[str] | None = None, videos: bool = False
) -> Iterator[Entry]:
    """Yield the files of the inputs: images, videos, and images in folders.

    Args:
        inputs: files, folders and live sources. A folder stands for the images in it, at any
            depth; a video must be named itself, or be asked for.
        left_out: where given, counts the other files in folders by their suffix.
        videos: folders stand for the videos in them, too.

    Yields:
        The files in the order of the inputs, each once; those of a folder are sorted. An unreadable
        input, or a folder without images, is an entry with an error.
    """
    waiting: list[Entry] = []  # what is known beside the images, in the order of all
    found = 0  # in the input that is gone through
    left_out = Counter() if left_out is None else left_out

    def report(name: str, reason: str) -> None:
        nonlocal found
        found += 1
        waiting.append(Entry(name, reason))

    def named() -> Iterator[str]:
        nonlocal found
        seen, has_files = set[str](), False
        for name in inputs:
            if find_live_source(name) is not None:
                waiting.append(Entry(name, is_video=True))
                continue
            if is_video(name) and os.path.isfile(name):
                if (own := os.path.realpath(name)) not in seen:
                    waiting.append(Entry(name, is_video=True))
                seen.add(own)
                continue
            has_files = has_files or found > 0
            found, before = 0, left_out.copy()
            yield name
            # the next input is asked for once this one is gone through
            if not found and os.path.isdir(name):
                others = describe_left_out(left_out - before)
                reason = f"no images in it{' that no other input names' if has_files else ''}"
                report(name, f"{reason}; left out: {others}" if others else reason)

    suffixes = (*read_suffixes(), *VIDEO_SUFFIXES) if videos else read_suffixes()
    for path in list_image_files(named(), report, suffixes, left_out):
        yield from waiting
        waiting.clear()
        found += 1
        yield Entry(str(path), is_video=videos and is_video(path))
    yield from waiting


def expand_patterns(inputs: Iterable[str]) -> Iterator[str]:
    """Yield names, with patterns such as ``*.jpg`` replaced by the files that match.

    Shells do so themselves, but not those of Windows, nor where the pattern is quoted.
    """
    for name in inputs:
        if not glob.has_magic(name) or os.path.lexists(name):
            yield name
        elif matching := sorted(glob.glob(name, recursive=True)):
            yield from matching
        else:
            yield name


def common_folder(inputs: Sequence[str]) -> str:
    """Return the deepest folder, absolute, that all inputs lie in."""
    places = [os.path.abspath(name) for name in inputs]
    places = [place if os.path.isdir(place) else os.path.dirname(place) for place in places]
    try:
        return os.path.commonpath(places)
    except ValueError:  # several drives
        return os.path.abspath(os.curdir)


def lies_in(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Return True if a path, with links resolved, is a folder or lies below it."""
    try:
        place, top = (os.path.normcase(os.path.realpath(name)) for name in (path, folder))
        return os.path.commonpath([place, top]) == top
    except ValueError:  # several drives
        return False


def make_annotate(annotate: str, inputs: Sequence[str]) -> None:
    """Create the folder for annotated images, after checking that it is outside the inputs.

    Raises:
        InputError: the folder lies in an input or an input in it; or it cannot be made.
    """
    if not annotate.strip():
        raise InputError(f"--annotate {annotate!r}: must name a folder")
    for name in inputs:
        if os.path.isdir(name) and lies_in(annotate, name):
            raise InputError(
                f"--annotate {annotate}: lies in the input {name}, whose images it would add to; "
                "choose a folder outside"
            )
        _check_apart(name, annotate)
    try:
        Path(annotate).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--annotate {annotate}: {error.strerror}") from None


def split_inputs(files: Iterable[Entry], annotate: str | None) -> Iterator[Entry]:
    """Yield the files, after checking that none of them, with links resolved, is in ``annotate``.

    Raises:
        InputError: one does.
    """
    for entry in files:
        if annotate is not None:
            _check_apart(entry.source, annotate)
        yield entry


def _check_apart(name: str, annotate: str) -> None:
    if lies_in(name, annotate):
        raise InputError(
            f"--annotate {annotate}: the input {name} lies in it and could be overwritten; "
            "choose another folder"
        )
