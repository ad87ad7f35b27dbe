import re

import numpy as np
import pytest

from emotion_detection.data import load
from emotion_detection.data.locate import recognise_format
from emotion_detection.labels import FER2013

SHAPES = ["csv", "csv file", "icml csv", "parquet", "parquet without names", "folders"]


@pytest.fixture
def write_shape(tmp_path, tiny_set, write_csv, write_icml_csv, write_parquet, write_folders):
    def write(shape):
        dest = tmp_path / shape.replace(" ", "-")
        if shape == "csv":
            write_csv(dest, *tiny_set)
        elif shape == "csv file":
            return write_csv(dest, *tiny_set)
        elif shape == "icml csv":
            write_icml_csv(dest, *tiny_set)
        elif shape == "parquet":
            write_parquet(dest, *tiny_set)
        elif shape == "parquet without names":
            write_parquet(dest, *tiny_set, names=None)
        else:
            write_folders(dest, *tiny_set)
        return dest

    return write


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_bytes_labels_and_splits(
    shape, write_shape, tiny_set, data_config
):
    dataset = load(data_config(write_shape(shape)))
    assert dataset.labels == FER2013
    assert dataset.label_set == "fer2013"
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}
    assert dataset.corrupt == ()
    start = 0
    for split, usage, count in (
        ("train", "Training", 28),
        ("validation", "PublicTest", 7),
        ("test", "PrivateTest", 7),
    ):
        faces = dataset.split(split)
        assert faces.images.dtype == np.uint8
        np.testing.assert_array_equal(faces.images[:, 0], tiny_set.faces[start : start + count])
        assert faces.images.shape == (count, 1, 48, 48)
        assert faces.labels.tolist() == tiny_set.labels[start : start + count]
        assert faces.labels.dtype == np.int64
        names = [name.rpartition("/")[2] for name in faces.names]
        if "csv" in shape:  # rows of a table are called by their pixels, not by where they stand
            assert all(re.fullmatch(rf"{usage}_[0-9a-f]{{16}}\.png", name) for name in names)
            assert len(set(names)) == count
        else:
            assert names == [f"{usage}_{start + row:05d}.png" for row in range(count)]
        start += count


def test_every_shape_has_the_same_hash_and_another_face_another_hash(
    write_shape, write_csv, tiny_set, tmp_path, data_config
):
    hashes = {load(data_config(write_shape(shape))).hash for shape in SHAPES}
    assert len(hashes) == 1
    faces = tiny_set.faces.copy()
    faces[3, 0, 0] ^= 1
    changed = write_csv(tmp_path / "changed", faces, tiny_set.labels, tiny_set.usages)
    assert load(data_config(changed)).hash not in hashes
    labels = [1, 0, *tiny_set.labels[2:]]
    relabelled = write_csv(tmp_path / "relabelled", tiny_set.faces, labels, tiny_set.usages)
    assert load(data_config(relabelled)).hash not in hashes


def test_kaggles_numbers_put_shuffled_parquet_rows_back_in_order(
    tmp_path, tiny_set, write_parquet, data_config
):
    import pyarrow.parquet as pq

    root = write_parquet(tmp_path / "hub", *tiny_set)
    path = root / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(27, -1, -1))), path)
    faces = load(data_config(root)).split("train")
    np.testing.assert_array_equal(faces.images[:, 0], tiny_set.faces[:28])


def test_parquet_in_several_files_a_split_is_read_whole(
    tmp_path, tiny_set, write_parquet, data_config
):
    import pyarrow.parquet as pq

    root = write_parquet(tmp_path / "hub", *tiny_set)
    path = root / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    path.unlink()
    for part, start in enumerate((0, 14)):
        pq.write_table(table.slice(start, 14), root / "data" / f"train-{part:05d}-of-00002.parquet")
    (root / "data" / "validation-00000-of-00001.parquet").rename(root / "data" / "val.parquet")
    dataset = load(data_config(root))
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}
    np.testing.assert_array_equal(dataset.split("train").images[:, 0], tiny_set.faces[:28])


def test_parquets_own_class_names_are_mapped_to_the_projects_order(
    tmp_path, tiny_set, write_parquet, data_config
):
    names = ["surprised", "calm", "joy", "sad", "fearful", "angry", "disgusted"]
    root = write_parquet(tmp_path / "hub", *tiny_set, names=names)
    dataset = load(data_config(root))
    assert dataset.labels == FER2013
    expected = [
        FER2013.index(name)
        for name in ("surprise", "neutral", "happiness", "sadness", "fear", "anger", "disgust")
    ]
    assert dataset.split("validation").labels.tolist() == expected


def test_parquets_unknown_class_names_stay_as_they_are(
    tmp_path, tiny_set, write_parquet, data_config
):
    names = ["bored", "awake", "happy", "tired", "keen", "sad", "calm"]
    dataset = load(data_config(write_parquet(tmp_path / "hub", *tiny_set, names=names)))
    assert dataset.labels == ("happiness", "sadness", "neutral", "awake", "bored", "keen", "tired")
    assert dataset.label_set == "own"
    found = [dataset.labels[label] for label in dataset.split("test").labels]
    assert found == ["bored", "awake", "happiness", "tired", "keen", "sadness", "neutral"]


def test_a_csv_row_of_another_size_is_resized(tmp_path, tiny_faces, write_csv, data_config):
    faces = tiny_faces(14, size=64)
    usages = ["Training", "PublicTest"] * 7
    path = write_csv(tmp_path, faces, [row // 2 for row in range(14)], usages)
    images = load(data_config(path)).split("train").images
    assert images.shape[1:] == (1, 48, 48)
    assert abs(float(images[0].mean()) - float(faces[0].mean())) < 4


def test_a_csv_saved_by_a_spreadsheet_is_read(tmp_path, tiny_set, write_csv, data_config):
    path = write_csv(tmp_path, *tiny_set)
    text = path.read_text().replace("\n", "\r\n") + "\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    dataset = load(data_config(path))
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}
    np.testing.assert_array_equal(dataset.split("test").images[:, 0], tiny_set.faces[35:])


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("csv", "FER-2013 CSV"),
        ("icml csv", "FER-2013 CSV"),
        ("parquet", "Parquet"),
        ("folders", "folders"),
    ],
)
def test_the_shape_is_named(shape, kind, write_shape):
    assert recognise_format(write_shape(shape)).kind == kind


def test_the_size_and_channels_asked_for_are_given(write_shape, tiny_set, data_config):
    dataset = load(data_config(write_shape("csv"), size=24, channels=3))
    images = dataset.split("train").images
    assert images.shape == (28, 3, 24, 24)
    np.testing.assert_array_equal(images[:, 0], images[:, 2])
    same = load(data_config(write_shape("folders"), channels=3)).split("train").images
    np.testing.assert_array_equal(same[:, 1], tiny_set.faces[:28])


@pytest.mark.parametrize("place", ["csv", "parquet"])
def test_the_cache_is_named_by_options_alone_not_by_how_the_path_is_written(
    place, write_shape, data_config, monkeypatch
):
    path = write_shape(place)
    whole = load(data_config(path)).folder
    monkeypatch.chdir(path.parent)
    assert load(data_config(path.name)).folder == whole
