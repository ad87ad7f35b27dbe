"""Gaps between groups: the largest difference, corrected for multiple comparisons.

The largest gap among several groups is above 0 by chance alone. Therefore the intervals of all
pairs of groups and all rates of a family (such as the false positive rates of all emotions) hold
jointly in 95 % of all audits: bootstrap of the largest standardised difference (max-t; Romano and
Wolf 2005). The variance of a rate of 0 or 1 is at least that of Agresti and Coull's (1998)
estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_detection.metrics.statistics import (
    Z95,
    Floats,
    Interval,
    Ints,
    compute_wilson_interval,
)


@dataclass(frozen=True)
class Rates:
    """A rate in each group, and in each bootstrap resample of the group.

    Args:
        hits: float64 (G,), number of hits.
        n: float64 (G,), number of faces that could be hits.
        drawn: float64 (draws, G), the rate in each resample; NaN without faces that could be hits.
        people: float64 (G,), number of resampled people, or None if faces were resampled.
    """

    hits: Floats
    n: Floats
    drawn: Floats
    people: Floats | None = None

    @property
    def values(self) -> Floats:
        """The rates (G,); NaN without faces."""
        with np.errstate(invalid="ignore"):
            values: Floats = self.hits / self.n
        return values

    @property
    def effective_n(self) -> Floats:
        """Effective number of faces: lower if the faces of a person are similar (Kish 1965)."""
        if self.people is None:
            return self.n
        spread = self.values * (1 - self.values)
        with np.errstate(invalid="ignore", divide="ignore"):
            effect = np.where(spread > 0, _variance(self.drawn) * self.n / spread, np.inf)
            return np.clip(self.n / effect, np.minimum(self.people, self.n), self.n)

    def interval(self, group: int) -> Interval:
        """Return a group's rate with Wilson's interval, over people if they are known."""
        n, value = float(self.effective_n[group]), float(self.values[group])
        low, high = compute_wilson_interval(value * n, n) if n else (0.0, 1.0)
        people = None if self.people is None else int(self.people[group])
        return Interval(value, low, high, int(self.n[group]), people)


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups.

    Args:
        highest: group with the highest rate.
        lowest: group with the lowest rate.
        value: difference of both rates, at least 0.
        low: lower end of the interval, which holds jointly for all pairs and rates of the family.
        high: upper end of the interval.
        different: pairs of groups (higher, lower) whose intervals exclude 0. Empty: no difference
            is shown, which does not prove that there is none.
    """

    highest: str
    lowest: str
    value: float
    low: float
    high: float
    different: list[tuple[str, str]]


def compute_gaps(
    names: Sequence[str], family: dict[str, Rates], least: int
) -> dict[str, Gap | None]:
    """Return the largest gap of each rate of a family.

    Args:
        names: names of the G groups.
        family: name of each rate to its :class:`Rates`.
        least: groups with fewer faces that could be hits are excluded from a rate.

    Returns:
        A gap for each rate; None if fewer than two groups remain.
    """
    pairs = {name: _pairs(np.flatnonzero(rates.n >= least)) for name, rates in family.items()}
    errors = {name: _errors(rates, *pairs[name]) for name, rates in family.items()}
    largest = [_largest(family[name], *pairs[name], errors[name]) for name in family]
    sizes = np.nanmax(np.stack(largest), axis=0) if largest else np.zeros(1)
    reach = max(Z95, float(np.nanquantile(sizes, 0.95)))
    return {
        name: _gap(names, rates.values, *pairs[name], reach * errors[name])
        for name, rates in family.items()
    }


def _pairs(groups: Ints) -> tuple[Ints, Ints]:
    first, second = np.triu_indices(len(groups), 1)
    return groups[first], groups[second]


def _variance(drawn: Floats) -> Floats:
    """Return the variance over resamples (axis 0), without undefined values."""
    defined = ~np.isnan(drawn)
    count = np.maximum(defined.sum(0), 1)
    middle = np.where(defined, drawn, 0).sum(0) / count
    found: Floats = np.where(defined, (drawn - middle) ** 2, 0).sum(0) / count
    return found


def _errors(rates: Rates, first: Ints, second: Ints) -> Floats:
    """Return the standard error of each pair's difference."""
    n = rates.effective_n + 4
    share = (np.nan_to_num(rates.values) * rates.effective_n + 2) / n
    lacking = np.maximum(share * (1 - share) / n - _variance(rates.drawn), 0)
    drawn = _variance(rates.drawn[:, first] - rates.drawn[:, second])
    found: Floats = np.sqrt(drawn + lacking[first] + lacking[second])
    return found


def _largest(rates: Rates, first: Ints, second: Ints, errors: Floats) -> Floats:
    """Return each resample's largest standardised deviation of a difference."""
    if not len(first):
        return np.zeros(len(rates.drawn))
    away = rates.drawn - rates.values
    found: Floats = np.nanmax(
        np.nan_to_num(np.abs(away[:, first] - away[:, second]) / errors), axis=1
    )
    return found


def _gap(
    names: Sequence[str], values: Floats, first: Ints, second: Ints, reach: Floats
) -> Gap | None:
    if not len(first):
        return None
    difference = values[first] - values[second]
    at = int(np.abs(difference).argmax())
    order = (first[at], second[at]) if difference[at] >= 0 else (second[at], first[at])
    size, half = abs(float(difference[at])), float(reach[at])
    return Gap(
        highest=names[order[0]],
        lowest=names[order[1]],
        value=size,
        low=max(size - half, -1.0),
        high=min(size + half, 1.0),
        different=[
            (names[a], names[b]) if d > 0 else (names[b], names[a])
            for a, b, d, r in zip(first, second, difference, reach, strict=True)
            if math.fabs(d) > r
        ],
    )
