import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_detection.data import load
from emotion_detection.data.splitting import (
    TEST,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    assign_splits,
)


def split(labels, given_splits, groups, validation=0.1, test=0.1, seed=0):
    return assign_splits(
        np.array(labels, np.int64),
        np.array(given_splits, np.int64),
        np.array(groups, np.int64),
        validation,
        test,
        seed,
    )


faces = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([UNKNOWN, UNKNOWN, TRAIN, VALIDATION, TEST]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=80,
)


@given(faces, st.integers(0, 5))
def test_faces_that_were_free_stay_with_their_group_and_given_splits_stay(rows, seed):
    labels, given_splits, groups = (np.array(column) for column in zip(*rows, strict=True))
    result = split(labels, given_splits, groups, 0.2, 0.2, seed)
    assert set(result) <= {TRAIN, VALIDATION, TEST}
    free = given_splits == UNKNOWN
    if free.any():
        np.testing.assert_array_equal(result[~free], given_splits[~free])
        for group in np.unique(groups[free]):
            own = result[free & (groups == group)]
            assert len(set(own)) == 1
            with_given = given_splits[~free & (groups == group)]
            assert not len(with_given) or own[0] in with_given
    else:
        moved = result != given_splits
        assert (given_splits[moved] == TRAIN).all()
        assert not set(result[moved]) & set(given_splits)


@given(faces, st.integers(0, 5))
def test_the_same_seed_gives_the_same_splits(rows, seed):
    columns = list(zip(*rows, strict=True))
    first, second = (split(*columns, 0.2, 0.2, seed) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@given(
    st.lists(st.integers(20, 120), min_size=2, max_size=5),
    st.sampled_from([0.05, 0.1, 0.2, 0.3]),
    st.sampled_from([0.0, 0.1, 0.25]),
    st.integers(0, 3),
)
@settings(max_examples=60)
def test_every_class_gives_its_share(sizes, validation, test, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.arange(len(labels)) // 2 * 2  # pairs of copies
    result = split(labels, np.full(len(labels), UNKNOWN), groups, validation, test, seed)
    for label, size in enumerate(sizes):
        counts = np.bincount(result[labels == label], minlength=3)
        assert abs(counts[VALIDATION] - validation * size) <= 3
        assert abs(counts[TEST] - test * size) <= 3
        assert counts[TRAIN] > 0


def test_another_seed_gives_another_split():
    labels = np.arange(200) % 4
    free = np.full(200, UNKNOWN)
    assert (
        split(labels, free, range(200), seed=1) != split(labels, free, range(200), seed=2)
    ).any()


def test_of_train_alone_validation_and_test_are_split_off():
    labels = np.arange(100) % 2
    result = split(labels, np.full(100, TRAIN), range(100))
    assert np.bincount(result).tolist() == [80, 10, 10]


def test_of_train_and_validation_only_test_is_split_off():
    given_splits = np.array([TRAIN] * 80 + [VALIDATION] * 20)
    result = split(np.arange(100) % 2, given_splits, range(100))
    assert (result[80:] == VALIDATION).all()
    assert np.bincount(result[:80], minlength=3).tolist() == [72, 0, 8]


def test_copies_of_given_test_faces_are_not_taken_out_of_train():
    given_splits = np.array([TRAIN] * 40 + [TEST] * 20)
    groups = np.arange(60)
    groups[:20] = groups[40:]  # half of train are copies of test faces
    for seed in range(5):
        result = split(np.zeros(60), given_splits, groups, 0.3, 0.1, seed)
        assert (result[:20] == TRAIN).all()
        assert (result[40:] == TEST).all()
        assert (result[20:40] == VALIDATION).sum() > 0


def test_a_class_of_three_faces_has_one_in_each_split_and_of_one_stays_in_train():
    labels = np.array([0] * 3 + [1] * 50 + [2])
    result = split(labels, np.full(54, UNKNOWN), range(54))
    assert sorted(result[:3]) == [TRAIN, VALIDATION, TEST]
    assert result[53] == TRAIN


def test_a_group_of_all_faces_of_a_class_stays_in_train():
    result = split([0] * 9 + [1] * 9, [UNKNOWN] * 18, [0] * 9 + list(range(9, 18)))
    assert (result[:9] == TRAIN).all()


def test_planted_near_duplicates_never_straddle_two_splits(tmp_path, tiny_faces, png, data_config):
    faces_of = {"happy": tiny_faces(30, seed=1), "sad": tiny_faces(30, seed=2)}
    for emotion, originals in faces_of.items():
        folder = tmp_path / "own" / emotion
        folder.mkdir(parents=True)
        for row, face in enumerate(originals):
            brighter = np.clip(face.astype(int) + 15, 0, 255).astype(np.uint8)
            for kind, picture in (("a", face), ("b", brighter), ("c", face)):
                (folder / f"{row}{kind}.png").write_bytes(png(picture))
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
