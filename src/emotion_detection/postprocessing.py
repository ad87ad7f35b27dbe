"""From a network's scores to an answer: averaging over views of a face, and the prior of classes.

A model is run on one or several views of each face (:func:`make_views`); its scores are averaged,
and the average is tempered, since a mean of scores is less confident than each of them. The same
arithmetic is used by training, tests, the detector, the server and the page.

The prior: a model learns how frequent each class is in its training faces, and answers accordingly.
Rare classes such as disgust are then hardly ever predicted. ``'natural'`` keeps the prior as the
model was exported; ``'balanced'`` removes what is left of it, as if all classes were equally
frequent (logit adjustment, Menon et al. 2021).
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
"""How much larger the face is in the third and fourth view. Chosen on validation
(``docs/results.md``)."""

_TINY = 1e-30
"""Added before a logarithm."""


@dataclass(frozen=True)
class Postprocessing:
    """What a model says of how its scores are to be read; one for each label set.

    Args:
        prior: frequency of each class among the training faces, in the order of the scores; empty
            where it is unknown.
        adjustment: exponent of the prior that the exported scores were divided by, 0 to 1.
        temperatures: number of views -> temperature of the averaged scores; 1 where none is given.
    """

    prior: tuple[float, ...] = ()
    adjustment: float = 0.0
    temperatures: dict[int, float] = field(default_factory=dict)

    @property
    def bias(self) -> tuple[float, ...]:
        """What is added to the logits for the adjustment; empty: nothing."""
        if not self.adjustment or not self.prior:
            return ()
        return tuple(-self.adjustment * math.log(one) for one in self.prior)

    def combine(self, views: Sequence[Scores], prior: Prior = "natural") -> Scores:
        """Combine the scores of the views of the same faces.

        Args:
            views: float32 (N, classes) for each view; rows sum to 1.
            prior: whose class frequencies the answer goes by.

        Returns:
            float32 (N, classes); rows sum to 1. One view with the natural prior is returned as
            it is.

        Raises:
            InputError: a balanced answer from a model that does not say its prior.
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
        """Make it from :meth:`as_dict`'s values, checked.

        Args:
            values: what a file says.
            classes: number of classes of the label set.

        Raises:
            ValueError: anything else; the message says what.
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
    """Return a number of views, known to be one of :data:`VIEWS`.

    Raises:
        InputError: it is not.
    """
    if isinstance(views, bool) or views not in VIEWS:
        raise InputError(f"views {views!r}: must be one of {', '.join(map(str, VIEWS))}")
    return int(str(views))


def check_prior(prior: object) -> Prior:
    """Return the name of a prior, known to be one.

    Raises:
        InputError: it is not.
    """
    for known in get_args(Prior):
        if prior == known:
            return cast(Prior, known)
    raise InputError(f"prior {prior!r}: must be one of {', '.join(get_args(Prior))}")


def make_views(faces: Images, views: int, enlarged: Images | None = None) -> list[Images]:
    """Return the views of faces that a model is run on.

    Args:
        faces: uint8 (N, C, S, S), as the model takes them.
        views: one of :data:`VIEWS`.
        enlarged: the same faces cut from their images at :data:`ZOOM`, uint8 (N, C, S, S); None:
            made of the faces themselves.

    Returns:
        As many arrays, uint8 (N, C, S, S).
    """
    shown = [faces]
    if views == 4:
        shown.append(zoom_faces(faces) if enlarged is None else enlarged)
    if views == 1:
        return shown
    return [view for one in shown for view in (one, np.ascontiguousarray(one[..., ::-1]))]


def zoom_faces(faces: Images, zoom: float = ZOOM) -> Images:
    """Enlarge faces about their middle: bilinear, rounded half up, border pixels replicated.

    Args:
        faces: uint8 (N, C, S, S).
        zoom: how much larger, above 0.

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
