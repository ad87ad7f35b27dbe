"""Every bad input is one line: what is wrong, where, and what is allowed."""

import numpy as np
import pytest

from emotion_detection.data import load
from emotion_detection.errors import InputError


def refused(config):
    with pytest.raises(InputError) as caught:
        load(config)
    message = str(caught.value)
    assert "\n" not in message
    return message


PIXELS = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"7,{PIXELS},Training", "emotion '7' is not a number from 0 to 6"),
        (f"-1,{PIXELS},Training", "emotion '-1' is not a number from 0 to 6"),
        (f"12,{PIXELS},Training", "emotion '12' is not a number from 0 to 6"),
        (f",{PIXELS},Training", "emotion '' is not a number from 0 to 6"),
        (f"happy,{PIXELS},Training", "emotion 'happy' is not a number from 0 to 6"),
        (f"3,{PIXELS},Test", "Usage 'Test' is not one of Training, PublicTest, PrivateTest"),
        (f"3,{PIXELS}", "2 columns; emotion, pixels and Usage are needed"),
    ],
)
def test_a_bad_csv_row_is_named_by_file_and_line(row, words, tmp_path, data_config):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n0,{PIXELS},Training\n{row}\n")
    assert refused(data_config(path)) == f"{path} line 3: {words}"


@pytest.mark.parametrize(
    "pixels", ["", "1 2 3", "12 x 4 5", "1 2 3 256", "1 2 3 -4", "1.5 2 3 4", "1 2 3 " + "9" * 40]
)
def test_a_csv_row_of_bad_pixels_is_corrupt_not_fatal(
    pixels, tmp_path, tiny_set, write_csv, data_config
):
    path = write_csv(tmp_path, *tiny_set)
    path.write_text(path.read_text() + f"3,{pixels},Training\n")
    dataset = load(data_config(path, max_corrupt=0.05))
    assert [face.name for face in dataset.corrupt] == ["Training_00042.png"]
    assert "square of grey levels" in dataset.corrupt[0].reason
    assert dataset.sizes["train"] == 28


def test_a_csv_without_a_usage_column_says_what_it_needs(tmp_path, data_config):
    path = tmp_path / "faces.csv"
    path.write_text(f"emotion,pixels\n0,{PIXELS}\n")
    message = refused(data_config(path))
    assert message == f"{path}: no column 'usage'; a FER-2013 CSV has emotion, pixels, Usage"


def test_an_empty_csv_and_a_csv_of_a_header_alone_are_refused(tmp_path, data_config):
    path = tmp_path / "fer2013.csv"
    path.write_text("")
    assert "no column" in refused(data_config(path))
    path.write_text("emotion,pixels,Usage\n")
    assert "there are no faces in it" in refused(data_config(path))


def test_bytes_that_are_no_utf8_in_a_csv_are_an_input_error(
    tmp_path, tiny_set, write_csv, data_config
):
    path = write_csv(tmp_path, *tiny_set)
    path.write_bytes(path.read_bytes() + b"3,1 2 3 4,Tr\xe4ining\n")
    assert f"{path}: cannot be read as CSV" in refused(data_config(path))


def test_a_picture_given_as_a_csv_is_refused(tmp_path, tiny_faces, png, data_config):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(png(tiny_faces(1)[0]))
    assert f"{path}: cannot be read as CSV" in refused(data_config(path))


@pytest.mark.parametrize("label", [7, -1, None])
def test_a_bad_parquet_label_is_named_by_file_and_row(
    label, tmp_path, tiny_set, write_parquet, data_config
):
    labels = [*tiny_set.labels[:41], label]
    root = write_parquet(tmp_path / "hub", tiny_set.faces, labels, tiny_set.usages)
    path = root / "data" / "test-00000-of-00001.parquet"
    assert refused(data_config(root)) == f"{path} row 6: label {label} is not a number from 0 to 6"


