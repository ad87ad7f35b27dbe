import numpy as np
import pytest

from emotion_detection.data import load
from emotion_detection.errors import InputError

EMOTIONS = ["happy", "sad", "angry"]
SPLITS = ["train"] * 6 + ["val"] * 3 + ["Test"] * 3


def test_splits_and_intensities_of_the_lines_are_taken(
    tmp_path, tiny_faces, write_manifest, data_config
):
    faces = tiny_faces(12)
    intensities = [round(row / 11, 3) for row in range(12)]
    path = write_manifest(tmp_path / "own", faces, EMOTIONS * 4, SPLITS, intensities)
    dataset = load(data_config(path))
    assert dataset.kind == "manifest CSV"
    assert dataset.labels == ("anger", "happiness", "sadness")
    assert dataset.sizes == {"train": 6, "validation": 3, "test": 3}
    train = dataset.split("train")
    np.testing.assert_array_equal(train.images[:, 0], faces[:6])
    assert train.labels.tolist() == [1, 2, 0, 1, 2, 0]
    np.testing.assert_allclose(train.intensity, intensities[:6], atol=1e-6)
    assert train.targets is None
    assert list(dataset.split("test").names) == [f"images/{row:04d}.png" for row in (9, 10, 11)]


def test_an_empty_intensity_is_unknown(tmp_path, tiny_faces, write_manifest, data_config):
    intensities = ["", 0, 1.0, *[0.5] * 9]
    path = write_manifest(tmp_path / "own", tiny_faces(12), EMOTIONS * 4, SPLITS, intensities)
    found = load(data_config(path)).split("train").intensity
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0, 1, 0.5, 0.5, 0.5]


def test_without_a_split_column_the_faces_are_split_by_class(
    tmp_path, tiny_faces, write_manifest, data_config
):
    path = write_manifest(tmp_path / "own", tiny_faces(60), EMOTIONS * 20)
    dataset = load(data_config(path))
    assert sum(dataset.sizes.values()) == 60
    for name in ("validation", "test"):
        # a hash decides: about a tenth, and of each class at least half of that
        assert (dataset.split(name).counts(3) >= 1).all()
        assert dataset.sizes[name] <= 15
    assert dataset.split("train").intensity is None


def test_lines_with_a_split_keep_it_when_others_have_none(
    tmp_path, tiny_faces, write_manifest, data_config
):
    splits = ["test"] * 6 + [""] * 54
    path = write_manifest(tmp_path / "own", tiny_faces(60), EMOTIONS * 20, splits)
    dataset = load(data_config(path))
    assert sum(dataset.sizes.values()) == 60
    assert {f"images/{row:04d}.png" for row in range(6)} <= set(dataset.split("test").names)


def test_absolute_paths_give_the_same_faces(tmp_path, tiny_faces, write_manifest, data_config):
    near = write_manifest(tmp_path / "one", tiny_faces(12), EMOTIONS * 4, SPLITS)
    far = write_manifest(tmp_path / "two", tiny_faces(12), EMOTIONS * 4, SPLITS, absolute=True)
    moved = tmp_path / "moved"
    moved.mkdir()
    far = far.rename(moved / "faces.csv")
    assert load(data_config(far)).hash == load(data_config(near)).hash
    assert load(data_config(moved)).hash == load(data_config(near)).hash


def test_other_columns_blank_lines_and_column_order_do_not_matter(
    tmp_path, tiny_faces, write_manifest, data_config
):
    path = write_manifest(tmp_path / "own", tiny_faces(12), EMOTIONS * 4)
    lines = path.read_text().splitlines()[1:]
    turned = [",".join([*reversed(line.split(",")), "someone"]) for line in lines]
    path.write_text("\ufeffEmotion, File ,who\r\n" + "\r\n\r\n".join(turned), encoding="utf-8")
    dataset = load(data_config(path))
    assert sum(dataset.sizes.values()) == 12
    assert dataset.labels == ("anger", "happiness", "sadness")


