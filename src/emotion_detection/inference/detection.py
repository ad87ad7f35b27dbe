"""Detect and crop the faces of an image; their expressions are classified later."""

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
from emotion_detection.results import CUT, UNCERTAIN_FACE, Face, Result
from emotion_detection.views import ZOOM


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Return at most this many bytes."""


class HasArray(Protocol):
    """Anything that NumPy can convert to an array, such as a tensor on the CPU."""

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
"""An image: a path, a file's bytes, an open file, a PIL image, or an array or tensor (H, W), (H, W,
C) or (C, H, W)."""

_ENOUGH = 2
"""Faces are cropped from a reduced image if they have this many times the crop's pixels there."""
_AROUND = 2.0
"""Side of the region that is decoded around a face of a large image, as a multiple of the longer
side of the box."""


class ImageOrigin(NamedTuple):
    """The image that a result is of, so that the result can be drawn.

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
        """Return the origin of a result; paths become absolute."""
        if isinstance(image, str | os.PathLike):
            image = os.path.abspath(os.fsdecode(image))
        return cls(image, color, max_pixels)

    def load(self) -> LoadedImage:
        """Load the image at its full size.

        Raises:
            ImageError: the image can no longer be read.
        """
        return load_image(self.image, self.max_pixels, self.color)


class DetectedImage(NamedTuple):
    """An image with its detected faces and their crops.

    Args:
        about: the result without faces.
        faces: the detected faces.
        crops: uint8 (N, H, W) or (N, H, W, 3), one per face, in the model's input size.
        certain: faces with less confidence are flagged as uncertain.
        enlarged: tighter crops of the same faces, enlarged by
            :data:`~emotion_detection.postprocessing.ZOOM`; None: the enlarged views are made from
            the crops.
        loaded: the decoded image, if it was to be kept.
    """

    about: Result
    faces: tuple[DetectedFace, ...]
    crops: npt.NDArray[np.uint8]
    certain: float = CERTAIN
    enlarged: npt.NDArray[np.uint8] | None = None
    loaded: LoadedImage | None = None

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
        # a crop is the whole image: whether the face was cut off is unknown
        cut = bool(found.landmarks) and is_cut(found, self.about.width, self.about.height)
        uncertain = found.confidence < self.certain
        return (CUT,) * cut + (UNCERTAIN_FACE,) * uncertain


def detect_faces(
    image: ImageInput,
    finder: FaceDetector,
    target: ModelInput,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    color: str = "rgb",
    certain: float = CERTAIN,
    enlarge: bool = False,
    keep: bool = False,
    keep_pixels: bool = False,
) -> DetectedImage:
    """Load an image, detect its faces and crop them.

    Args:
        image: the image.
        finder: the face detector.
        target: size and channels of the model's input.
        max_pixels: files with more are refused.
        color: order of the channels of an array, 'rgb' or 'bgr'.
        certain: faces with less confidence are flagged as uncertain.
        enlarge: also return a tighter crop of each face.
        keep: let the result refer to the image, so that it can be drawn; a result of a path always
            does.
        keep_pixels: keep the decoded image, so that it can be drawn without decoding it again.

    Raises:
        ImageError: the image cannot be read; the message names the file, if there is one.
    """
    is_path = isinstance(image, str | os.PathLike)
    source = os.fsdecode(cast(Any, image)) if is_path else name_of_file(image)
    try:
        if is_file_object(image) and not is_path:
            image = read_file_object(image, largest_file_bytes(max_pixels))
        loaded = load_image(image, max_pixels, color, reduced=True)
        scale = loaded.width / loaded.pixels.shape[1]
        found = finder.find(loaded.pixels, scale)
        crops = _cut_faces(loaded, found.faces, target, (1.0, ZOOM) if enlarge else (1.0,))
    except ImageError as error:
        raise ImageError(f"{shorten(source)}: {error}" if source else str(error)) from None
    origin = ImageOrigin.of(image, color, max_pixels) if keep or is_path else None
    about = Result(
        *(loaded.width, loaded.height, (), found.skipped, source, loaded.notes), _origin=origin
    )
    return DetectedImage(
        *(about, found.faces, crops[0], certain, crops[1] if enlarge else None),
        loaded if keep_pixels else None,
    )


def _cut_faces(
    loaded: LoadedImage, faces: tuple[DetectedFace, ...], target: ModelInput, zooms: Sequence[float]
) -> npt.NDArray[np.uint8]:
    """Crop faces, from the image at full size where that is needed.

    Returns:
        uint8 (zooms, N, H, W) or (zooms, N, H, W, 3): each face, enlarged by each of ``zooms``.
    """
    size, channels = target
    colour = () if channels == 1 else (3,)
    crops = np.empty((len(zooms), len(faces), size, size, *colour), np.uint8)
    share = loaded.pixels.shape[1] / loaded.width
    smallest = min((max(face.box[2:]) for face in faces), default=0.0)
    full = None
    if faces and loaded.full is not None and share * smallest < _ENOUGH * target.size:
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
    """Return the region of a large image around a face, and the face in that region."""
    x, y, width, height = face.box
    room = _AROUND * max(width, height)
    left, top = int(max(0, x - room)), int(max(0, y - room))
    right = int(min(image.width, x + width + room)) + 1
    bottom = int(min(image.height, y + height + room)) + 1
    part = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
    return np.asarray(part.convert("RGB")), move_face(face, 1, 1, -left, -top)
