"""Frames against what was written; files that are no videos; annotated videos."""

import io
import os
import subprocess
import sys
import tracemalloc
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.commands.predict_video import run_video
from emotion_detection.data.drawn import draw_faces
from emotion_detection.errors import InputError
from emotion_detection.images import PictureError
from emotion_detection.inference import video, video_writer
from emotion_detection.inference.tracking import follow
from emotion_detection.inference.video import frames, is_video, video_info
from emotion_detection.inference.video_writer import VideoWriter
from emotion_detection.results import Face, Result

LOSSLESS = ("-c:v", "libx264rgb", "-qp", "0", "-preset", "ultrafast")

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    module = pytest.importorskip("imageio_ffmpeg", reason="needs the extra 'video'")
    return str(module.get_ffmpeg_exe())


@pytest.fixture
def make(ffmpeg: str, tmp_path: Path) -> Make:
    """``make(name, *options)``: runs ffmpeg with these options to write tmp_path/name."""

    def run(name: str, *options: str, stdin: bytes = b"") -> Path:
        command = [ffmpeg, "-v", "error", "-y", "-threads", "1", *options, f"file:{name}"]
        subprocess.run(command, input=stdin, cwd=tmp_path, check=True)
        return tmp_path / name

    return run


@pytest.fixture
def film(make: Make) -> Callable[..., Path]:
    """``film(pixels, name, rate, *options)``: pixels uint8 (N, H, W, 3), written without loss."""

    def write(pixels: np.ndarray, name: str = "film.mkv", rate: int = 25, *options: str) -> Path:
        height, width = pixels.shape[1:3]
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate))
        return make(name, *raw, "-i", "pipe:0", *options, *LOSSLESS, stdin=pixels.tobytes())

    return write


def drawn(count: int) -> np.ndarray:
    """Return drawn faces as uint8 (count, 48, 64, 3): a face that moves to the right."""
    faces = draw_faces(count).faces.reshape(count, 48, 48)
    pixels = np.full((count, 48, 64, 3), (40, 80, 120), np.uint8)
    for at, face in enumerate(faces):
        pixels[at, :, at % 16 : at % 16 + 48] = face[..., None]
    return pixels


def squares(count: int, width: int = 96, height: int = 64) -> np.ndarray:
    """Return uint8 (count, height, width, 3): a bright square that moves two pixels a frame."""
    pixels = np.full((count, height, width, 3), 30, np.uint8)
    for at in range(count):
        pixels[at, 20:44, 4 + 2 * at : 28 + 2 * at] = (230, 200, 40)
    return pixels


def test_frames_are_to_the_byte_those_written(film: Callable[..., Path]) -> None:
    pixels = drawn(12)
    found = list(frames(film(pixels)))
    assert [frame.number for frame in found] == list(range(12))
    np.testing.assert_allclose([frame.time for frame in found], np.arange(12) / 25, atol=1e-3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), pixels)
    assert found[0].rgb.flags.writeable


@pytest.mark.parametrize("every", [2, 5, 100])
def test_every_nth_frame_keeps_its_number_and_time(film: Callable[..., Path], every: int) -> None:
    pixels = drawn(12)
    found = list(frames(str(film(pixels, "film.mp4")), every))
    assert [frame.number for frame in found] == list(range(0, 12, every))
    np.testing.assert_allclose(
        [frame.time for frame in found], np.arange(0, 12, every) / 25, atol=1e-3
    )
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), pixels[::every])


