"""Intervals and tests against scipy and statsmodels, and coverage by simulation."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from emotion_detection.metrics.statistics import (
    Interval,
    as_dict,
    bootstrap,
    bootstrap_paired_difference,
    compute_accuracy_interval,
    compute_mcnemar,
    compute_wilson_interval,
    estimate_fraction,
    resample_counts,
    resample_sums,
)

SHARES = [(0, 1), (1, 1), (0, 30), (30, 30), (3, 40), (17, 40), (1, 2000), (4000, 7178)]


@pytest.mark.parametrize(("hits", "n"), SHARES)
def test_wilson_is_that_of_statsmodels(hits: int, n: int) -> None:
    expected = proportion_confint(hits, n, alpha=0.05, method="wilson")
    assert compute_wilson_interval(hits, n) == pytest.approx(expected, abs=1e-12)
    found = estimate_fraction(hits, n)
    assert (found.value, found.n) == (hits / n, n)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_seen_is_nothing_known() -> None:
    assert compute_wilson_interval(0, 0) == (0, 1)
    assert math.isnan(estimate_fraction(0, 0).value)
    with pytest.raises(ValueError, match="hits must be from 0 to n = 3"):
        compute_wilson_interval(4, 3)


@pytest.mark.parametrize(
    ("only_first", "only_second", "both"),
    [(0, 0, 5), (1, 0, 0), (0, 7, 3), (5, 5, 9), (12, 30, 400), (260, 341, 6000), (900, 700, 9)],
)
def test_mcnemar_is_the_exact_one_of_statsmodels(
    only_first: int, only_second: int, both: int
) -> None:
    first = np.repeat([True, False, True, False], [only_first, only_second, both, 4])
    second = np.repeat([False, True, True, False], [only_first, only_second, both, 4])
    expected = reference_mcnemar([[both, only_first], [only_second, 4]], exact=True)
    found = compute_mcnemar(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("fewer", [49_500, 50_000, 20_000])
def test_mcnemar_stays_exact_for_many_faces(fewer: int) -> None:
    first = np.arange(100_000) < fewer
    found = compute_mcnemar(first, ~first)
    assert found.p == pytest.approx(stats.binomtest(fewer, 100_000).pvalue, rel=1e-7, abs=1e-300)


def _near(found: Interval, low: float, high: float) -> None:
    """Two bootstraps of 2,000 draws differ by less than a tenth of their width."""
    width = high - low
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * width)


@pytest.mark.parametrize("figure", [np.mean, np.median, lambda x: x.std() / x.mean()])
def test_bootstrap_is_that_of_scipy(figure: Callable[[np.ndarray], float]) -> None:
    values = np.random.default_rng(0).gamma(2, 1, 150)
    found = bootstrap(lambda rows: float(figure(values[rows])), len(values))
    expected = stats.bootstrap(
        (values,),
        lambda x: float(figure(x)),
        n_resamples=2000,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.value == pytest.approx(figure(values))
    assert (found.n, found.clusters, found.undefined) == (150, None, 0)
    _near(found, *expected)


def _people(generator: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and whose they are: 1 to 19 faces a person, alike within a person, in any order."""
    clusters = np.repeat(np.arange(number) * 7 - 3, generator.integers(1, 20, number))
    own = generator.normal(0, 1, number)[np.unique(clusters, return_inverse=True)[1]]
    order = generator.permutation(len(clusters))
    return (own + generator.normal(0, 0.3, len(clusters)))[order], clusters[order]