def test_an_image_that_is_missing_is_counted_and_named(
    tmp_path, tiny_faces, write_manifest, data_config
):
    path = write_manifest(tmp_path / "own", tiny_faces(12), EMOTIONS * 4, SPLITS)
    (path.parent / "images" / "0002.png").unlink()
    with pytest.raises(InputError, match=r"1 of 12 images .* images/0002\.png"):
        load(data_config(path))
    dataset = load(data_config(path, max_corrupt=0.1))
    assert [face.name for face in dataset.corrupt] == ["images/0002.png"]
    assert dataset.sizes["train"] == 5


def manifest_with(lines, tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("file,emotion,split,intensity\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.png,,train,", "emotion is empty"),
        (",happy,train,", "file is empty"),
        ("c.png", "emotion is empty"),
        ("c.png,happy,holdout,", "split 'holdout' is not train, validation or test"),
        ("c.png,happy,train,1.5", "intensity '1.5' is not a number from 0 to 1"),
        ("c.png,happy,train,-0.1", "intensity '-0.1' is not a number from 0 to 1"),
        ("c.png,happy,train,nan", "intensity 'nan' is not a number from 0 to 1"),
        ("c.png,happy,train,strong", "intensity 'strong' is not a number from 0 to 1"),
    ],
)
def test_a_bad_line_counts_as_unreadable_and_is_named(
    line, words, tmp_path, tiny_faces, write_manifest, data_config
):
    path = write_manifest(tmp_path / "own", tiny_faces(12), EMOTIONS * 4, SPLITS, [0.5] * 12)
    path.write_text(path.read_text() + line + "\n")
    dataset = load(data_config(path, max_corrupt=0.1))
    assert [face.name for face in dataset.corrupt] == ["manifest.csv line 14"]
    assert dataset.corrupt[0].reason == words
    with pytest.raises(InputError, match=r"1 of 13 .*\(--max_corrupt\); the first: manifest"):
        load(data_config(path))


def test_an_emotion_that_no_training_line_has_is_refused(tmp_path, data_config):
    lines = ["a.png,happy,train,0.5", "b.png,sad,train,", "c.png,hapy,test,"]
    path = manifest_with(lines, tmp_path)
    with pytest.raises(InputError) as caught:
        load(data_config(path))
    assert str(caught.value) == (
        f"{path} line 4: emotion 'hapy' is unknown: no training line has it"
    )


def test_one_emotion_alone_is_refused(tmp_path, data_config):
    path = manifest_with(["a.png,happy,train,", "b.png,joy,train,"], tmp_path)
    with pytest.raises(InputError, match="needs at least two emotions; found 1"):
        load(data_config(path))


def test_a_missing_column_is_named(tmp_path, data_config):
    path = tmp_path / "faces.csv"
    path.write_text("file,feeling\na.png,happy\n")
    with pytest.raises(InputError, match=r"no column 'emotion' \(or label, class"):
        load(data_config(path))


def test_several_manifests_in_a_folder_must_be_chosen_from(tmp_path, data_config):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("file,emotion\nx.png,happy\ny.png,sad\n")
    with pytest.raises(InputError, match=r"several manifests \(a\.csv, b\.csv\): name one"):
        load(data_config(tmp_path))


def test_bytes_that_are_no_utf8_late_in_the_file_are_an_input_error(tmp_path, data_config):
    path = manifest_with(["a.png,happy,train,", "b.png,sad,train,"] * 1000, tmp_path)
    path.write_bytes(path.read_bytes() + b"m\xfcde.png,sad,train,\n")
    with pytest.raises(InputError, match=r"manifest\.csv.*utf-8"):
        load(data_config(path))


def test_a_path_with_a_null_byte_is_an_image_that_cannot_be_read(
    tmp_path, tiny_faces, write_manifest, data_config
):
    path = write_manifest(tmp_path / "own", tiny_faces(12), EMOTIONS * 4, SPLITS)
    path.write_text(path.read_text() + "a\0b.png,happy,train\n")
    dataset = load(data_config(path, max_corrupt=0.1))
    assert [face.name for face in dataset.corrupt] == ["a\0b.png"]
