"""The plot over time, read back as an image."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.inference import timeline
from emotion_detection.inference.timeline import MOST_PANELS, Timeline
from emotion_detection.labels import EMOTIONS
from emotion_detection.palette import list_emotion_colours
from emotion_detection.results import Face, Result

pytest.importorskip("matplotlib", reason="needs the extra 'video'")

COLOURS = list_emotion_colours(EMOTIONS)


def face(track: int | None, shares: dict[str, float], intensity: float | None = None) -> Face:
    scores = {name: shares.get(name, 0.0) for name in EMOTIONS}
    return Face((10, 10, 50, 50), (), 0.9, scores, intensity, track=track)


def film(*faces: Face, count: int = 50, rate: float = 25) -> list[Result]:
    return [Result(64, 64, faces, frame=at, time=at / rate) for at in range(count)]


def draw(
    results: list[Result],
    path: Path,
    labels: tuple[str, ...] = EMOTIONS,
    title: str = "Expressions over time",
) -> None:
    collected = Timeline(labels)
    for result in results:
        collected.add(result)
    collected.write(path, title)


def image(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def share(pixels: np.ndarray, emotion: str) -> float:
    """Return the share of all pixels that have an emotion's colour."""
    return float((np.abs(pixels - COLOURS[emotion]).max(axis=2) <= 2).mean())


