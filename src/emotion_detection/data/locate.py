"""Find and recognise the data source of a word or path of the user."""

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

from emotion_detection.config import DataConfig
from emotion_detection.data.cache import open_cached
from emotion_detection.data.class_mapping import choose_classes, join_sources, split_paths
from emotion_detection.data.dataset import Dataset
from emotion_detection.data.download import ROWS, DownloadError, download_fer2013
from emotion_detection.data.ferplus import FILE_NAME as VOTES
from emotion_detection.data.ferplus import add_votes
from emotion_detection.data.formats import delimited
from emotion_detection.data.formats.columns import find_roles
from emotion_detection.data.formats.folders import holds_several, read_folders
from emotion_detection.data.formats.layouts import RAFDB_LISTS, read_layout, read_rafdb
from emotion_detection.data.formats.parquet import read_parquet, split_of_parquet
from emotion_detection.data.formats.table import read_tables
from emotion_detection.data.formats.tree import ImagePaths, is_counted, read_tree
from emotion_detection.data.source import FER2013_SPLITS, Source, split_of
from emotion_detection.data.synthetic import make_synthetic_source
from emotion_detection.data.whole_images import note_photographs
from emotion_detection.errors import InputError

DATA = Path("data")
"""Folder for datasets, below the current folder."""

DEEPER = 3
"""Levels below a folder in which a dataset is searched."""

FILE_NAMES = ("fer2013.csv", "icml_face_data.csv")
"""Kaggle's names of FER-2013; other tables in the folder are parts of it."""

TABLE_SUFFIXES = {".csv", ".tsv", ".tab"}

BANNER = """
┌──────────────────────────────────────────────────────────────────────────────┐
│  NO DATASET FOUND: USING SYNTHETIC FACES                                     │
│                                                                              │
│  Nothing in data/ and FER-2013 could not be downloaded, so synthetic faces   │
│  are used. Everything works, but the metrics say nothing about real faces.   │
│  To use real ones: put fer2013.csv, a folder train/<emotion>/*.png or a      │
│  manifest into data/, or name it with --data.                                │
└──────────────────────────────────────────────────────────────────────────────┘
"""


def load(config: DataConfig) -> Dataset:
    """Find, recognise, decode (once) and open a data source.

    Args:
        config: the data settings.

    Raises:
        InputError: the data does not exist, has an unknown format, or is damaged.
    """
    source, place = find(config)
    if config.labels == "ferplus":
        if place is None:
            raise InputError(
                "--labels ferplus: synthetic faces have no votes; name FER-2013 with --data"
            )
        source = add_votes(source, _votes_beside(Path(place)), config.votes)
    source = choose_classes(source, config.rename, config.classes)
    # records of a run need the dataset that 'auto' or 'fer2013' stood for
    dataset = open_cached(source, replace(config, data="demo" if place is None else place))
    if config.labels == "fer2013" and dataset.label_set != "fer2013":
        _note_once(
            f"emotion: {dataset.source}: --labels fer2013 is now called --labels original where "
            "the data is not FER-2013"
        )
    for note in source.notes:
        _note_once(f"note: {note}")
    _note_missing_rows(dataset)
    if config.crop == "none" and (whole := note_photographs(source, dataset.pixels)):
        _note_once(f"note: {whole}")
    if dataset.corrupt:
        first = dataset.corrupt[0]
        print(
            f"note: unreadable images left out: {len(dataset.corrupt)}; the first: {first.name}: "
            f"{first.reason}; 'emotion data check' lists them",
            file=sys.stderr,
        )
    return dataset


_noted: set[str] = set()


def _note_once(line: str) -> None:
    """Print a line on standard error, once in a process: data is opened several times."""
    if line not in _noted:
        _noted.add(line)
        print(line, file=sys.stderr)


def _note_missing_rows(dataset: Dataset) -> None:
    """Print a note if FER-2013 is incomplete, so that metrics are not comparable."""
    whole = {FER2013_SPLITS[usage]: rows for usage, rows in ROWS.items()}
    if dataset.label_set == "fer2013" and dataset.sizes != whole:
        found, all_rows = (
            ", ".join(f"{split} {count:,}" for split, count in sizes.items())
            for sizes in (dataset.sizes, whole)
        )
        print(
            f"note: {dataset.source} has FER-2013's format, but not all of its faces: {found}; "
            f"FER-2013 has {all_rows}",
            file=sys.stderr,
        )


def find(config: DataConfig) -> tuple[Source, str | None]:
    """Return the source of a user's words, and the path (None: synthetic)."""
    if config.data == "demo":
        return make_synthetic_source(config.size), None
    if config.data in ("auto", "fer2013"):
        found = _in_data_folder(fer2013_only=config.data == "fer2013")
        if found is not None:
            print(f"data: {found[1]}", file=sys.stderr)
            return found[0], found[1].as_posix()
        try:
            place = download_fer2013(DATA)
        except DownloadError as error:
            if config.data == "fer2013" or config.labels == "ferplus":
                raise InputError(str(error)) from None
            print(f"{error}\n{BANNER}", file=sys.stderr, flush=True)
            return make_synthetic_source(config.size), None
        return recognise_format(place), place.as_posix()
    places = split_paths(config.data)
    for path in places:
        if not path.exists():
            raise InputError(
                f"--data {path}: no such file or folder (nor 'auto', 'fer2013', 'demo')"
            )
    if len(places) == 1:
        source, where = locate_data(places[0])
        if where != places[0]:
            _note_once(f"note: {places[0]}: the dataset is taken from {where}")
        return source, config.data
    if config.labels == "ferplus":
        raise InputError("--labels ferplus: FER+ has votes for FER-2013 alone: name one dataset")
    return join_sources([locate_data(place)[0] for place in places], places), config.data


