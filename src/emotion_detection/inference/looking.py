"""A picture, looked at: its faces found, counted and cut out; all but their expressions."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.images import PictureError, picture_array
from emotion_detection.inference.align import MARGIN, cut_out, placement
from emotion_detection.inference.face_detector import FaceDetector, FoundFace, is_cut
from emotion_detection.inference.model import ModelInput
from emotion_detection.readout import ZOOM
from emotion_detection.results import CUT, Face, Result

Picture = str | Path | bytes | Image.Image | npt.NDArray[np.uint8]
"""What a picture may be: a path, a file's bytes, Pillow's, or an array, uint8 (H, W, 3) RGB or
(H, W) grey."""


class Seen(NamedTuple):
    """A picture whose faces were found.

    Args:
        about: the result without faces.
        faces: those found.
        crops: uint8 (N, H, W) or (N, H, W, 3), one a face, as the model takes them.
        enlarged: the same faces cut closer, by :data:`~emotion_detection.readout.ZOOM`; None where
            a view of that kind is made of the crops themselves.
    """

    about: Result
    faces: tuple[FoundFace, ...]
    crops: npt.NDArray[np.uint8]
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
                flags=(CUT,) if self._is_cut(found) else (),
            )
            for row, found in enumerate(self.faces)
        )
        return Result(about.width, about.height, faces, about.skipped, about.source, about.notes)

    def _is_cut(self, found: FoundFace) -> bool:
        # a crop fills its picture: nobody looked whether more of the face was outside
        return bool(found.landmarks) and is_cut(found, self.about.width, self.about.height)


def look(picture: Picture, finder: FaceDetector, wanted: ModelInput, enlarge: bool = False) -> Seen:
    """Read a picture, find its faces and cut them out.

    Args:
        picture: the picture.
        finder: what finds faces.
        wanted: the model's input.
        enlarge: cut each face out a second time, closer.

    Raises:
        PictureError: it cannot be read; the message names the file, if it is one.
    """
    source = str(picture) if isinstance(picture, str | Path) else None
    try:
        pixels, notes = picture_array(picture)
    except PictureError as error:
        raise PictureError(f"{source}: {error}" if source else str(error)) from None
    height, width = pixels.shape[:2]
    found = finder.find(pixels)
    crops = _cut(pixels, found.faces, wanted, 1.0)
    enlarged = _cut(pixels, found.faces, wanted, ZOOM) if enlarge else None
    about = Result(width, height, skipped=found.skipped, source=source, notes=notes)
    return Seen(about, found.faces, crops, enlarged)


def _cut(
    pixels: npt.NDArray[np.uint8], faces: tuple[FoundFace, ...], wanted: ModelInput, zoom: float
) -> npt.NDArray[np.uint8]:
    """Cut faces out of an image, enlarged by ``zoom``: uint8 (N, H, W) or (N, H, W, 3)."""
    size, channels = wanted
    crops = np.empty((len(faces), size, size, *(() if channels == 1 else (3,))), np.uint8)
    for row, face in enumerate(faces):
        where = placement(face.box, face.landmarks, size, MARGIN / zoom)
        crops[row] = cut_out(pixels, where, size, channels)
    return crops
