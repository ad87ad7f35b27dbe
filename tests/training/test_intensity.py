"""Intensity's figures against scipy, the raters' reliability against a simulation."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.metrics.agreement import (
    compute_intensity_metrics,
    compute_inter_rater_reliability,
    compute_vote_metrics,
)
from emotion_detection.training import train
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.network_scores import compute_outputs


def pair(seed: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    wanted = generator.random(count)
    found = np.clip(0.2 + 0.5 * wanted + generator.normal(0, 0.2, count), 0, 1)
    return found.astype(np.float32), wanted.astype(np.float32)


def concordance(one: np.ndarray, other: np.ndarray) -> float:
    """Lin's coefficient, as it was published."""
    covariance = ((one - one.mean()) * (other - other.mean())).mean()
    return float(2 * covariance / (one.var() + other.var() + (one.mean() - other.mean()) ** 2))


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_scipys(seed: int) -> None:
    found, wanted = pair(seed)
    wanted = np.round(wanted, 1)  # ties, as shares of ten raters have
    figures = compute_intensity_metrics(found, wanted)
    assert figures["pearson"] == pytest.approx(stats.pearsonr(found, wanted).statistic, abs=1e-5)
    assert figures["spearman"] == pytest.approx(stats.spearmanr(found, wanted).statistic, abs=1e-5)
    ours, theirs = found.astype(np.float64), wanted.astype(np.float64)
    # the covariance is of N or of N - 1, which is a factor for all but the means
    assert figures["ccc"] == pytest.approx(concordance(ours, theirs), rel=0.01)
    assert figures["mae"] == pytest.approx(np.abs(ours - theirs).mean(), abs=1e-6)
    assert figures["n"] == 200
    assert "raters_reliability" not in figures


def test_concordance_is_less_than_correlation_where_the_scale_is_off() -> None:
    _, wanted = pair(0)
    figures = compute_intensity_metrics(wanted / 2, wanted)
    assert figures["pearson"] == pytest.approx(1)
    assert figures["ccc"] == pytest.approx(concordance(wanted / 2, wanted), rel=0.01)
    assert figures["ccc"] < 0.7


def test_unknown_ones_do_not_count() -> None:
    found, wanted = pair(1)
    known = np.arange(200) % 3 > 0
    holed = np.where(known, wanted, np.nan).astype(np.float32)
    assert compute_intensity_metrics(found, holed, 10) == compute_intensity_metrics(
        found[known], wanted[known], 10
    )
    assert compute_intensity_metrics(found, holed)["n"] == known.sum()


@pytest.mark.parametrize("which", [0, 1])
def test_what_never_changes_has_no_correlation(which: int) -> None:
    sides = list(pair(2))
    sides[which] = np.full(200, 0.1, np.float32)
    figures = compute_intensity_metrics(*sides)
    assert [figures[name] for name in ("pearson", "spearman", "ccc")] == [None] * 3
    assert figures["mae"] > 0


def raters(shape: tuple[float, float], faces: int, count: int, seed: int = 0) -> np.ndarray:
    """Shares of two groups of raters who see something with the same probability, (2, faces)."""
    generator = np.random.default_rng(seed)
    chances = generator.beta(*shape, faces)
    return generator.binomial(count, chances, (2, faces)) / count


@pytest.mark.parametrize("shape", [(0.3, 0.3), (0.2, 2.0), (2.0, 2.0), (8.0, 8.0)])
@pytest.mark.parametrize("count", [5, 10])
def test_reliability_is_the_correlation_with_another_group_of_raters(
    shape: tuple[float, float], count: int
) -> None:
    one, other = raters(shape, 40_000, count)
    expected = stats.pearsonr(one, other).statistic
    assert compute_inter_rater_reliability(one, count) == pytest.approx(expected, abs=0.015)


def test_raters_who_only_guess_have_no_reliability() -> None:
    shares = np.random.default_rng(0).binomial(10, 0.4, 40_000) / 10
    assert compute_inter_rater_reliability(shares, 10) == pytest.approx(0, abs=0.02)


def test_raters_who_all_agree_are_wholly_reliable() -> None:
    assert compute_inter_rater_reliability(np.array([0.0, 1.0, 1.0, 0.0]), 10) == 1
    assert compute_inter_rater_reliability(np.array([0.5, 0.5]), 10) is None
    assert compute_inter_rater_reliability(np.array([0.5]), 10) is None


def test_each_emotions_scores_are_compared_with_its_own_fractions() -> None:
    generator = np.random.default_rng(3)
    shares = generator.dirichlet((1, 1, 1), 300).astype(np.float32)
    scores = generator.dirichlet((1, 1, 1), 300).astype(np.float32)
    scores[:, 1] = shares[:, 1]
    shares[:7] = np.nan
    figures = compute_vote_metrics(scores, shares, ("a", "b", "c"), 10)
    assert list(figures) == ["a", "b", "c"]
    assert figures["b"]["pearson"] == pytest.approx(1)
    assert abs(figures["a"]["pearson"]) < 0.3
    assert {entry["n"] for entry in figures.values()} == {293}
    assert figures["c"]["raters_reliability"] == pytest.approx(
        compute_inter_rater_reliability(shares[7:, 2].astype(np.float64), 10)
    )


@pytest.mark.usefixtures("without_export")
def test_a_training_learns_the_intensity_that_the_data_gives(
    striped: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = striped(tmp_path, intensity_weight=0.5)
    run = train(config)
    best, faces = load_trained(run.folder), load(config).split("validation")
    assert best.spec.intensity
    said = compute_outputs(best.network, best.spec, faces.images)["intensity"]
    assert said.shape == (30,)
    assert (said > 0).all()
    assert (said < 1).all()
    known = ~np.isnan(faces.intensity)
    assert 0 < known.sum() < 30
    figures = run.metrics["intensity"]
    expected = stats.pearsonr(said[known], faces.intensity[known]).statistic
    assert figures["pearson"] == pytest.approx(expected, abs=1e-4)
    assert figures["n"] == known.sum()
    assert "raters_reliability" not in figures  # nobody said that these are shares of raters


@pytest.mark.usefixtures("without_export")
def test_without_its_weight_there_is_no_intensity(
    striped: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    run = train(striped(tmp_path, epochs=1))
    assert not load_trained(run.folder).spec.intensity
    assert "intensity" not in run.metrics
