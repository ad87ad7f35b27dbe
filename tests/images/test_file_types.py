"""What a file is, by its first bytes."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, features

from emotion_detection.data.formats.tree import read_tree
from emotion_detection.images.file_types import (
    FORMATS,
    HEIF_SUFFIXES,
    JPEG2000_SUFFIXES,
    OTHER_SUFFIXES,
    SUFFIXES,
    describe_content,
    is_avif,
    is_heif,
)
from emotion_detection.images.opening import IMAGE_SUFFIXES
from emotion_detection.inference.image_files import list_image_files


def box(brand: bytes, *compatible: bytes) -> bytes:
    size = 16 + 4 * len(compatible)
    return size.to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + b"".join(compatible) + bytes(40)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (box(b"heic", b"mif1", b"heic"), "a HEIC image"),
        (box(b"mif1", b"heic"), "a HEIF image"),
        (box(b"avif", b"mif1"), "an AVIF image"),
        (box(b"qt  ", b"qt  "), "a QuickTime video"),
        (box(b"isom", b"mp42"), "an MP4 video"),
        (box(b"crx "), "a camera's raw file"),
        (b"\xff\x0a" + bytes(9), "a JPEG XL image"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"<!DOCTYPE html><html>", "a web page (HTML), not an image: the download may have failed"),
        (b'<?xml version="1.0"?><svg xmlns="', "an SVG drawing"),
        (b"8BPS" + bytes(20), "a Photoshop file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", None),
        ("hällo".encode(), "a text file"),
        (b"\x00\x01\x02", None),
        (b"", None),
    ],
)
def test_kinds(content: bytes, what: str | None) -> None:
    told = describe_content(content)
    if content.startswith(b"version https"):
        assert told is not None
        assert "git lfs pull" in told
    else:
        assert told == what


def test_all_that_pillow_writes_of_the_list_is_known() -> None:
    for name in FORMATS:
        if name == "AVIF" and not features.check("avif"):
            continue
        out = io.BytesIO()
        Image.new("RGB", (16, 16)).save(out, name)
        told = describe_content(out.getvalue())
        assert told is not None
        assert "image" in told
        assert not is_heif(out.getvalue())
        assert is_avif(out.getvalue()) == (name == "AVIF")


def test_a_heif_file_is_what_its_compatible_brands_say() -> None:
    assert is_heif(box(b"mif1", b"heic"))
    assert is_avif(box(b"mif1", b"avif", b"miaf"))
    assert not is_heif(box(b"mif1", b"avif", b"miaf"))
    assert not is_heif(box(b"isom", b"mp42"))


def test_each_suffix_is_in_one_list() -> None:
    every = [*SUFFIXES, *HEIF_SUFFIXES, *OTHER_SUFFIXES]
    assert len(every) == len(set(every))
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in every)


def test_docs_list_the_suffixes_that_are_read() -> None:
    text = (Path(__file__).parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")
    line = text.partition("files with these suffixes are read: ")[2].partition("\n- ")[0]
    assert re.findall(r"`(\.\w+)`", line) == [*SUFFIXES, *HEIF_SUFFIXES, *JPEG2000_SUFFIXES]


def test_datasets_and_folders_of_images_take_the_same_suffixes(tmp_path: Path) -> None:
    assert {*SUFFIXES, *HEIF_SUFFIXES, *JPEG2000_SUFFIXES} == IMAGE_SUFFIXES
    for suffix in SUFFIXES:
        (tmp_path / f"a{suffix.upper()}").write_bytes(b"")
    in_folder = sorted(list_image_files([tmp_path], print))
    assert in_folder == sorted(tmp_path.joinpath(*parts) for parts in read_tree(tmp_path).images)
    assert len(in_folder) == len(SUFFIXES)
