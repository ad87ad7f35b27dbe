"""Frames of image files: counted from headers, up to a limit, with damage behind the first."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, TiffImagePlugin, features

from emotion_detection.images import frames as image_frames
from emotion_detection.images.frames import count_frames
from emotion_detection.images.headers import check_density, prepare
from emotion_detection.images.opening import ImageError, image_to_array, open_image

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8)
Tag = tuple[int, int, int, int]


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def encode_three(kind: str, **options: object) -> bytes:
    frames = [Image.fromarray(np.roll(COLOUR, 9 * turn, 0)) for turn in range(3)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)


class Tiff:
    """Writes a grey TIFF of 8 x 8 pixels, classic or BigTIFF, in either order of bytes."""

    def __init__(self, order: str = "<", big: bool = False) -> None:
        self._order, self._offset = order, "Q" if big else "I"
        self._number, self._big = "Q" if big else "H", big
        self.start = 16 + 64 if big else 8 + 64
        self.size = len(self.directory(self.page(), 0))

    def header(self) -> bytes:
        mark = b"II" if self._order == "<" else b"MM"
        if self._big:
            mark += struct.pack(self._order + "HHHQ", 43, 8, 0, self.start)
        else:
            mark += struct.pack(self._order + "HI", 42, self.start)
        return mark + PIXELS.tobytes()

    def page(self) -> list[Tag]:
        at = 16 if self._big else 8
        values = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: at, 277: 1, 278: 8, 279: 64}
        return [(tag, 4, 1, value) for tag, value in values.items()]

    def directory(self, tags: list[Tag], following: int) -> bytes:
        entries = b"".join(struct.pack(f"{self._order}HH{self._offset * 2}", *tag) for tag in tags)
        count = struct.pack(self._order + self._number, len(tags))
        return count + entries + struct.pack(self._order + self._offset, following)

    def pages(self, count: int, last: int = 0) -> bytes:
        """Return a file of so many pages; the last one leads to a place, 0 for none."""
        places = [self.start + self.size * page for page in range(1, count)] + [last]
        return self.header() + b"".join(self.directory(self.page(), place) for place in places)


FORMS = [("<", False), (">", False), ("<", True)]


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_tiff_pages_are_counted_from_the_headers(order: str, big: bool) -> None:
    content = Tiff(order, big).pages(7)
    pixels, notes = image_to_array(content)
    assert (pixels[..., 0] == PIXELS).all()
    assert notes == ("7 images in one file: only the first was read",)


@pytest.mark.parametrize(("order", "big"), [*FORMS, (">", True)])
def test_a_tiff_of_very_many_pages_is_refused(order: str, big: bool) -> None:
    tiff = Tiff(order, big)
    assert count_frames(tiff.pages(1_000)) == (1_000, None, False)
    with pytest.raises(ImageError, match="a TIFF of more than 1,000 pages"):
        image_to_array(tiff.pages(1_001))


@pytest.mark.parametrize("target", [0, 1, 2])
def test_a_loop_in_the_chain_of_pages_ends_it(target: int) -> None:
    tiff = Tiff()
    content = tiff.pages(3, last=tiff.start + target * tiff.size)
    assert count_frames(content) == (3, None, False)
    assert image_to_array(content)[1] == ("3 images in one file: only the first was read",)


def test_a_tiff_of_very_many_tags_or_strips_is_refused() -> None:
    tiff = Tiff()
    tags = [*tiff.page(), *((40_000 + tag % 20_000, 4, 1, 0) for tag in range(2_000))]
    with pytest.raises(ImageError, match="more than 2,000 tags"):
        image_to_array(tiff.header() + tiff.directory(tags, 0))
    for tag in (273, 324):
        tags = sorted(entry for entry in tiff.page() if entry[0] != tag)
        tags = sorted([*tags, (tag, 4, 100_001, 8)])
        with pytest.raises(ImageError, match="more than 100,000 strips or tiles"):
            image_to_array(tiff.header() + tiff.directory(tags, 0))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("fraction", [0.6, 0.8, 0.99])
def test_the_first_frame_of_a_truncated_avif_sequence_is_read(fraction: float) -> None:
    rng = np.random.default_rng(2)
    frames = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(3)]
    content = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    pixels, notes = image_to_array(content[: int(fraction * len(content))])
    assert (pixels == image_to_array(content)[0]).all()
    assert notes == (
        "only the first frame was read: the file is damaged or cut off behind frame 1",
    )


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_an_avif_sequence_without_its_first_frame_is_told() -> None:
    frames = [Image.fromarray(np.roll(COLOUR, 9 * turn, 0)) for turn in range(3)]
    content = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    for cut in (content[: content.index(b"mdat") + 40], content[:300]):
        with pytest.raises(ImageError, match="an AVIF image, truncated or damaged: by its headers"):
            image_to_array(cut)


@pytest.mark.parametrize(("width", "height"), [(5_001, 5_000), (15_000, 15_000)])
@pytest.mark.parametrize("is_frame", [False, True])
def test_a_large_gif_is_refused_before_decoding(width: int, height: int, is_frame: bool) -> None:
    sizes = struct.pack("<HH", 8, 8), struct.pack("<HH", width, height)
    screen, frame = sizes if is_frame else sizes[::-1]
    content = b"GIF89a" + screen + b"\0\0\0" + b"\x2c\0\0\0\0" + frame + b"\0\x08"
    content += (b"\xff" + bytes(255)) * 400 + b"\0;"
    with pytest.raises(ImageError, match=f"a GIF of {width} x {height} pixels: more than 25 mega"):
        image_to_array(content)


GIF = encode(Image.fromarray(PIXELS), "GIF")
TINY_FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
BODY = 13 + (3 << (GIF[10] & 7) + 1 if GIF[10] & 0x80 else 0)


@pytest.mark.parametrize(
    "blocks",
    [
        (b"", TINY_FRAME * 60_000),
        (b"\x21\xfe\x01a\x00" * 60_000, b""),
        (b"\x21\xfe" + b"\x01a" * 60_000 + b"\x00", b""),
        (b"\x21\xf9\x04\x00\x00\x00\x00\x00" * 60_000, b""),
        (b"\x21\xff\x0bNETSCAPE2.0" + b"\x03\x01\x00\x00" * 60_000 + b"\x00", b""),
        (b"\x00" * 60_000, b""),
        (b"", b"\x21\xfe\x01a\x00" * 60_000),
    ],
    ids=["frames", "comments", "pieces", "controls", "loops", "junk", "comments behind"],
)
def test_a_gif_of_very_many_blocks_is_refused(blocks: tuple[bytes, bytes]) -> None:
    content = GIF[:BODY] + blocks[0] + GIF[BODY:-1] + blocks[1] + b";"
    with pytest.raises(ImageError, match=r"a GIF of more than 50,\d\d\d blocks"):
        image_to_array(content)


def test_gif_frames_are_counted_and_usual_ones_read() -> None:
    content = GIF[:-1] + TINY_FRAME * 2_000 + b";"
    pixels, notes = image_to_array(content)
    assert (pixels[..., 0] == PIXELS).all()
    assert notes == ("animated: only the first of 2001 frames was read",)
    assert count_frames(GIF) == (1, None, False)
    assert image_to_array(GIF[:-1])[1] == ()  # many encoders forget the trailer


@pytest.mark.parametrize("name", [b"JUNK", b"ANMF", b"EXIF"])
def test_a_webp_of_very_many_chunks_is_refused(name: bytes) -> None:
    body = encode(Image.fromarray(COLOUR), "WEBP")[12:] + (name + bytes(4)) * 20_000
    content = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    with pytest.raises(ImageError, match=r"a WebP of more than 10,\d\d\d chunks"):
        image_to_array(content)
    check_density((5_000, 5), content)  # goes through no more of them either


def chunk(name: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(name + payload)
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", checksum)


def test_an_animated_png_does_not_have_the_frames_that_it_only_declares() -> None:
    still = encode(Image.fromarray(PIXELS), "PNG")
    declared = still[:33] + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + still[33:]
    pixels, notes = image_to_array(declared)
    assert (pixels[..., 0] == PIXELS).all()
    assert notes == ()


@pytest.fixture
def _no_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Pillow open no page or frame behind the first."""

    def fail(self: object) -> int:
        raise AssertionError("frames were counted by opening them")

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "n_frames", property(fail))
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "n_frames", property(fail))


