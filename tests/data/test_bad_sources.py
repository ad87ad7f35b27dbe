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
        (f"-1,{PIXELS},Training", "emotion '-1' is not a number from 0 to 7"),
        (f"12,{PIXELS},Training", "emotion '12' is not a number from 0 to 7"),
        (f",{PIXELS},Training", "emotion is empty"),
        (f"3,{PIXELS},holdout", "split 'holdout' is not train, validation or test"),
        (f"3,{PIXELS}", "2 cells; emotion, pixels, usage are needed"),
        (f"3,{PIXELS},Training,000,12137", "5 cells; the header has 3"),
        *(
            (f"3,{pixels},Training", "the pixels are not a square of grey levels from 0 to 255")
            for pixels in ("", "1 2 3", "12 x 4 5", "1 2 3 256", "1 2 3 -4", "1.5 2 3 4")
        ),
        (f"3,1 2 3 {'9' * 40},Training", "the pixels are not a square of grey levels"),
    ],
)
def test_a_bad_csv_row_counts_as_unreadable_and_is_named_by_its_line(
    row, words, tmp_path, tiny_set, write_csv, data_config
):
    path = write_csv(tmp_path, *tiny_set)
    path.write_text(path.read_text() + row + "\n")
    dataset = load(data_config(path, max_corrupt=0.05))
    assert [face.name for face in dataset.corrupt] == ["fer2013.csv line 44"]
    assert dataset.corrupt[0].reason.startswith(words)
    assert dataset.sizes["train"] == 28
    message = refused(data_config(path))
    assert "1 of 43 images cannot be read, more than 1.0% (--max_corrupt)" in message
    assert f"the first: fer2013.csv line 44: {words}" in message


def test_a_csv_without_a_usage_column_gets_random_splits(tmp_path, tiny_faces, data_config):
    path = tmp_path / "train.csv"
    rows = [
        f"{row % 7},{' '.join(map(str, face.ravel()))}"
        for row, face in enumerate(tiny_faces(140, size=16))
    ]
    path.write_text("emotion,pixels\n" + "\n".join(rows) + "\n")
    dataset = load(data_config(path))
    assert sum(dataset.sizes.values()) == 140
    assert all(dataset.sizes.values())


def test_an_empty_csv_and_a_csv_of_a_header_alone_are_refused(tmp_path, data_config):
    path = tmp_path / "fer2013.csv"
    path.write_text("")
    assert "no column of images" in refused(data_config(path))
    path.write_text("emotion,pixels,Usage\n")
    assert "there are no faces in it" in refused(data_config(path))


def test_bytes_that_are_no_utf8_in_a_csv_are_an_input_error(
    tmp_path, tiny_set, write_csv, data_config
):
    path = write_csv(tmp_path, *tiny_set)
    path.write_bytes(path.read_bytes() + b"3,1 2 3 4,Tr\xe4ining\n")
    assert f"{path}: cannot be read as CSV" in refused(data_config(path))


def test_an_image_given_as_a_csv_is_refused(tmp_path, tiny_faces, png, data_config):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(png(tiny_faces(1)[0]))
    assert f"{path}: cannot be read as CSV" in refused(data_config(path))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (7, "label '7' is not a number from 0 to 6"),
        (-1, "label '-1' is not a number from 0 to 6"),
        (None, "label is empty"),
    ],
)
def test_a_bad_parquet_label_counts_as_unreadable_and_is_named_by_its_row(
    label, words, tmp_path, tiny_set, write_parquet, data_config
):
    labels = [*tiny_set.labels[:41], label]
    root = write_parquet(tmp_path / "hub", tiny_set.faces, labels, tiny_set.usages)
    file = "test-00000-of-00001.parquet"
    assert f"the first: {file} row 6: {words}" in refused(data_config(root))
    dataset = load(data_config(root, max_corrupt=0.05))
    assert [face.name for face in dataset.corrupt] == [f"{file} row 6"]


def test_parquet_files_of_which_only_some_name_a_split_are_refused(
    tmp_path, tiny_set, write_parquet, data_config
):
    root = write_parquet(tmp_path / "hub", *tiny_set)
    (root / "data" / "test-00000-of-00001.parquet").rename(root / "data" / "faces.parquet")
    message = refused(data_config(root))
    assert "train-00000-of-00001.parquet" in message
    assert "are splits by their names, faces.parquet are not" in message


def test_parquet_without_its_columns_says_which(tmp_path, data_config):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"label": [1, 2]}), path)
    assert "no column of images" in refused(data_config(path))
    pq.write_table(pa.table({"image": [{"bytes": b"x", "path": "a"}]}), path)
    assert "no column 'emotion' (or label, class, expression)" in refused(data_config(path))
    pq.write_table(pa.table({"image": [b"x"], "label": [["happy"]]}), path)
    assert "column 'label' holds list<" in refused(data_config(path))


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


def test_an_image_given_as_a_dataset_is_refused(tmp_path, tiny_faces, png, data_config):
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


def test_classes_without_faces_are_reported(tmp_path, tiny_set, write_csv, data_config):
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
