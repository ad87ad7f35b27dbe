"""What a person sees: a line a face on a terminal, and a bar that says how far the work is."""

import sys
import time
from collections.abc import Callable, Iterator
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

from emotion_detection.inference.annotate import emotion_colours
from emotion_detection.inference.tables import Record
from emotion_detection.results import UNCERTAIN_FACE

_BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FEWEST = 20
"""Columns for the file's name."""

_WORTH_A_LINE = 64


class Lines:
    """Writes records on a terminal, under one head.

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
        name = self._cell(_printable(record["source"]), record.get("time"))
        if "error" in record:
            yield Text.assemble(name, "  ", (_printable(record["error"]), "red"))
            return
        notes = [*record["notes"]]
        if record["skipped"]:
            notes.insert(0, f"{record['skipped']} smaller than {self._smallest:g} px")
        faces = record["faces"]
        if not faces:
            yield Text.assemble(name, "      -  ", ("; ".join(["no face", *notes]), "dim"))
            return
        colours = emotion_colours(faces[0]["scores"])
        count = sum(UNCERTAIN_FACE not in face["flags"] for face in faces)
        for place, face in enumerate(faces):
            score = face["scores"][face["emotion"]]
            intensity = "-" if face["intensity"] is None else f"{face['intensity']:.2f}"
            yield Text.assemble(
                name if place == 0 else " " * self._file,
                f"  {count if place == 0 else '':>5}  {face['emotion']:<9.9}  ",
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


def _head() -> str:
    return f"{'faces':>5}  {'emotion':<9}  {'score':<{_BAR + 6}}  {'intensity':>9}"


def _printable(text: str) -> str:
    """Return a text that moves no cursor and that every encoding of Unicode can write."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.1f}/s")


@contextmanager
def bar(count: int, earlier: int, console: Console | None) -> Iterator[Callable[[int], None]]:
    """Show how far some work is, with its rate and the time left, as long as the block lasts.

    Args:
        count: of files.
        earlier: how many of them were done before.
        console: a terminal; None: nothing is shown but a line at the end, on standard error, and
            not even that of few files.

    Yields:
        A function that is told how many more files are done.
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
