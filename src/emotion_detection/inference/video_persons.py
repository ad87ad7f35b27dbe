"""Summarize a video by person: time visible, fraction of each emotion, changes."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError
from emotion_detection.inference.table_files import (
    Record,
    check_suffix,
    write_parquet_rows,
)
from emotion_detection.io.files import escape_cell, write_atomic

_LONGEST_STEP, _LONGEST_GAP = 5.0, 2.0
"""Longest gap between two frames, in steps and in seconds; the rest of a longer gap does not count
as visible."""


@dataclass
class Person:
    """One person of one video.

    Args:
        number: from 1, the ``track`` of the faces.
        first: time of the first frame with the person, in seconds.
        last: time of the last one.
        frames: frames with the person.
        seconds: seconds of each emotion, by the smoothed scores.
        changes: number of changes of the emotion.
        emotion: emotion in the last frame.
        intensity: sum over the visible time; None if the model predicts none.
    """

    number: int
    first: float
    last: float
    frames: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    changes: int = 0
    emotion: str | None = None
    intensity: float | None = None

    @property
    def seen(self) -> float:
        """Seconds that the person was visible."""
        return sum(self.seconds.values())

    @property
    def main_emotion(self) -> str:
        """The emotion with the longest time."""
        return max(self.seconds, key=lambda name: self.seconds[name])

    def share(self, emotion: str) -> float:
        """Return an emotion's fraction of the visible time, 0 to 1."""
        return self.seconds.get(emotion, 0.0) / self.seen if self.seen else 0.0


class VideoPersons:
    """Summarize the records of one video by person.

    Each frame covers the time until the next one. The last frame covers as much as the previous
    one.

    Args:
        source: name of the video in the records.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.frames = 0
        self.duration = 0.0
        """Seconds from the first frame to the end of the last."""
        self._people: dict[int, Person] = {}
        self._held: Record | None = None
        self._step = 0.0

    @property
    def people(self) -> list[Person]:
        """All persons, by number."""
        return [self._people[number] for number in sorted(self._people)]

    def add(self, record: Record) -> None:
        """Add the record of the next frame."""
        if self._held is not None:
            passed = max(record["time"] - self._held["time"], 0.0)
            usual = self._step or passed
            longest = max(_LONGEST_STEP * usual, _LONGEST_GAP)
            self._count(self._held, min(passed, longest))
            self.duration += passed
            self._step = passed or self._step
        self._held = record
        self.frames += 1

    def is_continued_by(self, record: Record) -> bool:
        """Return True if a record can be the next of this video; it may also be named twice."""
        before = self._held["time"] if self._held is not None else 0.0
        return bool(record["source"] == self.source and record["time"] >= before)

    def end(self) -> None:
        """Count the last frame."""
        if self._held is not None:
            self._count(self._held, self._step)
            self.duration += self._step
        self._held = None

    def _count(self, record: Record, seconds: float) -> None:
        for face in record["faces"]:
            number, emotion = face["track"], face["emotion"]
            person = self._people.get(number)
            if person is None:
                person = self._people[number] = Person(number, record["time"], record["time"])
            person.last = record["time"]
            person.frames += 1
            person.seconds[emotion] = person.seconds.get(emotion, 0.0) + seconds
            person.changes += person.emotion not in (None, emotion)
            person.emotion = emotion
            if face["intensity"] is not None:
                person.intensity = (person.intensity or 0.0) + seconds * face["intensity"]

    def rows(self, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Yield one row per person, with the columns of :func:`list_person_columns`."""
        for person in self.people:
            mean = None
            if person.intensity is not None and person.seen:
                mean = round(person.intensity / person.seen, 4)
            yield {
                "file": self.source,
                "track": person.number,
                "first_time": round(person.first, 3),
                "last_time": round(person.last, 3),
                "seconds_seen": round(person.seen, 3),
                "frames": person.frames,
                "emotion": person.main_emotion,
                "changes": person.changes,
                "mean_intensity": mean,
                **{f"share_{name}": round(person.share(name), 4) for name in labels},
            }


class PersonsTable:
    """Collect the persons of all videos, and write them as one table."""

    def __init__(self) -> None:
        self.videos: list[VideoPersons] = []
        self._open: VideoPersons | None = None

    def add(self, record: Record) -> VideoPersons | None:
        """Add a record; return the previous video if the record begins another one."""
        is_frame = "error" not in record and record.get("frame") is not None
        current = self._open
        if current is not None and is_frame and current.is_continued_by(record):
            current.add(record)
            return None
        ended = self.end()
        if is_frame:
            self._open = VideoPersons(record["source"])
            self._open.add(record)
        return ended

    def end(self) -> VideoPersons | None:
        """End the current video, and return it if there is one."""
        ended, self._open = self._open, None
        if ended is not None:
            ended.end()
            self.videos.append(ended)
        return ended

    def write(self, path: Path, labels: tuple[str, ...]) -> None:
        """Write one row per person atomically: CSV, JSON lines or Parquet by the suffix.

        Args:
            path: the table.
            labels: the model's emotions.

        Raises:
            InputError: another suffix, or it cannot be written there.
        """
        check_suffix(path)
        rows = [row for video in self.videos for row in video.rows(labels)]
        columns = list_person_columns(labels)
        try:
            if path.suffix.lower() == ".parquet":
                write_parquet_rows(path, columns, rows, _TEXTS, _WHOLE_NUMBERS)
                return
            if path.suffix.lower() == ".jsonl":
                text = "".join(json.dumps(row) + "\n" for row in rows)
            else:
                out = io.StringIO(newline="")
                writer = csv.DictWriter(out, columns, lineterminator="\r\n")
                writer.writeheader()
                writer.writerows(
                    {name: escape_cell(value) for name, value in row.items()} for row in rows
                )
                text = out.getvalue()
            write_atomic(path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


_TEXTS = {"file", "emotion"}
_WHOLE_NUMBERS = {"track", "frames", "changes"}


def list_person_columns(labels: tuple[str, ...]) -> list[str]:
    """Return the columns of a table of persons, for a model of these emotions."""
    return [
        *("file", "track", "first_time", "last_time", "seconds_seen", "frames"),
        *("emotion", "changes", "mean_intensity"),
        *(f"share_{name}" for name in labels),
    ]
