"""Which face is which is told by pixels, never by the number of a row."""

import numpy as np
import pytest

from emotion_detection.data import fer2013_faces, load
from emotion_detection.data.exclude import exclude_faces
from emotion_detection.data.fer2013_faces import Fer2013Matcher, find_usage, shorten_digest
from emotion_detection.errors import InputError
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS


@pytest.fixture
def known(monkeypatch, tiny_set):
    """Let the 42 tiny faces be all of FER-2013."""
    table = {shorten_digest(face): (row,) for row, face in enumerate(tiny_set.faces)}
    monkeypatch.setattr(fer2013_faces, "_numbers", lambda: table)
    ends = {"Training": 28, "PublicTest": 35, "PrivateTest": 42}
    monkeypatch.setattr(fer2013_faces, "_ENDS", ends)


@pytest.fixture
def vote(write_votes):
    """Return a function that writes votes: all ten of face k for emotion k % 8."""

    def write(dest, usages):
        table = np.zeros((len(usages), 10), int)
        for row in range(len(usages)):
            table[row, FERPLUS_COLUMNS.index(FERPLUS[row % 8])] = 10
        return write_votes(dest, table, usages)

    return write


def voted(dataset):
    """Return the emotion of each face by its number in FER-2013."""
    return {
        int(name[-9:-4]): dataset.labels[label]
        for split, size in dataset.sizes.items()
        if size
        for name, label in zip(dataset.split(split).names, dataset.split(split).labels, strict=True)
    }


@pytest.mark.parametrize("rows", ["all", "shuffled", "some"])
def test_votes_find_their_faces_in_a_shuffled_and_in_a_partial_file(
    rows, known, vote, tmp_path, tiny_set, write_csv, data_config
):
    order = list(range(42))
    if rows != "all":
        np.random.default_rng(0).shuffle(order)
    if rows == "some":
        order = order[:30]
    faces = tiny_set.faces[order]
    labels = [tiny_set.labels[row] for row in order]
    write_csv(tmp_path, faces, labels, [tiny_set.usages[row] for row in order])
    vote(tmp_path, tiny_set.usages)
    dataset = load(data_config(tmp_path, labels="ferplus"))
    assert voted(dataset) == {row: FERPLUS[row % 8] for row in order}


def test_votes_for_a_file_without_usage_keep_fer2013s_splits(
    known, vote, tmp_path, tiny_set, data_config
):
    rows = [f"3,{' '.join(map(str, face.ravel()))}" for face in tiny_set.faces]
    (tmp_path / "train.csv").write_text("emotion,pixels\n" + "\n".join(rows) + "\n")
    vote(tmp_path, tiny_set.usages)
    # one class alone is no dataset by itself
    path = tmp_path / "train.csv"
    path.write_text(path.read_text().replace("\n3,", "\n4,", 1))
    dataset = load(data_config(path, labels="ferplus"))
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}


def test_faces_that_are_not_fer2013s_have_no_votes_and_are_counted(
    known, vote, tmp_path, tiny_set, tiny_faces, write_csv, data_config, capsys
):
    faces = np.concatenate([tiny_set.faces, tiny_faces(3, seed=77)])
    write_csv(tmp_path, faces, [*tiny_set.labels, 0, 1, 2], [*tiny_set.usages, *["Training"] * 3])
    vote(tmp_path, tiny_set.usages)
    assert len(voted(load(data_config(tmp_path, labels="ferplus")))) == 42
    assert "3 faces are not FER-2013's" in capsys.readouterr().err


def test_other_pixels_are_paired_where_rows_and_usages_are_all_there(
    vote, tmp_path, tiny_set, write_csv, data_config
):
    write_csv(tmp_path, *tiny_set)
    vote(tmp_path, tiny_set.usages)
    assert load(data_config(tmp_path, labels="ferplus")).sizes["train"] == 28


