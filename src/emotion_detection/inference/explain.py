"""Explain a score: hide regions of a face, score again, and draw the loss as a heat map.

:func:`explain` does so for each face of an image, :func:`explain_crop` for one crop.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from emotion_detection.errors import InputError
from emotion_detection.inference.annotate import load_font
from emotion_detection.inference.crop_inputs import faces, load_crops
from emotion_detection.inference.detection import ImageInput
from emotion_detection.inference.emotion_detector import EmotionDetector
from emotion_detection.inference.result_output import encode_shown
from emotion_detection.labels import canonical_name

Scores = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Crops uint8 (N, H, W) or (N, H, W, 3) to scores float32 (N, C)."""

Method = Literal["rise", "occlusion"]
METHODS: tuple[str, ...] = get_args(Method)

MASKS = 1000
"""Number of masks of RISE. More masks make the map depend less on the seed, and take longer."""
CELLS = 7
"""Cells per side of a RISE mask: a random grid of hidden and shown cells, upsampled smoothly."""

_BATCH = 256
_FAINTEST = 0.02
"""Minimum score of the brightest colour, so that negligible values stay dark."""

COLOUR_MAP = (
    (1, 24, 107),
    (105, 2, 126),
    (166, 2, 117),
    (219, 30, 104),
    (252, 85, 87),
    (255, 145, 94),
    (255, 194, 123),
    (255, 237, 178),
)
"""RGB colour map from low to high. It is perceptually uniform and colour-blind safe: lightness (CIE
L*) rises in even steps from 14 to 94, and hue goes from violet to yellow."""


def explain_crop(
    scores: Scores,
    crop: npt.NDArray[np.uint8],
    emotion: int | None = None,
    method: Method = "rise",
    seed: int = 0,
    masks: int = MASKS,
) -> npt.NDArray[np.float32]:
    """Return a map of the score that an emotion loses where the face is hidden.

    Hidden regions are replaced by a blurred crop, which keeps the light and loses the features.

    'rise' (Petsiuk, Das & Saenko 2018, RISE) scores the face under random smooth masks. Here a
    pixel's value is the slope of the score over the mask at that pixel, that is their covariance
    over the mask's variance. The paper's mean of masks, weighted by score, also depends on how
    often a pixel happened to be shown, and is noisier. 'occlusion' (Zeiler & Fergus 2014) slides a
    square of a quarter of the crop's side; a pixel's value is the mean loss of score over the
    squares that hide it. Occlusion needs 361 forward passes and no seed. It is less faithful: if
    pixels are hidden in the order of the map, the score falls more slowly than with 'rise'.

    Args:
        scores: the model, as :meth:`.EmotionDetector.classify`.
        crop: uint8 (H, W) or (H, W, 3), best in the size of the model's input.
        emotion: column of the scores; None: that of the highest score of the whole crop.
        method: 'rise' or 'occlusion'.
        seed: of the masks; the same one gives the same map.
        masks: number of masks of 'rise'.

    Returns:
        float32 (H, W): score lost by hiding a pixel; negative where hiding it raises the score.

    Raises:
        InputError: a crop of another type or shape, no such emotion or method, a seed below 0 or
            fewer than 2 masks.
    """
    _check(crop, method, seed, masks)
    whole = scores(crop[None])[0]
    if emotion is not None and not 0 <= emotion < len(whole):
        raise InputError(f"emotion {emotion}: must be from 0 to {len(whole) - 1}")
    column = int(whole.argmax()) if emotion is None else emotion
    side = max(2.0, min(crop.shape[:2]))
    hidden = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(side / 8)))

    def scored(shown: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        weights = shown.reshape(*shown.shape, *[1] * (crop.ndim - 2))
        mixed = np.rint(hidden + weights * (crop.astype(np.float32) - hidden)).astype(np.uint8)
        return scores(mixed)[:, column].astype(np.float64)

    size = crop.shape[0], crop.shape[1]
    if method == "rise":
        return _slopes(scored, _random_masks(size, masks, seed))
    return _losses(scored, _squares(size), float(whole[column]))


def _check(crop: npt.NDArray[np.uint8], method: str, seed: int, masks: int) -> None:
    allowed = "must be uint8 (H, W) grey or (H, W, 3) RGB"
    if crop.dtype != np.uint8 or crop.ndim not in (2, 3) or crop.shape[2:] not in ((), (3,)):
        raise InputError(f"a crop of {crop.dtype} {crop.shape}: {allowed}")
    if min(crop.shape[:2]) < CELLS:
        raise InputError(f"a crop of shape {crop.shape}: needs at least {CELLS} pixels a side")
    if method not in METHODS:
        raise InputError(f"method {method!r}: must be {' or '.join(METHODS)}")
    if seed < 0:
        raise InputError(f"seed {seed}: must be 0 or more")
    if masks < 2:
        raise InputError(f"masks {masks}: must be 2 or more")


Masks = Iterator[npt.NDArray[np.float32]]
"""Batches of masks (N, H, W): 1 where the face is shown, 0 where it is hidden."""


def _random_masks(size: tuple[int, int], count: int, seed: int) -> Masks:
    generator = np.random.default_rng(seed)
    height, width = (-(-length // CELLS) for length in size)
    enlarged = (width * (CELLS + 1), height * (CELLS + 1))
    for start in range(0, count, _BATCH):
        batch = np.empty((min(_BATCH, count - start), *size), np.float32)
        for mask in batch:
            grid = generator.integers(0, 2, (CELLS + 1, CELLS + 1)).astype(np.float32)
            smooth = Image.fromarray(grid).resize(enlarged, Image.Resampling.BILINEAR)
            y, x = generator.integers(0, (height, width))
            mask[:] = np.asarray(smooth)[y : y + size[0], x : x + size[1]]
        yield batch


def _squares(size: tuple[int, int]) -> Masks:
    side = max(2, round(min(size) / 4))
    step = max(1, side // 4)
    corners = [
        (y, x) for y in range(step - side, size[0], step) for x in range(step - side, size[1], step)
    ]
    for start in range(0, len(corners), _BATCH):
        some = corners[start : start + _BATCH]
        batch = np.ones((len(some), *size), np.float32)
        for mask, (y, x) in zip(batch, some, strict=True):
            mask[max(0, y) : y + side, max(0, x) : x + side] = 0
        yield batch


def _slopes(
    scored: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]], masks: Masks
) -> npt.NDArray[np.float32]:
    """Return each pixel's slope of the score over the mask (least squares)."""
    count, score = 0, 0.0
    shown = squared = product = np.zeros(())
    for batch in masks:
        found = scored(batch)
        count += len(batch)
        score += found.sum()
        shown = shown + batch.sum(axis=0, dtype=np.float64)
        squared = squared + np.square(batch).sum(axis=0, dtype=np.float64)
        product = product + np.tensordot(found, batch, axes=1)
    covariance = product / count - score / count * shown / count
    variance = squared / count - (shown / count) ** 2
    slopes = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 1e-9)
    return slopes.astype(np.float32)


def _losses(
    scored: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]],
    masks: Masks,
    whole: float,
) -> npt.NDArray[np.float32]:
    """Return each pixel's mean loss of score over the masks that hide it."""
    lost = hidden = np.zeros(())
    for batch in masks:
        lost = lost + np.tensordot(whole - scored(batch), 1 - batch, axes=1)
        hidden = hidden + (1 - batch).sum(axis=0, dtype=np.float64)
    return (lost / hidden).astype(np.float32)