def test_drawing_people_is_scipys_bootstrap_over_them() -> None:
    values, clusters = _people(np.random.default_rng(2), 60)
    found = bootstrap(lambda rows: float(values[rows].mean()), len(values), clusters)
    people = np.unique(clusters)
    sums = np.array([values[clusters == who].sum() for who in people])
    sizes = np.array([(clusters == who).sum() for who in people])
    expected = stats.bootstrap(
        (sums, sizes),
        lambda s, m: s.sum() / m.sum(),
        n_resamples=2000,
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.clusters == 60
    _near(found, *expected)


def test_one_face_a_person_is_drawing_faces() -> None:
    values = np.random.default_rng(3).normal(0, 1, 80)
    people = np.random.default_rng(4).permutation(80)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    faces = bootstrap(mean, 80)
    _near(bootstrap(mean, 80, people), faces.low, faces.high)


def test_the_interval_over_people_covers_and_that_over_faces_does_not() -> None:
    generator = np.random.default_rng(0)
    over_people = over_faces = 0
    for trial in range(200):
        values, clusters = _people(generator, 100)
        nothing = np.zeros_like(values)
        inside = bootstrap_paired_difference(nothing, values, clusters, 300, trial)
        over_people += inside.low <= 0 <= inside.high
        if trial < 50:
            inside = bootstrap_paired_difference(nothing, values, None, 300, trial)
            over_faces += inside.low <= 0 <= inside.high
    assert 0.90 <= over_people / 200 <= 0.99
    assert over_faces / 50 < 0.75


def test_draws_without_a_value_are_left_out_and_counted() -> None:
    rare = np.zeros(40, bool)
    rare[0] = True

    def recall(rows: np.ndarray) -> float:
        return 1.0 if rare[rows].any() else math.nan

    found = bootstrap(recall, 40)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    # (1 - 1/40)^40 = 0.363 of the draws miss the face
    assert found.undefined / 2000 == pytest.approx(0.363, abs=0.05)


def test_a_figure_never_defined_has_no_interval() -> None:
    found = bootstrap(lambda rows: math.nan, 5, draws=10)
    assert as_dict(found) == {
        "value": None, "low": None, "high": None, "n": 5, "clusters": None, "undefined": 10,
    }  # fmt: skip
    assert math.isnan(bootstrap(lambda rows: 1.0, 0).value)
    assert math.isnan(bootstrap_paired_difference([], []).value)


@pytest.mark.parametrize("whose", [None, 30])
@pytest.mark.parametrize("kind", ["right or wrong", "numbers"])
def test_a_paired_difference_is_the_bootstrap_of_its_mean(kind: str, whose: int | None) -> None:
    generator = np.random.default_rng(6)
    first, second = generator.normal(0, 1, (2, 300))
    if kind == "right or wrong":
        first, second = first > 0.2, second > -0.1
    clusters = None if whose is None else generator.integers(0, whose, 300)
    difference = second.astype(float) - first
    expected = bootstrap(lambda rows: float(difference[rows].mean()), 300, clusters)
    found = bootstrap_paired_difference(first, second, clusters)
    assert found.value == pytest.approx(difference.mean())
    assert found.clusters == expected.clusters
    _near(found, expected.low, expected.high)


def test_a_paired_difference_is_narrower_than_an_unpaired_one() -> None:
    generator = np.random.default_rng(7)
    first = generator.random(1000) < 0.6
    second = np.where(generator.random(1000) < 0.05, ~first, first)
    found = bootstrap_paired_difference(first, second)
    apart = [np.diff(compute_accuracy_interval(right))[0] for right in (first, second)]
    assert found.high - found.low < 0.6 * math.hypot(*apart)


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"equally long rows, got \(3,\) and \(2,\)"):
        bootstrap_paired_difference([1, 0, 1], [1, 0])


@pytest.mark.parametrize("whose", [None, 25])
def test_counts_and_sums_of_draws_are_those_of_resampled_faces(whose: int | None) -> None:
    generator = np.random.default_rng(8)
    cells = generator.integers(0, 4, 200)
    clusters = None if whose is None else generator.integers(0, whose, 200)
    counts = resample_counts(cells, 5, clusters)
    sums = resample_sums(np.eye(5)[cells], clusters)
    assert counts.shape == sums.shape == (2000, 5)
    assert not counts[:, 4].any()
    if whose is None:
        assert (counts.sum(1) == 200).all()
        spread = np.bincount(cells) * (1 - np.bincount(cells) / 200)
        assert counts[:, :4].var(0) == pytest.approx(spread, rel=0.12)
    else:
        np.testing.assert_array_equal(counts, sums)
    assert sums.mean(0) == pytest.approx(counts.mean(0), abs=1)
    assert sums.std(0) == pytest.approx(counts.std(0), rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(9).normal(0, 1, 50)
    first = bootstrap(lambda rows: float(values[rows].mean()), 50, seed=3)
    assert first == bootstrap(lambda rows: float(values[rows].mean()), 50, seed=3)
    assert first != bootstrap(lambda rows: float(values[rows].mean()), 50, seed=4)


def test_what_json_cannot_hold_is_turned_into_what_it_can() -> None:
    found = as_dict(
        {"a": np.float32(0.5), 1: (estimate_fraction(1, 2), np.array([1.0, np.nan])), "c": None}
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["1"][0]["value"] == 0.5
    assert found["1"][1] == [1.0, None]


def test_the_interval_of_accuracy_covers_the_truth_in_about_95_of_100_tests() -> None:
    generator = np.random.default_rng(5)
    inside = 0
    for trial in range(500):
        low, high = compute_accuracy_interval(generator.random(400) < 0.62, seed=trial)
        inside += low <= 0.62 <= high
    assert 0.92 <= inside / 500 <= 0.98


@pytest.mark.parametrize(("count", "share"), [(60, 0.5), (400, 0.9), (3000, 0.58)])
def test_the_interval_of_accuracy_is_that_of_drawing_faces_again(count: int, share: float) -> None:
    generator = np.random.default_rng(1)
    right = generator.random(count) < share
    draws = [right[generator.integers(0, count, count)].mean() for _ in range(2000)]
    expected = np.quantile(draws, (0.025, 0.975))
    spread = np.sqrt(share * (1 - share) / count)
    assert compute_accuracy_interval(right) == pytest.approx(expected, abs=0.25 * spread)


def test_the_interval_of_accuracy_is_the_same_each_time() -> None:
    right = np.random.default_rng(0).random(100) < 0.7
    assert compute_accuracy_interval(right) == compute_accuracy_interval(right)
