"""Going through a video: what is emitted, drawn and told."""

import io
import os
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.commands import predict_video
from emotion_detection.commands.predict_video import run_video
from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.tracking import TrackSettings
from emotion_detection.inference.video import read_frames
from emotion_detection.inference.video_detect import VideoOptions, smooth_file
from emotion_detection.results import Face, Result

av = pytest.importorskip("av", reason="needs the extra 'video'")

RAW = VideoOptions(tracking=TrackSettings(0))


def squares(count: int) -> np.ndarray:
    """Return uint8 (count, 64, 96, 3): a bright square that moves two pixels a frame."""
    pixels = np.full((count, 64, 96, 3), 30, np.uint8)
    for at in range(count):
        pixels[at, 20:44, 4 + 2 * at : 28 + 2 * at] = (230, 200, 40)
    return pixels


def write(path: Path, pixels: np.ndarray, options: dict[str, str] | None = None) -> Path:
    with av.open(str(path), "w", container_options=options) as out:
        quality = {"qp": "0", "preset": "ultrafast"}
        video = out.add_stream("libx264rgb", rate=25, options=quality)
        video.height, video.width, video.pix_fmt = *pixels.shape[1:3], "rgb24"
        for rgb in pixels:
            out.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(video.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of a square that moves to the right."""
    return write(tmp_path_factory.mktemp("clip") / "film.mkv", squares(10))


class SquareFinder:
    """Finds the bright square; the further to the right, the happier."""

    labels = ("happiness", "neutral")

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> Result:
        self.calls += 1
        rows, columns = np.nonzero(image[..., 0] > 128)
        height, width = image.shape[:2]
        if not len(rows):
            return Result(width, height)
        box = tuple(float(value) for value in (columns.min(), rows.min(), 24, 24))
        happy = float(columns.min()) / width
        face = Face(box, (), 0.9, {"happiness": happy, "neutral": 1 - happy}, happy)
        return Result(width, height, (face,))


@pytest.fixture
def _marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws each face as a blue box, whatever the package draws."""

    def annotated(rgb: np.ndarray, result: Result, **_: Any) -> Image.Image:
        image = np.zeros_like(rgb)
        for face in result.faces:
            x, y, width, height = map(round, face.box)
            image[y : y + height, x : x + width] = (0, 0, 255)
        return Image.fromarray(image)

    name = "emotion_detection.inference.annotate"
    monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(annotate_image=annotated))


def test_each_frames_result_is_emitted(clip: Path) -> None:
    results: list[Result] = []
    run_video(clip, SquareFinder(), RAW, emit=results.append)
    assert [result.frame for result in results] == list(range(10))
    np.testing.assert_allclose([r.time or 0 for r in results], np.arange(10) / 25, atol=1e-3)
    assert {result.source for result in results} == {str(clip)}
    assert [result.faces[0].box[0] for result in results] == [4 + 2 * at for at in range(10)]
    assert {result.faces[0].track for result in results} == {1}
    assert os.listdir(clip.parent) == ["film.mkv"]


