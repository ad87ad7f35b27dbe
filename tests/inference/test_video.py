"""Frames against what was written; files that are no videos."""

import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference import video
from emotion_detection.inference.video import is_video, read_frames, read_video_info
from emotion_detection.inference.video_writer import VideoWriter

av = pytest.importorskip("av", reason="needs the extra 'video'")

Write = Callable[..., Path]
Squares = Callable[..., np.ndarray]


def drawn(count: int) -> np.ndarray:
    """Return drawn faces as uint8 (count, 48, 64, 3): a face that moves to the right."""
    faces = make_synthetic_faces(count).faces.reshape(count, 48, 48)
    pixels = np.full((count, 48, 64, 3), (40, 80, 120), np.uint8)
    for at, face in enumerate(faces):
        pixels[at, :, at % 16 : at % 16 + 48] = face[..., None]
    return pixels


@pytest.fixture(scope="module")
def clip(write_clip: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn faces at 25 frames a second, without loss."""
    return write_clip(tmp_path_factory.mktemp("clip") / "film.mkv", drawn(12))


def test_frames_are_to_the_byte_those_written(clip: Path) -> None:
    found = list(read_frames(clip))
    assert [frame.number for frame in found] == list(range(12))
    np.testing.assert_allclose([frame.time for frame in found], np.arange(12) / 25, atol=1e-3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), drawn(12))
    assert found[0].rgb.flags.writeable


@pytest.mark.parametrize("stride", [2, 5, 100])
def test_every_nth_frame_keeps_its_number_and_time(clip: Path, stride: int) -> None:
    found = list(read_frames(str(clip), stride))
    assert [frame.number for frame in found] == list(range(0, 12, stride))
    times = np.arange(0, 12, stride) / 25
    np.testing.assert_allclose([frame.time for frame in found], times, atol=1e-3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), drawn(12)[::stride])


@pytest.mark.parametrize(
    ("stride", "seconds", "numbers"),
    [
        (1, 0.1, [0, 3, 5, 8, 10]),
        (1, 0.2, [0, 5, 10]),
        (1, 0.04, list(range(12))),
        (1, 0.001, list(range(12))),
        (4, 0.1, [0, 4, 8]),
        (1, 60, [0]),
    ],
)
def test_one_frame_in_each_interval(
    clip: Path, stride: int, seconds: float, numbers: list[int]
) -> None:
    assert [frame.number for frame in read_frames(clip, stride, seconds)] == numbers


def test_a_variable_frame_rate_keeps_its_times(write_clip: Write, tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 0.9, 1.0, 1.9]
    pixels = drawn(6)
    path = write_clip(tmp_path / "vfr.mkv", pixels, 10, times)
    found = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in found], times, atol=2e-3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), pixels)
    assert [frame.number for frame in read_frames(path, every_seconds=0.5)] == [0, 3, 4, 5]


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_phones_rotation_is_applied(
    write_clip: Write, tmp_path: Path, degrees: int, mirrored: bool
) -> None:
    pixels = drawn(2)

    def prepare(stream: Any) -> None:
        stream.set_display_rotation(degrees, hflip=mirrored)

    path = write_clip(tmp_path / "phone.mp4", pixels, prepare=prepare)
    found = np.stack([frame.rgb for frame in read_frames(path)])
    wanted = np.rot90(pixels, degrees // 90, axes=(1, 2))
    np.testing.assert_array_equal(found, wanted[:, :, ::-1] if mirrored else wanted)


def test_pixels_that_are_not_square_are_stretched(write_clip: Write, tmp_path: Path) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)

    path = write_clip(tmp_path / "wide.mp4", drawn(2), prepare=prepare)
    assert [frame.rgb.shape for frame in read_frames(path)] == [(48, 96, 3)] * 2


def test_a_size_that_changes_midway_becomes_the_first(
    write_clip: Write, squares: Squares, tmp_path: Path
) -> None:
    first = write_clip(tmp_path / "0.ts", squares(5, 64, 48), 5, codec="libx264")
    times = [1 + at / 5 for at in range(5)]
    second = write_clip(tmp_path / "1.ts", squares(5, 128, 96), 5, times, codec="libx264")
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    found = list(read_frames(tmp_path / "both.ts"))
    assert [frame.rgb.shape for frame in found] == [(48, 64, 3)] * 10
    assert [frame.number for frame in found] == list(range(10))
    assert found[-1].time == pytest.approx(1.8, abs=0.01)


def test_a_late_beginning_is_told_by_the_times(write_clip: Write, tmp_path: Path) -> None:
    times = [0.6, 0.8, 1.0, 1.2, 1.4]
    path = write_clip(tmp_path / "late.mkv", drawn(5), 5, times, codec="libx264", sound="aac")
    assert [round(frame.time, 1) for frame in read_frames(path)] == times


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.webm", "libvpx")])
def test_other_containers_are_read(
    write_clip: Write, squares: Squares, tmp_path: Path, name: str, codec: str
) -> None:
    pixels = squares(4)
    found = list(read_frames(write_clip(tmp_path / name, pixels, 25, codec=codec)))
    np.testing.assert_allclose([frame.time for frame in found], np.arange(4) / 25, atol=2e-3)
    assert np.abs(np.stack([f.rgb for f in found]).astype(int) - pixels).mean() < 8


@pytest.mark.parametrize(
    "name", ["with blank.mp4", "ünïcödé ☺.mp4", "-dash.mp4", "%d.mp4", "a;b'c.mp4", "UPPER.MP4"]
)
def test_odd_names_are_only_names(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copy(clip, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert is_video(name)
    assert len(list(read_frames(name))) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_the_file_is_closed_with_the_generator(clip: Path) -> None:
    def is_open() -> bool:
        return any(one.resolve() == clip.resolve() for one in Path("/proc/self/fd").iterdir())

    found = read_frames(clip)
    next(found)
    assert is_open()
    found.close()
    assert not is_open()
    assert len(list(read_frames(clip))) == 12
    assert not is_open()


def test_memory_does_not_grow_with_the_video(
    write_clip: Write, squares: Squares, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "long.mkv", np.repeat(squares(1, 320, 240), 120, axis=0))
    tracemalloc.start()
    count = sum(1 for _ in read_frames(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 120
    assert peak < 8 * 320 * 240 * 3


def test_info_tells_length_and_rate(write_clip: Write, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "film.mp4", drawn(12), 24)
    duration, rate = read_video_info(path)
    assert duration == pytest.approx(0.5, abs=0.01)
    assert rate == pytest.approx(24, rel=0.02)
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    assert read_video_info(tmp_path / "junk.mp4") == (None, 25.0)


BAD = {
    "empty.mp4": (b"", "empty file"),
    "junk.mp4": (bytes(range(256)) * 40, "not a video of a kind that is read"),
    "text.avi": (b"these are words\n" * 20, "not a video"),
    "list.mp4": (b"ffconcat version 1.0\nfile good.mp4\n", "not a video of a kind that is read"),
    "play.mkv": (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:good.mp4\n#EXT-X-ENDLIST\n",
        "not a video",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_videos_are_reported(clip: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(clip, tmp_path / "good.mp4")
    content, reason = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=f"{name}: .*{reason}") as error:
        list(read_frames(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_video_that_is_cut_off_reports_it(write_clip: Write, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", drawn(5)).read_bytes()
    place = tmp_path / "cut.mp4"
    place.write_bytes(whole[: len(whole) // 2])  # its index is at the end
    with pytest.raises(ImageError, match=r"cut.mp4: an MP4 video, truncated or damaged: by its"):
        list(read_frames(place))
    start = whole.index(b"moov") - 4
    place.write_bytes(whole[:start])
    with pytest.raises(ImageError, match=r"an MP4 video, .*index \(the box 'moov'\) is missing"):
        list(read_frames(place))
    place.write_bytes(b"RIFF" + (9_000).to_bytes(4, "little") + b"AVI " + bytes(50))
    with pytest.raises(ImageError, match=r"an AVI video, truncated or damaged: .* 9,008"):
        list(read_frames(place))
    place.write_bytes(b"\x1aE\xdf\xa3" + b"\xff" * 60)
    with pytest.raises(ImageError, match="a Matroska or WebM video, truncated or damaged: its"):
        list(read_frames(place))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"GIF89a\x01\0\x01\0\0\0\0;",
            "a GIF image, not a video of .*; its name must end as an image's",
        ),
        (b"%PDF-1.7", "a PDF document, not a video of a kind that is read"),
    ],
)
def test_another_file_named_as_a_video_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ImageError, match=f"a.mp4: {what}"):
        list(read_frames(tmp_path / "a.mp4"))


def test_sound_a_cover_or_an_image_is_no_video(
    write_clip: Write, png: Callable[..., bytes], tmp_path: Path
) -> None:
    both = write_clip(tmp_path / "both.mp4", drawn(5), codec="libx264", sound="aac")
    (tmp_path / "cover.png").write_bytes(png(drawn(1)[0]))
    with av.open(str(both)) as source, av.open(str(tmp_path / "sound.m4a"), "w") as out:
        sound = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                out.mux(packet)
    with pytest.raises(ImageError, match="there is no video in it"):
        next(read_frames(tmp_path / "sound.m4a"))

    def prepare(stream: Any) -> None:
        stream.disposition = av.stream.Disposition.attached_pic

    cover = write_clip(tmp_path / "cover.mkv", drawn(1), codec="libx264", prepare=prepare)
    with av.open(str(cover)) as written:
        if not written.streams.video[0].disposition & av.stream.Disposition.attached_pic:
            pytest.skip("this PyAV does not write covers")
    with pytest.raises(ImageError, match="there is no video in it"):
        next(read_frames(cover))


def test_an_image_is_no_video(png: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png(drawn(1)[0]))
    with pytest.raises(ImageError, match=r"not a video of a kind .*\.mp4"):
        next(read_frames(tmp_path / "image.png"))


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
def test_a_cut_off_video_gives_what_is_there_and_then_the_reason(
    write_clip: Write, tmp_path: Path, name: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    options = None if "mkv" in name else {"movflags": "+faststart"}
    path = write_clip(tmp_path / name, pixels, options=options)
    assert len(list(read_frames(path))) == 20
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = []
    with pytest.raises(ImageError, match=rf"{name}: cut off .* after 0\.\d+ s") as error:
        found.extend(frame.rgb for frame in read_frames(path))
    assert 3 < len(found) < 15
    np.testing.assert_array_equal(found[0], pixels[0])
    assert "\n" not in str(error.value)

    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match=r"there is no video in it|truncated or damaged"):
        next(read_frames(path))


def test_damaged_bytes_in_the_middle_never_end_in_anything_else(
    write_clip: Write, squares: Squares, tmp_path: Path
) -> None:
    whole = write_clip(tmp_path / "film.mp4", squares(20), codec="libx264").read_bytes()
    generator = np.random.default_rng(1)
    for attempt in range(30):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), 12):
            data[place] = generator.integers(0, 256)
        path = tmp_path / f"{attempt}.mp4"
        path.write_bytes(bytes(data))
        count, told = 0, ""
        try:
            for _ in read_frames(path):
                count += 1
        except ImageError as error:
            told = str(error)
        assert count <= 40
        assert "\n" not in told


def test_frames_that_are_too_large_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 48 * 64 - 1)
    with pytest.raises(ImageError, match=r"frames of 64 x 48: more than 0 megapixels"):
        next(read_frames(clip))


def test_8k_is_read(write_clip: Write, tmp_path: Path) -> None:
    pixels = np.broadcast_to(np.uint8([[[[40, 80, 120]]]]), (1, 4320, 7680, 3))
    path = write_clip(tmp_path / "8k.mp4", pixels, codec="libx264")
    (frame,) = read_frames(path)
    assert frame.rgb.shape == (4320, 7680, 3)
    np.testing.assert_allclose(frame.rgb[2000, 4000], (40, 80, 120), atol=3)


@pytest.mark.parametrize("read", [read_frames, read_video_info])
@pytest.mark.parametrize(
    "name",
    [
        "http://example.org/a.mp4",
        "https://example.org/a.mp4",
        "concat:good.mp4|good.mp4",
        "file:good.mp4",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
    ],
)
def test_addresses_and_protocols_are_no_files(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Any, name: str
) -> None:
    shutil.copy(clip, tmp_path / "good.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="only local files are opened"):
        read(name)


@pytest.mark.parametrize(("name", "reason"), [("no.mp4", "no such file"), (".", "not a file")])
def test_missing_files_and_folders_are_reported(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        read_frames(tmp_path / name)


@pytest.mark.parametrize("stride", [0, -1, 1.5, "2", True, None])
def test_bad_strides_are_refused(tmp_path: Path, stride: Any) -> None:
    with pytest.raises(InputError, match=r"frame_stride .*: must be a whole number from 1"):
        read_frames(tmp_path / "no.mp4", stride)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "2", True])
def test_bad_intervals_are_refused(tmp_path: Path, seconds: Any) -> None:
    with pytest.raises(InputError, match=r"every_seconds .*: must be a number of seconds above 0"):
        read_frames(tmp_path / "no.mp4", every_seconds=seconds)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    monkeypatch.setitem(sys.modules, "av", None)
    for use in (read_frames, read_video_info, lambda path: VideoWriter(path, 25)):
        with pytest.raises(InputError, match=r"pip install '\.\[video\]'"):
            use(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("name", "told"), [("a.mp4", True), ("b.MOV", True), ("c.jpg", False), ("mp4", False)]
)
def test_videos_are_told_by_their_suffix(name: str, told: bool) -> None:
    assert is_video(name) is told
    assert is_video(Path(name)) is told


def test_nothing_of_the_extra_is_needed_to_import() -> None:
    code = (
        "import sys\n"
        "for name in ('av', 'matplotlib', 'torch', 'cv2'): sys.modules[name] = None\n"
        "import emotion_detection.commands.predict_video as module\n"
        "print(module.is_video('a.mp4'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
