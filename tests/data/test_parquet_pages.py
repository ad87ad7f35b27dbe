"""Parquet files that unpack to far more than images do are refused before they fill the memory."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_detection.data.formats import parquet
from emotion_detection.data.formats.parquet import count_rows_per_batch, read_parquet
from emotion_detection.errors import InputError

TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(folder: Path, images: list[bytes], **options: Any) -> Path:
    rows = [{"bytes": image, "path": f"{row}.png"} for row, image in enumerate(images)]
    table = pa.table(
        {"image": pa.array(rows, TYPE), "label": [row % 7 for row in range(len(rows))]}
    )
    path = folder / "train-00000-of-00001.parquet"
    pq.write_table(table, path, compression="zstd", **options)
    return path


def rows(path: Path, most: int = 1024) -> int:
    with pq.ParquetFile(path) as file:
        return count_rows_per_batch(path, file.metadata, most)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_usual_files_are_read_in_large_batches(
    tmp_path: Path, tiny_faces: Any, png: Any, version: str, dictionary: bool
) -> None:
    images = [png(face) for face in tiny_faces(50)]
    options = {"use_dictionary": dictionary, "data_page_version": version, "row_group_size": 20}
    path = write(tmp_path, images, **options)
    assert rows(path) > 500
    assert [face.content for face in read_parquet([path]).read()] == images


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """A megabyte in place of the limit, so that tests need no more."""
    monkeypatch.setattr(parquet, "LARGEST_BATCH", 1_000_000)
    return 1_000_000


def test_a_value_that_all_rows_repeat_is_not_unpacked(tmp_path: Path, small_limit: int) -> None:
    path = write(tmp_path, [bytes(50_000)] * 100)
    assert path.stat().st_size < 10_000
    assert rows(path) == 19  # of a page that has a few bytes more than its one value
    read: list[Any] = []
    with pytest.raises(InputError, match="unpack to more than"):
        read.extend(read_parquet([path]).read())
    assert sum(len(face.content) for face in read) <= small_limit


def test_a_page_of_a_few_bytes_that_unpacks_to_very_many_is_refused(
    tmp_path: Path, small_limit: int
) -> None:
    path = write(tmp_path, [bytes(small_limit + 500_000)], use_dictionary=False)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match=r"a page of [\d,]+ bytes unpacks to 1,50"):
        read_parquet([path])


def test_more_rows_than_bytes_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [b"x"])
    with pq.ParquetFile(path) as file:
        metadata = file.metadata

    class Lying:
        num_rows = 10**12
        num_row_groups, num_columns = metadata.num_row_groups, metadata.num_columns
        row_group: Callable[[int], Any] = staticmethod(metadata.row_group)

    with pytest.raises(InputError, match="rows in"):
        count_rows_per_batch(path, Lying(), 1024)


def test_damaged_headers_of_pages_are_refused_or_read(tmp_path: Path, png: Any) -> None:
    rng = np.random.default_rng(13)
    path = write(tmp_path, [png(np.full((8, 8), row, np.uint8)) for row in range(8)])
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
    content = path.read_bytes()
    for _ in range(100):
        damaged = bytearray(content)
        damaged[4 : 4 + 40] = rng.integers(0, 256, 40, dtype=np.uint8).tobytes()
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):  # some of the damage is harmless
            assert count_rows_per_batch(path, metadata, 1024) >= 1


def test_a_number_of_thousands_of_digits_is_no_place_in_fer2013(tmp_path: Path, png: Any) -> None:
    name = f"Training_{'9' * 5000}.png"
    row = {"bytes": png(np.full((8, 8), 9, np.uint8)), "path": name}
    table = pa.table({"image": pa.array([row] * 3, TYPE), "label": [0, 1, 2]})
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(table, path)
    assert [face.order for face in read_parquet([path]).read()] == [None] * 3