@pytest.mark.usefixtures("_no_opening")
@pytest.mark.parametrize("content", [Tiff().pages(3), GIF[:-1] + TINY_FRAME * 2 + b";"])
def test_frames_are_not_opened_to_count_them(content: bytes) -> None:
    for form in (content, Image.open(io.BytesIO(content))):
        (note,) = image_to_array(form)[1]
        assert "3" in note


@pytest.mark.usefixtures("_no_opening")
def test_of_very_many_frames_in_an_open_image_the_limit_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (note,) = image_to_array(Image.open(io.BytesIO(Tiff().pages(1_500))))[1]
    assert note == "more than 1,000 images in one file: only the first was read"
    many = GIF[:-1] + TINY_FRAME * 60_000 + b";"
    (note,) = image_to_array(Image.open(io.BytesIO(many)))[1]
    assert note.startswith("animated: only the first of more than ")
    closed = Image.open(io.BytesIO(Tiff().pages(3)))
    closed.load()
    monkeypatch.setattr(closed, "fp", None)
    monkeypatch.setattr(closed, "_fp", None)
    assert image_to_array(closed)[1] == ()


def damaged_tiffs() -> dict[str, bytes]:
    tiff = Tiff()
    two = tiff.pages(2)
    second = tiff.start + tiff.size
    without_size = struct.pack("<H", 1) + two[second + 2 :]
    return {
        "beyond the file": two[: second - 4] + struct.pack("<I", len(two) + 100),
        "at the last byte": two[: second - 4] + struct.pack("<I", len(two) - 1) + two[second:],
        "cut off": two[: second + 20],
        "no sizes": two[:second] + without_size,
        "very many tags": two[:second] + b"\xff\xff" + two[second + 2 :],
    }


