""":func:`explain`: explain the emotion of each face of an image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.inference.crops import faces, load_crops
from emotion_detection.inference.detection import ImageInput
from emotion_detection.inference.detector import EmotionDetector
from emotion_detection.inference.explain import MASKS, Method, draw_heat_map, explain_crop
from emotion_detection.inference.result_output import encode_shown
from emotion_detection.labels import canonical_name


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The regions of a face that drove the score of an emotion.

    >>> from emotion_detection import explain
    >>> explain(detector, "photo.jpg", method="occlusion")[0].heat.shape
    (48, 48)

    Args:
        emotion: the explained emotion.
        score: score of that emotion, 0 to 1.
        crop: uint8 (S, S) or (S, S, 3), the face in the model's input size.
        heat: float32 (S, S), score lost by hiding each pixel; negative where hiding it raises the
            score.
    """

    emotion: str
    score: float
    crop: npt.NDArray[np.uint8]
    heat: npt.NDArray[np.float32]

    def plot(self) -> Image.Image:
        """Draw the face beside its heat map.

        >>> from emotion_detection import explain
        >>> explain(detector, "photo.jpg", method="occlusion")[0].plot().mode
        'RGB'
        """
        return draw_heat_map(self.crop, self.heat, f"{self.emotion} {self.score:.0%}")

    def __repr__(self) -> str:
        return f"Explanation({self.emotion} {self.score:.2f})"

    def _repr_png_(self) -> bytes:
        return encode_shown(self.plot())


def explain(
    detector: EmotionDetector,
    image: ImageInput,
    emotion: str | None = None,
    *,
    crops: bool = False,
    method: Method = "rise",
    seed: int = 0,
    masks: int = MASKS,
    color: str = "rgb",
) -> list[Explanation]:
    """Explain which regions of each face drove the score.

    Regions of the face are hidden (replaced by a blurred copy), and the loss of score is measured.
    See :func:`.explain_crop` for both methods.

    >>> from emotion_detection import explain
    >>> explain(detector, "photo.jpg", method="occlusion")
    [Explanation(happiness 1.00)]

    Args:
        detector: the detector.
        image: as for :meth:`.EmotionDetector.detect`.
        emotion: the emotion to explain; None: the predicted one of each face.
        crops: the image is a face crop: detect nothing.
        method: 'rise', or 'occlusion' (faster, coarser).
        seed: seed of the random masks of 'rise'.
        masks: number of masks of 'rise'.
        color: order of the channels of an array, 'rgb' or 'bgr'.

    Returns:
        An explanation for each face, from left to right; scores are those of a single view.

    Raises:
        InputError: no such emotion or method.
        ImageError: the image cannot be read.
    """
    column = None if emotion is None else _column(emotion, detector.labels)
    if crops:
        (tensor,) = faces(load_crops([image], *detector.input, color=color), *detector.input)
        face = tensor[0] if len(tensor) == 1 else np.ascontiguousarray(tensor.transpose(1, 2, 0))
        found = face[None]
    else:
        found = detector.look(image, color=color).crops
    explanations = []
    for crop, scores in zip(found, detector.classify(found), strict=True):
        place = int(scores.argmax()) if column is None else column
        heat = explain_crop(detector.classify, crop, place, method, seed, masks)
        explanations.append(Explanation(detector.labels[place], float(scores[place]), crop, heat))
    return explanations


def _column(emotion: str, labels: tuple[str, ...]) -> int:
    name = emotion if emotion in labels else canonical_name(emotion)
    if name not in labels:
        raise InputError(f"emotion {emotion!r}: must be one of {', '.join(labels)}")
    return labels.index(name)
