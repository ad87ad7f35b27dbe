"""Delimited text: CSV, TSV and their like, in UTF-8 or UTF-16, with a header line.

The separator is the one of ``,`` ``;`` tab and ``|`` that splits the header best.
"""

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from emotion_detection.errors import InputError
from emotion_detection.io.files import unescape_cell

SEPARATORS = ",;\t|"


def read_columns(path: Path) -> list[str]:
    """Return the column names of a table, lower case, without blanks.

    Raises:
        InputError: the file cannot be read, or not as text.
    """
    return [name.strip().lower() for name in read_first_line(path)]


def read_first_line(path: Path) -> list[str]:
    """Return the cells of the first line of a table as they are.

    Raises:
        InputError: the file cannot be read, or not as text.
    """
    with _open(path) as file:
        header = file.readline()
        return next(csv.reader([header], delimiter=_separator(header)), [])


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line below a table's header, except blank ones.

    Cells that :func:`.spreadsheet_cell` made harmless are as they were before.

    Raises:
        InputError: the file cannot be read, or not as text.
    """
    # a row of large images is longer than the csv module's default limit
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with _open(path) as file:
        header = file.readline()
        reader = csv.reader(file, delimiter=_separator(header))
        for cells in reader:
            if any(cells):
                yield reader.line_num + 1, [unescape_cell(cell) for cell in cells]


def read_rows(path: Path, separator: str | None = None) -> list[list[str]]:
    """Return the cells of every line of a list or table, but blank lines and comments.

    Args:
        path: the file. Lines that begin with ``#`` are comments.
        separator: what stands between cells; None: what splits the first line best.

    Raises:
        InputError: the file cannot be read, or not as text.
    """
    with _open(path) as file:
        text = file.read()
        first = next((line for line in _lines(text) if line.strip() and line[0] != "#"), "")
        found = csv.reader(_lines(text), delimiter=separator or _separator(first))
        return [cells for cells in found if any(cells) and not cells[0].startswith("#")]


def _lines(text: str) -> io.StringIO:
    # newlines stay as they are: the csv module wants them so
    return io.StringIO(text, newline="")


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as file:
            wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        # spreadsheets save "Unicode text" as UTF-16
        with path.open(newline="", encoding="utf-16" if wide else "utf-8-sig") as text:
            yield text
    except (OSError, UnicodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as CSV: {reason}") from None


def _separator(header: str) -> str:
    counts = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in SEPARATORS}
    # of equal counts the first one is taken: a comma
    return max(SEPARATORS, key=lambda mark: counts[mark])
