"""Two label sets of the same faces, and the raters' shares beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.data import Faces, join_splits, load
from emotion_detection.data.ferplus import expression_fraction, vote_fractions
from emotion_detection.errors import InputError
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS

NOBODY = (3, 10, 30)
"""Faces in which most raters saw no face."""


def votes(**counts: int) -> np.ndarray:
    """Return votes in the file's order from votes by name."""
    return np.array([counts.get(name, 0) for name in FERPLUS_COLUMNS])


@pytest.fixture
def voted(tmp_path: Path, tiny_set: Any, write_csv: Any, write_votes: Any) -> Path:
    """FER-2013 and votes: seven for one emotion and three for the next; some see no face."""
    counts = np.zeros((42, 10), int)
    rows = np.arange(42)
    counts[rows, rows % 8] = 7
    counts[rows, (rows + 1) % 8] = 3
    counts[list(NOBODY)] = votes(NF=10)
    write_csv(tmp_path / "fer", *tiny_set)
    return write_votes(tmp_path / "fer", counts, tiny_set.usages).parent


@pytest.fixture
def pair(voted: Path, data_config: Any) -> tuple[Faces, Faces]:
    """The training faces with FER+'s labels, and with FER-2013's."""
    return tuple(
        load(data_config(voted, labels=labels)).split("train") for labels in ("ferplus", "fer2013")
    )


def test_every_face_keeps_its_own_labels_of_both_sets(pair: tuple[Faces, Faces]) -> None:
    first, other = pair
    both = join_splits(first, other, "fer2013")
    assert len(both) == len(other) == 28
    assert list(both.names) == list(other.names)
    assert np.array_equal(both.images, other.images)
    by_name = dict(zip(first.names, first.labels, strict=True))
    assert both.labels.tolist() == [by_name.get(name, -1) for name in both.names]
    assert np.array_equal(both.also["fer2013"], other.labels)
    assert both.labels.dtype == np.int64


def test_where_the_first_set_has_no_label_everything_of_it_is_unknown(
    pair: tuple[Faces, Faces],
) -> None:
    both = join_splits(*pair, "fer2013")
    missing = both.labels == -1
    assert np.flatnonzero(missing).tolist() == [3, 10]
    assert (both.targets[missing] == 0).all()
    assert np.isnan(both.intensity[missing]).all()
    assert np.isnan(both.shares[missing]).all()
    np.testing.assert_allclose(both.targets[~missing].sum(axis=1), 1, atol=1e-6)
    assert not np.isnan(both.intensity[~missing]).any()


def test_targets_intensity_and_fractions_stay_with_their_face(pair: tuple[Faces, Faces]) -> None:
    first, other = pair
    # another order in the cache than FER-2013's must not matter
    order = np.random.default_rng(0).permutation(len(first))
    both = join_splits(first.keep(order), other, "fer2013")
    place = {name: row for row, name in enumerate(both.names)}
    rows = [place[name] for name in first.names]
    for name in ("labels", "targets", "intensity", "shares", "images", "digests"):
        assert np.array_equal(getattr(both, name)[rows], getattr(first, name)), name


def test_kept_rows_keep_both_sets(pair: tuple[Faces, Faces]) -> None:
    both = join_splits(*pair, "fer2013")
    rows = np.array([5, 3, 20])
    kept = both.keep(rows)
    assert kept.labels.tolist() == both.labels[rows].tolist()
    assert kept.also["fer2013"].tolist() == both.also["fer2013"][rows].tolist()
    np.testing.assert_array_equal(kept.shares, both.shares[rows])
    assert list(kept.names) == [both.names[row] for row in rows]
    assert np.array_equal(kept.draw(np.array([2])), both.images[[20]])


def test_excluded_faces_stay_out(pair: tuple[Faces, Faces]) -> None:
    first, other = pair
    rows = np.arange(4, 28)
    fewer = first.keep(np.flatnonzero(np.isin(first.names, [other.names[row] for row in rows])))
    both = join_splits(fewer, other.keep(rows), "fer2013")
    assert list(both.names) == [other.names[row] for row in rows]
    assert (both.labels >= 0).sum() == len(fewer)


def test_the_wrong_way_round_is_refused_in_a_line(pair: tuple[Faces, Faces]) -> None:
    first, other = pair
    with pytest.raises(InputError) as say:
        join_splits(other, first, "ferplus")
    assert str(say.value).startswith("--extra_labels ferplus: face ")
    assert other.names[3] in str(say.value)
    assert "--labels ferplus --extra_labels fer2013" in str(say.value)
    assert "\n" not in str(say.value)


def test_a_set_without_targets_and_intensity_gives_none(pair: tuple[Faces, Faces]) -> None:
    _, other = pair
    both = join_splits(other.keep(np.arange(5)), other, "again")
    assert (both.targets, both.intensity, both.shares) == (None, None, None)
    assert (both.labels >= 0).sum() == 5


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ({"happiness": 7, "surprise": 3}, {"happiness": 0.7, "surprise": 0.3}),
        # all raters count: single votes too, and those who saw no emotion
        ({"anger": 5, "fear": 1, "unknown": 3, "NF": 1}, {"anger": 0.5, "fear": 0.1}),
        ({"neutral": 4, "contempt": 4}, {"neutral": 0.5, "contempt": 0.5}),
        ({"NF": 10}, {}),
        ({}, {}),
    ],
)
def test_vote_fractions_by_hand(counts: dict[str, int], shares: dict[str, float]) -> None:
    found = vote_fractions(votes(**counts))
    np.testing.assert_allclose(found, [shares.get(name, 0) for name in FERPLUS], atol=1e-7)
    assert found.dtype == np.float32


def test_the_fractions_of_expressions_make_the_intensity() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        counts = generator.multinomial(10, generator.dirichlet(np.ones(10)))
        shares = vote_fractions(counts)
        expressions = shares.sum() - shares[FERPLUS.index("neutral")]
        assert expressions == pytest.approx(expression_fraction(counts), abs=1e-6)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_cache_holds_the_fractions_of_every_split(
    voted: Path, data_config: Any, split: str
) -> None:
    for _ in range(2):  # decoded, then read again
        dataset = load(data_config(voted, labels="ferplus"))
        faces = dataset.split(split)
        assert faces.shares.shape == (len(faces), 8)
        np.testing.assert_allclose(np.sort(faces.shares, axis=1)[:, -2:], [[0.3, 0.7]] * len(faces))
        assert np.array_equal(faces.shares.argmax(axis=1), faces.labels)
    assert (dataset.folder / split / "shares.npy").is_file()
    assert load(data_config(voted, labels="fer2013")).split(split).shares is None


def test_the_fractions_are_part_of_the_datas_hash(voted: Path, data_config: Any) -> None:
    before = load(data_config(voted, labels="ferplus"))
    path = voted / "fer2013new.csv"
    lines = path.read_text().splitlines()
    # one of seven votes goes to 'unknown': majority and distribution stay
    cells = lines[1].split(",")
    cells[2], cells[10] = "6", "1"
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))
    after = load(data_config(voted, labels="ferplus"))
    assert after.split("train").labels[0] == before.split("train").labels[0]
    assert after.split("train").shares[0].sum() == pytest.approx(0.9)
    assert after.hash != before.hash
