"""Check the unpacked size of a Parquet file by the headers of its pages.

A page of a few hundred bytes can unpack to two gigabytes, and a dictionary page of one large value
can be used by every row. The file's footer tells sizes too, but nothing compares them with the
pages. Page headers are in Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError

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
