"""Tables of results: CSV, JSON lines or Parquet, written atomically.

A record is the plain values of a result (:meth:`Result.as_dict`), or of a file that could not be
read (:func:`make_error_record`). JSON lines have one record per line. CSV and Parquet have one row
per face (:func:`emotion_detection.results.list_columns`), and one row without a face for an image
that has none or could not be read.
"""

import csv
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from emotion_detection.errors import InputError, missing_package
from emotion_detection.io.files import escape_cell, get_path_kind, write_atomic
from emotion_detection.results import list_columns, list_rows

Record = dict[str, Any]

SUFFIXES = (".csv", ".jsonl", ".parquet")

_WHOLE_NUMBERS = {"frame", "faces", "skipped", "face", "track", "uncertain_face"}
_TEXTS = {"file", "emotion", "raw_emotion", "flags", "notes", "error"}
_ROWS = 20_000
"""Rows per row group of a Parquet file, which are buffered in memory."""


class Table(Protocol):
    """A table that is being written."""

    def add(self, record: Record, text: str | None = None) -> None:
        """Add an image, or a frame of a video.

        Args:
            record: the record.
            text: the record as a line of JSON (:func:`line`), if there is one already.
        """

    def close(self) -> None:
        """Write the buffered rows; the table is complete then."""


def make_error_record(source: str, error: str) -> Record:
    """Return the record of a file that could not be read."""
    return {"source": source, "error": error}


def line(record: Record) -> str:
    """Return a record as a line of JSON, in ASCII: file names may hold what UTF-8 cannot."""
    return json.dumps(record) + "\n"


def check_suffix(path: Path) -> None:
    """Check the name of a table before anything is computed.

    Raises:
        InputError: another suffix than :data:`SUFFIXES`; a folder; Parquet without pyarrow.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: the name of a table must end in {', '.join(SUFFIXES)}")
    if get_path_kind(path) == "folder":
        raise InputError(f"{path}: is a folder; a table is a file")
    if path.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise missing_package(f"{path}: a table that is not .csv or .jsonl", "pyarrow", "batch")


@contextmanager
def open_table(path: Path, labels: Sequence[str], part: Path | None = None) -> Iterator[Table]:
    """Write a table in the format of the file's suffix.

    The table appears at ``path`` when the block ends without an error. Otherwise an earlier file
    stays as it was.

    Args:
        path: the table. A link is followed.
        labels: the model's emotions, in the order of their columns.
        part: temporary file, on the same disk; default: a hidden file beside the table.

    Raises:
        InputError: as for :func:`check_suffix`, or the table cannot be written there.
    """
    check_suffix(path)
    place = Path(os.path.realpath(path))
    part = part or place.with_name(f".{place.name}.{os.getpid()}.part")
    kinds = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with kinds[path.suffix.lower()](part, list_columns(labels)) as growing:
            yield growing
            growing.close()
        _to_disk(part)
        os.replace(part, place)
        _to_disk(place.parent)
    except BrokenPipeError:
        raise  # of what is printed meanwhile: no file breaks like that
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def write_lines_atomic(path: Path, part: Path) -> Iterator[Callable[[str], object]]:
    """Write lines atomically: to a temporary file, synced to disk and then renamed.

    Args:
        path: the file.
        part: temporary file, on the same disk.

    Yields:
        A function that takes text, in ASCII.

    Raises:
        OSError: it cannot be written there.
    """
    try:
        with part.open("w", encoding="ascii", newline="\n") as file:
            yield file.write
        _to_disk(part)
        os.replace(part, path)
        _to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


class _JsonLines:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, record: Record, text: str | None = None) -> None:
        self._file.write(line(record) if text is None else text)

    def close(self) -> None:
        self._file.flush()


@contextmanager
def _json_lines(part: Path, _: Sequence[str]) -> Iterator[Table]:
    with part.open("w", encoding="ascii", newline="\n") as file:
        yield _JsonLines(file)


class _Csv:
    def __init__(self, file: TextIO, names: Sequence[str]) -> None:
        self._file = file
        # lines end as in RFC 4180: Python quotes a CR within a cell only then
        self._writer = csv.DictWriter(file, names, lineterminator="\r\n")
        self._writer.writeheader()

    def add(self, record: Record, text: str | None = None) -> None:
        for row in list_rows(record):
            self._writer.writerow({name: escape_cell(value) for name, value in row.items()})

    def close(self) -> None:
        self._file.flush()


@contextmanager
def _csv(part: Path, names: Sequence[str]) -> Iterator[Table]:
    with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield _Csv(file, names)


class _Parquet:
    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer, self._schema = writer, schema
        self._rows: list[dict[str, Any]] = []

    def add(self, record: Record, text: str | None = None) -> None:
        self._rows += (
            {name: _unicode(value) for name, value in row.items()} for row in list_rows(record)
        )
        if len(self._rows) >= _ROWS:
            self.close()

    def close(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []


@contextmanager
def _parquet(part: Path, names: Sequence[str]) -> Iterator[Table]:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    def kind(name: str) -> Any:
        if name in _TEXTS:
            return pyarrow.string()
        return pyarrow.int64() if name in _WHOLE_NUMBERS else pyarrow.float64()

    schema = pyarrow.schema([(name, kind(name)) for name in names])
    with ParquetWriter(part, schema, compression="zstd") as writer:
        yield _Parquet(writer, schema)


def write_parquet_rows(
    path: Path,
    names: Sequence[str],
    some_rows: Sequence[dict[str, Any]],
    texts: set[str],
    whole_numbers: set[str],
) -> None:
    """Write a small table as Parquet, atomically.

    Args:
        path: the table; needs pyarrow.
        names: the columns.
        some_rows: the rows.
        texts: columns of strings.
        whole_numbers: columns of integers; all others are ``double``.

    Raises:
        OSError: the table cannot be written there.
    """
    import pyarrow
    from pyarrow import parquet

    def kind(name: str) -> Any:
        if name in texts:
            return pyarrow.string()
        return pyarrow.int64() if name in whole_numbers else pyarrow.float64()

    schema = pyarrow.schema([(name, kind(name)) for name in names])
    plain = [{name: _unicode(value) for name, value in row.items()} for row in some_rows]
    content = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(plain, schema), content, compression="zstd")
    write_atomic(path, content.getvalue().to_pybytes())


def _unicode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _to_disk(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
