import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_detection.data import load
from emotion_detection.data.splitting import (
    LEFT_OUT,
    TEST,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    assign_splits,
    deal_folds,
)


def keys_of(names):
    return [hashlib.blake2b(str(name).encode(), digest_size=16).digest() for name in names]


def assign(labels, given_splits, groups, fractions=(0.1, 0.1), seed=0, known=None, keys=None):
    return assign_splits(
        np.array(labels, np.int64),
        np.array(given_splits, np.int64),
        np.array(groups, np.int64),
        keys_of(range(len(labels))) if keys is None else keys,
        fractions,
        seed,
        None if known is None else np.array(known, np.int64),
    )


def split(*arguments, **options):
    return assign(*arguments, **options).splits


faces = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([UNKNOWN, UNKNOWN, TRAIN, VALIDATION, TEST]),
        st.integers(0, 30),
        st.sampled_from([UNKNOWN, UNKNOWN, UNKNOWN, TRAIN, VALIDATION, TEST]),
    ),
    min_size=1,
    max_size=80,
)


@given(faces, st.integers(0, 5))
def test_given_and_known_splits_stay_and_no_group_is_torn_apart(rows, seed):
    labels, given_splits, groups, known = (np.array(column) for column in zip(*rows, strict=True))
    result = split(labels, given_splits, groups, (0.2, 0.2), seed, known)
    assert set(result) <= {TRAIN, VALIDATION, TEST, LEFT_OUT}
    free = given_splits == UNKNOWN
    if not free.any():
        moved = result != given_splits
        assert (given_splits[moved] == TRAIN).all()
        assert not set(result[moved]) & set(given_splits)
        return
    np.testing.assert_array_equal(result[~free], given_splits[~free])
    remembered = free & (known != UNKNOWN)
    np.testing.assert_array_equal(result[remembered], known[remembered])
    fixed = np.where(free, known, given_splits)
    for row in np.flatnonzero(free & ~remembered):
        own = set(fixed[(groups == groups[row]) & (fixed != UNKNOWN)].tolist())
        together = set(result[(groups == groups[row]) & free & ~remembered].tolist())
        assert len(together) == 1
        if own:
            assert together == (own if len(own) == 1 else {LEFT_OUT})


@given(st.lists(st.integers(0, 3), min_size=12, max_size=60), st.data())
def test_the_order_of_the_faces_does_not_matter(labels, data):
    groups = np.arange(len(labels)) // 2
    keys = keys_of(range(len(labels)))
    order = np.array(data.draw(st.permutations(range(len(labels)))))
    free = np.full(len(labels), UNKNOWN)
    plain = split(labels, free, groups, (0.2, 0.1), keys=keys)
    mixed = split(
        np.array(labels)[order], free, groups[order], (0.2, 0.1), keys=[keys[k] for k in order]
    )
    np.testing.assert_array_equal(mixed, plain[order])


@given(
    st.lists(st.integers(1, 120), min_size=2, max_size=5),
    st.sampled_from([0.05, 0.1, 0.2, 0.3]),
    st.sampled_from([0.0, 0.1, 0.25]),
    st.integers(0, 3),
)
@settings(max_examples=60)
def test_every_split_gets_at_least_half_of_what_was_asked_of_each_class(
    sizes, validation, test, seed
):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    free = np.full(len(labels), UNKNOWN)
    found = assign(labels, free, range(len(labels)), (validation, test), seed)
    assert found.shortages == ()
    for label, size in enumerate(sizes):
        counts = np.bincount(found.splits[labels == label], minlength=3)
        # train may be asked for less than two thirds: then half of that is what it is sure of
        assert counts[TRAIN] >= min((1 - validation - test) * size / 2 - 1e-6, size // 3)
        for place, goal in ((VALIDATION, validation * size), (TEST, test * size)):
            assert goal or not counts[place]
            if goal and size > (validation > 0) + (test > 0):
                assert counts[place] >= max(goal / 2 - 1e-6, 1)


def test_of_many_faces_each_split_gets_about_its_size_and_another_seed_another_one():
    labels, free = np.arange(4000) % 4, np.full(4000, UNKNOWN)
    one, other = (split(labels, free, range(4000), (0.1, 0.2), seed) for seed in (1, 2))
    for result in (one, other):
        shares = np.bincount(result) / 4000
        np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.02)
    # what two independent draws have in common: .7 * .7 + .1 * .1 + .2 * .2
    assert (one == other).mean() == pytest.approx(0.54, abs=0.03)


