"""How sure a figure is: intervals, paired differences and tests, on plain arrays.

All intervals are 95 %. Percentile bootstrap (Efron and Tibshirani 1993), 2,000 draws, seed 0: a
draw takes as many faces as there are, with replacement, or as many people (clusters) as there
are, each with all of their faces. Shares have Wilson's (1927) interval. Two models on the same
faces are compared by McNemar's (1947) test in its exact form.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DRAWS = 2000
Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: 95 % lie within ± this."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BLOCK, _COUNTED = 1 << 22, 1 << 16  # numbers summed at once, in memory; counted at once, in cache


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; NaN where it is not defined (:func:`as_dict` gives None).

    Args:
        value: the figure.
        low: lower end.
        high: upper end.
        n: faces it rests on.
        clusters: people that were drawn instead of faces; None where faces were drawn.
        undefined: draws in which the figure was not defined; the interval is of the others.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int | None = None
    undefined: int = 0


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two models on the same faces.

    Args:
        only_first: faces that only the first named rightly.
        only_second: faces that only the second named rightly.
        p: two-sided p of both being right equally often; exact binomial at any number of faces.
    """

    only_first: int
    only_second: int
    p: float


def compute_accuracy_interval(right: Bools, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of an accuracy.

    Args:
        right: bool (N,), which faces were named rightly.
        seed: of the draws.
    """
    # drawing N of N faces with replacement and counting the right ones is a binomial draw
    draws = np.random.default_rng(seed).binomial(len(right), right.mean(), DRAWS) / len(right)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def compute_wilson_interval(hits: float, n: float) -> tuple[float, float]:
    """Return Wilson's interval of a share: ``hits`` of ``n``; (0, 1) where ``n`` is 0.

    Raises:
        ValueError: hits are fewer than 0 or more than n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"hits must be from 0 to n = {n}, got {hits}")
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, Z95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    # rounding must not take the share itself out of its interval
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def estimate_fraction(hits: int, n: int) -> Interval:
    """Return a share with Wilson's interval; its value is NaN where ``n`` is 0."""
    low, high = compute_wilson_interval(hits, n)
    return Interval(hits / n if n else math.nan, low, high, int(n))


