import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_detection.data import ferplus, load
from emotion_detection.data.ferplus import (
    compute_majority,
    compute_vote_distribution,
    expression_fraction,
)
from emotion_detection.errors import InputError
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS


def votes(**counts):
    """Return votes in the file's order from votes by name."""
    return np.array([counts.get(name, 0) for name in FERPLUS_COLUMNS])


def test_the_examples_in_the_docstrings_are_true():
    found = doctest.testmod(ferplus)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("counts", "emotion"),
    [
        # 7 of the 9 votes that are left when the single one is gone
        ({"happiness": 7, "surprise": 2, "sadness": 1}, "happiness"),
        # 5 of 10 is half, not more than half
        ({"neutral": 5, "sadness": 5}, None),
        ({"neutral": 5, "sadness": 3, "fear": 2}, None),
        # 4 of the 7 left: single votes for anger, disgust and fear count as none
        ({"sadness": 4, "neutral": 3, "anger": 1, "disgust": 1, "fear": 1}, "sadness"),
        # the top class is no emotion
        ({"unknown": 6, "neutral": 4}, None),
        ({"NF": 10}, None),
        # unknown counts among what is left: 4 of 8
        ({"fear": 4, "unknown": 4}, None),
        ({"contempt": 6, "unknown": 4}, "contempt"),
        # single votes alone: nothing is left
        (dict.fromkeys(FERPLUS_COLUMNS, 1), None),
        ({}, None),
    ],
)
def test_majority_by_hand(counts, emotion):
    found = compute_majority(votes(**counts))
    assert (None if found is None else FERPLUS[found]) == emotion


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        # 8 of 10 are three quarters: nothing more is taken
        ({"happiness": 8, "surprise": 2}, {"happiness": 1.0}),
        # 6 of 10 are not three quarters; then surprise and neutral, equal, come together
        (
            {"happiness": 6, "surprise": 2, "neutral": 2},
            {"happiness": 0.6, "surprise": 0.2, "neutral": 0.2},
        ),
        # 6, then all 10
        ({"happiness": 6, "surprise": 4}, {"happiness": 0.6, "surprise": 0.4}),
        # 5, then 8 of 10 covers three quarters: the two votes of fear are not taken
        ({"anger": 5, "sadness": 3, "fear": 2}, {"anger": 5 / 8, "sadness": 3 / 8}),
        # equal ones are taken together: 4, then 3 and 3
        (
            {"anger": 4, "sadness": 3, "fear": 3},
            {"anger": 0.4, "sadness": 0.3, "fear": 0.3},
        ),
        # four classes at once are more than three
        ({"anger": 2, "sadness": 2, "fear": 2, "disgust": 2}, None),
        # 4 and then 2, 2, 2: more than three again
        ({"anger": 4, "sadness": 2, "fear": 2, "disgust": 2}, None),
        # unknown comes second: it ends it; 6 of 10 is more than half
        ({"neutral": 6, "unknown": 4}, {"neutral": 1.0}),
        # the same with 5 of 10: no more than half was taken
        ({"neutral": 5, "unknown": 3, "sadness": 2}, None),
        # unknown leads
        ({"unknown": 6, "neutral": 4}, None),
        ({"NF": 10}, None),
        # neutral and unknown equal: neutral stands first, unknown ends it, 5 of 10 are not enough
        ({"neutral": 5, "unknown": 5}, None),
        # single votes count as none: 6 of the 8 left
        ({"contempt": 6, "neutral": 2, "fear": 1, "sadness": 1}, {"contempt": 1.0}),
        ({}, None),
    ],
)
def test_probability_by_hand(counts, shares):
    found = compute_vote_distribution(votes(**counts))
    if shares is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, [shares.get(name, 0) for name in FERPLUS], atol=1e-6)
        assert found.dtype == np.float32


def slow_probability(counts):
    """Restate the rule with plain lists of names, one class at a time."""
    left = {name: count for name, count in counts.items() if count > 1}
    total = sum(left.values())
    taken, seen, ended = {}, 0, False
    while seen < 0.75 * total and len(taken) < 3 and not ended:
        most = max(left.values())
        for name in [name for name in FERPLUS_COLUMNS if left.get(name) == most]:
            seen += left.pop(name)
            if name in ("unknown", "NF"):
                ended = True
                if not taken:
                    return None
                break
            taken[name] = most
    kept = sum(taken.values())
    if kept <= total / 2 or len(taken) > 3:
        return None
    return [taken.get(name, 0) / kept for name in FERPLUS]


ten_votes = st.lists(st.sampled_from(FERPLUS_COLUMNS), min_size=0, max_size=14).map(
    lambda seen: {name: seen.count(name) for name in FERPLUS_COLUMNS}
)


@given(ten_votes)
def test_probability_equals_a_slow_restatement(counts):
    found, expected = compute_vote_distribution(votes(**counts)), slow_probability(counts)
    assert (found is None) == (expected is None)
    if found is not None:
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert abs(float(found.sum()) - 1) < 1e-6


@given(ten_votes)
def test_majority_equals_a_slow_restatement(counts):
    left = {name: count for name, count in counts.items() if count > 1}
    winners = [name for name in FERPLUS if left.get(name, 0) > sum(left.values()) / 2]
    found = compute_majority(votes(**counts))
    assert ([] if found is None else [FERPLUS[found]]) == winners


def test_intensity_is_the_fraction_of_all_raters_who_saw_an_expression():
    assert expression_fraction(votes(neutral=4, happiness=5, unknown=1)) == pytest.approx(0.5)
    assert expression_fraction(votes(neutral=10)) == 0
    assert expression_fraction(votes(anger=6, contempt=4)) == 1
    assert expression_fraction(votes(NF=10)) == 0
    assert expression_fraction(votes()) == 0


