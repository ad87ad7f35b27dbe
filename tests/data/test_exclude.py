"""--exclude takes the names of faces as people write them."""

from pathlib import Path

import numpy as np
import pytest

from emotion_detection.data import load
from emotion_detection.data.exclude import exclude_faces, read_excluded_names
from emotion_detection.errors import InputError

LISTS = {
    "names": "angry/a.png\nhappy/c.png\n",
    "with a dot": "./angry/a.png\n./happy/./c.png\n",
    "backslashes": "angry\\a.png\r\nhappy\\c.png\r\n",
    "absolute": "{root}/angry/a.png\n{root}/happy/c.png\n",
    "of another machine": "C:\\faces\\angry\\a.png\n/home/ann/faces/happy/c.png\n",
    "from where one stands": "faces/angry/a.png\n../x/faces/happy/c.png\n",
    "file names": "a.png\nc.png\n",
    "a column of its own": "label,file\n0,angry/a.png\n1,happy/c.png\n",
    "second column": "0,angry/a.png\n1,happy/c.png\n",
    "semicolons": "label;file\n0;angry/a.png\n1;happy/c.png\n",
    "tabs, no header": "0\tangry/a.png\n1\thappy/c.png\n",
    "comments": "# spoilt\n\nfile\nangry/a.png\nhappy/c.png\n",
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory, tiny_faces, png):
    root = tmp_path_factory.mktemp("exclude") / "faces"
    names = ["angry/a.png", "angry/b.png", "happy/c.png", "happy/b.png"]
    for name, face in zip(names, tiny_faces(4), strict=True):
        (root / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "train" / name).write_bytes(png(face))
    return root


@pytest.fixture(scope="module")
def train(faces, tmp_path_factory):
    from emotion_detection.config import DataConfig

    cache = str(tmp_path_factory.mktemp("cache"))
    options = {"validation_fraction": 0.0, "test_fraction": 0.0, "cache": cache}
    return load(DataConfig(data=str(faces), **options)).split("train")


@pytest.mark.parametrize("kind", LISTS)
def test_the_listed_faces_are_left_out(kind, faces, train, tmp_path):
    listed = tmp_path / "list.csv"
    prefix = Path(train.names[0]).parts[0] == "train"
    root = faces / "train" if prefix else faces
    text = LISTS[kind].format(root=root)
    if prefix:  # names are relative to the folder of the data
        text = text.replace("angry", "train/angry").replace("happy", "train/happy")
        text = text.replace(f"{root}/train/", f"{root}/")
    listed.write_bytes(text.encode())
    kept = exclude_faces({"train": train}, listed)["train"]
    assert sorted(Path(name).name for name in kept.names) == ["b.png", "b.png"]
    np.testing.assert_array_equal(kept.labels, [0, 1])


def test_a_path_to_another_face_leaves_nothing_out(train, tmp_path):
    (tmp_path / "list.txt").write_text("sad/angry/d.png\nangry/a.png.bak\n")
    with pytest.raises(InputError, match="none of its 2 names is in train"):
        exclude_faces({"train": train}, tmp_path / "list.txt")


def test_a_name_of_two_faces_is_refused(train, tmp_path):
    (tmp_path / "list.txt").write_text("b.png\n")
    with pytest.raises(InputError, match=r"b\.png means several faces"):
        exclude_faces({"train": train}, tmp_path / "list.txt")


def test_a_name_may_hold_a_semicolon_and_a_list_be_unicode_text(tmp_path):
    (tmp_path / "list.txt").write_text("# seen;twice\na;b.png\nc.png\n", encoding="utf-16")
    assert read_excluded_names(tmp_path / "list.txt") == {"a;b.png", "c.png"}


def test_plain_names_are_read_as_they_stand(tmp_path):
    (tmp_path / "list.csv").write_text("file,why\nTraining_00017.png,label\na/b.png,copy\n")
    assert read_excluded_names(tmp_path / "list.csv") == {"Training_00017.png", "a/b.png"}
