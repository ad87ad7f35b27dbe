"""Confidence intervals, paired differences and tests, on plain arrays.

All intervals are 95 %. The percentile bootstrap (Efron and Tibshirani 1993) uses 2,000 resamples
and seed 0. It resamples faces with replacement, or people (clusters) with all of their faces.
Proportions have Wilson's (1927) interval. Two models on the same faces are compared by McNemar's
(1947) exact test.
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
_BLOCK, _COUNTED = 1 << 22, 1 << 16  # numbers per block: in memory, in cache


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % interval; NaN if undefined (:func:`as_dict` returns None).

    Args:
        value: value of the metric.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of faces.
        clusters: number of people, if people were resampled instead of faces; else None.
        undefined: number of resamples without a defined value, which the interval leaves out.
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
        only_first: number of faces that only the first model predicts correctly.
        only_second: number of faces that only the second model predicts correctly.
        p: two-sided exact binomial p-value of equal accuracy.
    """

    only_first: int
    only_second: int
    p: float


def compute_accuracy_interval(right: Bools, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of an accuracy.

    Args:
        right: bool (N,), whether each prediction is correct.
        seed: seed of the resampling.
    """
    # the number of correct faces in a resample is binomially distributed
    draws = np.random.default_rng(seed).binomial(len(right), right.mean(), DRAWS) / len(right)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def compute_wilson_interval(hits: float, n: float) -> tuple[float, float]:
    """Return Wilson's interval of a proportion ``hits`` / ``n``; (0, 1) if ``n`` is 0.

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
    # rounding must not move the proportion out of the interval
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def estimate_fraction(hits: int, n: int) -> Interval:
    """Return a proportion with Wilson's interval; the value is NaN if ``n`` is 0."""
    low, high = compute_wilson_interval(hits, n)
    return Interval(hits / n if n else math.nan, low, high, int(n))


def bootstrap(
    statistic: Callable[[Ints], float],
    n: int,
    clusters: Ints | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return any metric with a percentile bootstrap interval.

    Args:
        statistic: maps rows, int64 (M,) from 0 to n - 1 with repetitions, to the metric on them, or
            NaN if it is undefined; undefined resamples are left out and counted.
        n: number of faces.
        clusters: int64 (n,), the person of each face; people are then resampled.
        draws: number of resamples.
        seed: seed of the resampling.
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
    """Return the mean of ``second - first`` with a paired bootstrap interval.

    Args:
        first: (N,) booleans or numbers of one model, such as whether each prediction is correct.
        second: (N,) the same of the other model, in the same order.
        clusters: int64 (N,), the person of each face; people are then resampled.
        draws: number of resamples.
        seed: seed of the resampling.

    Raises:
        ValueError: the two are not equally long.
    """
    before, after = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(f"needs two equally long rows, got {before.shape} and {after.shape}")
    n = len(before)
    if not n:
        return Interval(math.nan, math.nan, math.nan, 0)
    # differences of booleans have three values: their counts are resampled instead of faces
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
    """Count the faces in each cell of a table in each bootstrap resample.

    Metrics of a confusion table (accuracy, recall, F1) can be bootstrapped from these counts, in a
    time that does not depend on the number of faces.

    Args:
        cells: integers (N,), the cell of each face, 0 to ``number`` - 1.
        number: number of cells.
        clusters: int64 (N,), the person of each face; people are then resampled.
        draws: number of resamples.
        seed: seed of the resampling.

    Returns:
        float64 (draws, number).
    """
    if clusters is None:
        counts = np.bincount(cells, minlength=number)
        # the counts by cell in a resample are multinomially distributed
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
    """Sum columns over the faces of each bootstrap resample.

    Args:
        columns: float64 (N, K).
        clusters: int64 (N,), the person of each face; people are then resampled.
        draws: number of resamples.
        seed: seed of the resampling.

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
    """Return the interval of a metric from the values of bootstrap resamples, float64 (draws,)."""
    defined = found[~np.isnan(found)]
    low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (math.nan, math.nan)
    people = None if clusters is None else len(np.unique(clusters))
    return Interval(value, float(low), float(high), n, people, len(found) - len(defined))


def compute_mcnemar(first_right: Bools, second_right: Bools) -> McNemar:
    """Test whether two models have equal accuracy on the same faces (McNemar's exact test).

    The p-value is exact (binomial) for any number of faces.

    Args:
        first_right: bool (N,), whether each prediction of the first model is correct.
        second_right: bool (N,), the same of the second model.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    n, fewest = only_first + only_second, min(only_first, only_second)
    top = math.lgamma(n + 1) - math.lgamma(fewest + 1) - math.lgamma(n - fewest + 1)
    k = np.arange(fewest, 0, -1, dtype=np.float64)
    # each term of the tail, from the largest on, is the previous one times k / (n - k + 1)
    tail = 1 + np.cumprod(k / (n - k + 1)).sum()
    p = math.exp(min(top - n * math.log(2) + math.log(tail) + math.log(2), 0.0))
    return McNemar(only_first, only_second, p)


def as_dict(found: Any) -> Any:
    """Convert results for JSON: dataclasses to dicts, arrays to lists, NaN to None."""
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
    """Return the rows sorted by cluster, and the start and size of each cluster."""
    order = np.argsort(clusters, kind="stable")
    _, starts, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    return order, starts, sizes


def _rows_of(who: Ints, order: Ints, starts: Ints, sizes: Ints) -> Ints:
    """Return the rows of some clusters, concatenated."""
    many = sizes[who]
    ends = np.cumsum(many)
    rows: Ints = order[np.arange(ends[-1]) + np.repeat(starts[who] - (ends - many), many)]
    return rows


def _sums_of_units(columns: Floats, draws: int, seed: int) -> Floats:
    """Resample rows (units) with replacement and sum the columns, in blocks of resamples."""
    generator, units = np.random.default_rng(seed), len(columns)
    block, counted = (max(1, size // max(units, 1)) for size in (_BLOCK, _COUNTED))
    found = []
    for start in range(0, draws, block):
        left = range(start, min(start + block, draws), counted)
        times = [_times(generator, units, min(counted, left.stop - at)) for at in left]
        found.append(np.concatenate(times).astype(np.float64) @ columns)
    return np.concatenate(found)


def _times(generator: np.random.Generator, units: int, draws: int) -> npt.NDArray[np.intp]:
    """Return the number of times that each unit occurs in each of some resamples."""
    drawn = generator.integers(0, units, (draws, units))
    drawn += np.arange(draws)[:, np.newaxis] * units
    return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
