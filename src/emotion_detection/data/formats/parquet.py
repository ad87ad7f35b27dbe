"""Parquet files of faces, as on the Hugging Face hub.

Format: the image as bytes, as a struct ``{bytes, path}``, as a path, or as pixels; the label as a
word or a number, whose names are read from the file's metadata (``ClassLabel``). Columns may go by
any of the names in :mod:`.columns`. Classes: those that occur; numbers without names are FER-2013's
only where the images are called as FER-2013's are (``Training_00017.png``). Split: the file's name
(``data/train-00000-of-00002.parquet``, ``train/0000.parquet``) or a column. Where ``path`` is
FER-2013's the face keeps its number there. Licence and citation: the dataset's.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_detection.data.formats.columns import find_roles, simplify_name
from emotion_detection.data.formats.known_labels import (
    FER2013_NUMBERS,
    Numbers,
    numbers_by_columns,
    numbers_by_file_names,
)
from emotion_detection.data.formats.survey import Row, Table
from emotion_detection.data.formats.table import make_table_source, read_image_cell
from emotion_detection.data.parquet_pages import count_rows_per_batch, read_bounded_batches
from emotion_detection.data.source import Source, place_in_fer2013, split_of
from emotion_detection.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1024


def split_of_parquet(path: Path) -> str | None:
    """Return the split by a Parquet file's name, or by the folder's, or None.

    >>> split_of_parquet(Path("val-00000-of-00002.parquet"))
    'validation'
    >>> split_of_parquet(Path("test/0000.parquet"))
    'test'
    """
    words = path.stem.replace("_", "-").replace(".", "-").split("-")
    named = {split for word in words if (split := split_of(word))}
    return named.pop() if len(named) == 1 else split_of(path.parent.name)


def read_parquet(files: Sequence[Path]) -> Source:
    """Recognise Parquet files of faces.

    Raises:
        InputError: a column is missing, a file cannot be read, or only some names mean a split.
    """
    splits = {path: split_of_parquet(path) for path in files}
    files = sorted(files, key=lambda path: (splits[path] or "", path))
    named = [path for path in files if splits[path]]
    if named and len(named) < len(files):
        others = ", ".join(path.name for path in files if not splits[path])
        known = ", ".join(path.name for path in named)
        raise InputError(
            f"{files[0].parent}: {known} are splits by their names, {others} are not; rename them "
            "to train-*, validation-* or test-*, or move them away"
        )
    flat = len({path.parent for path in files}) == 1
    tables = [_table(path, splits[path], flat) for path in files]
    firsts = [first for table in tables if (first := _first_image(table)) is not None]
    by_columns = numbers_by_columns([simplify_name(name) for name in tables[0].columns])
    numbers: Numbers | None = (numbers_by_file_names(firsts) if firsts else None) or by_columns
    named_so = bool(firsts) and all(place_in_fer2013(name) for name in firsts)
    return make_table_source(tables, "Parquet", numbers, named_so or by_columns is FER2013_NUMBERS)


def _table(path: Path, split: str | None, flat: bool) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    columns = tuple(schema.names)
    contents = [name for name in columns if _holds_bytes(schema.field(name).type)]
    roles = find_roles(columns, str(path), contents)
    kind = schema.field(columns[roles.label]).type
    if pa.types.is_nested(kind):
        raise InputError(f"{path}: column {columns[roles.label]!r} holds {kind}, not one label")

    def rows(requested: Sequence[int]) -> Iterator[Row]:
        for number, cells in enumerate(_cells(path, [columns[place] for place in requested])):
            yield f"row {number}", cells

    names = _named_classes(schema.metadata or {}, columns[roles.label])
    label = path.name if flat else f"{path.parent.name}/{path.name}"
    return Table(path, columns, roles, rows, split, names, label)


def _holds_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    )


def _named_classes(metadata: dict[bytes, bytes], column: str) -> tuple[str, ...] | None:
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, ValueError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


def _first_image(table: Table) -> str | None:
    """Return the name of the first image of a file; '' without a name, None without rows."""
    content = table.roles.content
    if content is None:
        return None
    cells = next(_cells(table.path, [table.columns[content]], 1), None)
    return None if cells is None else read_image_cell(cells[0], "")[0]


def _cells(path: Path, columns: list[str], batch_rows: int = BATCH_ROWS) -> Iterator[list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows = count_rows_per_batch(path, file.metadata, batch_rows)
            batches = file.iter_batches(rows, columns=columns)
            for batch in read_bounded_batches(path, batches):
                parts = [batch.column(name).to_pylist() for name in columns]
                yield from map(list, zip(*parts, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read as Parquet: {' '.join(str(error).split())[:120]}")