def test_most_faces_stay_without_any_memory_when_others_come():
    labels = np.arange(400) % 4
    before = split(labels[:300], np.full(300, UNKNOWN), range(300))
    after = split(labels, np.full(400, UNKNOWN), range(400))
    np.testing.assert_array_equal(after[:300], before)


def test_of_train_alone_validation_and_test_are_split_off():
    labels = np.arange(400) % 2
    result = split(labels, np.full(400, TRAIN), range(400))
    assert np.bincount(result).tolist() == pytest.approx([320, 40, 40], abs=20)


def test_of_train_and_validation_only_test_is_split_off():
    given_splits = np.array([TRAIN] * 80 + [VALIDATION] * 20)
    result = split(np.arange(100) % 2, given_splits, range(100))
    assert (result[80:] == VALIDATION).all()
    assert (result[:80] != VALIDATION).all()
    assert 4 <= (result[:80] == TEST).sum() <= 16


def test_duplicates_of_given_test_faces_are_not_taken_out_of_train():
    given_splits = np.array([TRAIN] * 40 + [TEST] * 20)
    groups = np.arange(60)
    groups[:20] = groups[40:]  # half of train are copies of test faces
    for seed in range(5):
        result = split(np.zeros(60), given_splits, groups, (0.3, 0.1), seed)
        assert (result[:20] == TRAIN).all()
        assert (result[40:] == TEST).all()
        assert (result[20:40] == VALIDATION).sum() > 0


def test_a_class_of_three_faces_has_one_in_each_split_and_of_one_stays_in_train():
    labels = np.array([0] * 3 + [1] * 50 + [2])
    found = assign(labels, np.full(54, UNKNOWN), range(54))
    assert sorted(found.splits[:3]) == [TRAIN, VALIDATION, TEST]
    assert found.splits[53] == TRAIN
    assert found.shortages == ()


def test_a_class_that_is_one_group_stays_in_train_and_is_reported():
    found = assign([0] * 9 + [1] * 9, [UNKNOWN] * 18, [0] * 9 + list(range(9, 18)))
    assert (found.splits[:9] == TRAIN).all()
    assert [(s.split, s.label, s.faces, s.least, s.of) for s in found.shortages] == [
        ("validation", 0, 0, 1, 9),
        ("test", 0, 0, 1, 9),
    ]


def test_a_large_group_goes_to_validation_when_nothing_else_can():
    # three people of twenty faces each, where a tenth was asked
    groups = np.repeat([0, 1, 2], 20)
    found = assign(np.tile([0, 1], 30), np.full(60, UNKNOWN), groups)
    assert sorted(found.splits[::20]) == [TRAIN, VALIDATION, TEST]
    assert found.shortages == ()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), min_size=8, max_size=90))
def test_folds_keep_groups_whole_and_are_about_equally_large(rows):
    labels, groups = (np.array(column) for column in zip(*rows, strict=True))
    folds = deal_folds(labels, groups, keys_of(range(len(rows))), 3, 0)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    largest = np.bincount(groups).max()
    counts = np.array([np.bincount(labels[folds == fold], minlength=4) for fold in range(3)])
    assert (np.ptp(counts, axis=0) <= 2 * largest).all()


def test_planted_near_duplicates_never_straddle_two_splits(tmp_path, tiny_faces, png, data_config):
    faces_of = {"happy": tiny_faces(30, seed=1), "sad": tiny_faces(30, seed=2)}
    for emotion, originals in faces_of.items():
        folder = tmp_path / "own" / emotion
        folder.mkdir(parents=True)
        for row, face in enumerate(originals):
            brighter = np.clip(face.astype(int) + 15, 0, 255).astype(np.uint8)
            for kind, image in (("a", face), ("b", brighter), ("c", face)):
                (folder / f"{row}{kind}.png").write_bytes(png(image))
    # one face stands under both emotions
    (tmp_path / "own" / "sad" / "0d.png").write_bytes(png(faces_of["happy"][0]))
    dataset = load(data_config(tmp_path / "own", validation_fraction=0.2, test_fraction=0.2))
    place = {}
    for name in ("train", "validation", "test"):
        assert dataset.sizes[name] >= 18
        place.update(dict.fromkeys(dataset.split(name).names, name))
    assert len(place) == 181
    for emotion in faces_of:
        for row in range(30):
            assert len({place[f"{emotion}/{row}{kind}.png"] for kind in "abc"}) == 1
    assert place["sad/0d.png"] == place["happy/0a.png"]