@pytest.mark.parametrize("lines", [41, 43])
def test_other_pixels_with_more_or_fewer_votes_than_faces_are_refused(
    lines, vote, tmp_path, tiny_set, write_csv, data_config
):
    write_csv(tmp_path, *tiny_set)
    vote(tmp_path, [*tiny_set.usages, "PrivateTest"][:lines])
    with pytest.raises(InputError, match="cannot be proven which face each line of votes is about"):
        load(data_config(tmp_path, labels="ferplus"))
    assert not list((tmp_path / "cache").glob("*"))


def test_other_pixels_whose_usages_differ_line_by_line_are_refused(
    vote, tmp_path, tiny_set, write_csv, data_config
):
    usages = list(tiny_set.usages)
    usages[3], usages[40] = usages[40], usages[3]
    write_csv(tmp_path, *tiny_set)
    vote(tmp_path, usages)
    with pytest.raises(InputError, match="is not the face of its line"):
        load(data_config(tmp_path, labels="ferplus"))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_name_means_the_same_face_after_rows_were_removed(
    is_known, request, tmp_path, tiny_set, write_csv, data_config
):
    if is_known:
        request.getfixturevalue("known")
    whole = load(data_config(write_csv(tmp_path / "all", *tiny_set))).split("train")
    name = whole.names[20]
    assert (name == "Training_00020.png") == is_known
    fewer = [row for row in range(42) if row not in (3, 11)]
    path = write_csv(
        tmp_path / "fewer",
        tiny_set.faces[fewer],
        [tiny_set.labels[row] for row in fewer],
        [tiny_set.usages[row] for row in fewer],
    )
    train = load(data_config(path)).split("train")
    row = list(train.names).index(name)
    np.testing.assert_array_equal(train.images[row], whole.images[20])
    (tmp_path / "exclude.txt").write_text(name + "\n")
    kept = exclude_faces({"train": train}, tmp_path / "exclude.txt")["train"]
    assert len(kept) == len(train) - 1
    assert not (kept.images == whole.images[20]).all(axis=(1, 2, 3)).any()


def test_equal_faces_get_each_a_number_of_their_own(monkeypatch, tiny_set):
    digest = shorten_digest(tiny_set.faces[0])
    monkeypatch.setattr(fer2013_faces, "_numbers", lambda: {digest: (5, 28_800, 33_000)})
    matcher = Fer2013Matcher()
    assert matcher.match(tiny_set.faces[0], usage="PrivateTest") == 33_000
    assert matcher.match(tiny_set.faces[0], expected=28_800, usage="Training") == 28_800
    assert matcher.match(tiny_set.faces[0], usage="PrivateTest") == 5
    assert matcher.match(tiny_set.faces[0]) is None
    assert matcher.match(tiny_set.faces[1]) is None


def test_the_table_has_a_digest_of_each_face_and_the_usages_their_sizes():
    numbers = sorted(n for found in fer2013_faces._numbers().values() for n in found)
    assert numbers == list(range(35_887))
    ends = [0, 28_708, 28_709, 32_297, 32_298, 35_886]
    usages = ["Training"] * 2 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    assert [find_usage(number) for number in ends] == usages


@pytest.mark.parametrize(
    "content",
    [
        "./{0}\n",
        "{1}\n",
        "folder\\..\\{0}\n".replace("folder\\..\\", ".\\"),
        "score,file\n0.5,{0}\n",
        "file;score\n{0};0.5\n",
        "\ufeff{0}\r\n",
    ],
)
def test_exclude_takes_names_as_people_have_them(
    content, tmp_path, tiny_set, write_folders, data_config
):
    root = write_folders(tmp_path / "own", *tiny_set)
    train = load(data_config(root)).split("train")
    name = train.names[4]
    path = tmp_path / "exclude.csv"
    path.write_text(content.format(name, root / name), encoding="utf-8")
    kept = exclude_faces({"train": train}, path)["train"]
    assert set(train.names) - set(kept.names) == {name}
