"""Iterate over the images of a call, one by one or in threads."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from emotion_detection.errors import InputError, shorten
from emotion_detection.images.arrays import put_channels_last
from emotion_detection.images.file_types import READ
from emotion_detection.inference.crop_inputs import is_one_image
from emotion_detection.inference.detection import ImageInput
from emotion_detection.inference.image_files import list_image_files

T = TypeVar("T")
R = TypeVar("R")


def iterate_images(images: ImageInput | Iterable[ImageInput]) -> Iterable[ImageInput]:
    """Iterate over one image, several images, or the images of a folder.

    A folder yields the images in it, at any depth, sorted by name. An array or tensor that is one
    image for ``detect`` is one image here too; others are iterated over their first axis.

    Raises:
        InputError: not an image or an iterable of images, or a folder without images.
    """
    if isinstance(images, str | os.PathLike) and os.path.isdir(images):
        return _list_folder(images)
    is_single = is_one_image(images)
    shape = getattr(images, "shape", None)
    if isinstance(shape, tuple) and len(shape) in (2, 3):
        view = np.broadcast_to(np.uint8(0), shape)  # of the same shape, without pixels
        is_single = len(shape) == 2 or put_channels_last(view) is not None
    if is_single:
        return [cast(ImageInput, images)]
    if isinstance(images, Mapping) or not isinstance(images, Iterable):
        raise InputError(
            f"{shorten(repr(images))}: must be an image, or a list or another iterable of images"
        )
    return cast(Iterable[ImageInput], images)


def _list_folder(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the images in a folder; warn about subfolders that cannot be read."""

    def report(name: str, reason: str) -> None:
        warnings.warn(f"{name}: {reason}", stacklevel=6)

    found = list(list_image_files([folder], report))
    if not found:
        raise InputError(f"{os.fspath(folder)}: no images in this folder (read are {READ})")
    return found


def map_in_threads(function: Callable[[T], R], values: Iterable[T], count: int) -> Iterator[R]:
    """Yield a function's results in order, computed in several threads.

    Args:
        function: called in threads.
        values: the arguments; consumed only as threads become free.
        count: number of threads.

    >>> list(map_in_threads(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for value in values:
            running.append(pool.submit(function, value))
            if len(running) >= count:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
