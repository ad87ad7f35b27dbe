"""Truncated and damaged files are named, with what is missing, and nothing else is printed."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from emotion_detection.images.damage import find_damage
from emotion_detection.images.opening import ImageError, image_to_array

COLOUR = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def encode(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(COLOUR).save(out, kind, **options)
    return out.getvalue()


def refuse(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        image_to_array(content)
    return str(caught.value)


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_a_truncated_tiff_is_reported(
    compression: str, fraction: float, capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode("TIFF", compression=compression)
    words = refuse(content[: int(fraction * len(content))])
    assert words.startswith("a TIFF image, truncated")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("missing", [1, 2, 9])
def test_a_tiff_without_its_last_bytes_is_told_and_libtiff_prints_nothing(
    missing: int, capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode("TIFF", compression="jpeg")
    assert "a TIFF image, truncated" in refuse(content[:-missing])
    damaged = content.replace(b"\xff\xdb", b"\x00\x00")  # no quantization tables
    assert refuse(damaged) == "a TIFF image, damaged: its pixels cannot be decoded"
    assert capfd.readouterr() == ("", "")


def tiff(tags: dict[int, int], pixels: bytes) -> bytes:
    """A TIFF with its tags first; 0 as an offset stands for the place of the pixels."""
    usual = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1} | tags
    start = 8 + 2 + 12 * len(usual) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, start if tag in (273, 324) and not value else value)
        for tag, value in sorted(usual.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(usual)) + entries + bytes(4) + pixels


PACKED = zlib.compress(bytes(64 * 64))


def test_sizes_that_are_too_large_for_the_file_are_reported(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = tiff({273: 0, 278: 64, 279: len(PACKED)}, PACKED)
    assert image_to_array(whole)[0].shape == (64, 64, 3)
    strips = tiff({273: 0, 278: 2**31, 279: 2**31}, PACKED)
    assert "its pixels end at byte 2,147," in refuse(strips)
    tiles = tiff({322: 60_000, 323: 60_000, 324: 0, 325: len(PACKED)}, PACKED)
    assert "its tiles of 60000 x 60000 pixels are larger than the image" in refuse(tiles)
    assert "has no width or height" in refuse(whole.replace(b"\0\1\4\0", b"\xfd\0\4\0", 1))
    assert refuse(tiff({273: 0, 278: 64, 279: 9}, b"not zlib!")).startswith("a TIFF image, damaged")
    # nothing is wrong with its sizes
    assert "of a kind that is not read, or a camera's raw" in refuse(tiff({277: 9, 273: 0}, PACKED))
    refuse(tiff({277: 65_535, 273: 0}, PACKED))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.98])
def test_a_truncated_avif_is_reported(fraction: float) -> None:
    content = encode("AVIF")
    for cut in (content[: int(fraction * len(content))], content[:-2]):
        assert refuse(cut).startswith("an AVIF image, truncated or damaged: by its headers")
    index = content.index(b"meta")
    assert "its index (the box 'meta') is missing" in refuse(
        content[:index] + b"free" + content[index + 4 :]
    )


@pytest.mark.parametrize("fraction", [0.3, 0.98])
def test_a_truncated_heic_is_reported(fraction: float) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    content = encode("HEIF")
    assert refuse(content[: int(fraction * len(content))]).startswith("a HEIC image, truncated")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.98])
@pytest.mark.parametrize("kind", ["WEBP", "BMP", "DIB", "GIF"])
def test_other_truncated_images_are_reported(kind: str, fraction: float) -> None:
    name = {"WEBP": "WebP", "DIB": "BMP"}.get(kind, kind)
    content = encode(kind)
    words = refuse(content[: int(fraction * len(content))])
    assert words.startswith(f"a {name} image, truncated")
    if kind != "GIF":
        assert "by its headers" in words


def test_a_damaged_webp_is_reported() -> None:
    content = bytearray(encode("WEBP"))
    content[20:60] = bytes(40)
    assert refuse(bytes(content)).startswith("a WebP image, damaged")


def test_a_big_endian_bigtiff_is_named() -> None:
    content = b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + struct.pack(">Q", 2)
    content += struct.pack(">HHQHxxxxxx", 256, 3, 1, 8) + struct.pack(">HHQHxxxxxx", 257, 3, 1, 8)
    content += bytes(8)
    assert refuse(content) == (
        "a BigTIFF image in big-endian byte order, which is not read; save it as PNG"
    )
    assert "a BigTIFF image, truncated" in refuse(content[:40])


def test_nothing_is_found_in_whole_files(tmp_path: Path) -> None:
    kinds = ["TIFF", "WEBP", "BMP", "DIB", "GIF", "PNG", "JPEG"]
    for kind in [*kinds, *(["AVIF"] if features.check("avif") else [])]:
        assert find_damage(encode(kind)) is None
    for compression in ("tiff_lzw", "jpeg", "group4"):
        out = io.BytesIO()
        mode = "1" if compression == "group4" else "RGB"
        Image.fromarray(COLOUR).convert(mode).save(out, "TIFF", compression=compression)
        assert find_damage(out.getvalue()) is None
    out = io.BytesIO()
    Image.fromarray(COLOUR).save(out, "TIFF", big_tiff=True)
    assert find_damage(out.getvalue()) is None


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "BMP", "DIB", "AVIF"])
def test_random_damage_raises_nothing(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    content = encode(kind)
    rng = np.random.default_rng(0)
    for number in range(300):
        damaged = bytearray(content[: len(content) - number % 7 * 100])
        for place in rng.integers(0, min(len(damaged), 400), 4):
            damaged[place] = rng.integers(0, 256)
        words = find_damage(bytes(damaged))
        assert words is None or ("damaged" in words or "truncated" in words)
