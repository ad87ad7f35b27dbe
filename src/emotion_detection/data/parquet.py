"""Parquet as on the Hugging Face hub: one file a split.

Format: columns ``image`` (a struct of ``bytes``, an encoded picture, and ``path``) and ``label``
(a number, named by the file's own ``huggingface`` metadata where it has any, else by FER-2013's
order). Files are named by their split: ``train-00000-of-00001.parquet``,
``validation-...`` or ``val-...``, ``test-...``, several a split allowed, in a folder or in its
``data/``. Split: the files'. Where ``path`` is FER-2013's (``Training_00017.png``) the face keeps
its number there. Licence and citation: FER-2013's (:mod:`.fer2013_csv`) for FER-2013.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emotion_detection.data.parquet_pages import bounded_batches, rows_per_batch
from emotion_detection.data.source import SPLIT_NAMES, Face, Source, fer2013_place
from emotion_detection.emotions import FER2013, class_names, ordered
from emotion_detection.errors import InputError

BATCH_ROWS = 1024


def parquet_split(path: Path) -> str | None:
    """Return the split that a Parquet file's name says, or None.

    >>> parquet_split(Path("val-00000-of-00002.parquet"))
    'validation'
    """
    return SPLIT_NAMES.get(path.stem.partition("-")[0].lower())


def parquet(files: list[Path]) -> Source:
    """Recognise Parquet files of faces.

    Raises:
        InputError: a column is missing, or a file's name says no split.
    """
    for path in files:
        if parquet_split(path) is None:
            raise InputError(f"{path}: the name must begin with train, validation or test")
    files = sorted(files, key=lambda path: (parquet_split(path) or "", path.name))
    own, count, is_fer = _survey(files)
    used = class_names(own)
    labels = ordered(used)
    number = {index: labels.index(used[name]) for index, name in enumerate(own)}
    return Source(
        kind="Parquet",
        files=tuple(files),
        labels=labels,
        read=lambda: _rows(files, own, number),
        label_set="fer2013" if is_fer and labels == FER2013 else "own",
        count=count,
    )


def _survey(files: list[Path]) -> tuple[tuple[str, ...], int, bool]:
    """Return the files' own class names, the number of rows, and whether it is FER-2013."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names: tuple[str, ...] | None = None
    count, is_fer = 0, True
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                schema, rows = file.schema_arrow, file.metadata.num_rows
                rows_per_batch(path, file.metadata, BATCH_ROWS)  # refuses what would not fit
                first = next(file.iter_batches(1, columns=["image"]), None) if rows else None
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from None
        missing = {"image", "label"} - set(schema.names)
        if missing:
            raise InputError(
                f"{path}: no column {min(missing)!r}; needed are image (bytes, path) and label"
            )
        if not pa.types.is_integer(schema.field("label").type):
            raise InputError(f"{path}: column 'label' must hold whole numbers")
        count += rows
        names = names or _named_classes(schema.metadata or {})
        if first is not None:
            picture = first.column("image")[0].as_py()
            is_fer &= isinstance(picture, dict) and bool(fer2013_place(picture.get("path") or ""))
    return names or FER2013, count, is_fer


def _named_classes(metadata: dict[bytes, bytes]) -> tuple[str, ...] | None:
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features["label"]["names"]
    except (KeyError, ValueError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


def _rows(files: list[Path], own: tuple[str, ...], number: dict[int, int]) -> Iterator[Face]:
    for path in files:
        for row, (picture, label) in enumerate(_cells(path)):
            yield _face(path, row, picture, label, own, number)


def _cells(path: Path) -> Iterator[tuple[Any, int | None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows = rows_per_batch(path, file.metadata, BATCH_ROWS)
            batches = file.iter_batches(rows, columns=["image", "label"])
            for batch in bounded_batches(path, batches):
                pictures, labels = batch.column("image").to_pylist(), batch.column("label")
                yield from zip(pictures, labels.to_pylist(), strict=True)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read as Parquet: {str(error)[:120]}")


def _face(
    path: Path,
    row: int,
    picture: Any,
    label: int | None,
    own: tuple[str, ...],
    number: dict[int, int],
) -> Face:
    if label not in number:
        raise InputError(
            f"{path} row {row}: label {label} is not a number from 0 to {len(own) - 1}"
        )
    picture = picture if isinstance(picture, dict) else {}
    name = picture.get("path") or f"{path.name}#{row}"
    place = fer2013_place(name)
    return Face(
        name=name,
        content=picture.get("bytes") or b"",
        label=number[label],
        split=parquet_split(path),
        order=place[1] if place else None,
    )
