"""Show results on a terminal: one line per face, and a progress bar."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.color import Color
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.style import Style
from rich.text import Text

from emotion_detection.errors import printable
from emotion_detection.inference.table_files import Record
from emotion_detection.inference.video_persons import Person, VideoPersons
from emotion_detection.palette import list_emotion_colours
from emotion_detection.results import UNCERTAIN_FACE
from emotion_detection.training_record import SYNTHETIC_NOTE

_BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FEWEST = 20
"""Columns for the file's name."""

_WORTH_A_LINE = 64

_MOST_SHARES = 3
"""Number of emotions whose fraction of a person's time is printed."""


class Lines:
    """Print records on a terminal, as a table.

    Args:
        console: the terminal.
        smallest: of a face, in pixels: said of the faces that were left out.
    """

    def __init__(self, console: Console, smallest: float) -> None:
        self._console = console
        self._smallest = smallest
        self._ascii = console.options.ascii_only
        self._file = max(_FEWEST, console.width - len(_head()) - 2)
        self._begun = False

    def add(self, record: Record) -> None:
        """Write one."""
        if not self._begun:
            self._print(Text.assemble(self._cell("file"), "  ", _head(), style="bold"))
            self._begun = True
        for line in self._lines(record):
            self._print(line)

    def _lines(self, record: Record) -> Iterator[Text]:
        name = self._cell(printable(record["source"]), record.get("time"))
        if "error" in record:
            yield Text.assemble(name, "  ", (printable(record["error"]), "red"))
            return
        # notes on the model are printed once, before the table
        notes = [note for note in record["notes"] if note != SYNTHETIC_NOTE]
        if record["skipped"]:
            notes.insert(0, f"{record['skipped']} smaller than {self._smallest:g} px")
        faces = record["faces"]
        if not faces:
            yield Text.assemble(name, "      -  ", ("; ".join(["no face", *notes]), "dim"))
            return
        colours = list_emotion_colours(faces[0]["scores"])
        count = sum(UNCERTAIN_FACE not in face["flags"] for face in faces)
        for place, face in enumerate(faces):
            score = face["scores"][face["emotion"]]
            intensity = "-" if face["intensity"] is None else f"{face['intensity']:.2f}"
            yield Text.assemble(
                name if place == 0 else " " * self._file,
                f"  {count if place == 0 else '':>5}",
                f"  {face.get('track', place + 1):>2}  {face['emotion']:<9.9}  ",
                (self._bar(score), Style(color=Color.from_rgb(*colours[face["emotion"]]))),
                f"  {score:.2f}  {intensity:>9}",
                (f"  {' '.join(face['flags'])}" if face["flags"] else "", "yellow"),
            )
        if notes:
            yield Text.assemble(" " * (self._file + 9), ("; ".join(notes), "dim"))

    def _bar(self, score: float) -> str:
        if self._ascii:
            return ("#" * round(score * _BAR)).ljust(_BAR)
        full, part = divmod(round(score * _BAR * 8), 8)
        return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(_BAR)

    def _cell(self, name: str, moment: float | None = None) -> Text:
        """Return a name in the width of its column: of a long one the end."""
        after = "" if moment is None else f" {moment:.2f} s"
        dots = "..." if self._ascii else "…"
        cell = Text(name + after)
        cut = 0
        while cell.cell_len > self._file:
            cut += 1
            cell = Text(dots + name[cut:] + after)
        cell.append(" " * (self._file - cell.cell_len))
        return cell

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)


def print_persons(console: Console, video: VideoPersons) -> None:
    """Print a table of the persons in a video.

    Args:
        console: the terminal.
        video: the video, ended.
    """

    def put(*parts: str | tuple[str, str | Style]) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)

    people = video.people
    count = f"{len(people)} person{'' if len(people) == 1 else 's'}"
    frames = f"{video.frames:,} frame{'' if video.frames == 1 else 's'}"
    put(
        (printable(video.source), "bold"),
        f": {count} in {frames}, {video.duration:.1f} s",
    )
    if not people:
        return
    is_ascii = console.options.ascii_only
    bar_head = "" if is_ascii else " " * (_BAR + 2)
    put(
        (
            f"  {'person':>6}  {'seen':>8}  {bar_head}{'fraction of visible time':<40}  changes",
            "dim",
        )
    )
    colours = list_emotion_colours(dict.fromkeys(name for one in people for name in one.seconds))
    for person in people:
        names = sorted(person.seconds, key=lambda name: -person.seconds[name])
        shares = ", ".join(f"{name} {person.share(name):.0%}" for name in names[:_MOST_SHARES])
        shares += ", ..." if len(names) > _MOST_SHARES else ""
        bar = [] if is_ascii else _stacked_bar(person, names, colours)
        put(
            f"  {person.number:>6}  {person.seen:>6.1f} s  ",
            *bar,
            f"{shares:<40}  {person.changes:>7}",
        )


def _stacked_bar(
    person: Person, names: Sequence[str], colours: Mapping[str, tuple[int, int, int]]
) -> list[str | tuple[str, str | Style]]:
    """Return a bar in an emotion's colour for the fraction of the visible time."""
    parts: list[str | tuple[str, str | Style]] = []
    end = 0.0
    for name in names:
        start, end = end, end + _BAR * person.share(name)
        cells = round(end) - round(start)
        parts.append(("█" * cells, Style(color=Color.from_rgb(*colours[name]))))
    return [*parts, " " * (_BAR - round(end) + 2)]


def _head() -> str:
    return f"{'faces':>5}  {'#':>2}  {'emotion':<9}  {'score':<{_BAR + 6}}  {'intensity':>9}"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.1f}/s")


@contextmanager
def bar(count: int, earlier: int, console: Console | None) -> Iterator[Callable[[int], None]]:
    """Show the progress, rate and remaining time of a job while the block runs.

    Args:
        count: of files.
        earlier: how many of them were done before.
        console: a terminal; None: nothing is shown but a line at the end, on standard error, and
            not even that of few files.

    Yields:
        A function to call with the number of newly finished files.
    """
    start, done = time.monotonic(), 0
    if console is not None:
        with Progress(
            TextColumn("reading"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as progress:
            task = progress.add_task("", total=count, completed=earlier)
            yield lambda more: progress.advance(task, more)
        return

    def more(files: int) -> None:
        nonlocal done
        done += files

    yield more
    if count >= _WORTH_A_LINE:
        print(f"reading: {done:,} in {time.monotonic() - start:.1f} s", file=sys.stderr)