def test_results_are_those_of_following_the_frames(clip: Path) -> None:
    finder = SquareFinder()
    results: list[Result] = []
    options = VideoOptions(3, tracking=TrackSettings(0.2))
    run_video(clip, finder, options, emit=results.append)
    assert finder.calls == len(results) == 4
    wanted = (
        replace(finder.detect(f.rgb), source=str(clip), frame=f.number, time=f.time)
        for f in read_frames(clip, 3)
    )
    assert results == list(smooth_file(wanted, TrackSettings(0.2)))


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize("stride", [1, 4])
def test_in_an_annotated_video_boxes_glide_over_skipped_frames(
    clip: Path, tmp_path: Path, stride: int
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'video'")
    finder = SquareFinder()
    results: list[Result] = []
    options = VideoOptions(stride, tracking=TrackSettings(0))
    run_video(clip, finder, options, tmp_path / "out", results.append)
    assert [result.frame for result in results] == list(range(0, 10, stride))
    assert finder.calls == len(results)
    assert sorted(os.listdir(tmp_path / "out")) == ["film-timeline.png", "film.mp4"]
    found = list(read_frames(tmp_path / "out" / "film.mp4"))
    assert len(found) == 10
    last = (9 // stride) * stride
    for frame in found:
        left = np.nonzero(frame.rgb[32, :, 2] > 128)[0].min()
        assert left == pytest.approx(4 + 2 * min(frame.number, last), abs=1)


@pytest.mark.usefixtures("_marked")
def test_the_timeline_can_be_left_out_and_the_name_be_given(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_video(clip, SquareFinder(), annotate=out, plot=False, name="film-2")
    assert os.listdir(out) == ["film-2.mp4"]


@pytest.mark.usefixtures("_marked")
def test_of_a_cut_off_video_everything_is_kept_and_the_error_reported(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'video'")
    noise = np.random.default_rng(0).integers(0, 100, (20, 64, 96, 3), np.uint8)
    pixels = np.maximum(squares(20), noise)
    path = write(tmp_path / "film.mp4", pixels, {"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    results: list[Result] = []
    with pytest.raises(ImageError, match="cut off"):
        run_video(path, SquareFinder(), annotate=tmp_path / "out", emit=results.append)
    assert 3 < len(results) < 15
    assert len(list(read_frames(tmp_path / "out" / "film.mp4"))) == len(results)
    assert (tmp_path / "out" / "film-timeline.png").stat().st_size > 1000


@pytest.mark.usefixtures("_marked")
def test_of_what_is_no_video_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    with pytest.raises(ImageError, match="not a video"):
        run_video(tmp_path / "junk.mp4", SquareFinder(), annotate=tmp_path / "out")
    assert os.listdir(tmp_path) == ["junk.mp4"]


def test_a_video_is_not_replaced_by_its_annotated_copy(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(before := clip.read_bytes())
    with pytest.raises(InputError, match=r"would replace .*; name another folder"):
        run_video(path, SquareFinder(), annotate=path.parent, plot=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"frame_stride": 0}, "frame_stride 0"), ({"every_seconds": -1.0}, "every_seconds -1")],
)
def test_bad_options_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        VideoOptions(**settings)


@pytest.mark.parametrize(("count", "said"), [(7, "7 frames in "), (1, "1 frame in ")])
def test_progress_is_one_line_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, said: str
) -> None:
    run_video(write(tmp_path / "film.mp4", squares(count)), SquareFinder())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"film.mp4: {said}")
    assert err.count("\n") == 1


def test_progress_on_a_terminal_leaves_piped_rows_alone(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    run_video(clip, SquareFinder(), emit=lambda result: print(result.frame))
    assert pipe.getvalue().split() == [str(at) for at in range(10)]
    assert "frames/s" in screen.getvalue()
    assert "film.mkv" in screen.getvalue()


# --- live sources


class FakeLive:
    """Three frames, of which others were dropped; then Ctrl-C, where it is asked for."""

    def __init__(self, ends: bool) -> None:
        self.dropped = 5
        self.source = types.SimpleNamespace(name="0")
        self._ends = ends

    def __iter__(self) -> Iterator[Any]:
        for at, rgb in enumerate(squares(3)):
            yield types.SimpleNamespace(number=3 * at, time=at / 5, rgb=rgb)
        if not self._ends:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize("ends", [True, False])
def test_a_live_source_ends_well_by_itself_or_by_ctrl_c(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ends: bool,
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'video'")
    monkeypatch.setattr(predict_video, "read_live_frames", lambda *_: FakeLive(ends))
    results: list[Result] = []
    options = VideoOptions(tracking=TrackSettings(0, min_track_time=0))
    run_video("0", SquareFinder(), options, tmp_path / "out", results.append)
    assert [result.frame for result in results] == [0, 3, 6]
    assert {result.source for result in results} == {"0"}
    names = ["camera-0-timeline.png", "camera-0.mp4"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    times = [frame.time for frame in read_frames(tmp_path / "out" / "camera-0.mp4")]
    np.testing.assert_allclose(times, [0, 0.2, 0.4], atol=2e-3)
    assert "0: 5 frames dropped to keep up with the source" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("0", "camera-0"),
        ("/dev/video2", "dev-video2"),
        ("rtsp://user:secret@cam.lan:554/live/1?x=2", "cam.lan-live-1"),
        ("http://127.0.0.1:8000/a%20b.ts", "127.0.0.1-a-20b.ts"),
    ],
)
def test_files_of_a_live_source_have_plain_names(source: str, name: str) -> None:
    assert predict_video._file_name(source) == name


@pytest.mark.real_data
@pytest.mark.release
@pytest.mark.slow
def test_a_pan_over_fifteen_people_has_fifteen_persons(photographs: Path, tmp_path: Path) -> None:
    from emotion_detection import EmotionDetector

    pixels = _pan(photographs / "party1.jpg")
    path = write(tmp_path / "pan.mp4", pixels)
    results = list(EmotionDetector(threads=1).detect_video(path))
    tracks = {face.track for result in results for face in result.faces}
    assert tracks == set(range(1, 16))


def _pan(photograph: Path) -> np.ndarray:
    """Return 40 frames over a group of fifteen, from left to right, half a second of rest last."""
    rgb = np.asarray(Image.open(photograph).convert("RGB"))[60:1100]
    starts = [
        *np.linspace(0, rgb.shape[1] - 960, 33).round().astype(int),
        *[rgb.shape[1] - 960] * 7,
    ]
    return np.stack([rgb[:960, x : x + 960] for x in starts])