def bootstrap(
    statistic: Callable[[Ints], float],
    n: int,
    clusters: Ints | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return any figure with its percentile bootstrap interval.

    Args:
        statistic: takes rows, int64 (M,) from 0 to n - 1 (some several times), and returns the
            figure on them; NaN where it is not defined: such draws are left out and counted.
        n: number of faces.
        clusters: int64 (n,), whose face each is; then whole people are drawn.
        draws: how many.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    if clusters is None:
        drawn = (generator.integers(0, n, n) for _ in range(draws))
    else:
        order, starts, sizes = _clustered(clusters)
        people = (generator.integers(0, len(sizes), len(sizes)) for _ in range(draws))
        drawn = (_rows_of(who, order, starts, sizes) for who in people)
    value = float(statistic(np.arange(n, dtype=np.int64))) if n else math.nan
    found = np.array([statistic(rows) for rows in drawn] if n else [], np.float64)
    return percentile_interval(value, found, n, clusters)


def bootstrap_paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    clusters: Ints | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return the mean of ``second - first``, measured on the same faces, with its interval.

    Args:
        first: (N,) booleans or numbers of one model, such as which faces it named rightly.
        second: (N,) the same of the other, in the same order.
        clusters: int64 (N,), whose face each is; then whole people are drawn.
        draws: how many.
        seed: of the draws.

    Raises:
        ValueError: the two are not equally long.
    """
    before, after = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(f"needs two equally long rows, got {before.shape} and {after.shape}")
    n = len(before)
    if not n:
        return Interval(math.nan, math.nan, math.nan, 0)
    # right or wrong has three differences: their counts are drawn instead of the faces
    values, cells = np.unique(after - before, return_inverse=True)
    if len(values) <= 256:
        counts = resample_counts(cells, len(values), clusters, draws, seed)
        found = counts @ values / counts.sum(1)
    else:
        sums = resample_sums(np.stack([after - before, np.ones(n)], 1), clusters, draws, seed)
        found = sums[:, 0] / sums[:, 1]
    return percentile_interval(float((after - before).mean()), found, n, clusters)


def resample_counts(
    cells: npt.NDArray[np.integer[Any]],
    number: int,
    clusters: Ints | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Floats:
    """Count the faces in each cell of a table in each bootstrap draw.

    Any figure that depends on faces through such a table alone (accuracy, recall, F1) can be
    bootstrapped from these counts, which takes no longer for more faces.

    Args:
        cells: integers (N,), the cell that each face lies in, 0 to ``number`` - 1.
        number: of cells.
        clusters: int64 (N,), whose face each is; then whole people are drawn.
        draws: how many.
        seed: of the draws.

    Returns:
        float64 (draws, number).
    """
    if clusters is None:
        counts = np.bincount(cells, minlength=number)
        # drawing N of N faces and counting them by cell is one multinomial draw
        drawn = np.random.default_rng(seed).multinomial(len(cells), counts / len(cells), draws)
        return drawn.astype(np.float64)
    people, whose = np.unique(clusters, return_inverse=True)
    generator, found = np.random.default_rng(seed), np.zeros((draws, number))
    for row in found:
        times = _times(generator, len(people), 1)[0]
        row[:] = np.bincount(cells, times[whose], number)
    return found


def resample_sums(
    columns: Floats, clusters: Ints | None = None, draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Sum columns over the faces of each bootstrap draw: for figures that are made of sums.

    Args:
        columns: float64 (N, K).
        clusters: int64 (N,), whose face each is; then whole people are drawn.
        draws: how many.
        seed: of the draws.

    Returns:
        float64 (draws, K).
    """
    if clusters is None:
        return _sums_of_units(columns, draws, seed)
    people, whose = np.unique(clusters, return_inverse=True)
    units = [np.bincount(whose, column, len(people)) for column in columns.T]
    return _sums_of_units(np.stack(units, 1), draws, seed)


def percentile_interval(
    value: float, found: Floats, n: int, clusters: Ints | None = None
) -> Interval:
    """Return the interval of a figure from what bootstrap draws gave, float64 (draws,)."""
    defined = found[~np.isnan(found)]
    low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (math.nan, math.nan)
    people = None if clusters is None else len(np.unique(clusters))
    return Interval(value, float(low), float(high), n, people, len(found) - len(defined))


def compute_mcnemar(first_right: Bools, second_right: Bools) -> McNemar:
    """Test whether two models name the same faces rightly equally often.

    The p-value is the exact binomial one at any number of faces; no chi-square is used.

    Args:
        first_right: bool (N,), which faces the first named rightly.
        second_right: bool (N,), the same of the second.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    n, fewest = only_first + only_second, min(only_first, only_second)
    top = math.lgamma(n + 1) - math.lgamma(fewest + 1) - math.lgamma(n - fewest + 1)
    k = np.arange(fewest, 0, -1, dtype=np.float64)
    # each term of the tail, from its largest, is the one before times k / (n - k + 1)
    tail = 1 + np.cumprod(k / (n - k + 1)).sum()
    p = math.exp(min(top - n * math.log(2) + math.log(tail) + math.log(2), 0.0))
    return McNemar(only_first, only_second, p)


def as_dict(found: Any) -> Any:
    """Turn results into what JSON can hold: dataclasses into dicts, arrays into lists, NaN None."""
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {f.name: as_dict(getattr(found, f.name)) for f in dataclasses.fields(found)}
    if isinstance(found, dict):
        return {str(name): as_dict(value) for name, value in found.items()}
    if isinstance(found, np.ndarray | np.generic):
        return as_dict(found.tolist())
    if isinstance(found, list | tuple):
        return [as_dict(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _clustered(clusters: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the rows in order of their cluster, and where each cluster starts and its size."""
    order = np.argsort(clusters, kind="stable")
    _, starts, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    return order, starts, sizes


def _rows_of(who: Ints, order: Ints, starts: Ints, sizes: Ints) -> Ints:
    """Return the rows of some clusters, one cluster after another."""
    many = sizes[who]
    ends = np.cumsum(many)
    rows: Ints = order[np.arange(ends[-1]) + np.repeat(starts[who] - (ends - many), many)]
    return rows


def _sums_of_units(columns: Floats, draws: int, seed: int) -> Floats:
    """Draw rows (units) with replacement and sum their columns, many draws at a time."""
    generator, units = np.random.default_rng(seed), len(columns)
    block, counted = (max(1, size // max(units, 1)) for size in (_BLOCK, _COUNTED))
    found = []
    for start in range(0, draws, block):
        left = range(start, min(start + block, draws), counted)
        times = [_times(generator, units, min(counted, left.stop - at)) for at in left]
        found.append(np.concatenate(times).astype(np.float64) @ columns)
    return np.concatenate(found)


def _times(generator: np.random.Generator, units: int, draws: int) -> npt.NDArray[np.intp]:
    """Return how often each unit is drawn in each of some draws, counted all at once."""
    drawn = generator.integers(0, units, (draws, units))
    drawn += np.arange(draws)[:, np.newaxis] * units
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
