"""Images that are small on disk and dear to open: refused or made cheap before decoding."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_detection.images import headers as image_headers
from emotion_detection.images.headers import check_density, prepare
from emotion_detection.images.opening import ImageError, image_to_array


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
PLAIN = encode(Image.fromarray(PIXELS), "JPEG")
TURNED = Image.Exif()
TURNED[0x0112] = 6


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def chunk(name: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(name + payload)
    return len(payload).to_bytes(4, "big") + name + payload + checksum.to_bytes(4, "big")


def scans_of(content: bytes, count: int) -> bytes:
    """Repeat the last scan of a progressive JPEG, which refines what is there."""
    last = content.rindex(b"\xff\xda")
    scan = content[last : content.rindex(b"\xff\xd9")]
    return content[:last] + scan * count + b"\xff\xd9"


def progressive(width: int, height: int) -> bytes:
    return encode(Image.new("L", (width, height), 90), "JPEG", progressive=True)


@pytest.mark.parametrize("size", [(64, 64), (2000, 1500)])
def test_a_jpeg_of_thousands_of_scans_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="more than 100 scans"):
        image_to_array(scans_of(progressive(*size), 5_000))


def test_scans_behind_a_false_end_are_counted() -> None:
    # a comment that holds the marker of the image's end
    content = progressive(64, 64)
    last = content.rindex(b"\xff\xda")
    hidden = segment(0xFE, b"\xff\xd9")
    scan = content[last : content.rindex(b"\xff\xd9")]
    with pytest.raises(ImageError, match="more than 100 scans"):
        image_to_array(content[:last] + hidden + scan * 5_000 + b"\xff\xd9")


def test_many_scans_of_many_pixels_are_refused_and_of_few_are_read() -> None:
    assert image_to_array(scans_of(progressive(64, 64), 40))[0].shape == (64, 64, 3)
    with pytest.raises(ImageError, match=r"3000 x 2500 pixels in \d+ scans"):
        image_to_array(scans_of(progressive(3000, 2500), 40))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_usual_progressive_jpegs_are_not_touched(subsampling: str) -> None:
    image = Image.fromarray(PIXELS)
    content = encode(image, "JPEG", progressive=True, subsampling=subsampling, exif=TURNED)
    assert prepare(content) is content


@pytest.mark.parametrize("start", [b"Exif\0\0", b"ICC_PROFILE\0", b""])
@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xFE])
def test_pixels_are_read_without_megabytes_of_metadata(marker: int, start: bytes) -> None:
    content = PLAIN[:2] + segment(marker, start + b"a" * 4_000) * 2_000 + PLAIN[2:]
    assert len(prepare(content)) < len(PLAIN) + 5_000
    assert (image_to_array(content)[0] == image_to_array(PLAIN)[0]).all()


def test_what_decides_how_an_image_looks_is_kept() -> None:
    cmyk = encode(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", exif=TURNED)
    padded = cmyk[:2] + segment(0xED, b"a" * 60_000) * 100 + cmyk[2:]
    assert len(prepare(padded)) < len(cmyk) + 100
    pixels, _ = image_to_array(padded)
    assert pixels.shape == (48, 64, 3)  # turned by its Exif
    assert (pixels == image_to_array(cmyk)[0]).all()  # its Adobe segment says: inverted


def test_two_images_in_one_file_are_still_reported() -> None:
    two = encode(
        Image.fromarray(PIXELS),
        "MPO",
        save_all=True,
        append_images=[Image.fromarray(PIXELS[::-1].copy())],
    )
    padded = two[:2] + segment(0xED, b"a" * 60_000) * 100 + two[2:]
    (note,) = image_to_array(padded)[1]
    assert note.startswith("2 images in one file")


@pytest.mark.parametrize(
    "between",
    [
        b"\xff\xe3\x00\x02" * 1_000_000,
        b"\xff\xd0" * 1_000_000,
        b"\xff\xd8" * 1_000_000,
        b"\xff\x00" * 1_000_000,
        b"\xff" * 2_000_000,
        b"\x00" * 2_000_000,
    ],
    ids=["empty segments", "restarts", "starts", "escapes", "fill bytes", "zeros"],
)
def test_a_jpeg_that_is_read_byte_by_byte_is_refused(between: bytes) -> None:
    with pytest.raises(ImageError, match="segments"):
        image_to_array(PLAIN[:20] + between + PLAIN[20:])


@pytest.mark.parametrize("name", [b"tEXt", b"prVt", b"IDAT"])
def test_a_png_of_a_hundred_thousand_chunks_is_refused(name: bytes) -> None:
    content = encode(Image.new("L", (64, 64), 90), "PNG")
    many = content[:33] + chunk(name, b"a\0b") * 100_000 + content[33:]
    with pytest.raises(ImageError, match="chunks"):
        image_to_array(many)


def test_a_png_of_many_usual_chunks_is_read() -> None:
    content = encode(Image.fromarray(PIXELS), "PNG")
    many = content[:33] + chunk(b"tEXt", b"a\0b") * 500 + content[33:]
    assert (image_to_array(many)[0] == PIXELS).all()


def _webp(width: int, height: int) -> bytes:
    return encode(Image.new("RGB", (width, height), (9, 9, 9)), "WEBP", lossless=True)


@pytest.mark.parametrize("padded", [False, True])
def test_a_webp_of_few_bytes_and_very_many_pixels_is_refused(padded: bool) -> None:
    content = _webp(5000, 4999)
    if padded:  # by a chunk that holds no pixels
        content += b"JUNK" + (100_000).to_bytes(4, "little") + bytes(100_000)
        content = content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]
    with pytest.raises(ImageError, match="5000 x 4999 pixels: nothing can be seen"):
        image_to_array(content)


def test_a_face_on_a_large_ground_of_one_colour_is_read() -> None:
    image = Image.new("RGB", (5000, 4000), "white")
    image.paste(Image.fromarray(PIXELS), (2000, 2000))
    for kind, options in (("WEBP", {"lossless": True}), ("PNG", {})):
        pixels, _ = image_to_array(encode(image, kind, **options))
        assert (pixels[2000:2064, 2000:2048] == PIXELS).all()


def run_length_bmp(width: int, height: int, runs: bytes) -> bytes:
    """Return a grey BMP that is run-length encoded."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    body = header + palette
    start = 14 + len(body)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + body + runs


