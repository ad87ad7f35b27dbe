"""Tables of images: a line (or row) a face, with image, label and perhaps split.

Format: CSV, TSV or Parquet with a header. The image is a path (``file``, ``image``, ``path``, …),
grey levels (``pixels``: a square of numbers between blanks, as in Kaggle's ``fer2013.csv``), or in
Parquet the image itself. The label (``emotion``, ``label``, ``class``, …) is a word or a number.
Optional: ``split`` or ``Usage``, ``intensity`` (0 to 1), ``person``. :mod:`.columns` lists all
names. Classes: those that occur. Split: the column's, or the file's name where there are several
files; what is missing is split off (:mod:`emotion_detection.data.splitting`). A line that cannot be
read counts as an unreadable image. Licence and citation: those of your images.

FER-2013 as CSV (``fer2013.csv``, ``icml_face_data.csv``): ``emotion,pixels,Usage`` with 0 to 6 for
anger, disgust, fear, happiness, sadness, surprise, neutral, and ``Training`` (train),
``PublicTest`` (validation), ``PrivateTest`` (test). Licence: none is stated with the data; the
images were collected from the web for a challenge. Citation: Goodfellow et al. 2013, "Challenges
in Representation Learning: A Report on Three Machine Learning Contests", arXiv:1307.0414.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emotion_detection.data.fer2013_faces import PixelNames
from emotion_detection.data.formats import delimited
from emotion_detection.data.formats.columns import (
    Row,
    Survey,
    Table,
    describe_classes,
    describe_splits,
    find_roles,
    is_number,
    note_numbers,
    read_intensity,
    read_label,
    read_levels,
    simplify_name,
    survey_table,
)
from emotion_detection.data.formats.known_labels import (
    FER2013_NUMBERS,
    Numbers,
    numbers_by_columns,
    numbers_by_file_names,
)
from emotion_detection.data.formats.tree import ImagePaths
from emotion_detection.data.source import (
    Content,
    Face,
    Source,
    Unreadable,
    place_in_fer2013,
    split_of,
)
from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013, class_names, sort_labels


def read_tables(paths: Sequence[Path]) -> Source:
    """Recognise tables of text that belong together.

    Args:
        paths: one table, or several whose names are splits.

    Raises:
        InputError: a column is missing, or there are fewer than two emotions.
    """
    several = len(paths) > 1
    tables = [_text_table(path, split_of(path.stem) if several else None) for path in paths]
    numbers = numbers_by_columns([simplify_name(name) for name in tables[0].columns])
    if not tables[0].roles.pixels:
        return make_table_source(tables, "manifest CSV", numbers)
    fer2013 = numbers is FER2013_NUMBERS
    return make_table_source(
        tables, "FER-2013 CSV" if fer2013 else "CSV of pixels", numbers, fer2013
    )


def _text_table(path: Path, split: str | None) -> Table:
    columns = delimited.read_columns(path)
    roles = find_roles(columns, str(path))
    least = max([roles.label, *roles.pixels, roles.file or 0, roles.split or 0])

    def rows(requested: Sequence[int]) -> Iterator[Row]:
        for line, cells in delimited.read_lines(path):
            where = f"line {line}"
            if any(cells[len(columns) :]):
                reason = f"{len(cells)} cells; the header has {len(columns)}"
                yield where, Unreadable(reason)
            elif roles.pixels and len(cells) <= least:
                # a line that was cut off; in lists of files the last cells may be missing
                yield where, Unreadable(f"{len(cells)} cells; {', '.join(columns)} are needed")
            else:
                yield where, [cells[place] if place < len(cells) else "" for place in requested]

    return Table(path, tuple(columns), roles, rows, split, label=path.name)


def _are_other_numbers(surveys: Sequence[Survey]) -> bool:
    """Return True for labels from 1 to 7: FER-2013 has 0 to 6, CK+ in its columns 0 to 7."""
    found = {int(label) for survey in surveys for label in survey.labels if is_number(label)}
    return 7 in found and 0 not in found


def make_table_source(
    tables: Sequence[Table], kind: str, numbers: Numbers | None, fer2013: bool = False
) -> Source:
    """Create a source from tables that belong together.

    Args:
        tables: at least one.
        kind: their shape in words.
        numbers: what numbers mean as labels by the columns, where that is known.
        fer2013: these are faces of FER-2013, if their classes are too.

    Raises:
        InputError: there are fewer than two emotions.
    """
    surveys = [survey_table(table) for table in tables]
    examples = [name for found in surveys for name in found.examples]
    if numbers is FER2013_NUMBERS and _are_other_numbers(surveys):
        numbers, kind, fer2013 = None, "CSV of pixels", False
    numbers = numbers_by_file_names(examples) or numbers
    readers = [_Reader(table, numbers) for table in tables]
    found: Counter[str] = Counter()
    for reader, surveyed in zip(readers, surveys, strict=True):
        found.update(reader.count_classes(surveyed))
    used = class_names(found)
    labels = sort_labels(used)
    where = tables[0].path if len(tables) == 1 else tables[0].path.parent
    if found and len(labels) < 2:
        raise InputError(f"{where}: needs at least two emotions; found {len(labels)}")
    for reader in readers:
        reader.classes = {own: labels.index(name) for own, name in used.items()}
    splits = sum((_splits(t, s) for t, s in zip(tables, surveys, strict=True)), Counter())

    def read() -> Iterator[Face]:
        for reader in readers:
            yield from reader.read()

    if tables[0].roles.file is not None:
        for reader in readers:
            reader.check_taught()
        listed = list(read())
        paths = [face.content for face in listed if isinstance(face.content, Path)]
    else:
        paths = []
    return Source(
        kind=kind,
        files=(*(table.path for table in tables), *paths),
        labels=labels or FER2013,
        read=(lambda: iter(listed)) if paths else read,
        label_set="fer2013" if fer2013 and labels in (FER2013, ()) else "own",
        count=sum(found.rows for found in surveys),
        notes=(
            f"{where}: {_columns_taken(tables[0])}; {describe_splits(splits)}; "
            f"{describe_classes(found, used)}",
            *note_numbers(labels),
        ),
    )


class _Reader:
    """Turns the rows of one table into faces."""

    def __init__(self, table: Table, numbers: Numbers | None) -> None:
        self.table = table
        self.numbers: Numbers | None = (
            dict(enumerate(table.names)) if table.names is not None else numbers
        )
        self.classes: dict[str, int] = {}
        self._images = ImagePaths(table.path.parent)

    def count_classes(self, found: Survey) -> Counter[str]:
        counts: Counter[str] = Counter()
        for label, rows in found.labels.items():
            name = self._class(label)
            if isinstance(name, str):
                counts[name] += rows
        return counts

    def _class(self, label: str) -> str | Unreadable | None:
        """Return the class that a label means; None: it means that there is none."""
        column = self.table.columns[self.table.roles.label].strip()
        if not label:
            return Unreadable(f"{column} is empty")
        if self.numbers is None or not is_number(label):
            return label
        if int(label) not in self.numbers:
            low, high = min(self.numbers), max(self.numbers)
            return Unreadable(f"{column} {label!r} is not a number from {low} to {high}")
        return self.numbers[int(label)]

    def check_taught(self) -> None:
        """Reject a class of validation or test that no training line has, as a typing error.

        Raises:
            InputError: names the line.
        """
        table, roles = self.table, self.table.roles
        if roles.split is None:
            return
        taught: set[int] = set()
        others: dict[int, str] = {}
        has_train = False
        for where, cells in table.rows([roles.label, roles.split]):
            if isinstance(cells, Unreadable):
                continue
            label, split = read_label(cells[0]), split_of(str(cells[1]))
            name = self._class(label)
            if not isinstance(name, str):
                continue
            has_train |= split == "train"
            if split == "train" or not str(cells[1]).strip():
                taught.add(self.classes[name])
            else:
                others.setdefault(self.classes[name], f"{where}: emotion {label!r}")
        for number, words in others.items():
            if has_train and number not in taught:
                raise InputError(f"{table.path} {words} is unknown: no training line has it")

    def read(self) -> Iterator[Face]:
        """Yield the faces; unreadable ones have the content :class:`Unreadable`."""
        table, roles = self.table, self.table.roles
        optional = {
            name: place
            for name in ("split", "intensity", "person")
            if (place := getattr(roles, name)) is not None
        }
        image = roles.pixels or (roles.file if roles.file is not None else roles.content,)
        places = [roles.label, *optional.values(), *(p for p in image if p is not None)]
        name_pixels = PixelNames()
        for number, (where, cells) in enumerate(table.rows(places)):
            unreadable = f"{table.label} {where}"
            if isinstance(cells, Unreadable):
                yield Face(unreadable, cells, 0)
                continue
            more = dict(zip(optional, cells[1:], strict=False))
            try:
                made = self._face(cells[0], more, cells[1 + len(optional) :], where)
            except ValueError as error:
                yield Face(unreadable, Unreadable(str(error)), 0)
                continue
            if made is None:
                continue
            yield name_pixels.name(made, number) if roles.pixels else made

    def _face(
        self, label: Any, more: dict[str, Any], image: Sequence[Any], where: str
    ) -> Face | None:
        """Return a face, or None if its label is not an emotion.

        Raises:
            ValueError: the row cannot be read; the message gives the reason.
        """
        name, content, order = self._image(image, where)
        emotion = self._class(read_label(label))
        if isinstance(emotion, Unreadable):
            raise ValueError(emotion.reason)
        if emotion is None:
            return None
        split = read_label(more.get("split"))
        if split and split_of(split) is None:
            raise ValueError(f"split {split!r} is not train, validation or test")
        return Face(
            name=name,
            content=content,
            label=self.classes[emotion],
            split=split_of(split) if split else self.table.split,
            order=order,
            intensity=read_intensity(more.get("intensity")),
            person=read_label(more.get("person")) or None,
        )

    def _image(self, cells: Sequence[Any], where: str) -> tuple[str, Content, int | None]:
        """Return an image's name, content and number in FER-2013.

        Raises:
            ValueError: there is none; the message gives the reason.
        """
        if self.table.roles.pixels:
            levels = read_levels(cells)
            if levels is None:
                raise ValueError("the pixels are not a square of grey levels from 0 to 255")
            return "", levels, None
        if self.table.roles.file is not None:
            text = "" if cells[0] is None else str(cells[0]).strip()
            if not text:
                column = self.table.columns[self.table.roles.file].strip()
                raise ValueError(f"{column} is empty")
            return text, self._images.find(text), None
        return read_image_cell(cells[0], f"{self.table.label}#{where.rpartition(' ')[2]}")


def read_image_cell(cell: Any, name: str) -> tuple[str, Content, int | None]:
    """Return name, content and number in FER-2013 of an image that a cell of Parquet holds.

    Args:
        cell: bytes, or ``{"bytes": ..., "path": ...}``.
        name: the name where the cell has none.
    """
    if isinstance(cell, dict):
        name, cell = cell.get("path") or name, cell.get("bytes")
    place = place_in_fer2013(name)
    return name, cell if isinstance(cell, bytes) else b"", place[1] if place else None


def _splits(table: Table, found: Survey) -> Counter[str]:
    if table.roles.split is None:
        return Counter({table.split or "": found.rows})
    counts: Counter[str] = Counter()
    for text, rows in found.splits.items():
        split = split_of(text) if text else table.split
        if split or not text:
            counts[split or ""] += rows
    return counts


def _columns_taken(table: Table) -> str:
    roles, columns = table.roles, table.columns
    image = roles.pixels[0] if roles.pixels else roles.file
    image = roles.content if image is None else image
    taken = {"image": image, "emotion": roles.label, "split": roles.split, "person": roles.person}
    words = [f"{what} from {columns[p].strip()!r}" for what, p in taken.items() if p is not None]
    return ", ".join(words)
