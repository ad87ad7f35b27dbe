"""HDR clips against the same colours in standard dynamic range."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.inference.video import read_frames
from emotion_detection.inference.video_hdr import map_codes

av = pytest.importorskip("av", reason="needs the extra 'video'")

BT2020_FROM_709 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
"""ITU-R BT.2087, table 2."""
COLOURS = np.array(
    [(20, 20, 20), (90, 60, 45), (120, 120, 120), (190, 140, 120), (60, 120, 60), (70, 80, 160)]
)


def _encode(codes: np.ndarray, transfer: str) -> np.ndarray:
    """Return 8-bit codes of standard dynamic range as HDR codes, 0 to 1; white is 203 cd/m²."""
    light = 203 * (codes / 255.0) ** 2.4 @ BT2020_FROM_709.T
    if transfer == "pq":
        power = (light / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    luminance = light @ np.array([0.2627, 0.6780, 0.0593])
    scene = light / 1000 * ((luminance / 1000) ** (1 / 1.2 - 1))[..., None]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    bright = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@pytest.fixture
def write_hdr(tmp_path: Path) -> Callable[..., Path]:
    def write(codes: np.ndarray, trc: int, primaries: int = 9) -> Path:
        """Write codes (H, W, 3), 0 to 1, as 10-bit H.264 in QuickTime."""
        path = tmp_path / f"hdr{trc}.mov"
        with av.open(str(path), "w") as out:
            options = {"qp": "1", "preset": "ultrafast"}
            video = out.add_stream("libx264", rate=25, options=options)
            video.height, video.width = codes.shape[:2]
            video.pix_fmt = "yuv420p10le"
            context = video.codec_context
            context.color_trc, context.color_primaries = trc, primaries
            context.colorspace = 9 if primaries == 9 else 1
            levels = np.rint(codes * 65535).astype(np.uint16)
            for at in range(2):
                frame: Any = av.VideoFrame.from_ndarray(levels, format="rgb48le")
                space = 9 if primaries == 9 else 1
                frame = frame.reformat(
                    format="yuv420p10le", dst_colorspace=space, dst_color_range=1
                )
                frame.color_trc, frame.color_primaries = trc, primaries
                frame.pts, frame.time_base = at, Fraction(1, 25)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        return path

    return write


@pytest.mark.parametrize(("transfer", "trc"), [("hlg", 18), ("pq", 16)])
def test_an_hdr_clip_looks_as_in_standard_dynamic_range(
    write_hdr: Callable[..., Path], transfer: str, trc: int
) -> None:
    image = np.repeat(np.repeat(COLOURS.reshape(2, 3, 3), 32, axis=0), 32, axis=1)
    found = [frame.rgb for frame in read_frames(write_hdr(_encode(image, transfer), trc))]
    assert len(found) == 2
    for at, colour in enumerate(COLOURS):
        row, column = 32 * (at // 3) + 16, 32 * (at % 3) + 16
        np.testing.assert_allclose(found[0][row, column], colour, atol=4)


def test_highlights_are_compressed_in_order_and_never_clipped_at_once() -> None:
    greys = np.linspace(0, 1, 200)[:, None].repeat(3, axis=1)
    for trc in (16, 18):
        mapped = map_codes(greys, trc, 9)
        assert mapped.min() >= 0
        assert mapped.max() <= 1
        assert (np.diff(mapped[:, 0]) >= -1e-9).all()
        np.testing.assert_allclose(mapped[:, 0], mapped[:, 2], atol=2e-3)  # grey stays grey
    white = map_codes(_encode(np.array([[255.0, 255, 255]]), "pq"), 16, 9)
    assert 0.9 < white[0, 0] < 0.99  # there is room above it


def test_no_colour_of_the_wide_gamut_is_lost_to_negative_light() -> None:
    generator = np.random.default_rng(0)
    mapped = map_codes(generator.uniform(size=(500, 3)), 18, 9)
    assert np.isfinite(mapped).all()
    assert mapped.min() >= 0
    green = map_codes(np.array([[0.1, 0.7, 0.1]]), 18, 9)[0]
    assert green[1] > green[0]
    assert green[1] > green[2]


def _xyz_of(primaries: list[tuple[float, float]]) -> np.ndarray:
    """Return the matrix from RGB light to XYZ, of primaries by their x, y, with white D65."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def test_display_p3_in_standard_dynamic_range_is_converted(write_hdr: Callable[..., Path]) -> None:
    codes = np.array([186, 107, 71]) / 255
    p3 = _xyz_of([(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)])
    bt709 = _xyz_of([(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)])
    wanted = np.linalg.solve(bt709, p3 @ codes**2.4) ** (1 / 2.4) * 255
    assert wanted[0] > 190  # more saturated than its codes
    (rgb, _) = (frame.rgb for frame in read_frames(write_hdr(np.ones((64, 64, 1)) * codes, 1, 12)))
    np.testing.assert_allclose(rgb[32, 32], wanted, atol=3)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["hlg_real.mov", "pq_real.mov"])
def test_clips_of_a_phone_have_the_colours_of_skin(photographs: Path, name: str) -> None:
    clip = photographs.parent / "hunt" / "use" / name
    if not clip.is_file():
        pytest.skip(f"there is no {clip}")
    film = read_frames(clip)
    rgb = next(film).rgb.astype(float)
    film.close()
    # both are made of one clip in standard dynamic range: mean about (97, 89, 79)
    np.testing.assert_allclose(rgb.mean(axis=(0, 1)), (97, 89, 79), atol=3)
    assert rgb.max() > 240
