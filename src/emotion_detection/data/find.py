"""Where faces are, and in what shape: from the word or path a user gives to a source."""

import sys
from dataclasses import replace
from pathlib import Path

from emotion_detection.config import DataConfig
from emotion_detection.data.cache import cached
from emotion_detection.data.demo import demo
from emotion_detection.data.download import ROWS, DownloadError, download_fer2013
from emotion_detection.data.faces import Dataset
from emotion_detection.data.fer2013_csv import FILE_NAMES, columns, fer2013_csv
from emotion_detection.data.ferplus import FILE_NAME as VOTES
from emotion_detection.data.ferplus import with_votes
from emotion_detection.data.folders import folder_classes, folders
from emotion_detection.data.manifest import manifest
from emotion_detection.data.parquet import parquet, parquet_split
from emotion_detection.data.source import FER2013_SPLITS, SPLIT_NAMES, Source
from emotion_detection.errors import InputError

DATA = Path("data")
"""Where datasets are looked for, below the current folder."""

BANNER = """
┌──────────────────────────────────────────────────────────────────────────────┐
│  NO DATASET FOUND: USING DRAWN FACES                                         │
│                                                                              │
│  Nothing in data/ and FER-2013 could not be downloaded, so the faces that    │
│  this project draws itself are used. Everything works, but the figures say   │
│  nothing about real faces. To use real ones: put fer2013.csv, a folder       │
│  train/<emotion>/*.png or a manifest into data/, or name it with --data.     │
└──────────────────────────────────────────────────────────────────────────────┘
"""


def load(config: DataConfig) -> Dataset:
    """Find, recognise, decode (once) and open a data source.

    Args:
        config: which faces, and how they are read.

    Raises:
        InputError: nothing is there, or it is in no known shape, or it is broken.
    """
    source, place = find(config)
    if config.labels == "ferplus":
        if place is None:
            raise InputError(
                "--labels ferplus: drawn faces have no votes; name FER-2013 with --data"
            )
        source = with_votes(source, _votes_beside(place), config.votes)
    # what 'auto' and 'fer2013' meant this time is what a record of the run must say
    dataset = cached(source, replace(config, data="demo" if place is None else place.as_posix()))
    _note_missing_rows(dataset)
    if dataset.corrupt:
        first = dataset.corrupt[0]
        print(
            f"note: unreadable pictures left out: {len(dataset.corrupt)}; the first: {first.name}: "
            f"{first.reason}; 'emotion data check' lists them",
            file=sys.stderr,
        )
    return dataset


def _note_missing_rows(dataset: Dataset) -> None:
    """Say when what calls itself FER-2013 is not all of it: its figures compare with nobody's."""
    whole = {FER2013_SPLITS[usage]: rows for usage, rows in ROWS.items()}
    if dataset.label_set == "fer2013" and dataset.sizes != whole:
        print(
            f"note: {dataset.source} is a part of FER-2013: {dataset.sizes}, not {whole}",
            file=sys.stderr,
        )


def find(config: DataConfig) -> tuple[Source, Path | None]:
    """Return the source that a user's word means, and where it lies (None: drawn)."""
    if config.data == "demo":
        return demo(config.size), None
    if config.data in ("auto", "fer2013"):
        place = _in_data_folder(fer2013_only=config.data == "fer2013")
        if place is not None:
            print(f"data: {place}", file=sys.stderr)
            return recognise(place), place
        try:
            place = download_fer2013(DATA)
        except DownloadError as error:
            if config.data == "fer2013" or config.labels == "ferplus":
                raise InputError(str(error)) from None
            print(f"{error}\n{BANNER}", file=sys.stderr, flush=True)
            return demo(config.size), None
        return recognise(place), place
    place = Path(config.data)
    if not place.exists():
        raise InputError(f"--data {place}: no such file or folder (nor 'auto', 'fer2013', 'demo')")
    return recognise(place), place


def recognise(place: Path) -> Source:
    """Recognise the shape of a file or folder.

    Raises:
        InputError: it is in none of the known shapes.
    """
    if place.is_file():
        if place.suffix.lower() == ".parquet":
            return parquet([place])
        return fer2013_csv(place) if "pixels" in columns(place) else manifest(place)
    for name in FILE_NAMES:
        if (place / name).is_file():
            return fer2013_csv(place / name)
    for folder in (place, place / "data"):
        files = [path for path in folder.glob("*.parquet") if parquet_split(path)]
        if files:
            return parquet(files)
    manifests = [path for path in sorted(place.glob("*.csv")) if _is_manifest(path)]
    if len(manifests) > 1:
        raise InputError(
            f"{place}: several manifests ({', '.join(m.name for m in manifests)}): name one"
        )
    if manifests:
        return manifest(manifests[0])
    if folder_classes(place):
        return folders(place)
    raise InputError(
        f"{place}: no faces in a known shape: fer2013.csv, train-*.parquet, a CSV with file and "
        "emotion, or folders <emotion>/*.png or train/<emotion>/*.png"
    )


def _is_manifest(path: Path) -> bool:
    if path.name == VOTES or path.name.startswith("."):
        return False
    return {"file", "emotion"} <= set(columns(path))


def _in_data_folder(fer2013_only: bool) -> Path | None:
    """Return the first thing below data/ that is a dataset: itself, then its folders."""
    if not DATA.is_dir():
        return None
    below = sorted(p for p in DATA.iterdir() if p.is_dir() and not p.name.startswith("."))
    for place in (DATA, *below):
        try:
            source = recognise(place)
        except InputError as error:
            if any(place.glob("*.csv")) or any(place.glob("*.parquet")):
                print(f"warning: passed over: {error}", file=sys.stderr)
            continue
        if place == DATA and _holds_several(source):
            continue
        if source.label_set == "fer2013" or not fer2013_only:
            return place
    return None


def _holds_several(source: Source) -> bool:
    """Say whether the folders in data/ are datasets rather than classes: pictures lie deeper."""
    if source.kind != "folders":
        return False
    parts = (path.relative_to(DATA).parts for path in source.files)
    return any(len(part) > 2 and part[0].lower() not in SPLIT_NAMES for part in parts)


def _votes_beside(place: Path) -> Path:
    folder = place if place.is_dir() else place.parent
    beside = [folder / VOTES, folder.parent / VOTES]
    return next((path for path in beside if path.is_file()), beside[0])
