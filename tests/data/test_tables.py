"""Tables of images: whatever their columns, separators, labels and splits are called."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emotion_detection.data import load
from emotion_detection.data.locate import recognise_format
from emotion_detection.data.source import Unreadable, split_of
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013

SIDE = 16


@pytest.fixture(scope="module")
def faces(tiny_faces):
    """Return 42 faces of 16 x 16 levels."""
    return tiny_faces(42, seed=3, size=SIDE)


def text_of(face):
    return " ".join(map(str, face.ravel()))


def png_of(face):
    out = io.BytesIO()
    Image.fromarray(face).save(out, "PNG")
    return out.getvalue()


def write(path, header, rows, mark=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [mark.join(header), *(mark.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def taken(place):
    """Return the emotion, split and content of each face of a dataset."""
    source = recognise_format(place)
    return [(source.labels[face.label], face.split, face.content) for face in source.read()]


USAGES = [
    ("Training", "PublicTest", "PrivateTest")[0 if k % 5 < 3 else k % 5 - 2] for k in range(42)
]
SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_pixels_are_read_whatever_separates_them_and_however_splits_are_written(
    mark, case, faces, tmp_path
):
    rows = [(k % 7, text_of(face), case(USAGES[k])) for k, face in enumerate(faces)]
    path = write(tmp_path / "any name.csv", ["emotion", "pixels", "Usage"], rows, mark)
    found = taken(path)
    assert [emotion for emotion, _, _ in found] == [FER2013[k % 7] for k in range(42)]
    assert [split for _, split, _ in found] == [SPLITS[usage] for usage in USAGES]
    np.testing.assert_array_equal([levels for _, _, levels in found], faces)
    assert taken(tmp_path)[0][0] == "anger"  # the folder alone is enough


def test_classes_are_those_that_occur(faces, tmp_path):
    rows = [((3, 4, 6)[k % 3], text_of(face), "Training") for k, face in enumerate(faces)]
    source = recognise_format(write(tmp_path / "fer2013.csv", ["emotion", "pixels", "Usage"], rows))
    assert source.labels == ("happiness", "sadness", "neutral")
    assert source.label_set == "own"


def test_seven_is_contempt_in_the_csv_of_ckplus(faces, tmp_path):
    rows = [(k % 8, text_of(face), "Training") for k, face in enumerate(faces)]
    source = recognise_format(
        write(tmp_path / "ckextended.csv", ["emotion", "pixels", "Usage"], rows)
    )
    assert source.labels == (*FER2013, "contempt")


def test_labels_from_one_to_seven_are_nobodys_numbers(faces, tmp_path):
    rows = [(1 + k % 7, text_of(face), "Training") for k, face in enumerate(faces)]
    source = recognise_format(write(tmp_path / "own.csv", ["emotion", "pixels", "Usage"], rows))
    assert source.labels == tuple("1234567")
    assert source.label_set == "own"


@pytest.mark.parametrize("labels", [["Happy", "sad", "bored"], ["3.0", "4", "6.00"]])
def test_labels_are_names_or_numbers(labels, faces, tmp_path):
    rows = [(labels[k % 3], text_of(face), "train") for k, face in enumerate(faces)]
    source = recognise_format(write(tmp_path / "faces.csv", ["emotion", "pixels", "split"], rows))
    assert source.labels[:2] == ("happiness", "sadness")
    assert source.labels[2] == ("bored" if "bored" in labels else "neutral")


def test_numbers_of_a_table_that_is_not_known_are_called_by_their_numbers(faces, tmp_path):
    rows = [(k % 3, text_of(face)) for k, face in enumerate(faces)]
    source = recognise_format(write(tmp_path / "faces.csv", ["label", "pixels"], rows))
    assert source.labels == ("0", "1", "2")
    assert "--rename 0=anger" in source.notes[-1]


def test_a_column_a_pixel_is_read_too(faces, tmp_path):
    header = ["label", *(f"pixel{k}" for k in range(SIDE * SIDE))]
    rows = [(("happy", "sad")[k % 2], *face.ravel()) for k, face in enumerate(faces)]
    found = taken(write(tmp_path / "wide.csv", header, rows))
    np.testing.assert_array_equal([levels for _, _, levels in found], faces)


def test_the_end_of_an_archive_and_a_cut_line_count_as_unreadable(faces, tmp_path, data_config):
    rows = [(k % 7, text_of(face), "Training") for k, face in enumerate(faces)]
    path = write(tmp_path / "fer2013.csv", ["emotion", "pixels", "Usage"], rows)
    with path.open("a") as file:
        file.write("fer2013/README,0000644,0000765,0000024,00000002443,12137023546\n3,17 12 4")
    dataset = load(data_config(path, max_corrupt=0.05))
    assert [entry.name for entry in dataset.corrupt] == [
        "fer2013.csv line 44",
        "fer2013.csv line 45",
    ]
    assert sum(dataset.sizes.values()) == 42


def test_a_utf16_table_of_a_spreadsheet_is_read(faces, tmp_path):
    rows = [(("froh", "müde")[k % 2], text_of(face)) for k, face in enumerate(faces[:6])]
    path = write(tmp_path / "faces.csv", ["Label", "Pixels"], rows, "\t")
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    assert recognise_format(path).labels == ("froh", "müde")


@pytest.mark.parametrize(
    ("header", "mark", "write_name"),
    [
        (["image", "label"], ",", str),
        (["filename", "class"], ",", str),
        (["path", "expression"], ";", str),
        (["Image Path", "Emotion Label"], "\t", lambda name: name.replace("/", "\\")),
        (["img", "category"], ",", lambda name: name.rpartition("/")[2]),
    ],
)
def test_lists_of_images_are_read_by_the_usual_names_of_columns(
    header, mark, write_name, faces, tmp_path
):
    rows = []
    for k, face in enumerate(faces[:6]):
        path = tmp_path / "set" / "images" / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_of(face))
        rows.append((write_name(f"images/{k}.png"), ("happy", "sad")[k % 2]))
    write(tmp_path / "set" / "faces.tsv", header, rows, mark)
    found = taken(tmp_path / "set")
    assert [emotion for emotion, _, _ in found] == ["happiness", "sadness"] * 3
    assert all(path.is_file() for _, _, path in found)


def test_tables_named_by_their_splits_belong_together(faces, tmp_path):
    for split, rows in (("train", range(4)), ("test", range(4, 6))):
        for k in rows:
            (tmp_path / f"{k}.png").write_bytes(png_of(faces[k]))
        write(
            tmp_path / f"{split}_labels.csv",
            ["image", "label"],
            [(f"{k}.png", ("happy", "sad")[k % 2]) for k in rows],
        )
    assert sorted(split for _, split, _ in taken(tmp_path)) == ["test"] * 2 + ["train"] * 4


def test_a_person_column_says_whose_face_it_is(faces, tmp_path):
    rows = [(("happy", "sad")[k % 2], text_of(f), f"S{k // 2}") for k, f in enumerate(faces[:6])]
    source = recognise_format(write(tmp_path / "f.csv", ["emotion", "pixels", "Subject ID"], rows))
    assert [face.person for face in source.read()] == ["S0", "S0", "S1", "S1", "S2", "S2"]


def write_parquet(path, images, labels, names=None, columns=("image", "label")):
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = None
    if names:
        features = {columns[1]: {"names": names, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table(dict(zip(columns, (images, labels), strict=True)))
    pq.write_table(table.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize(
    "columns", [("image", "label"), ("img_bytes", "labels"), ("face", "emotion")]
)
@pytest.mark.parametrize("shape", ["struct", "bytes"])
def test_parquet_with_words_as_labels(columns, shape, faces, tmp_path):
    images = [png_of(face) for face in faces[:6]]
    if shape == "struct":
        images = [{"bytes": image, "path": None} for image in images]
    labels = ["happy", "sad", "bored"] * 2
    write_parquet(tmp_path / "train-00000-of-00001.parquet", images, labels, columns=columns)
    found = taken(tmp_path)
    assert [emotion for emotion, _, _ in found] == ["happiness", "sadness", "bored"] * 2
    assert found[0][2] == png_of(faces[0])


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], "train test"),
        (["train/0000.parquet", "validation/0000.parquet"], "train validation"),
        (["default/train/0000.parquet", "default/test/0000.parquet"], "train test"),
        (["fer_train.parquet", "fer_test.parquet"], "train test"),
        (["default/partial-train/0000.parquet", "default/partial-test/0000.parquet"], "train test"),
        (["part-0.parquet", "part-1.parquet"], ""),
    ],
)
def test_files_are_called_as_on_the_hub(files, splits, faces, tmp_path):
    for number, file in enumerate(files):
        images = [png_of(face) for face in faces[4 * number : 4 * number + 4]]
        write_parquet(tmp_path / file, images, ["happy", "sad"] * 2)
    found = taken(tmp_path)
    assert len(found) == 8
    assert {split for _, split, _ in found} == (set(splits.split()) or {None})
    names = [face.name for face in recognise_format(tmp_path).read()]
    assert len(set(names)) == 8


def test_parquet_labels_by_class_label_features_of_another_name(faces, tmp_path):
    images = [png_of(face) for face in faces[:6]]
    names = ["surprise", "joy", "tired"]
    write_parquet(tmp_path / "train.parquet", images, [0, 1, 2] * 2, names, ("img", "emotion"))
    assert [e for e, _, _ in taken(tmp_path)] == ["surprise", "happiness", "tired"] * 2


def test_parquet_numbers_without_names_are_not_taken_for_fer2013s(faces, tmp_path):
    images = [{"bytes": png_of(face), "path": f"{k}.png"} for k, face in enumerate(faces)]
    write_parquet(tmp_path / "train.parquet", images, [k % 7 for k in range(42)])
    source = recognise_format(tmp_path)
    assert source.labels == tuple("0123456")
    assert source.label_set == "own"
    assert "not known what the classes 0, 1, 2, 3, 4, 5, 6 mean" in source.notes[-1]


def test_parquet_of_paths_finds_the_images(faces, tmp_path):
    for k, face in enumerate(faces[:4]):
        (tmp_path / f"{k}.png").write_bytes(png_of(face))
    write_parquet(tmp_path / "faces.parquet", [f"{k}.png" for k in range(4)], ["happy", "sad"] * 2)
    assert [content for _, _, content in taken(tmp_path)][3] == tmp_path / "3.png"


def test_an_unreadable_line_does_not_hide_its_reason(tmp_path, faces):
    rows = [("happy", text_of(faces[0])), ("sad", "1 2"), ("", text_of(faces[1]))]
    contents = [c for _, _, c in taken(write(tmp_path / "f.csv", ["emotion", "pixels"], rows))]
    assert isinstance(contents[1], Unreadable)
    assert contents[2] == Unreadable("emotion is empty")


def test_a_table_without_labels_says_which_columns_it_has(tmp_path):
    with pytest.raises(InputError, match=r"no column 'emotion' .* its columns are pixels, usage"):
        recognise_format(write(tmp_path / "test.csv", ["pixels", "Usage"], []))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("TRAIN", "Training", "train_set", "trainset", "train data")),
        *((name, "validation") for name in ("val", "Validation", "valid", "dev", "PublicTest")),
        *((name, "test") for name in ("Testing", "test-images", "PrivateTest", "private_test")),
        *((name, None) for name in ("holdout", "", "images", "happy", "contest")),
    ],
)
def test_names_of_splits(name, split):
    assert split_of(name) == split
