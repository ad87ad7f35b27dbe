"""An image, looked at: its faces found, counted and cut out; all but their expressions."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.errors import shorten
from emotion_detection.images.file_objects import is_file_object, name_of_file, read_file_object
from emotion_detection.images.opening import (
    DEFAULT_MAX_PIXELS,
    ImageError,
    LoadedImage,
    largest_file_bytes,
    load_image,
)
from emotion_detection.inference.align import MARGIN, compute_placement, cut_out
from emotion_detection.inference.detected_face import DetectedFace, move_face
from emotion_detection.inference.face_detector import CERTAIN, FaceDetector, is_cut
from emotion_detection.inference.model import ModelInput
from emotion_detection.postprocessing import ZOOM
from emotion_detection.results import CUT, UNCERTAIN_FACE, Face, Result


class Readable(Protocol):
    """A file that is open for reading bytes, or an upload."""

    def read(self, size: int = ..., /) -> bytes:
        """Return so many bytes at most."""


class HasArray(Protocol):
    """What NumPy can make an array of, such as a tensor on the CPU."""

    def __array__(self) -> npt.NDArray[Any]: ...


ImageInput = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | Image.Image
    | npt.NDArray[Any]
    | Readable
    | HasArray
)
"""What an image may be: a path, a file's bytes, an open file, Pillow's, or an array or tensor
(H, W), (H, W, C) or (C, H, W)."""

_ENOUGH = 2
"""Crops are cut from a reduced image where its faces have this many times their pixels."""
_AROUND = 2.0
"""What is cut from a large image around a face, by the longer side of its box."""


class ImageOrigin(NamedTuple):
    """What a result was made of, so that it can be drawn.

    Args:
        image: the image; a path is absolute.
        color: order of the channels of an array.
        max_pixels: files and PIL images with more are refused.
    """

    image: Any
    color: str
    max_pixels: int

    @classmethod
    def of(cls, image: Any, color: str, max_pixels: int) -> "ImageOrigin":
        """Return the origin of a result; the working folder may change later."""
        if isinstance(image, str | os.PathLike):
            image = os.path.abspath(os.fsdecode(image))
        return cls(image, color, max_pixels)

    def load(self) -> LoadedImage:
        """Load the image at its full size.

        Raises:
            ImageError: it cannot be read any more.
        """
        return load_image(self.image, self.max_pixels, self.color)


class DetectedImage(NamedTuple):
    """An image whose faces were found.

    Args:
        about: the result without faces.
        faces: those found.
        crops: uint8 (N, H, W) or (N, H, W, 3), one a face, as the model takes them.
        certain: faces with less confidence are flagged as uncertain.
        enlarged: the same faces cut closer, by :data:`~emotion_detection.postprocessing.ZOOM`;
            None where a view of that kind is made of the crops themselves.
    """

    about: Result
    faces: tuple[DetectedFace, ...]
    crops: npt.NDArray[np.uint8]
    certain: float = CERTAIN
    enlarged: npt.NDArray[np.uint8] | None = None

    def result(
        self,
        labels: tuple[str, ...],
        scores: npt.NDArray[np.float32],
        intensity: npt.NDArray[np.float32] | None,
    ) -> Result:
        """Return the result.

        Args:
            labels: the emotions.
            scores: float32 (N, len(labels)), of the crops.
            intensity: float32 (N,), or None.
        """
        about = self.about
        faces = tuple(
            Face(
                box=found.box,
                landmarks=found.landmarks,
                confidence=found.confidence,
                scores=dict(zip(labels, map(float, scores[row]), strict=True)),
                intensity=None if intensity is None else float(intensity[row]),
                flags=self._flags(found),
            )
            for row, found in enumerate(self.faces)
        )
        return replace(about, faces=faces)

    def _flags(self, found: DetectedFace) -> tuple[str, ...]:
        # a crop fills its image: nobody looked whether more of the face was outside
        cut = bool(found.landmarks) and is_cut(found, self.about.width, self.about.height)
        uncertain = found.confidence < self.certain
        return (CUT,) * cut + (UNCERTAIN_FACE,) * uncertain


def detect_faces(
    image: ImageInput,
    finder: FaceDetector,
    wanted: ModelInput,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    color: str = "rgb",
    certain: float = CERTAIN,
    enlarge: bool = False,
    keep: bool = False,
) -> DetectedImage:
    """Read an image, find its faces and cut them out.

    Args:
        image: the image.
        finder: what finds faces.
        wanted: the model's input.
        max_pixels: files with more are refused.
        color: order of the channels of an array, 'rgb' or 'bgr'.
        certain: faces with less confidence are flagged as uncertain.
        enlarge: cut each face out a second time, closer.
        keep: let the result refer to the image, so that it can be drawn; of a file's path it
            does so in any case.

    Raises:
        ImageError: it cannot be read; the message names the file, if it is one.
    """
    is_path = isinstance(image, str | os.PathLike)
    source = os.fsdecode(cast(Any, image)) if is_path else name_of_file(image)
    try:
        if is_file_object(image) and not is_path:
            image = read_file_object(image, largest_file_bytes(max_pixels))
        loaded = load_image(image, max_pixels, color, reduced=True)
        scale = loaded.width / loaded.pixels.shape[1]
        found = finder.find(loaded.pixels, scale)
        crops = _cut_faces(loaded, found.faces, wanted, (1.0, ZOOM) if enlarge else (1.0,))
    except ImageError as error:
        raise ImageError(f"{shorten(source)}: {error}" if source else str(error)) from None
    origin = ImageOrigin.of(image, color, max_pixels) if keep or is_path else None
    about = Result(
        *(loaded.width, loaded.height, (), found.skipped, source, loaded.notes), _origin=origin
    )
    return DetectedImage(about, found.faces, crops[0], certain, crops[1] if enlarge else None)


def _cut_faces(
    loaded: LoadedImage, faces: tuple[DetectedFace, ...], wanted: ModelInput, zooms: Sequence[float]
) -> npt.NDArray[np.uint8]:
    """Cut faces out, from the image at its full size where it is needed.

    Returns:
        uint8 (zooms, N, H, W) or (zooms, N, H, W, 3): each face enlarged by each of ``zooms``.
    """
    size, channels = wanted
    colour = () if channels == 1 else (3,)
    crops = np.empty((len(zooms), len(faces), size, size, *colour), np.uint8)
    share = loaded.pixels.shape[1] / loaded.width
    smallest = min((max(face.box[2:]) for face in faces), default=0.0)
    full = None
    if faces and loaded.full is not None and share * smallest < _ENOUGH * wanted.size:
        full = loaded.full()
    for row, face in enumerate(faces):
        if full is None:
            pixels, here = loaded.pixels, move_face(face, share, share, 0, 0)
        else:
            pixels, here = _surroundings(full, face)
        for number, zoom in enumerate(zooms):
            where = compute_placement(here.box, here.landmarks, size, MARGIN / zoom)
            crops[number, row] = cut_out(pixels, where, size, channels)
    return crops


def _surroundings(
    image: Image.Image, face: DetectedFace
) -> tuple[npt.NDArray[np.uint8], DetectedFace]:
    """Return the part of a large image around a face, and the face in it."""
    x, y, width, height = face.box
    room = _AROUND * max(width, height)
    left, top = int(max(0, x - room)), int(max(0, y - room))
    right = int(min(image.width, x + width + room)) + 1
    bottom = int(min(image.height, y + height + room)) + 1
    part = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
    return np.asarray(part.convert("RGB")), move_face(face, 1, 1, -left, -top)