def test_areas_have_the_sizes_of_the_scores(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plot.png"
    draw(film(face(0, {"happiness": 0.75, "sadness": 0.25})), path)
    pixels = image(path)
    happy, sad = share(pixels, "happiness"), share(pixels, "sadness")
    assert happy > 0.25
    assert happy / sad == pytest.approx(3, rel=0.1)
    assert share(pixels, "anger") < 0.002  # its mark in the legend


def test_scores_are_drawn_where_they_were_seen(tmp_path: Path) -> None:
    results = [
        Result(64, 64, (face(0, {"anger" if at < 25 else "surprise": 1.0}),), time=at / 25)
        for at in range(100)
    ]
    draw(results, tmp_path / "plot.png")
    pixels = image(tmp_path / "plot.png")
    anger, surprise = share(pixels, "anger"), share(pixels, "surprise")
    assert surprise / anger == pytest.approx(3, rel=0.1)
    columns = np.nonzero((np.abs(pixels - COLOURS["anger"]).max(axis=2) <= 2).sum(axis=0) > 50)[0]
    assert (
        columns.max()
        < np.nonzero((np.abs(pixels - COLOURS["surprise"]).max(axis=2) <= 2).sum(axis=0) > 50)[
            0
        ].max()
    )


def test_nothing_is_drawn_while_a_face_is_out_of_sight(tmp_path: Path) -> None:
    whole = film(face(0, {"fear": 1.0}), count=100)
    draw(whole, tmp_path / "whole.png")
    gone = [Result(64, 64, time=one.time) if 30 <= at < 80 else one for at, one in enumerate(whole)]
    draw(gone, tmp_path / "gone.png")
    ratio = share(image(tmp_path / "gone.png"), "fear") / share(
        image(tmp_path / "whole.png"), "fear"
    )
    assert ratio == pytest.approx(0.5, abs=0.03)


def test_a_face_of_one_frame_can_be_seen(tmp_path: Path) -> None:
    results = [*film(count=10), Result(64, 64, (face(0, {"disgust": 1.0}),), time=0.4)]
    draw(results, tmp_path / "plot.png")
    assert share(image(tmp_path / "plot.png"), "disgust") > 0.01


def test_the_intensity_is_a_black_line_at_its_height(tmp_path: Path) -> None:
    def black(intensity: float | None) -> np.ndarray:
        draw(film(face(0, {"happiness": 1.0}, intensity)), tmp_path / "plot.png")
        dark = image(tmp_path / "plot.png").max(axis=2) < 40
        return np.nonzero(dark[:, 400:1400].sum(axis=1) > 900)[0]

    low, high = black(0.2), black(0.8)
    axis = black(None)  # the axis alone
    line = [rows[~np.isin(rows, axis)].mean() for rows in (low, high)]
    pixels = image(tmp_path / "plot.png")
    happy = np.nonzero((np.abs(pixels - COLOURS["happiness"]).max(axis=2) <= 2).sum(axis=1) > 900)
    height = np.ptp(happy[0])
    assert line[0] - line[1] == pytest.approx(0.6 * height, rel=0.03)


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands above a figure, and above its panels."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    said: list[str] = []
    for kind, name in ((Figure, "suptitle"), (Axes, "set_title")):
        real = getattr(kind, name)

        def record(self: object, text: str, *, _real=real, **options: object) -> object:
            said.append(text)
            return _real(self, text, **options)

        monkeypatch.setattr(kind, name, record)
    return said


def test_the_faces_seen_most_get_a_panel_and_the_others_are_counted(
    tmp_path: Path, titles: list[str]
) -> None:
    """Face 0 is seen in one frame, face 1 in two, and so on."""
    count = MOST_PANELS + 3
    results = [
        Result(64, 64, tuple(face(n, {"fear": 1.0}) for n in range(at, count)), time=at / 10)
        for at in range(count)
    ]
    draw(results, tmp_path / "plot.png", title="film.mp4")
    assert titles[0] == f"film.mp4\nthe {MOST_PANELS} persons seen longest, of {count}"
    shown = range(3, count)
    assert titles[1:] == [f"person {n}: seen for {(n + 1) / 10:.1f} s, mostly fear" for n in shown]
    with Image.open(tmp_path / "plot.png") as image:
        assert image.height > 1.5 * image.width / 2


@pytest.mark.parametrize(
    ("results", "title"),
    [
        ([], "Expressions over time\nno person"),
        (film(), "Expressions over time\nno person"),
        (film(count=1), "Expressions over time\nno person"),
        (film(face(0, {"fear": 1.0}), count=1), "Expressions over time\n1 person"),
        (film(face(0, {"fear": 1.0}), face(4, {"fear": 1.0})), "Expressions over time\n2 persons"),
    ],
)
def test_short_and_empty_videos_are_drawn(
    tmp_path: Path, titles: list[str], results: list[Result], title: str
) -> None:
    draw(results, tmp_path / "plot.png")
    assert titles[0] == title
    assert image(tmp_path / "plot.png").std() > 1


def test_how_long_a_face_was_seen_is_told_by_times_not_frames(
    tmp_path: Path, titles: list[str]
) -> None:
    moments = (0.0, 0.1, 0.2, 5.2, 5.3)
    results = [
        Result(64, 64, (face(0, {"anger" if time == 0.2 else "fear": 1.0}),), time=time)
        for time in moments
    ]
    draw(results, tmp_path / "plot.png")
    assert titles[1] == "person 0: seen for 5.4 s, mostly anger"


def test_own_classes_have_colours_of_their_own(tmp_path: Path) -> None:
    scores = {"bored": 0.5, "keen": 0.5}
    one = Face((1, 1, 9, 9), (), 0.9, scores, track=0)
    draw(film(one), tmp_path / "plot.png", tuple(scores))
    pixels = image(tmp_path / "plot.png").reshape(-1, 3)
    values, counts = np.unique(pixels, axis=0, return_counts=True)
    areas = values[counts > 0.15 * len(pixels)]
    assert len(areas) == 3  # two classes and the white around


def test_a_long_video_is_averaged_not_thinned() -> None:
    generator = np.random.default_rng(0)
    times = np.sort(generator.uniform(0, 100, 5000))
    rows = np.column_stack([times, generator.uniform(size=5000)])
    means = timeline._averaged(rows, 2.0)
    assert 49 <= len(means) <= 51
    interval = ((times - times[0]) // 2).astype(int)
    counts = np.bincount(interval)
    wanted = np.bincount(interval, rows[:, 1]) / counts
    np.testing.assert_allclose(means[:, 1], wanted, atol=1e-9)
    np.testing.assert_allclose(means[:, 0], np.bincount(interval, times) / counts, atol=1e-9)


def test_results_without_times_or_tracks_are_refused() -> None:
    for result in (Result(9, 9), Result(9, 9, (face(None, {"fear": 1.0}),), time=0.0)):
        with pytest.raises(ValueError, match="tracked results of a video"):
            Timeline(EMOTIONS).add(result)


def test_a_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install '\.\[video\]'"):
        Timeline(EMOTIONS)


def test_a_folder_in_its_place_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(b"")
    with pytest.raises(OSError, match=r"plot\.png"):
        draw([], tmp_path / "plot.png" / "below.png")


def test_a_name_in_any_script_is_drawn_or_escaped_without_a_warning(tmp_path: Path) -> None:
    # warnings are errors here: matplotlib warns of each character that its font lacks
    name = "\u4eba\u8138 \U0001f642 \u0645\u0631\u062d\u0628\u0627 $x$ \u00fc.mp4"
    draw(film(face(1, {"fear": 1.0})), tmp_path / "plot.png", title=name)
    assert image(tmp_path / "plot.png").std() > 1


def test_what_no_font_has_becomes_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_drawable", lambda path: set(map(chr, range(32, 0x250))))
    title, families = timeline.find_fonts("\u4eba \u00fc\n.mp4", EMOTIONS)
    assert title == "\\u4eba \u00fc\\n.mp4"
    assert families == ["DejaVu Sans"]


def test_a_font_that_has_the_characters_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    entry = font_manager.FontEntry(fname="cjk.ttf", name="Some Sans CJK", weight=400)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [entry])
    latin = set(map(chr, range(32, 0x250)))
    monkeypatch.setattr(
        timeline, "_drawable", lambda path: {"\u4eba"} if path == "cjk.ttf" else latin
    )
    assert timeline.find_fonts("\u4eba.mp4", EMOTIONS) == (
        *("\u4eba.mp4", ["DejaVu Sans", "Some Sans CJK"]),
    )
