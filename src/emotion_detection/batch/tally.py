"""Count the results, for the summary at the end."""

import sys
from collections import Counter

from emotion_detection.batch.skipped import describe_left_out
from emotion_detection.errors import printable
from emotion_detection.inference.tables import Record
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
