"""Show records as JSON lines or as a table on a terminal; count and summarize them."""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console

from emotion_detection.batch.input_files import describe_left_out
from emotion_detection.batch.terminal import Lines, bar, print_persons
from emotion_detection.errors import printable
from emotion_detection.inference.table_files import Record, line
from emotion_detection.inference.video_live import find_live_source
from emotion_detection.inference.video_persons import PersonsTable, VideoPersons
from emotion_detection.results import UNCERTAIN_FACE

SHOWN = 5
"""Maximum number of errors that are listed."""


class Tally:
    """Count records without storing them."""

    def __init__(self) -> None:
        self.records = self.faces = self.uncertain = self.errors = self._frames = 0
        self.emotions: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._first: list[str] = []

    def add(self, record: Record) -> None:
        """Count an image, a frame, or a file that could not be read."""
        self.records += 1
        if "error" in record:
            self.errors += 1
            if len(self._first) < SHOWN:
                self._first.append(f"  {record['source']}: {record['error']}")
            return
        certain = [face for face in record["faces"] if UNCERTAIN_FACE not in face["flags"]]
        self.faces += len(certain)
        self.uncertain += len(record["faces"]) - len(certain)
        self._frames += "frame" in record
        self.emotions.update(face["emotion"] for face in certain)

    def said(self) -> str:
        """Return a line of what was found."""
        found = ", ".join(f"{name} {count:,}" for name, count in self.emotions.most_common())
        images = self.records - self.errors - self._frames
        places = [_of(images, "image")] if images or not self._frames else []
        places += [_of(self._frames, "frame")] if self._frames else []
        where = f"{_of(self.faces, 'face')} in {' and '.join(places)}"
        where = f"{where}: {found}" if found else where
        if not self.uncertain:
            return where
        return f"{where}; not counted: {_of(self.uncertain, 'uncertain face')}"

    def say_left_out(self) -> None:
        """Print the left-out files of folders, with reasons, on standard error."""
        if self.left_out:
            print(f"emotion: left out: {describe_left_out(self.left_out)}", file=sys.stderr)

    def say_errors(self) -> None:
        """List the first errors on standard error, and say how many there were."""
        if not self.errors:
            return
        first = map(printable, self._first)
        lines = [f"emotion: {_of(self.errors, 'file')} could not be read:", *first]
        if self.errors > len(self._first):
            lines.append(f"  ... and {self.errors - len(self._first):,} more")
        print("\n".join(lines), file=sys.stderr)


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


SOME_FAILED = 3
"""Exit code where some files could not be read."""

_WORTH_A_BAR = 4


class Output:
    """Shows records on standard output, and all else on standard error.

    Args:
        json: lines of JSON also on a terminal.
        quiet: print the summary only, since the records go elsewhere.
        smallest: of a face, in pixels.
    """

    def __init__(self, json: bool, quiet: bool, smallest: float) -> None:
        self.tally = Tally()
        self._json, self._quiet = json or not sys.stdout.isatty(), quiet and not json
        self._console = Console(soft_wrap=True, highlight=False)
        self._lines = Lines(self._console, smallest)
        # lines of JSON keep standard output to themselves; a program asked for them by --json
        self._persons_console = None if json else self._console
        if self._json and not json and not self._quiet:
            self._persons_console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._last_shown: tuple[str, dict[int, str]] = ("", {})
        self.persons = PersonsTable()
        """The persons of all videos so far."""

    def add(self, record: Record, text: str | None = None) -> None:
        """Show a record.

        Args:
            record: the record.
            text: its line of JSON, where it has been made already.
        """
        self.tally.add(record)
        self._show_persons(self.persons.add(record))
        if self._quiet:
            return
        if self._json:
            sys.stdout.write(line(record) if text is None else text)
            sys.stdout.flush()
        elif record.get("frame") is None or self._is_news(record):
            self._lines.add(record)

    def _is_news(self, record: Record) -> bool:
        """Return True for frames of live sources that show other people or emotions than before.

        Of a video file there are too many to be read, and its summary follows soon.
        """
        source = record["source"]
        if find_live_source(source) is None:
            return False
        shown = source, {face["track"]: face["emotion"] for face in record["faces"]}
        is_news, self._last_shown = shown != self._last_shown, shown
        return is_news

    def _show_persons(self, video: VideoPersons | None) -> None:
        if video is not None and self._persons_console is not None:
            print_persons(self._persons_console, video)

    @property
    def console(self) -> Console | None:
        """The terminal that lines of records go to, for bars below them; None: there are none."""
        return None if self._json or self._quiet else self._console

    def bar(self, count: int, earlier: int = 0) -> AbstractContextManager[Callable[[int], None]]:
        """Return a progress bar that does not get in the way of the records."""
        if earlier:
            print(f"going on: {earlier:,} of {count:,} files were done before", file=sys.stderr)
        console = None
        if sys.stderr.isatty() and count >= _WORTH_A_BAR:
            if not sys.stdout.isatty() or self._quiet:
                console = Console(stderr=True)
            elif not self._json:
                console = self._console  # the lines go above the bar
        return bar(count, earlier, console)

    def end_videos(self) -> None:
        """Show the persons of the last video, which no other record follows."""
        self._show_persons(self.persons.end())

    def end(self, also: str = "") -> int:
        """Print the summary and the errors; return the exit code.

        Args:
            also: said after what was found.
        """
        self.end_videos()
        if self._quiet or not self._json:
            if self._quiet or self.tally.records > 1:
                print(self.tally.said())
            if also:
                print(also)
        elif also:
            print(f"{self.tally.said()}\n{also}", file=sys.stderr)
        sys.stdout.flush()
        self.tally.say_left_out()
        self.tally.say_errors()
        return SOME_FAILED if self.tally.errors else 0
