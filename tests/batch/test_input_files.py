"""What inputs stand for, in their order, each file once."""

import os
from pathlib import Path

import pytest

from emotion_detection.batch.input_files import (
    Entry,
    common_folder,
    list_entries,
    make_annotate,
    split_inputs,
)
from emotion_detection.errors import InputError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "clip.mp4", "other.mov", "deep/2.png", "deep/1.png", "no/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_images_folders_and_videos_keep_the_order_they_were_named_in(place: Path) -> None:
    inputs = ["clip.mp4", "b.jpg", "other.mov", "deep", "a.jpg", "clip.mp4"]
    assert list(list_entries(inputs)) == [
        Entry("clip.mp4", is_video=True),
        Entry("b.jpg"),
        Entry("other.mov", is_video=True),
        Entry(os.path.join("deep", "1.png")),
        Entry(os.path.join("deep", "2.png")),
        Entry("a.jpg"),
    ]


def test_a_file_named_twice_is_one_entry(place: Path) -> None:
    inputs = ["a.jpg", "./a.jpg", str(place / "a.jpg"), "clip.mp4", "./clip.mp4"]
    assert list(list_entries(inputs)) == [Entry("a.jpg"), Entry("clip.mp4", is_video=True)]


@pytest.mark.parametrize("name", ["missing.jpg", "missing.mp4", "missing"])
def test_what_is_missing_is_an_entry_with_an_error_in_its_place(place: Path, name: str) -> None:
    first, middle, last = list_entries(["a.jpg", name, "b.jpg"])
    assert (first, last) == (Entry("a.jpg"), Entry("b.jpg"))
    assert middle.source == name
    assert "no such file" in str(middle.error)


@pytest.mark.parametrize("folder", ["empty", "no"])
@pytest.mark.parametrize("before", ["a.jpg", "clip.mp4", "missing"])
def test_a_folder_without_images_is_an_entry_with_an_error(
    place: Path, folder: str, before: str
) -> None:
    _, found, after = list_entries([before, folder, "b.jpg"])
    assert found.source == folder
    assert "no images in it" in str(found.error)
    assert after == Entry("b.jpg")


def test_the_common_folder_is_the_deepest_that_holds_all(place: Path) -> None:
    assert common_folder(["a.jpg", "b.jpg"]) == str(place)
    assert common_folder(["deep"]) == str(place / "deep")
    assert common_folder(["deep/1.png", "no/x.txt"]) == str(place)
    assert common_folder(["deep/1.png", "./deep/2.png"]) == str(place / "deep")


@pytest.mark.parametrize(
    ("annotate", "inputs", "said"),
    [
        ("", ["a.jpg"], "must name a folder"),
        (" ", ["a.jpg"], "must name a folder"),
        (".", ["a.jpg"], "the input a.jpg lies in it"),
        (".", ["deep", "no"], "the input deep lies in it"),
        (".", ["."], "lies in the input ."),
        ("deep", ["a.jpg", "deep/1.png"], "the input deep/1.png lies in it"),
        ("deep", ["deep"], "lies in the input deep"),
        ("deep/new/drawn", ["a.jpg", "deep"], "lies in the input deep"),
        ("link", ["deep/1.png"], "the input deep/1.png lies in it"),
        ("link/new", ["deep"], "lies in the input deep"),
        ("deep", ["link"], "lies in the input link"),
        ("a.jpg", ["b.jpg"], "File exists"),
    ],
)
def test_what_is_drawn_can_replace_no_input(
    place: Path, annotate: str, inputs: list[str], said: str
) -> None:
    (place / "link").symlink_to("deep")
    before = sorted(place.rglob("*"))
    with pytest.raises(InputError, match=f"--annotate .*{said}"):
        make_annotate(annotate, inputs)
    assert sorted(place.rglob("*")) == before


def test_a_folder_apart_is_made(place: Path) -> None:
    make_annotate("new/drawn", ["deep", "a.jpg", "gone.jpg"])
    assert (place / "new" / "drawn").is_dir()
    make_annotate("deeper", ["deep"])
    files = list(list_entries(["deep", "a.jpg"]))
    assert list(split_inputs(files, "deeper")) == files
    assert list(split_inputs(files, None)) == files


def test_what_a_link_in_a_folder_leads_to_is_no_place_to_draw_in(place: Path) -> None:
    (place / "drawn").mkdir()
    (place / "drawn" / "kept.png").write_bytes(b"")
    (place / "deep" / "3.png").symlink_to(place / "drawn" / "kept.png")
    make_annotate("drawn", ["deep"])
    with pytest.raises(InputError, match=r"the input .*3\.png lies in it"):
        list(split_inputs(list_entries(["deep"]), "drawn"))
