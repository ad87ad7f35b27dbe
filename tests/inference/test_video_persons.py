"""What a video shows of each person, against sums by hand."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from emotion_detection.errors import InputError
from emotion_detection.inference.video_persons import (
    PersonsTable,
    VideoPersons,
    list_person_columns,
)
from emotion_detection.results import Face, Result

LABELS = ("happiness", "neutral")


def face(track: int, happy: float, intensity: float | None = 0.5) -> Face:
    scores = {"happiness": happy, "neutral": 1 - happy}
    return Face((1.0, 2.0, 30.0, 40.0), (), 0.9, scores, intensity, track=track)


def record(time: float, *faces: Face, source: str = "a.mp4") -> dict[str, Any]:
    return Result(64, 48, faces, source=source, frame=round(time * 10), time=time).as_dict()


def told(*records: dict[str, Any]) -> VideoPersons:
    video = VideoPersons("a.mp4")
    for one in records:
        video.add(one)
    video.end()
    return video


def test_times_fractions_and_changes_are_those_of_the_frames() -> None:
    video = told(
        record(0.0, face(1, 0.9, 1.0), face(2, 0.1)),
        record(0.5, face(1, 0.8, 0.0)),
        record(0.6, face(1, 0.2, 0.0)),
        record(0.7, face(1, 0.6, 0.0), face(2, 0.1)),
        record(0.8),
    )
    first, second = video.people
    assert (video.frames, video.duration) == (5, pytest.approx(0.9))
    assert first.seen == pytest.approx(0.8)
    assert first.share("happiness") == pytest.approx(0.7 / 0.8)
    assert first.share("neutral") == pytest.approx(0.1 / 0.8)
    assert (first.main_emotion, first.changes, first.frames) == ("happiness", 2, 4)
    assert (second.number, second.changes, second.share("neutral")) == (2, 0, 1.0)
    row = next(iter(video.rows(LABELS)))
    assert list(row) == list_person_columns(LABELS)
    assert (row["first_time"], row["last_time"], row["seconds_seen"]) == (0.0, 0.7, 0.8)
    assert row["mean_intensity"] == pytest.approx(0.5 / 0.8)


def test_one_frame_and_no_frame_are_reported() -> None:
    video = told(record(0.0, face(1, 0.9, None)))
    (row,) = video.rows(LABELS)
    assert (row["seconds_seen"], row["frames"], row["emotion"]) == (0.0, 1, "happiness")
    assert row["mean_intensity"] is None
    assert told(record(0.0), record(0.1)).people == []


def test_a_hole_in_a_video_is_no_time_seen() -> None:
    video = told(*(record(time, face(1, 0.9)) for time in (0.0, 0.1, 0.2, 60.0, 60.1)))
    assert video.people[0].seen == pytest.approx(0.1 + 0.1 + 2.0 + 0.1 + 0.1)


def test_videos_images_and_errors_are_distinguished() -> None:
    table = PersonsTable()
    image = Result(64, 48, (face(1, 0.9),), source="a.jpg").as_dict()
    image["faces"][0].pop("track")
    ended = [
        table.add(one)
        for one in (
            record(0.0, face(1, 0.9)),
            record(0.1, face(1, 0.9)),
            record(0.0, face(1, 0.9)),  # the same video, named again
            record(0.0, face(1, 0.1), source="b.mp4"),
            image,
            {"source": "c.mp4", "error": "breaks off"},
        )
    ]
    assert [one is not None for one in ended] == [False, False, True, True, True, False]
    assert table.end() is None
    assert [(video.source, video.frames) for video in table.videos] == [
        ("a.mp4", 2),
        ("a.mp4", 1),
        ("b.mp4", 1),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_holds_a_row_a_person(tmp_path: Path, suffix: str) -> None:
    table = PersonsTable()
    for at in range(4):
        table.add(record(at / 10, face(1, 0.9), face(2, 0.1), source="=1.mp4"))
    table.end()
    path = tmp_path / "new" / f"persons{suffix}"
    table.write(path, LABELS)
    if suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
        assert rows[0]["file"] == "'=1.mp4"
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = parquet.read_table(path).to_pylist()
    assert [int(row["track"]) for row in rows] == [1, 2]
    assert [row["emotion"] for row in rows] == ["happiness", "neutral"]
    assert [float(row["share_happiness"]) for row in rows] == [1.0, 0.0]
    assert list(rows[0]) == list_person_columns(LABELS)


def test_where_no_table_can_be_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must end in"):
        PersonsTable().write(tmp_path / "a.xlsx", LABELS)
    with pytest.raises(InputError, match="cannot be written"):
        PersonsTable().write(tmp_path / "file" / "a.csv", LABELS)
