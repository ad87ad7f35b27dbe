"""What folders hold beside the images that are read is named, with the reason."""

from collections import Counter
from pathlib import Path

import pytest

from emotion_detection.batch.input_files import (
    Entry,
    describe_left_out,
    expand_patterns,
    list_entries,
)
from emotion_detection.images import file_types as image_kinds


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("IMG_1.HEIC", "IMG_2.HEIC", "IMG_3.MOV", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_kinds.importlib.util, "find_spec", lambda name: None)


def test_each_kind_has_its_reason() -> None:
    told = describe_left_out(Counter({".heic": 2, ".mov": 1, ".txt": 1200, "": 1}))
    assert told == (
        "2 .heic (they need pillow-heif: pip install '.[heif]' in the checkout), "
        "1 .mov (videos: --videos reads them, too), 1,200 .txt, 1 without suffix "
        "(read are JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PPM and TGA)"
    )
    assert describe_left_out({}) == ""


def test_a_phones_folder_says_what_it_left_out_and_why(
    phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_heif(monkeypatch)
    left_out: Counter[str] = Counter()
    (nothing,) = list_entries(["."], left_out)
    assert "no images in it" in str(nothing.error)
    assert "2 .heic (they need pillow-heif" in str(nothing.error)
    assert "1 .mov (videos: --videos" in str(nothing.error)
    assert left_out == {".heic": 2, ".mov": 1, ".txt": 1}


def test_only_what_the_folder_itself_left_out_is_named(
    phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_heif(monkeypatch)
    (phone / "empty").mkdir()
    _, empty = list_entries([".", "empty"], Counter())
    assert empty.error == "no images in it that no other input names"


def test_folders_take_videos_along_when_asked(phone: Path) -> None:
    found = list(list_entries(["."], videos=True))
    assert Entry("IMG_3.MOV", is_video=True) in found
    assert not any(entry.source.endswith(".txt") for entry in found)


def test_patterns_stand_for_the_files_that_match(phone: Path) -> None:
    assert list(expand_patterns(["*.HEIC", "notes.txt"])) == [
        "IMG_1.HEIC",
        "IMG_2.HEIC",
        "notes.txt",
    ]
    assert list(expand_patterns(["*.jpg"])) == ["*.jpg"]
    (phone / "[1].jpg").write_bytes(b"")
    assert list(expand_patterns(["[1].jpg"])) == ["[1].jpg"]
