"""What inputs stand for, in their order, each file once."""

import os
from pathlib import Path

import pytest

from emotion_detection.scoring.entries import Entry, common_folder, entries


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "clip.mp4", "other.mov", "deep/2.png", "deep/1.png", "no/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_pictures_folders_and_videos_keep_the_order_they_were_named_in(place: Path) -> None:
    inputs = ["clip.mp4", "b.jpg", "other.mov", "deep", "a.jpg", "clip.mp4"]
    assert list(entries(inputs)) == [
        Entry("clip.mp4", is_video=True),
        Entry("b.jpg"),
        Entry("other.mov", is_video=True),
        Entry(os.path.join("deep", "1.png")),
        Entry(os.path.join("deep", "2.png")),
        Entry("a.jpg"),
    ]


def test_a_file_named_twice_is_one_entry(place: Path) -> None:
    inputs = ["a.jpg", "./a.jpg", str(place / "a.jpg"), "clip.mp4", "./clip.mp4"]
    assert list(entries(inputs)) == [Entry("a.jpg"), Entry("clip.mp4", is_video=True)]


@pytest.mark.parametrize("name", ["missing.jpg", "missing.mp4", "missing"])
def test_what_is_missing_is_an_entry_with_an_error_in_its_place(place: Path, name: str) -> None:
    first, middle, last = entries(["a.jpg", name, "b.jpg"])
    assert (first, last) == (Entry("a.jpg"), Entry("b.jpg"))
    assert middle.source == name
    assert "no such file" in str(middle.error)


@pytest.mark.parametrize("folder", ["empty", "no"])
@pytest.mark.parametrize("before", ["a.jpg", "clip.mp4", "missing"])
def test_a_folder_without_pictures_is_an_entry_with_an_error(
    place: Path, folder: str, before: str
) -> None:
    _, found, after = entries([before, folder, "b.jpg"])
    assert found.source == folder
    assert "no pictures (.jpg, " in str(found.error)
    assert after == Entry("b.jpg")


def test_the_common_folder_is_the_deepest_that_holds_all(place: Path) -> None:
    assert common_folder(["a.jpg", "b.jpg"]) == str(place)
    assert common_folder(["deep"]) == str(place / "deep")
    assert common_folder(["deep/1.png", "no/x.txt"]) == str(place)
    assert common_folder(["deep/1.png", "./deep/2.png"]) == str(place / "deep")
