"""What a person sees on a terminal: lines of one width, readable whatever a file is called."""

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from emotion_detection.batch.output import Output, Tally
from emotion_detection.batch.terminal import Lines, bar
from emotion_detection.inference.table_files import make_error_record
from emotion_detection.results import Face, Result

SCORES = {"happiness": 0.75, "neutral": 0.25}
HAPPY = Face((1.0, 2.0, 30.0, 40.0), (), 0.9, SCORES, 0.5, ("cut",))
CALM = Face((1.0, 2.0, 30.0, 40.0), (), 0.9, {"happiness": 0.0, "neutral": 1.0}, None)


def _console(width: int = 90, encoding: str = "utf-8", terminal: bool = False) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    return Console(file=file, width=width, force_terminal=terminal, legacy_windows=False)


def _printed(console: Console) -> str:
    file: Any = console.file
    file.flush()
    return str(file.buffer.getvalue().decode(file.encoding))


def _lines(*records: dict[str, Any], **options: Any) -> list[str]:
    console = _console(**options)
    lines = Lines(console, smallest=24.0)
    for record in records:
        lines.add(record)
    return _printed(console).splitlines()


def test_each_face_has_a_line_and_each_image_its_name_once() -> None:
    result = Result(640, 480, (HAPPY, CALM), source="a.jpg")
    head, first, second = _lines(result.as_dict())
    assert head.split() == ["file", "faces", "#", "emotion", "score", "intensity"]
    assert first.split() == ["a.jpg", "2", "1", "happiness", "█████████", "0.75", "0.50", "cut"]
    assert second.split() == ["2", "neutral", "████████████", "1.00", "-"]
    assert first.index("happiness") == second.index("neutral") == head.index("emotion")
    assert first.index("0.50") + 4 == len(head) == second.index(" -") + 2


def test_what_is_to_be_known_of_an_image_is_reported() -> None:
    notes = ("animated: only the first of 3 frames was read",)
    _, first, second, third, fourth = _lines(
        Result(64, 48, source="none.jpg", skipped=2).as_dict(),
        Result(64, 48, (CALM,), source="moving.webp", notes=notes).as_dict(),
        make_error_record("bad.jpg", "truncated"),
    )
    assert first.split(maxsplit=2)[2] == "no face; 2 smaller than 24 px"
    assert second.startswith("moving.webp ")
    assert third.strip() == notes[0]
    assert fourth.split() == ["bad.jpg", "truncated"]


def test_of_a_video_the_time_is_reported() -> None:
    (_, line) = _lines(Result(64, 48, (CALM,), source="v.mp4", frame=30, time=1.2).as_dict())
    assert line.startswith("v.mp4 1.20 s ")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("name", ["a" * 100 + "/end.jpg", "写真" * 40 + "end.jpg"])
def test_of_long_names_the_end_is_shown(width: int, name: str) -> None:
    head, line = _lines(Result(64, 48, (CALM,), source=name).as_dict(), width=width)
    assert "end.jpg " in line
    assert line.startswith("…") or name in line
    assert cell_len(line) == cell_len(head)


@pytest.mark.parametrize("name", ["a\nb.jpg", "\x1b[31mred.jpg", "\udcff.jpg", "\r.jpg", "[red].x"])
def test_no_name_moves_the_cursor_or_is_markup(name: str) -> None:
    lines = _lines(Result(64, 48, (CALM,), source=name).as_dict())
    assert len(lines) == 2
    assert lines[1].startswith(name.encode("unicode_escape").decode())


def test_a_terminal_without_unicode_has_a_bar_too() -> None:
    name = "b" * 200
    _, line = _lines(Result(64, 48, (HAPPY,), source=name).as_dict(), encoding="ascii")
    assert line.startswith("...bbb")
    assert " ######### " in line


def test_bars_have_the_colour_of_the_emotion() -> None:
    console = _console(terminal=True)
    Lines(console, 24.0).add(Result(64, 48, (HAPPY,), source="a.jpg").as_dict())
    assert "\x1b[" in _printed(console)


def test_the_bar_shows_count_and_rate() -> None:
    console = _console(terminal=True)
    with bar(200, 100, console) as advance:
        advance(50)
    assert "150/200" in _printed(console)


def test_without_a_terminal_a_line_says_how_long_it_took(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bar(200, 100, None) as advance:
        advance(60)
        advance(40)
    assert capsys.readouterr().err.startswith("reading: 100 in 0.")
    with bar(3, 0, None) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_a_tally_counts_without_keeping() -> None:
    tally = Tally()
    tally.add(Result(64, 48, (HAPPY, CALM), skipped=3, source="a").as_dict())
    tally.add(Result(64, 48, (CALM,), source="b").as_dict())
    tally.add(make_error_record("c", "truncated"))
    assert tally.said() == "3 faces in 2 images: neutral 2, happiness 1"
    assert (tally.records, tally.faces, tally.errors) == (3, 3, 1)


def test_a_tally_tells_frames_from_images() -> None:
    tally = Tally()
    frame = Result(64, 48, (CALM,), source="v.mp4", frame=0, time=0.0).as_dict()
    tally.add(frame)
    tally.add(frame)
    assert tally.said() == "2 faces in 2 frames: neutral 2"
    tally.add(Result(64, 48, source="a").as_dict())
    assert tally.said() == "2 faces in 1 image and 2 frames: neutral 2"


def test_nothing_found_is_reported_too() -> None:
    tally = Tally()
    tally.add(Result(64, 48, source="a").as_dict())
    assert tally.said() == "0 faces in 1 image"


@pytest.mark.parametrize(("errors", "code"), [(0, 0), (1, 3)])
def test_the_exit_code_says_whether_files_failed(
    errors: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    show = Output(json=False, quiet=True, smallest=24.0)
    show.add(Result(64, 48, (CALM,), source="a").as_dict())
    for _ in range(errors):
        show.add(make_error_record("c", "truncated"))
    assert show.end("wrote x.csv") == code
    out, err = capsys.readouterr()
    assert out == "1 face in 1 image: neutral 1\nwrote x.csv\n"
    assert ("c: truncated" in err) == bool(errors)
