"""What a file is, by its first bytes."""

import io

import pytest
from PIL import Image, features

from emotion_detection.images.kinds import (
    FORMATS,
    HEIF_SUFFIXES,
    OTHER_SUFFIXES,
    SUFFIXES,
    describe_content,
    is_avif,
    is_heif,
)


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
