"""Parquet files of faces, as on the Hugging Face hub.

Format: the image as bytes, as a struct ``{bytes, path}``, as a path, or as pixels; the label as a
word or a number, whose names are read from the file's metadata (``ClassLabel``). Columns may go by
any of the names in :mod:`.columns`. Classes: those that occur; numbers without names are FER-2013's
only where the images are called as FER-2013's are (``Training_00017.png``). Split: the file's name
(``data/train-00000-of-00002.parquet``, ``train/0000.parquet``) or a column. Where ``path`` is
FER-2013's the face keeps its number there. Licence and citation: the dataset's.

The unpacked size is checked by the headers of the pages, before anything is unpacked. A page of a
few hundred bytes can unpack to two gigabytes, and a dictionary page of one large value can be used
by every row. The file's footer tells sizes too, but nothing compares them with the pages. Page
headers are in Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_detection.data.formats.columns import Row, Table, find_roles, simplify_name
from emotion_detection.data.formats.known_labels import (
    FER2013_NUMBERS,
    Numbers,
    numbers_by_columns,
    numbers_by_file_names,
)
from emotion_detection.data.formats.table import make_table_source, read_image_cell
from emotion_detection.data.source import Source, place_in_fer2013, split_of
from emotion_detection.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
import mmap

LARGEST_BATCH = 64_000_000
"""Bytes that the rows of one batch may unpack to, and that any page may."""

LARGEST_RATIO = 20
"""Times its own size that a larger page, or file, may unpack to: encoded images hardly shrink."""

_UNPACKED, _PACKED = 2, 3
"""Fields of a page's header."""

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 8


def count_rows_per_batch(path: Path, metadata: Any, most: int) -> int:
    """Return how many rows of a file may be read in one go, so that memory stays bounded.

    Args:
        path: the Parquet file.
        metadata: pyarrow's, of the file.
        most: rows, at most.

    Returns:
        1 to ``most``: a value is at most as large as the largest page, and every row may repeat it.

    Raises:
        InputError: a page unpacks to far more than images do, there are more rows than bytes, or
            a page's header is damaged.
    """
    size = path.stat().st_size
    if metadata.num_rows > size:
        raise InputError(f"{path}: {metadata.num_rows:,} rows in {size:,} bytes: not unpacked")
    largest = 1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                try:
                    pages = list(_pages(content, metadata.row_group(group).column(column)))
                except (IndexError, ValueError) as error:
                    raise InputError(f"{path}: cannot be read as Parquet: {error}") from None
                for unpacked, packed in pages:
                    if unpacked > LARGEST_BATCH and unpacked > LARGEST_RATIO * packed:
                        raise InputError(
                            f"{path}: a page of {packed:,} bytes unpacks to {unpacked:,}: images "
                            "do not; it is not unpacked"
                        )
                    largest = max(largest, unpacked)
    return max(1, min(most, LARGEST_BATCH // largest))


def read_bounded_batches(path: Path, batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches of a Parquet file, as long as they are no more than a file of images holds.

    Raises:
        InputError: few bytes have become very many: rows repeat one large value.
    """
    size, unpacked = path.stat().st_size, 0
    for batch in batches:
        unpacked += batch.nbytes
        if unpacked > max(LARGEST_BATCH, LARGEST_RATIO * size):
            raise InputError(
                f"{path}: {size:,} bytes unpack to more than {unpacked:,}: images do not; no more "
                "of it is unpacked"
            )
        yield batch


def _pages(content: mmap.mmap, column: Any) -> Iterator[tuple[int, int]]:
    """Yield bytes unpacked and bytes packed of each page of a column."""
    at = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset is not None:
        at = min(at, column.dictionary_page_offset)
    end = at + column.total_compressed_size
    while at < end:
        fields, at = _struct(content, at)
        unpacked, packed = fields.get(_UNPACKED, -1), fields.get(_PACKED, -1)
        if unpacked < 0 or packed < 0 or at + packed > len(content):
            raise ValueError("a page's header is damaged")
        yield unpacked, packed
        at += packed


def _struct(content: mmap.mmap, at: int, depth: int = 0) -> tuple[dict[int, int], int]:
    """Return a struct's whole numbers by their fields, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("a page's header is nested too deeply")
    fields: dict[int, int] = {}
    number = 0
    while (head := content[at]) != 0:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(content, at)
        if kind in (_TRUE, _FALSE):  # a truth value is in the field's head
            continue
        value, at = _value(content, at, kind, depth)
        fields[number] = value
    return fields, at + 1


def _value(content: mmap.mmap, at: int, kind: int, depth: int) -> tuple[int, int]:
    """Return a value, 0 where it is no whole number, and where it ends."""
    if kind in (_TRUE, _FALSE, _BYTE):
        return 0, at + 1
    if kind == _DOUBLE:
        return 0, at + 8
    if kind == _BINARY:
        length, at = _varint(content, at)
        return 0, at + length
    if kind in (_LIST, _SET):
        head, at = content[at], at + 1
        count = head >> 4
        if count == 15:
            count, at = _varint(content, at)
        return 0, _skip(content, at, [head & 15] * min(count, len(content)), depth)
    if kind == _MAP:
        count, at = _varint(content, at)
        kinds = [content[at] >> 4, content[at] & 15] if count else []
        return 0, _skip(content, at + bool(count), kinds * min(count, len(content)), depth)
    if kind == _STRUCT:
        return 0, _struct(content, at, depth + 1)[1]
    if kind in (4, 5, 6):
        return _zigzag(content, at)
    raise ValueError("a page's header is damaged")


def _skip(content: mmap.mmap, at: int, kinds: list[int], depth: int) -> int:
    for kind in kinds:
        _, at = _value(content, at, kind, depth + 1)
    return at


def _zigzag(content: mmap.mmap, at: int) -> tuple[int, int]:
    value, at = _varint(content, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        byte = content[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a page's header is damaged")


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