def recognise_format(place: Path) -> Source:
    """Recognise the format of a file or folder.

    Raises:
        InputError: the format is unknown, or a part is not understood.
    """
    return locate_data(place)[0]


def locate_data(place: Path, deeper: int = DEEPER) -> tuple[Source, Path]:
    """Recognise the format of a file or folder, and return the path of the dataset.

    Args:
        place: a file or folder.
        deeper: number of levels below a folder to search, if it is not a dataset itself.

    Raises:
        InputError: the format is unknown, a part is not understood, or there are several datasets.
    """
    if place.is_file():
        return _of_file(place), place
    source = _of_folder(place)
    if source is not None:
        return source, place
    found, refused = _look_below(place, deeper)
    if len(found) > 1:
        names = " ".join(path.as_posix() for _, path in found)
        raise InputError(f"{place}: several datasets in it: name one, or all: --data {names}")
    if found:
        return found[0]
    if refused:
        raise refused[0]
    raise InputError(
        f"{place}: no faces in a known shape: fer2013.csv, train-*.parquet, a CSV with file and "
        "emotion, or folders <emotion>/*.png or train/<emotion>/*.png"
    )


def _look_below(place: Path, deeper: int) -> tuple[list[tuple[Source, Path]], list[InputError]]:
    """Return the datasets in the folders below one, and what was wrong with those that are none."""
    found, refused = [], []
    for folder in _folders(place) if deeper else []:
        try:
            found.append(locate_data(folder, deeper - 1))
        except InputError as error:
            # folders of other things are no mistake; a dataset that is not understood is
            if "no faces in a known shape" not in str(error):
                refused.append(error)
    return found, refused


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and is_counted(path.name))


def _of_file(path: Path) -> Source:
    if path.suffix.lower() == ".parquet":
        return read_parquet([path])
    if path.name.lower() in RAFDB_LISTS:
        return read_rafdb(path)
    return read_tables([path])


def _of_folder(place: Path) -> Source | None:
    """Recognise a folder; None: it is no dataset itself, but perhaps one lies below.

    Raises:
        InputError: it is one, and some of it is not understood.
    """
    for name in FILE_NAMES:
        if (place / name).is_file():
            return read_tables([place / name])
    files = [
        path for folder in (place, place / "data") for path in sorted(folder.glob("*.parquet"))
    ]
    files = files or [p for p in sorted(place.glob("*/*.parquet")) if split_of(p.parent.name)]
    if any(split_of_parquet(path) for path in files):
        return read_parquet(files)
    tables = [path for path in sorted(place.iterdir()) if _is_table(path)]
    if len(tables) > 1 and not all(split_of(path.stem) for path in tables):
        raise InputError(
            f"{place}: several manifests ({', '.join(path.name for path in tables)}): name one"
        )
    if tables:
        return read_tables(tables)
    tree = read_tree(place)
    if source := read_layout(tree):
        return source
    if source := read_folders(place, tree):
        return source
    return read_parquet(files) if files else None


def _is_table(path: Path) -> bool:
    """Return True for a table of labelled images; what cannot be read is none."""
    hidden = path.name.startswith(".") or path.name == VOTES
    if hidden or path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        return False
    try:
        columns = delimited.read_columns(path)
        roles = find_roles(columns, str(path))
    except InputError:
        return False
    if roles.pixels or {"file", "emotion"} <= set(columns):
        return True
    # other names of columns stand in tables of all kinds: the images must be there
    paths = ImagePaths(path.parent)
    some = islice(delimited.read_lines(path), 20)
    cells = [row[roles.file] for _, row in some if roles.file is not None and roles.file < len(row)]
    return any(paths.find(cell).is_file() for cell in cells if cell and "\0" not in cell)


def _in_data_folder(fer2013_only: bool) -> tuple[Source, Path] | None:
    """Return the first thing below data/ that is a dataset: itself, then its folders."""
    if not DATA.is_dir():
        return None
    found: list[tuple[Source, Path]] = []
    for place in (DATA, *_folders(DATA)):
        try:
            source, where = locate_data(place, 0 if place == DATA else DEEPER)
        except InputError as error:
            if place != DATA or "no faces in a known shape" not in str(error):
                _note_passed_over(place, error)
            continue
        if place == DATA and holds_several(source, DATA):
            continue
        if source.label_set == "fer2013" or not fer2013_only:
            found.append((source, where))
            if place == DATA:
                break
    if len(found) > 1:
        others = ", ".join(path.as_posix() for _, path in found[1:])
        print(f"note: also in {DATA}/: {others}; --data names what is meant", file=sys.stderr)
    return found[0] if found else None


def _note_passed_over(place: Path, error: InputError) -> None:
    known = "no faces in a known shape" in str(error)
    if not known or any(place.glob("*.csv")) or any(place.glob("*.parquet")):
        print(f"warning: passed over: {error}", file=sys.stderr)


def _votes_beside(place: Path) -> Path:
    folder = place if place.is_dir() else place.parent
    beside = [folder / VOTES, folder.parent / VOTES]
    return next((path for path in beside if path.is_file()), beside[0])