@pytest.mark.parametrize("name", damaged_tiffs())
def test_the_first_page_is_read_whatever_the_second_is(name: str) -> None:
    content = damaged_tiffs()[name]
    for form in (content, Image.open(io.BytesIO(content))):
        pixels, notes = image_to_array(form)
        assert (pixels[..., 0] == PIXELS).all()
        assert notes == (
            "only the first image was read: the file is damaged or cut off behind image 1",
        )


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("following", [0xFFFFFFF0, 3])
def test_the_first_of_compressed_pages_is_read(compression: str, following: int) -> None:
    content = bytearray(encode_three("TIFF", compression=compression))
    expected = image_to_array(bytes(content))[0]
    (first,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * count, following)
    pixels, notes = image_to_array(bytes(content))
    assert (pixels == expected).all()
    assert "damaged or cut off behind image 1" in notes[0]


MOVING = ["GIF", "PNG", "WEBP", "MPO", "TIFF"]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "MPO"])
@pytest.mark.parametrize("read", [open_image, image_to_array])
def test_the_first_frame_is_read_where_the_last_is_cut_off(kind: str, read: object) -> None:
    content = encode_three(kind)
    cut = content[: -max(200, len(content) // 5)]
    if read is open_image:
        assert open_image(cut).size == (48, 40)
        return
    pixels, notes = image_to_array(cut)
    assert (pixels == image_to_array(content)[0]).all()
    assert any("damaged or cut off behind" in note for note in notes)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "MPO"])
def test_the_first_frame_is_read_where_later_ones_are_damaged(kind: str) -> None:
    content = bytearray(encode_three(kind))
    expected = image_to_array(bytes(content))[0]
    half = len(content) // 2
    content[half:-40] = np.random.default_rng(3).bytes(len(content) - 40 - half)
    pixels, _ = image_to_array(bytes(content))
    assert (pixels == expected).all()


def test_the_first_frame_of_a_webp_is_read_where_the_second_lies_outside() -> None:
    content = bytearray(encode_three("WEBP"))
    expected = image_to_array(bytes(content))[0]
    second = content.index(b"ANMF", content.index(b"ANMF") + 4)
    content[second + 8 : second + 11] = b"\xff\xff\x00"
    pixels, notes = image_to_array(bytes(content))
    assert (pixels == expected).all()
    assert notes == (
        "only the first frame was read: the file is damaged or cut off behind frame 1",
    )


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_frames_of_an_avif_are_counted() -> None:
    (note,) = image_to_array(encode_three("AVIF"))[1]
    assert note == "animated: only the first of 3 frames was read"


def test_the_first_image_of_a_heic_is_read_where_the_second_is_cut_off() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    content = encode_three("HEIF")
    expected, notes = image_to_array(content)
    assert notes == ("3 images in one file: only the first was read",)
    pixels, notes = image_to_array(content[:-20])
    assert (pixels == expected).all()
    assert notes[0].endswith("the file is damaged or cut off behind image 1")


def test_usual_files_are_within_the_limits() -> None:
    for kind in MOVING:
        content = encode_three(kind)
        assert prepare(content) is content
        assert count_frames(content) in (None, (3, None, False))
    assert image_frames.MAX_STRIPS > 250_000_000 / 64**2  # tiles of the largest images
