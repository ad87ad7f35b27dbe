"""Annotated videos: read back, with their sound; complete or not at all."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from emotion_detection.errors import InputError
from emotion_detection.inference import video_writer
from emotion_detection.inference.video import read_frames
from emotion_detection.inference.video_writer import VideoWriter

av = pytest.importorskip("av", reason="needs the extra 'video'")

Write = Callable[..., Path]
Squares = Callable[..., np.ndarray]


def _written(
    path: Path, pixels: Iterable[np.ndarray], times: Iterable[float], rate: float = 25
) -> None:
    with VideoWriter(path, rate) as writer:
        for rgb, time in zip(pixels, times, strict=True):
            writer.write(rgb, time)


@pytest.mark.parametrize(("width", "height"), [(96, 64), (95, 63), (97, 64)])
def test_a_written_video_shows_what_was_written(
    squares: Squares, tmp_path: Path, width: int, height: int
) -> None:
    pixels = squares(10, width, height)
    path = tmp_path / "new folder" / "ö.mp4"
    _written(path, pixels, np.arange(10) / 25 + 3)
    found = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in found], np.arange(10) / 25, atol=1e-3)
    even = (height + height % 2, width + width % 2, 3)
    assert {frame.rgb.shape for frame in found} == {even}
    inner = np.stack([frame.rgb for frame in found])[:, :height, :width].astype(int)
    assert np.abs(inner - pixels).mean() < 4
    np.testing.assert_allclose(found[5].rgb[32, 26], (230, 200, 40), atol=8)  # inside the square
    assert [file.name for file in path.parent.iterdir()] == ["ö.mp4"]


def test_a_written_video_plays_everywhere(squares: Squares, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    _written(path, squares(3), (0, 0.04, 0.08))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        marks = context.colorspace, context.color_primaries, context.color_trc
        assert (*map(int, marks), int(context.color_range)) == (1, 1, 1, 1)
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_a_variable_frame_rate_is_kept(squares: Squares, tmp_path: Path) -> None:
    path, times = tmp_path / "a.mp4", [0, 0.1, 0.4, 0.45, 2.0]
    _written(path, squares(5), times, 10)
    np.testing.assert_allclose([frame.time for frame in read_frames(path)], times, atol=1e-3)


def test_of_two_frames_at_one_time_the_later_is_kept(tmp_path: Path) -> None:
    levels = np.uint8([20, 80, 140, 200])
    pixels = np.ones((4, 64, 64, 3), np.uint8) * levels[:, None, None, None]
    _written(tmp_path / "a.mp4", pixels, (0, 0.1, 0.1, 0.2), 10)
    shown = [
        levels[np.abs(frame.rgb.mean() - levels).argmin()]
        for frame in read_frames(tmp_path / "a.mp4")
    ]
    assert shown == [20, 140, 200]


def test_a_wrong_timestamp_makes_no_film_of_days(
    squares: Squares, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_writer, "_LONGEST_GAP", 1.0)
    _written(tmp_path / "a.mp4", squares(3), (0, 1e6, 1e6 + 0.1), 10)
    times = [frame.time for frame in read_frames(tmp_path / "a.mp4")]
    np.testing.assert_allclose(times, [0, 1, 1.1], atol=1e-3)


@pytest.mark.parametrize(
    ("codec", "name", "kept"),
    [("aac", "a.mp4", "aac"), ("libmp3lame", "a.mkv", "mp3float"), ("pcm_s16le", "a.mov", "aac")],
)
def test_the_sound_is_kept_where_it_was(
    write_clip: Write, squares: Squares, tmp_path: Path, codec: str, name: str, kept: str
) -> None:
    source = write_clip(tmp_path / name, squares(25), 25, codec="libx264", sound=codec)
    target = tmp_path / "drawn.mp4"
    with VideoWriter(target, 25, sound_of=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.rgb, frame.time)
    assert writer.sound_error is None
    with av.open(str(target)) as container:
        (track,) = container.streams.audio
        assert track.codec_context.name == kept
        wave = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(track)])
    assert len(wave) / 48_000 == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(wave[8_000:32_000].astype(float)))
    assert spectrum.argmax() * 48_000 / 24_000 == pytest.approx(440, abs=3)
    np.testing.assert_allclose(
        [frame.time for frame in read_frames(target)], np.arange(25) / 25, atol=2e-3
    )


def test_a_video_that_begins_late_stays_with_its_sound(
    write_clip: Write, squares: Squares, tmp_path: Path
) -> None:
    times = [0.6, 0.8, 1.0, 1.2, 1.4]
    source = write_clip(tmp_path / "a.mkv", squares(5), 5, times, codec="libx264", sound="aac")
    with VideoWriter(tmp_path / "b.mp4", 5, sound_of=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.rgb, frame.time)
    found = [frame.time for frame in read_frames(tmp_path / "b.mp4")]
    np.testing.assert_allclose(found, times, atol=0.03)


def test_without_a_sound_track_there_is_none(
    write_clip: Write, squares: Squares, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "a.mp4", squares(3))
    with VideoWriter(tmp_path / "b.mp4", 25, sound_of=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.rgb, frame.time)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 0)
    assert writer.sound_error is None


def test_what_fails_midway_leaves_the_old_video_whole(squares: Squares, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        _written(path, squares(2), (1 / (1 - at) for at in range(2)))
    with pytest.raises(ValueError, match="a frame of shape"):
        _written(path, [squares(1)[0], squares(1, 64, 64)[0]], (0, 0.04))
    with VideoWriter(path, 25):
        pass
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_what_cannot_be_written_is_reported_in_one_line(squares: Squares, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    for path in (tmp_path / "file" / "a.mp4", tmp_path / "folder.mp4"):
        with pytest.raises(InputError, match=f"{path.name}: cannot be written: ") as error:
            _written(path, squares(2), (0, 0.04))
        assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.mp4"]