def test_a_parquet_file_whose_name_says_no_split_is_refused(
    tmp_path, tiny_set, write_parquet, data_config
):
    root = write_parquet(tmp_path / "hub", *tiny_set)
    path = (root / "data" / "test-00000-of-00001.parquet").rename(tmp_path / "faces.parquet")
    message = refused(data_config(path))
    assert message == f"{path}: the name must begin with train, validation or test"


def test_parquet_without_its_columns_says_which(tmp_path, data_config):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"label": [1, 2]}), path)
    assert "no column 'image'" in refused(data_config(path))
    pq.write_table(pa.table({"image": [{"bytes": b"x", "path": "a"}]}), path)
    assert "no column 'label'" in refused(data_config(path))
    pq.write_table(pa.table({"image": [b"x"], "label": ["happy"]}), path)
    assert "column 'label' must hold whole numbers" in refused(data_config(path))


def test_a_file_that_is_no_parquet_is_refused(tmp_path, data_config):
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1 this is none")
    assert f"{path}: cannot be read as Parquet" in refused(data_config(path))


def test_a_parquet_file_damaged_inside_is_refused_by_its_own_name(
    tmp_path, tiny_set, write_parquet, data_config
):
    import pyarrow.parquet as pq

    root = write_parquet(tmp_path / "hub", *tiny_set)
    path = root / "data" / "train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path), path, row_group_size=4, compression="gzip")
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = np.random.default_rng(0).bytes(third)
    path.write_bytes(content)
    message = refused(data_config(root))
    assert message.startswith(f"{path}: cannot be read as Parquet")


def test_a_path_that_does_not_exist_says_what_else_may_stand_there(tmp_path, data_config):
    message = refused(data_config(tmp_path / "nowhere"))
    assert message == (
        f"--data {tmp_path / 'nowhere'}: no such file or folder (nor 'auto', 'fer2013', 'demo')"
    )


def test_a_folder_without_faces_lists_the_known_shapes(tmp_path, data_config):
    (tmp_path / "empty" / "inside").mkdir(parents=True)
    message = refused(data_config(tmp_path / "empty"))
    assert message.startswith(f"{tmp_path / 'empty'}: no faces in a known shape: fer2013.csv")


def test_a_folder_of_one_class_is_refused(tmp_path, tiny_faces, png, data_config):
    folder = tmp_path / "own" / "train" / "happy"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(png(tiny_faces(1)[0]))
    message = refused(data_config(tmp_path / "own"))
    assert "at least two emotions" in message
    assert message.endswith("found 1")


def test_a_picture_given_as_a_dataset_is_refused(tmp_path, tiny_faces, png, data_config):
    path = tmp_path / "me.png"
    path.write_bytes(png(tiny_faces(1)[0]))
    assert str(path) in refused(data_config(path))


def test_an_unknown_split_and_a_split_without_faces_are_refused(
    tmp_path, tiny_set, write_csv, data_config
):
    path = write_csv(tmp_path, tiny_set.faces[:28], tiny_set.labels[:28], ["Training"] * 28)
    dataset = load(data_config(path, validation_fraction=0.0, test_fraction=0.0))
    with pytest.raises(InputError, match="--split val: must be one of train, validation, test"):
        dataset.split("val")
    with pytest.raises(InputError, match="there are no faces in the test split"):
        dataset.split("test")


def test_classes_without_faces_are_told(tmp_path, tiny_set, write_csv, data_config):
    keep = [row for row in range(42) if not (row >= 28 and tiny_set.labels[row] == 3)]
    path = write_csv(
        tmp_path,
        tiny_set.faces[keep],
        [tiny_set.labels[row] for row in keep],
        [tiny_set.usages[row] for row in keep],
    )
    dataset = load(data_config(path))
    assert dataset.missing_classes(dataset.split("train")) == []
    assert dataset.missing_classes(dataset.split("test")) == ["happiness"]