def test_a_large_run_length_encoded_bmp_is_refused() -> None:
    pixels, _ = image_to_array(run_length_bmp(4, 2, b"\x04\x07\x00\x00\x04\x09\x00\x01"))
    assert pixels[..., 0].tolist() == [[9] * 4, [7] * 4]
    for size in ((4_000, 1_001), (4_000_001, 1), (4_000, -1_001)):
        with pytest.raises(ImageError, match=r"run-length encoded BMP of .* 4 megapixels"):
            image_to_array(run_length_bmp(*size, b"\x02\x00\x00\x01" * 2_000))
    with pytest.raises(ImageError, match="run-length encoded"):
        image_to_array(run_length_bmp(2_000, 1_000, b"\x00\x00" * 4_000_000))


@pytest.mark.parametrize("cut", [2, 3, 4, 10, 30, 200, -1])
def test_truncated_files_are_left_to_the_decoder(cut: int) -> None:
    png = encode(Image.fromarray(PIXELS), "PNG")
    webp = _webp(8, 8)
    for content in (PLAIN, png, webp, progressive(32, 32)):
        assert prepare(content[:cut]) == content[:cut]
        check_density((5000, 5), content[:cut])


def test_random_damage_raises_nothing_but_refusals() -> None:
    rng = np.random.default_rng(13)
    usual = [PLAIN, progressive(40, 40), encode(Image.fromarray(PIXELS), "PNG"), _webp(40, 40)]
    for content in usual:
        for _ in range(150):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), 8):
                damaged[place] = rng.integers(0, 256)
            with contextlib.suppress(ValueError):
                check_density((5000, 5000), prepare(bytes(damaged)))


@pytest.mark.parametrize("name", ["progressive-scan-bomb.jpg", "webp-25MP-34bytes.webp"])
@pytest.mark.real_data
def test_known_bombs_are_refused(fer2013_root: Path, name: str) -> None:
    place = fer2013_root.parent / "hunt" / "attack" / name
    if not place.is_file():
        pytest.skip(f"{place} is not there")
    with pytest.raises(ImageError, match=r"scans|nothing can be seen"):
        image_to_array(place)


def test_limits_leave_room_for_what_encoders_write(png: Callable[[np.ndarray], bytes]) -> None:
    assert image_headers.FREE_SCANS >= 12  # mozjpeg's scripts; libjpeg's has ten
    assert prepare(png(PIXELS)) == png(PIXELS)


@pytest.mark.parametrize("options", [{"lossless": True}, {}, {"lossless": True, "exif": b"Exif"}])
def test_a_webp_too_small_for_its_pixels_is_refused_before_it_is_opened(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4000, 3000), (9, 9, 9)).save(out, "WEBP", **options)
    content = out.getvalue()
    monkeypatch.setattr(Image, "open", None)
    if len(content) * 10_000 < 12e6:
        with pytest.raises(ValueError, match="4000 x 3000 pixels: nothing can be seen in it"):
            prepare(content)
    else:
        assert prepare(content) == content


@pytest.mark.parametrize("options", [{"lossless": True}, {}, {"exif": b"Exif"}])
@pytest.mark.parametrize("size", [(1, 1), (300, 7), (16383, 2)])
def test_the_size_of_a_webp_is_pillows(options: dict[str, object], size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "WEBP", **options)
    assert image_headers._webp_size(out.getvalue()) == size
