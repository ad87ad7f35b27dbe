"""Where records go while they come: lines of JSON, or a table on a terminal; counted in the end."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console

from emotion_detection.inference.tables import Record, line
from emotion_detection.scoring.tally import Tally
from emotion_detection.scoring.terminal import Lines, bar

SOME_FAILED = 3
"""Exit code where some files could not be read."""

_WORTH_A_BAR = 4


class Show:
    """Shows records on standard output, and all else on standard error.

    Args:
        json: lines of JSON also on a terminal.
        quiet: the records go elsewhere: only what was found is said, at the end.
        smallest: of a face, in pixels.
    """

    def __init__(self, json: bool, quiet: bool, smallest: float) -> None:
        self.tally = Tally()
        self._json, self._quiet = json or not sys.stdout.isatty(), quiet and not json
        self._console = Console(soft_wrap=True, highlight=False)
        self._lines = Lines(self._console, smallest)

    def add(self, record: Record, text: str | None = None) -> None:
        """Show a record.

        Args:
            record: the record.
            text: its line of JSON, where it has been made already.
        """
        self.tally.add(record)
        if self._quiet:
            return
        if self._json:
            sys.stdout.write(line(record) if text is None else text)
            sys.stdout.flush()
        else:
            self._lines.add(record)

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

    def end(self, also: str = "") -> int:
        """Say what was found and what could not be read; return the exit code.

        Args:
            also: said after what was found.
        """
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