def test_a_variable_frame_rate_keeps_its_times(film: Callable[..., Path]) -> None:
    pixels = drawn(20)
    kept = [0, 1, 2, 9, 10, 19]
    choice = "+".join(f"eq(n\\,{at})" for at in kept)
    path = film(pixels, "vfr.mkv", 10, "-vf", f"select={choice}", "-fps_mode", "passthrough")
    found = list(frames(path))
    np.testing.assert_allclose([frame.time for frame in found], np.array(kept) / 10, atol=2e-3)
    np.testing.assert_array_equal(np.stack([frame.rgb for frame in found]), pixels[kept])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_phone_s_rotation_is_applied(film: Callable[..., Path], make: Make, degrees: int) -> None:
    pixels = drawn(3)
    film(pixels, "flat.mp4")
    path = make("phone.mp4", "-display_rotation", str(degrees), "-i", "flat.mp4", "-c", "copy")
    found = np.stack([frame.rgb for frame in frames(path)])
    np.testing.assert_array_equal(found, np.rot90(pixels, degrees // 90, axes=(1, 2)))


def test_pixels_that_are_not_square_are_stretched(film: Callable[..., Path]) -> None:
    path = film(drawn(2), "wide.mp4", 25, "-vf", "setsar=3/2")
    assert [frame.rgb.shape for frame in frames(path)] == [(48, 96, 3)] * 2


def test_a_size_that_changes_midway_becomes_the_first(make: Make, tmp_path: Path) -> None:
    parts = []
    for at, size in enumerate(("64x48", "128x96")):
        source = ("-f", "lavfi", "-i", f"testsrc=d=1:r=5:s={size}", "-output_ts_offset", str(at))
        parts.append(make(f"{at}.ts", *source, "-c:v", "libx264").read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    found = list(frames(tmp_path / "both.ts"))
    assert [frame.rgb.shape for frame in found] == [(48, 64, 3)] * 10
    assert [frame.number for frame in found] == list(range(10))
    assert found[-1].time == pytest.approx(1.8, abs=0.01)


def test_a_late_beginning_is_told_by_the_times(make: Make) -> None:
    sound = ("-f", "lavfi", "-i", "sine=d=2")
    picture = ("-itsoffset", "0.6", "-f", "lavfi", "-i", "testsrc=d=1:r=5:s=64x48")
    path = make("late.mp4", *sound, *picture, "-c:v", "libx264")
    found = [round(frame.time, 2) for frame in frames(path)]
    assert found == [0.6, 0.8, 1.0, 1.2, 1.4]


@pytest.mark.parametrize(
    "name", ["with blank.mp4", "ünïcödé ☺.mp4", "-dash.mp4", "%d.mp4", "a;b'c.mp4", "UPPER.MP4"]
)
def test_odd_names_are_only_names(
    film: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    film(drawn(2), "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert is_video(name)
    assert len(list(frames(name))) == 2


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that is started."""
    processes = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            processes.append(self)

    monkeypatch.setattr(video.subprocess, "Popen", Recorded)
    return processes


def test_ffmpeg_ends_with_the_iterator(
    film: Callable[..., Path], started: list[subprocess.Popen[bytes]]
) -> None:
    path = film(np.repeat(squares(1, 640, 480), 60, axis=0))
    started.clear()
    found = frames(path)
    next(found)
    assert started[0].poll() is None
    found.close()
    assert started[0].poll() is not None

    for frame in frames(path):
        if frame.number == 2:
            break
    del frame
    assert len(list(frames(path))) == 60
    with pytest.raises(ZeroDivisionError):
        [1 / frame.number for frame in frames(path)]
    assert len(started) == 4
    assert all(process.poll() is not None for process in started)


def test_memory_does_not_grow_with_the_video(film: Callable[..., Path]) -> None:
    path = film(np.repeat(squares(1, 320, 240), 200, axis=0))
    tracemalloc.start()
    count = sum(1 for _ in frames(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200
    assert peak < 8 * 320 * 240 * 3


def test_info_tells_length_and_rate(film: Callable[..., Path], tmp_path: Path) -> None:
    assert video_info(film(drawn(12), "film.mp4", 24)) == (pytest.approx(0.5, abs=0.01), 24.0)
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    assert video_info(tmp_path / "junk.mp4") == (None, 25.0)


BAD = {
    "empty.mp4": (b"", "empty file"),
    "junk.mp4": (bytes(range(256)) * 40, "not a video that can be read"),
    "text.avi": (b"these are words\n" * 20, "not a video"),
    "list.mp4": (b"ffconcat version 1.0\nfile good.mp4\n", "not a video of a kind that is read"),
    "play.mkv": (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:good.mp4\n#EXT-X-ENDLIST\n",
        "not a video",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_videos_are_told(
    film: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    film(drawn(2), "good.mp4")
    content, reason = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=f"{name}: .*{reason}") as error:
        list(frames(tmp_path / name))
    assert "\n" not in str(error.value)


def test_sound_a_cover_or_a_picture_is_no_video(make: Make, png: Callable[..., bytes]) -> None:
    sound = make("sound.m4a", "-f", "lavfi", "-i", "sine=d=1")
    (sound.parent / "cover.png").write_bytes(png(drawn(1)[0]))
    both = ("-i", "sound.m4a", "-i", "cover.png", "-map", "0", "-map", "1", "-c", "copy")
    cover = make("cover.m4v", *both, "-disposition:v:0", "attached_pic")
    for path in (sound, cover):
        with pytest.raises(PictureError, match="there is no video in it"):
            next(frames(path))
    with pytest.raises(PictureError, match=r"not a video of a kind .*\.mp4"):
        next(frames(sound.parent / "cover.png"))


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
def test_a_cut_off_video_gives_what_is_there_and_then_the_reason(
    film: Callable[..., Path], name: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    path = film(pixels, name, 25, *(() if "mkv" in name else ("-movflags", "+faststart")))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = []
    with pytest.raises(PictureError, match=rf"{name}: cut off .* after 0\.\d+ s") as error:
        found.extend(frame.rgb for frame in frames(path))
    assert 3 < len(found) < 15
    np.testing.assert_array_equal(found[0], pixels[0])
    assert "\n" not in str(error.value)

    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PictureError, match=r"there is no video in it|not a video"):
        next(frames(path))


def test_frames_that_are_too_large_are_refused(
    film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(drawn(2))
    monkeypatch.setattr(video, "MAX_PIXELS", 48 * 64 - 1)
    with pytest.raises(PictureError, match="frames of more than 25 megapixels"):
        next(frames(path))


@pytest.mark.parametrize("read", [frames, video_info])
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
def test_addresses_and_protocols_are_refused(
    film: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[str], object],
    name: str,
) -> None:
    monkeypatch.chdir(film(drawn(2), "good.mp4").parent)
    with pytest.raises(InputError, match="only local files are opened"):
        read(name)


@pytest.mark.parametrize(("name", "reason"), [("no.mp4", "no such file"), (".", "not a file")])
def test_missing_files_and_folders_are_told(
    ffmpeg: str, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(PictureError, match=reason):
        frames(tmp_path / name)


@pytest.mark.parametrize("every", [0, -1, 1.5, "2", True, None])
def test_bad_steps_are_refused(tmp_path: Path, every: Any) -> None:
    with pytest.raises(InputError, match=r"every .*: must be a whole number from 1"):
        frames(tmp_path / "no.mp4", every)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    for use in (frames, video_info, lambda path: VideoWriter(path, 25)):
        with pytest.raises(InputError, match=r"pip install 'emotion-detection\[video\]'"):
            use(tmp_path / "a.mp4")


def test_a_missing_program_is_named(
    ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere is no program"):
        frames(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("name", "told"), [("a.mp4", True), ("b.MOV", True), ("c.jpg", False), ("mp4", False)]
)
def test_videos_are_told_by_their_suffix(name: str, told: bool) -> None:
    assert is_video(name) is told
    assert is_video(Path(name)) is told


# --- writing


def _written(
    path: Path, pixels: Iterable[np.ndarray], times: Iterable[float], rate: float = 25
) -> None:
    with VideoWriter(path, rate) as writer:
        for picture, time in zip(pixels, times, strict=True):
            writer.write(picture, time)


@pytest.mark.parametrize(("width", "height"), [(96, 64), (95, 63), (97, 64)])
def test_a_written_video_shows_what_was_written(
    ffmpeg: str, tmp_path: Path, width: int, height: int
) -> None:
    pixels = squares(10, width, height)
    path = tmp_path / "new folder" / "ö.mp4"
    _written(path, pixels, np.arange(10) / 25 + 3)
    found = list(frames(path))
    np.testing.assert_allclose([frame.time for frame in found], np.arange(10) / 25, atol=1e-3)
    even = (height + height % 2, width + width % 2, 3)
    assert {frame.rgb.shape for frame in found} == {even}
    inner = np.stack([frame.rgb for frame in found])[:, :height, :width].astype(int)
    assert np.abs(inner - pixels).mean() < 4
    np.testing.assert_allclose(found[5].rgb[32, 26], (230, 200, 40), atol=8)  # inside the square
    assert [file.name for file in path.parent.iterdir()] == ["ö.mp4"]


def test_a_written_video_plays_everywhere(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    _written(path, squares(3), (0, 0.04, 0.08))
    said = subprocess.run([ffmpeg, "-hide_banner", "-i", path], capture_output=True, text=True)
    assert "h264" in said.stderr
    assert "yuv420p(tv, bt709" in said.stderr
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_frames_are_repeated_for_as_long_as_they_were_shown(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    levels = np.array([20, 80, 140, 200])
    pixels = np.ones((4, 64, 64, 3), np.uint8) * levels[:, None, None, None].astype(np.uint8)
    _written(path, pixels, (0, 0.1, 0.4, 0.41), 10)
    shown = [levels[np.abs(frame.rgb.mean() - levels).argmin()] for frame in frames(path)]
    assert shown == [20, 80, 80, 80, 200]


def test_a_wrong_timestamp_does_not_fill_the_disk(
    ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_writer, "LONGEST_GAP", 1.0)
    _written(tmp_path / "a.mp4", squares(3), (0, 1e6, 1e6 + 0.1), 10)
    assert len(list(frames(tmp_path / "a.mp4"))) == 10 + 1 + 1


def test_what_fails_midway_leaves_the_old_video_whole(ffmpeg: str, tmp_path: Path) -> None:
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


def test_what_cannot_be_written_is_told_in_one_line(ffmpeg: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    for path in (tmp_path / "file" / "a.mp4", tmp_path / "folder.mp4"):
        with pytest.raises(InputError, match=f"{path.name}: cannot be written: ") as error:
            _written(path, squares(2), (0, 0.04))
        assert "\n" not in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.mp4"]


def test_an_ffmpeg_that_dies_is_told(
    ffmpeg: str, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    def killing() -> Iterator[float]:
        yield 0.0
        started[0].kill()
        started[0].wait()
        yield 10.0

    with pytest.raises(InputError, match=r"a\.mp4: cannot be written: ffmpeg ended"):
        _written(tmp_path / "a.mp4", squares(2), killing())
    assert os.listdir(tmp_path) == []


# --- going through a video


class SquareFinder:
    """Finds the bright square; the further to the right, the happier."""

    labels = ("happiness", "neutral")

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, picture: np.ndarray) -> Result:
        self.calls += 1
        rows, columns = np.nonzero(picture[..., 0] > 128)
        height, width = picture.shape[:2]
        box = tuple(float(value) for value in (columns.min(), rows.min(), 24, 24))
        happy = float(columns.min()) / width
        face = Face(box, (), 0.9, {"happiness": happy, "neutral": 1 - happy}, happy)
        return Result(width, height, (face,))


@pytest.fixture
def _marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws each face as a blue box, whatever the package draws."""

    def annotated(rgb: np.ndarray, result: Result) -> Image.Image:
        picture = np.zeros_like(rgb)
        for face in result.faces:
            x, y, width, height = map(round, face.box)
            picture[y : y + height, x : x + width] = (0, 0, 255)
        return Image.fromarray(picture)

    name = "emotion_detection.inference.annotate"
    monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(annotated=annotated))


def test_each_frame_s_result_is_emitted(film: Callable[..., Path], tmp_path: Path) -> None:
    path = film(squares(10))
    results: list[Result] = []
    run_video(path, SquareFinder(), smooth=0, emit=results.append)
    assert [result.frame for result in results] == list(range(10))
    np.testing.assert_allclose([r.time or 0 for r in results], np.arange(10) / 25, atol=1e-3)
    assert {result.source for result in results} == {str(path)}
    assert [result.faces[0].box[0] for result in results] == [4 + 2 * at for at in range(10)]
    assert {result.faces[0].track for result in results} == {0}
    assert os.listdir(tmp_path) == ["film.mkv"]


def test_results_are_those_of_following_the_frames(film: Callable[..., Path]) -> None:
    path = film(squares(10))
    finder = SquareFinder()
    results: list[Result] = []
    run_video(path, finder, every=3, smooth=0.2, emit=results.append)
    assert finder.calls == len(results) == 4
    wanted = (
        replace(finder.detect(f.rgb), source=str(path), frame=f.number, time=f.time)
        for f in frames(path, 3)
    )
    assert results == list(follow(wanted, 0.2))


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize("every", [1, 4])
def test_an_annotated_video_keeps_the_last_result_on_skipped_frames(
    film: Callable[..., Path], tmp_path: Path, every: int
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'video'")
    finder = SquareFinder()
    results: list[Result] = []
    run_video(film(squares(10)), finder, every, 0.0, tmp_path / "out", results.append)
    assert [result.frame for result in results] == list(range(0, 10, every))
    assert finder.calls == len(results)
    assert sorted(os.listdir(tmp_path / "out")) == ["film-timeline.png", "film.mp4"]
    found = list(frames(tmp_path / "out" / "film.mp4"))
    assert len(found) == 10
    for frame in found:
        left = np.nonzero(frame.rgb[32, :, 2] > 128)[0].min()
        assert left == pytest.approx(4 + 2 * (frame.number // every * every), abs=1)


@pytest.mark.usefixtures("_marked")
def test_the_timeline_can_be_left_out_and_the_name_be_given(
    film: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_video(film(squares(2)), SquareFinder(), annotate=out, plot=False, name="film-2")
    assert os.listdir(out) == ["film-2.mp4"]


@pytest.mark.usefixtures("_marked")
def test_of_a_cut_off_video_everything_is_kept_and_the_error_told(
    film: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'video'")
    noise = np.random.default_rng(0).integers(0, 100, (20, 64, 96, 3), np.uint8)
    path = film(np.maximum(squares(20), noise), "film.mp4", 25, "-movflags", "+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    results: list[Result] = []
    with pytest.raises(PictureError, match="cut off"):
        run_video(path, SquareFinder(), annotate=tmp_path / "out", emit=results.append)
    assert 3 < len(results) < 15
    assert len(list(frames(tmp_path / "out" / "film.mp4"))) == len(results)
    assert (tmp_path / "out" / "film-timeline.png").stat().st_size > 1000


@pytest.mark.usefixtures("_marked")
def test_of_what_is_no_video_nothing_is_written(ffmpeg: str, tmp_path: Path) -> None:
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    with pytest.raises(PictureError, match="not a video"):
        run_video(tmp_path / "junk.mp4", SquareFinder(), annotate=tmp_path / "out", plot=False)
    assert os.listdir(tmp_path) == ["junk.mp4"]


def test_a_video_is_not_replaced_by_its_annotated_copy(film: Callable[..., Path]) -> None:
    path = film(squares(2), "film.mp4")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"would replace .*; name another folder"):
        run_video(path, SquareFinder(), annotate=path.parent, plot=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "reason"), [({"every": 0}, "every 0"), ({"smooth": -1.0}, "smooth -1")]
)
def test_bad_settings_are_refused_before_anything_is_done(
    film: Callable[..., Path], settings: dict[str, Any], reason: str
) -> None:
    finder = SquareFinder()
    with pytest.raises(InputError, match=reason):
        run_video(film(squares(2)), finder, **settings)
    assert finder.calls == 0


def test_progress_is_one_line_where_there_is_no_terminal(
    film: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run_video(film(squares(7)), SquareFinder())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("film.mkv: 7 frames in ")
    assert err.count("\n") == 1


def test_progress_on_a_terminal_leaves_piped_rows_alone(
    film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    run_video(film(squares(7)), SquareFinder(), emit=lambda result: print(result.frame))
    assert pipe.getvalue().split() == [str(at) for at in range(7)]
    assert "frames/s" in screen.getvalue()
    assert "film.mkv" in screen.getvalue()


def test_nothing_of_the_extra_is_needed_to_import() -> None:
    code = (
        "import sys\n"
        "for name in ('imageio_ffmpeg', 'matplotlib', 'torch', 'cv2'): sys.modules[name] = None\n"
        "import emotion_detection.commands.predict_video as module\n"
        "print(module.is_video('a.mp4'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