@pytest.fixture
def voted(tmp_path, tiny_set, write_csv, write_votes):
    """Write the tiny faces and votes: face k has 8 for emotion k % 8 and 2 for the next."""
    table = np.zeros((42, 10), int)
    for row in range(42):
        for emotion, count in ((row % 8, 8), ((row + 1) % 8, 2)):
            table[row, FERPLUS_COLUMNS.index(FERPLUS[emotion])] = count
    table[3] = votes(unknown=10)
    table[5] = votes(happiness=5, surprise=3, neutral=2)
    table[40] = votes(happiness=5, surprise=3, neutral=2)
    write_csv(tmp_path, *tiny_set)
    write_votes(tmp_path, table, tiny_set.usages, without_image=[1, 41])
    return tmp_path


def test_labels_targets_and_intensity_come_from_the_votes(voted, data_config, tiny_set):
    dataset = load(data_config(voted, labels="ferplus"))
    assert dataset.labels == FERPLUS
    assert dataset.label_set == "ferplus"
    # left out: 1 and 41 without an image name, 3 unknown, 40 (test) without a majority
    assert dataset.sizes == {"train": 26, "validation": 7, "test": 5}
    train = dataset.split("train")
    kept = [row for row in range(28) if row not in (1, 3)]
    np.testing.assert_array_equal(train.images[:, 0], tiny_set.faces[kept])
    expected = [FERPLUS.index("happiness") if row == 5 else row % 8 for row in kept]
    assert train.labels.tolist() == expected
    np.testing.assert_allclose(train.targets.sum(axis=1), 1, atol=1e-6)
    five = train.targets[kept.index(5)]
    assert five[FERPLUS.index("happiness")] == pytest.approx(5 / 8)
    assert five[FERPLUS.index("surprise")] == pytest.approx(3 / 8)
    # face 6: 8 for neutral, 2 for contempt
    assert train.intensity[kept.index(6)] == pytest.approx(0.2)
    assert train.intensity[kept.index(5)] == pytest.approx(0.8)


def test_the_majority_rule_trains_on_one_class_a_face(voted, data_config):
    dataset = load(data_config(voted, labels="ferplus", votes="majority"))
    assert dataset.sizes == {"train": 25, "validation": 7, "test": 5}
    targets = dataset.split("train").targets
    np.testing.assert_array_equal(targets, np.eye(8)[dataset.split("train").labels])


@pytest.mark.parametrize("shape", ["parquet", "folders"])
def test_votes_find_their_faces_in_every_shape(
    shape, voted, tiny_set, write_parquet, write_folders, data_config
):
    write = write_parquet if shape == "parquet" else write_folders
    root = write(voted / shape, *tiny_set)
    dataset = load(data_config(root, labels="ferplus"))  # the votes lie one folder above
    assert dataset.hash == load(data_config(voted, labels="ferplus")).hash


def test_changed_votes_are_read_again(voted, tiny_set, write_votes, data_config):
    before = load(data_config(voted, labels="ferplus"))
    table = np.tile(votes(fear=10), (42, 1))
    write_votes(voted, table, tiny_set.usages)
    after = load(data_config(voted, labels="ferplus"))
    assert after.hash != before.hash
    assert set(after.split("test").labels.tolist()) == {FERPLUS.index("fear")}


def test_data_that_is_not_fer2013_has_no_votes(tmp_path, tiny_faces, write_manifest, data_config):
    path = write_manifest(tmp_path, tiny_faces(4), ["happy", "sad"] * 2)
    with pytest.raises(InputError, match="FER\\+ has votes for FER-2013 alone"):
        load(data_config(path, labels="ferplus"))
    with pytest.raises(InputError, match="synthetic faces have no votes"):
        load(data_config("demo", labels="ferplus"))


def test_a_missing_votes_file_is_named(voted, data_config):
    (voted / "fer2013new.csv").unlink()
    with pytest.raises(InputError, match=r"fer2013new\.csv is missing; 'emotion data download'"):
        load(data_config(voted, labels="ferplus"))


@pytest.mark.parametrize(
    "line",
    [
        "Training,fer0000042.png,4,0,0,1,3,2,0,0,0",
        "Training,fer0000042.png,4,0,0,1,3,2,0,0,0,0,0",
        "Training,fer0000042.png,4,0,0,1,3,2,0,0,x,0",
        "Training,fer0000042.png,4,0,0,1,3,2,0,0,-1,0",
        "Training",
    ],
)
def test_a_bad_line_of_votes_is_named(line, voted, data_config):
    path = voted / "fer2013new.csv"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError) as caught:
        load(data_config(voted, labels="ferplus"))
    assert str(caught.value) == f"{path} line 44: ten whole numbers of votes are needed"


def test_votes_with_other_columns_are_refused(voted, data_config):
    path = voted / "fer2013new.csv"
    path.write_text(path.read_text().replace("neutral,happiness", "happiness,neutral"))
    with pytest.raises(InputError, match="line 1: the columns must be neutral, happiness"):
        load(data_config(voted, labels="ferplus"))


@pytest.mark.real_data
def test_the_published_majority_filter_keeps_3153_test_faces(fer2013_root):
    kept = rows = 0
    for row, counts in ferplus.read_votes(fer2013_root / "fer2013new.csv").items():
        if row >= 28_709 + 3_589:
            rows += 1
            kept += compute_majority(counts) is not None
    assert kept == 3_153
    assert rows <= 3_589
