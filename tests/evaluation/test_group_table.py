"""Which face belongs to which groups, as a CSV says it."""

from pathlib import Path

import pytest

from emotion_detection.data.class_mapping import join_paths
from emotion_detection.errors import InputError
from emotion_detection.evaluation.groups import (
    DATASETS,
    read_groups,
    read_groups_of,
    write_datasets,
)

FILES = ["test/a/1.png", "test/b/1.png", "test/b/2.png", "test/b/3.png"]


def _csv(folder: Path, *rows: str) -> Path:
    path = folder / "groups.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_each_column_names_the_groups_of_files(tmp_path: Path) -> None:
    path = _csv(tmp_path, "File, Age ,light", 'x.png,"18, or more",dim', "y.png,,bright", "")
    assert read_groups(path) == {
        "age": {"x.png": "18, or more"},
        "light": {"x.png": "dim", "y.png": "bright"},
    }


def test_faces_are_meant_by_whole_name_or_by_their_only_file_name(tmp_path: Path) -> None:
    path = _csv(
        tmp_path, "age,file", "old,test/a/1.png", "young,2.png", "young,other.png", ",3.png"
    )
    found = read_groups_of(path, FILES)
    assert found.columns == {"age": ["old", "", "young", ""]}
    assert (found.unmatched, found.unknown, found.identity) == (2, 1, None)


def test_people_are_numbered_and_a_face_of_nobody_is_a_person_of_its_own(tmp_path: Path) -> None:
    path = _csv(
        tmp_path, "file,identity,age", "2.png,jo,old", "3.png,jo,old", "test/a/1.png,,young"
    )
    found = read_groups_of(path, FILES)
    assert list(found.columns) == ["age"]
    assert found.identity is not None
    first, second, third, fourth = found.identity.tolist()
    assert third == fourth
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["age,light", "old,dim"], "needs a column file and at least one of groups"),
        (["file,identity", "2.png,ann"], "needs a column file and at least one of groups"),
        (["file", "2.png"], "needs a column file and at least one of groups"),
        (["file,age,age", "2.png,1,2"], "each column needs a name of its own"),
        (["file,", "2.png,1"], "each column needs a name of its own"),
        (["file,age", "2.png"], "line 2: has 1 cells, needs 2"),
        (["file,age", "2.png,old", "2.png,young"], "line 3: 2.png is there twice"),
        (["file,age", ",old"], "line 2: file is empty"),
        (["file,age"], "names no groups"),
        (["file,age", "2.png,"], "names no groups"),
        (["file,age", "1.png,old"], "1.png means several faces, such as test/a/1.png"),
        (
            ["file,age", "nobody.png,old"],
            "none of its 1 names is among the 4 faces",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    path = _csv(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        read_groups_of(path, FILES)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00file"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "groups.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"groups\.csv: cannot be read as CSV"):
        read_groups_of(path, FILES)


def test_a_test_on_several_datasets_has_its_groups_by_dataset(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("ckplus", "my faces")]
    for place in places:
        place.mkdir()
    files = ["ckplus/anger/1.png", "my faces/anger/1.png", "my faces/happy/2.png"]
    write_datasets(tmp_path, files, join_paths([str(place) for place in places]))
    groups = read_groups_of(tmp_path / DATASETS, files)
    assert groups.columns == {"dataset": ["ckplus", "my faces", "my faces"]}
    write_datasets(tmp_path / "one", files, str(places[1]))
    assert not (tmp_path / "one").exists()
