"""The fixed set of corruptions for robustness tests, each at five strengths.

The set follows ImageNet-C (Hendrycks and Dietterich 2019), with corruptions that are typical of
face images. The random numbers depend on seed, name, strength and row of the face only, not on the
batch, other faces or the model. Lengths are in face widths, so that the effect does not depend on
the size of the face; noise and JPEG blocks are in pixels of the model's input. The set is fixed:
after any change to a number here, results cannot be compared with earlier ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation import geometric_corruptions as resampling
from emotion_detection.evaluation import pixel_corruptions as distortions
from emotion_detection.evaluation.pixel_corruptions import Images, Words, make_random_words
from emotion_detection.inference.align import TEMPLATE, TEMPLATE_SIZE

STRENGTHS = (1, 2, 3, 4, 5)
SEED = 0

_EYES = TEMPLATE[0][1] / TEMPLATE_SIZE
"""Height of the eyes from the top of the crop; means of FER-2013's crops."""
_MOUTH = TEMPLATE[3][1] / TEMPLATE_SIZE


@dataclass(frozen=True)
class Corruption:
    """One corruption of faces.

    Args:
        change: function of faces, strength and random words that returns faces.
        strengths: argument of ``change`` at strengths 1 to 5.
        scale: unit of the strengths.
    """

    change: Callable[[Images, Any, Words], Images]
    strengths: tuple[Any, ...]
    scale: str


def _band(middle: float, width: float, height: float) -> tuple[float, float, float, float]:
    return (0.5 - width / 2, middle - height / 2, 0.5 + width / 2, middle + height / 2)


def _cover(tones: tuple[int, int]) -> Callable[[Images, Any, Words], Images]:
    return lambda faces, area, words: distortions.cover(faces, area, tones, words)


# Comments describe the weakest and the strongest level; all are drawn by
# benchmarks/evaluation/collect_robustness.py. Pixels are those of a face of 48 pixels.
CORRUPTIONS: dict[str, Corruption] = {
    # a head that turns at 1/30 s: 4 pixels are hardly visible, 14 leave no mouth
    "motion_blur": Corruption(
        distortions.blur_by_motion, (0.08, 0.12, 0.17, 0.23, 0.30), "length, widths"
    ),
    # a face before or behind the focus: 1.4 pixels soften lashes, 5.3 leave spots for eyes
    "defocus_blur": Corruption(
        distortions.blur_by_defocus, (0.03, 0.045, 0.06, 0.08, 0.11), "radius, widths"
    ),
    # a cheap sensor: barely visible grain, to grain that hides all but eyes and mouth
    "gaussian_noise": Corruption(distortions.add_noise, (8, 16, 28, 44, 64), "s.d., grey levels"),
    # a short exposure: s.d. 11 grey levels in white, to 81; dark parts stay clean
    "shot_noise": Corruption(
        distortions.add_shot_noise, (500, 150, 50, 22, 10), "photons of a white pixel"
    ),
    # messengers and video: rings around edges, to flat blocks of 8 pixels
    "jpeg": Corruption(distortions.compress, (40, 20, 12, 7, 3), "quality"),
    # faces far from the camera: of 24 pixels, the smallest that are classified in images, to 7
    "low_resolution": Corruption(
        resampling.lower_resolution, (1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 7), "fraction of the pixels"
    ),
    # a dim room, to one where only a stretched image shows a face
    "darkness": Corruption(distortions.darken, (60, 40, 25, 15, 8), "% of the light left"),
    # haze or a window behind: 8 % is a face in fog, some 15 grey levels
    "low_contrast": Corruption(distortions.flatten, (60, 40, 25, 15, 8), "% of the contrast left"),
    # a head on a shoulder is at 30 degrees, one on a pillow at 60 and more
    "rotation": Corruption(resampling.rotate, (10, 20, 30, 45, 60), "degrees, either way"),
    # a box that is beside the face: at a third an eye or the mouth is outside
    "shift": Corruption(resampling.shift, (0.06, 0.12, 0.18, 0.25, 0.33), "widths, any direction"),
    # a box too small: at 1.4 the chin is cut off, at 1.85 mouth and brows
    "tight_crop": Corruption(resampling.zoom, (1.1, 1.25, 1.4, 1.6, 1.85), "times as large"),
    # a box too large: at half the face has 24 of the 48 pixels
    "loose_crop": Corruption(resampling.zoom, (1 / 1.1, 0.8, 0.7, 0.6, 0.5), "times as large"),
    # dark glasses: a strip over the eyes' centres, then both eyes, then brows to half the nose
    "eyes_covered": Corruption(
        _cover((10, 60)),
        tuple(
            _band(_EYES, width, height)
            for width, height in ((0.5, 0.1), (0.6, 0.16), (0.7, 0.22), (0.8, 0.3), (0.9, 0.4))
        ),
        "0.5 x 0.1 to 0.9 x 0.4 widths",
    ),
    # a hand, a cup, a microphone: the line of the lips, then the lips, then nose to chin
    "mouth_covered": Corruption(
        _cover((30, 225)),
        tuple(
            _band(_MOUTH, width, height)
            for width, height in ((0.3, 0.1), (0.4, 0.16), (0.5, 0.22), (0.6, 0.3), (0.7, 0.4))
        ),
        "0.3 x 0.1 to 0.7 x 0.4 widths",
    ),
    # hair, then the forehead, then a hat drawn down over the brows
    "hat": Corruption(
        _cover((20, 220)),
        tuple((0.0, 0.0, 1.0, down) for down in (0.12, 0.18, 0.24, 0.3, 0.36)),
        "top 0.12 to 0.36 of the height",
    ),
    # under the chin, over the chin, over the mouth, to the tip of the nose, to its bridge
    "mask": Corruption(
        _cover((30, 240)),
        tuple((0.08, up, 0.92, 1.0) for up in (0.88, 0.78, 0.68, 0.59, 0.5)),
        "bottom 0.12 to 0.5 of the height",
    ),
}
"""Each corruption's function and strengths, by name."""


def corrupt(
    faces: Images,
    name: str,
    strength: int,
    rows: npt.NDArray[np.int64] | None = None,
    seed: int = SEED,
) -> Images:
    """Corrupt faces.

    Args:
        faces: uint8 (N, C, H, W), grey (C = 1) or RGB (C = 3).
        name: one of :data:`CORRUPTIONS`.
        strength: 1 to 5.
        rows: int64 (N,), each face's number in its data; None: 0 to N - 1.
        seed: random seed.

    Returns:
        uint8 (N, C, H, W), a new array.

    Raises:
        ValueError: the corruption or strength does not exist, or faces have another type or shape.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption {name}; there are {', '.join(CORRUPTIONS)}")
    if strength not in STRENGTHS:
        raise ValueError(f"strength {strength}: must be 1 to 5")
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1] not in (1, 3):
        raise ValueError(
            f"faces are {faces.dtype} {faces.shape}: must be uint8 (N, 1, H, W) or (N, 3, H, W)"
        )
    rows = np.arange(len(faces)) if rows is None else rows
    if len(rows) != len(faces):
        raise ValueError(f"{len(rows)} rows for {len(faces)} faces")
    corruption = CORRUPTIONS[name]
    words = make_random_words(f"{seed}/{name}/{strength}", rows)
    return corruption.change(np.asarray(faces), corruption.strengths[strength - 1], words)