def draw_heat_map(
    crop: npt.NDArray[np.uint8],
    heat: npt.NDArray[np.float32],
    caption: str = "",
    side: int = 256,
) -> Image.Image:
    """Draw a crop beside itself under its heat map, with a legend.

    Pixels that support the emotion (above 0) are coloured, the higher the stronger. Others are
    unchanged.

    Args:
        crop: uint8 (H, W) or (H, W, 3).
        heat: float32 (H, W), from :func:`explain_crop`.
        caption: text above the image, such as the emotion and its score.
        side: height in pixels of the drawn crop.

    Returns:
        A PIL image, mode "RGB".
    """
    size = (round(side * crop.shape[1] / crop.shape[0]), side)
    face = Image.fromarray(crop).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    most = max(float(heat.max()), _FAINTEST)
    share = np.clip(heat / most, 0, 1)
    large = Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    hot = _coloured(np.asarray(face, np.float32), np.clip(np.asarray(large), 0, 1))

    text, gap = max(9, side // 16), max(4, side // 24)
    top, bar = 2 * gap + round(1.2 * text), max(6, side // 16)
    scale = f"{most:.2f}"
    right = 3 * gap + 2 * size[0] + bar + gap
    wide = right + round(max(load_font(text).getlength(word) for word in (scale, "0"))) + gap
    image = Image.new("RGB", (wide, top + side + 2 * gap + text), (255, 255, 255))
    image.paste(face, (gap, top))
    image.paste(Image.fromarray(hot), (2 * gap + size[0], top))
    ramp = np.repeat(np.linspace(1, 0, side, dtype=np.float32)[:, None], bar, axis=1)
    legend = _coloured(np.full((side, bar, 3), 128, np.float32), ramp)
    image.paste(Image.fromarray(legend), (3 * gap + 2 * size[0], top))
    draw = ImageDraw.Draw(image)
    below = "right: score lost where the face is hidden"
    for place, word, anchor in (
        ((gap, gap), caption, "la"),
        ((right, top), scale, "la"),
        ((right, top + side), "0", "ls"),
        ((gap, top + side + gap), below, "la"),
    ):
        draw.text(place, word, font=load_font(text), fill=(20, 20, 20), anchor=anchor)
    return image


def stack_crops(images: Sequence[Image.Image]) -> Image.Image:
    """Stack images (at least one) on white, in columns where there are many."""
    columns = max(1, round((len(images) / 3) ** 0.5))
    wide, high = max(p.width for p in images), max(p.height for p in images)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (wide * columns, high * rows), (255, 255, 255))
    for number, image in enumerate(images):
        sheet.paste(image, (number // rows * wide, number % rows * high))
    return sheet


def _coloured(
    ground: npt.NDArray[np.float32], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Blend the colour map over RGB levels (H, W, 3); values (H, W) from 0 to 1 set the opacity."""
    anchors = np.array(COLOUR_MAP, np.float32)
    steps = np.linspace(0, 1, len(anchors))
    colours = np.stack([np.interp(share, steps, anchors[:, band]) for band in range(3)], axis=2)
    thick = 0.8 * np.sqrt(share)[:, :, None]
    mixed: npt.NDArray[np.uint8] = np.rint(ground + thick * (colours - ground)).astype(np.uint8)
    return mixed


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
