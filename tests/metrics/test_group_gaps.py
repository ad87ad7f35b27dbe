"""Gaps between several groups, against what scipy and statsmodels know of them."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from emotion_detection.metrics.group_gaps import Gap, Rates, compute_gaps


def _rates(hits: list[int], n: list[int], draws: int = 4000, seed: int = 0) -> Rates:
    generator = np.random.default_rng(seed)
    shares = np.array(hits) / np.array(n)
    drawn = generator.binomial(n, shares, (draws, len(n))) / np.array(n)
    return Rates(np.array(hits, float), np.array(n, float), drawn)


def _gap(hits: list[int], n: list[int], least: int = 50) -> Gap:
    found = compute_gaps([f"g{i}" for i in range(len(n))], {"rate": _rates(hits, n)}, least)["rate"]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("hits", "n"), [([60, 90], [100, 130]), ([3, 20], [400, 500]), ([200, 300], [1000, 900])]
)
def test_the_gap_of_two_groups_has_the_interval_of_two_proportions(
    hits: list[int], n: list[int]
) -> None:
    found = _gap(hits, n)
    expected = confint_proportions_2indep(hits[1], n[1], hits[0], n[0], method="agresti-caffo")
    assert (found.highest, found.lowest) == ("g1", "g0")
    assert found.value == pytest.approx(hits[1] / n[1] - hits[0] / n[0])
    width = expected[1] - expected[0]
    assert (found.low, found.high) == pytest.approx(expected, abs=0.06 * width)


@pytest.mark.parametrize("groups", [3, 5, 8])
def test_pairs_of_equal_groups_reach_as_far_as_the_studentized_range(groups: int) -> None:
    found = _gap([*[500] * (groups - 1), 501], [1000] * groups)
    error = np.sqrt(2 * 0.25 / 1000)
    expected = stats.studentized_range.ppf(0.95, groups, np.inf) / np.sqrt(2)
    assert (found.high - found.value) / error == pytest.approx(expected, rel=0.06)
    assert found.different == []


def test_several_rates_share_one_chance_of_a_false_alarm() -> None:
    alone = _gap([500, 520, 540], [1000] * 3)
    names = ["g0", "g1", "g2"]
    family = {str(seed): _rates([500, 520, 540], [1000] * 3, seed=seed) for seed in range(8)}
    together = compute_gaps(names, family, 50)["0"]
    assert together is not None
    assert together.value == alone.value
    assert together.high - together.low > 1.2 * (alone.high - alone.low)


def test_never_seen_is_not_taken_for_impossible() -> None:
    found = _gap([0, 2], [60, 60])
    assert found.low < 0 < found.value
    assert found.different == []
    assert _gap([0, 0], [60, 60]).high > 0.02
    assert _gap([0, 15], [60, 60]).different == [("g1", "g0")]


def test_pairs_beside_the_largest_are_named_too() -> None:
    # the smallest group has the largest gap by chance; the large ones differ for certain
    found = _gap([30, 5000, 5500], [52, 10000, 10000])
    assert (found.highest, found.lowest) == ("g0", "g1")
    assert found.low < 0
    assert found.different == [("g2", "g1")]


def test_groups_with_fewer_faces_take_no_part() -> None:
    found = _gap([0, 50, 60], [49, 100, 100])
    assert (found.lowest, found.highest) == ("g1", "g2")
    names, rates = ["g0", "g1"], {"rate": _rates([10, 20], [49, 100])}
    assert compute_gaps(names, rates, 50) == {"rate": None}
    assert compute_gaps(names, {}, 50) == {}


def test_people_whose_faces_are_alike_count_as_fewer_faces() -> None:
    generator = np.random.default_rng(0)
    # 40 people of 10 equal faces each: a share of 200 in 400 is one of 20 in 40
    drawn = generator.binomial(40, 0.5, (4000, 2)) / 40
    alike = Rates(np.array([200.0, 200.0]), np.array([400.0, 400.0]), drawn, np.array([40.0, 40.0]))
    assert alike.effective_n == pytest.approx([40, 40], rel=0.1)
    found, as_faces = alike.interval(0), _rates([200, 200], [400, 400]).interval(0)
    assert (found.n, found.clusters, as_faces.clusters) == (400, 40, None)
    assert found.high - found.low > 2.5 * (as_faces.high - as_faces.low)
