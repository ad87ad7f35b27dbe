"""Postprocess scores: average over the views of a face, and adjust the class prior.

A model runs on one or several views of each face (:func:`make_views`). The scores are averaged, and
a temperature is applied to the average, which is less confident than the scores of each view. The
same arithmetic is used by training, tests, the detector, the server and the page.

A model learns the class frequencies of the training faces (the prior), so that rare classes such as
disgust are hardly ever predicted. ``'natural'`` keeps the prior of the exported model.
``'balanced'`` removes it, as if all classes were equally frequent (logit adjustment, Menon et al.
2021).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]
Prior = Literal["natural", "balanced"]

VIEWS = (1, 2, 4)
"""Numbers of views: the face; with its mirror image; both again, enlarged by :data:`ZOOM`."""

ZOOM = 1.15
"""Enlargement of the third and fourth view. Chosen on validation (``docs/results.md``)."""

_TINY = 1e-30
"""Added before taking a logarithm."""


@dataclass(frozen=True)
class Postprocessing:
    """Postprocessing of the scores of one label set, as stored in the model.

    Args:
        prior: frequency of each class among the training faces, in the order of the scores; empty
            if unknown.
        adjustment: exponent of the prior that the exported scores were divided by, 0 to 1.
        temperatures: number of views -> temperature of the averaged scores; default 1.
    """

    prior: tuple[float, ...] = ()
    adjustment: float = 0.0
    temperatures: dict[int, float] = field(default_factory=dict)

    @property
    def bias(self) -> tuple[float, ...]:
        """Term that the adjustment adds to the logits; empty: none."""
        if not self.adjustment or not self.prior:
            return ()
        return tuple(-self.adjustment * math.log(one) for one in self.prior)

    def combine(self, views: Sequence[Scores], prior: Prior = "natural") -> Scores:
        """Combine the scores of the views of the same faces.

        Args:
            views: float32 (N, classes) for each view; rows sum to 1.
            prior: class frequencies that the result assumes.

        Returns:
            float32 (N, classes); rows sum to 1. One view with the natural prior is returned
            unchanged.

        Raises:
            InputError: the prior 'balanced', for a model without stored class frequencies.
        """
        temperature = self.temperatures.get(len(views), 1.0)
        if prior == "balanced" and not self.prior:
            raise InputError("prior 'balanced': this model does not say its class frequencies")
        if len(views) == 1 and temperature == 1 and prior == "natural":
            return views[0]
        mean = np.mean(views, axis=0, dtype=np.float64)
        logits = np.log(mean + _TINY) / temperature
        if prior == "balanced":
            logits -= (1 - self.adjustment) * np.log(self.prior)
        logits -= logits.max(axis=1, keepdims=True)
        raised = np.exp(logits)
        scores: Scores = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
        return scores

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for checkpoints and ONNX metadata."""
        return {
            "prior": list(self.prior),
            "adjustment": self.adjustment,
            "temperatures": {str(views): value for views, value in self.temperatures.items()},
        }

    @classmethod
    def from_dict(cls, values: Any, classes: int) -> "Postprocessing":
        """Create and validate an instance from the values of :meth:`as_dict`.

        Args:
            values: the values from a file.
            classes: number of classes of the label set.

        Raises:
            ValueError: a value is not allowed; the message names it.
        """
        try:
            prior = tuple(float(one) for one in values["prior"])
            adjustment = float(values["adjustment"])
            temperatures = {int(n): float(one) for n, one in dict(values["temperatures"]).items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"readout {str(values)[:80]}: {error}") from None
        if prior and (len(prior) != classes or not all(0 < one <= 1 for one in prior)):
            raise ValueError(f"prior {prior}: must be {classes} frequencies above 0")
        if not 0 <= adjustment <= 1:
            raise ValueError(f"adjustment {adjustment}: must be between 0 and 1")
        if not all(n in VIEWS and 0.01 <= one <= 100 for n, one in temperatures.items()):
            raise ValueError(f"temperatures {temperatures}: views {VIEWS}, each from 0.01 to 100")
        return cls(prior, adjustment, temperatures)


def check_views(views: object) -> int:
    """Check that a number of views is one of :data:`VIEWS`, and return it.

    Raises:
        InputError: the number is another one.
    """
    for known in VIEWS:
        if views == known and not isinstance(views, bool):
            return known
    raise InputError(f"views {views!r}: must be one of {', '.join(map(str, VIEWS))}")


def check_prior(prior: object) -> Prior:
    """Check the name of a prior, and return it.

    Raises:
        InputError: there is no such prior.
    """
    for known in get_args(Prior):
        if prior == known:
            return cast(Prior, known)
    raise InputError(f"prior {prior!r}: must be one of {', '.join(get_args(Prior))}")


def make_views(faces: Images, views: int, enlarged: Images | None = None) -> list[Images]:
    """Return the views of faces for test-time augmentation.

    Args:
        faces: uint8 (N, C, S, S), in the model's input size.
        views: one of :data:`VIEWS`.
        enlarged: the same faces, cropped from their images at :data:`ZOOM`, uint8 (N, C, S, S);
            None: the faces are enlarged.

    Returns:
        ``views`` arrays, uint8 (N, C, S, S).
    """
    shown = [faces]
    if views == 4:
        shown.append(zoom_faces(faces) if enlarged is None else enlarged)
    if views == 1:
        return shown
    return [view for one in shown for view in (one, np.ascontiguousarray(one[..., ::-1]))]


def zoom_faces(faces: Images, zoom: float = ZOOM) -> Images:
    """Enlarge faces about the centre: bilinear, rounded half up, border pixels replicated.

    Args:
        faces: uint8 (N, C, S, S).
        zoom: factor, above 0.

    Returns:
        uint8 (N, C, S, S).
    """
    matrix = _resampling(faces.shape[-1], zoom)
    enlarged = matrix @ faces.astype(np.float32) @ matrix.T
    rounded: Images = np.floor(enlarged + np.float32(0.5)).astype(np.uint8)
    return rounded


@lru_cache(maxsize=8)
def _resampling(size: int, zoom: float) -> npt.NDArray[np.float32]:
    """Return the matrix (size, size) that resamples a column of pixels."""
    matrix = np.zeros((size, size))
    for row in range(size):
        place = (row + 0.5 - size / 2) / zoom + size / 2 - 0.5
        first = math.floor(place)
        for pixel, weight in ((first, first + 1 - place), (first + 1, place - first)):
            matrix[row, min(max(pixel, 0), size - 1)] += weight
    return matrix.astype(np.float32)
