"""Postprocess scores: average over the views of a face, and adjust the class prior.

A model runs on one or several views of each face (:mod:`.views`). The scores are averaged, and
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
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.views import VIEWS

Scores = npt.NDArray[np.float32]
Prior = Literal["natural", "balanced"]


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


def check_prior(prior: object) -> Prior:
    """Check the name of a prior, and return it.

    Raises:
        InputError: there is no such prior.
    """
    for known in get_args(Prior):
        if prior == known:
            return cast(Prior, known)
    raise InputError(f"prior {prior!r}: must be one of {', '.join(get_args(Prior))}")
