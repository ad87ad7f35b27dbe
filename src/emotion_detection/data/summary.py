"""Summarize a dataset: a table of counts, and a contact sheet."""

import contextlib
import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from emotion_detection.data.dataset import SPLITS, Dataset, Faces, UnreadableImage
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic

SEED = 0
"""Seed of the faces that a sheet shows."""

CELL = 72
GAP = 4
MARGIN = 24
LETTERS = 20
"""Letters a line of an emotion's name; longer names continue on the next line."""

PAPER, INK, PALE = "#ffffff", "#1f2328", "#6e7781"
_LINE, _EMPTY = 20, "no faces here"
_DEJAVU = "fonts/ttf/DejaVuSans.ttf"
_UNREADABLE_SHOWN = 5

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def escape_text(name: str) -> str:
    r"""Return a name fit for a terminal: what cannot be printed is escaped.

    >>> escape_text("a\x1b[2J.png")
    'a\\x1b[2J.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def format_facts(*rows: tuple[str, str]) -> Table:
    """Return a table of names and what stands behind them; long values are folded, never cut."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def describe_unreadable(corrupt: Sequence[UnreadableImage]) -> str:
    """Print the number of unreadable images, and the first ones with reasons."""
    lines = [f"{len(corrupt):,}" if corrupt else "none"]
    lines += [
        f"{escape_text(c.name)}: {escape_text(c.reason)}" for c in corrupt[:_UNREADABLE_SHOWN]
    ]
    if len(corrupt) > _UNREADABLE_SHOWN:
        lines.append(f"and {len(corrupt) - _UNREADABLE_SHOWN:,} more")
    return "\n".join(lines)


def format_info_table(dataset: Dataset) -> RenderableType:
    """Return what a dataset is and how many faces each class has, for 80 columns or more."""
    splits = {name: dataset.split(name) for name in SPLITS if dataset.sizes[name]}
    classes = len(dataset.labels)
    none = np.zeros(classes, np.int64)
    counts = np.stack(
        [splits[name].counts(classes) if name in splits else none for name in SPLITS], axis=1
    )
    channels, height, width = next(iter(splits.values())).stored.shape[1:]
    missing = [
        f"{name}: {', '.join(map(escape_text, dataset.missing_classes(faces)))}"
        for name, faces in splits.items()
        if dataset.missing_classes(faces)
    ]
    missing += [f"{name}: no faces at all" for name in SPLITS if name not in splits]
    votes = any(faces.targets is not None for faces in splits.values())
    top = format_facts(
        ("data", escape_text(dataset.source)),
        ("kind", dataset.kind),
        ("hash", dataset.hash),
        ("cache", escape_text(str(dataset.folder))),
        ("faces", f"{counts.sum():,}, {width} x {height}, {'grey' if channels == 1 else 'colour'}"),
        ("labels", f"{dataset.label_set}, {classes} classes{', with votes' * votes}"),
        ("intensity", _intensity(list(splits.values()))),
        ("unreadable", describe_unreadable(dataset.corrupt)),
        ("missing", "\n".join(missing) or "none: every class has faces in every split"),
    )
    table = Table(show_footer=True, box=box.SIMPLE_HEAD)
    table.add_column("class", "all", overflow="fold")
    everything = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    for name, column in zip((*SPLITS, "total"), everything.T, strict=True):
        table.add_column(name, f"{column.sum():,}", justify="right", no_wrap=True)
    table.add_column("share", "", justify="right", no_wrap=True)
    for label, row in zip(dataset.labels, everything, strict=True):
        numbers = [f"{count:,}" for count in row]
        table.add_row(Text(escape_text(label)), *numbers, f"{row[-1] / counts.sum():.1%}")
    return Group(top, table)


def _intensity(splits: Sequence[Faces]) -> str:
    given = [faces.intensity for faces in splits if faces.intensity is not None]
    known = np.concatenate(given) if given else np.empty(0, np.float32)
    known = known[~np.isnan(known)]
    if not len(known):
        return "not given"
    span = f"{known.min():.2f} to {known.max():.2f}, mean {known.mean():.2f}"
    return f"given for {len(known):,} faces: {span}"


def draw_contact_sheet(
    dataset: Dataset, path: Path, columns: int = 12, split: str = "train"
) -> None:
    """Write a PNG of a split's faces: a row for each emotion, faces picked by a fixed seed.

    Args:
        dataset: where the faces come from.
        path: the PNG, written atomically; parent directories are created.
        columns: number of faces per row, at least 1.
        split: 'train', 'validation' or 'test'.

    Raises:
        InputError: there are no faces in that split, or the file cannot be written.
    """
    faces = dataset.split(split)
    source = escape_text(Path(dataset.source).name or dataset.source)
    heading = f"{source}, {dataset.kind}, {split}: {len(faces):,} faces"
    title, bold, small = (
        load_font(size, source + "".join(dataset.labels)) for size in (20, 16, 13)
    )
    names = [textwrap.wrap(escape_text(label), LETTERS) or [""] for label in dataset.labels]
    widest = max(bold.getlength(line) for lines in names for line in lines)
    left = MARGIN + math.ceil(max(widest, small.getlength(_EMPTY))) + MARGIN
    right = max(left + columns * (CELL + GAP) - GAP, MARGIN + math.ceil(title.getlength(heading)))
    top = MARGIN * 2 + 20
    # a name of many lines makes its row higher, so that no name is cut
    heights = [max(CELL, _LINE * (len(lines) + 1)) + GAP for lines in names]
    sheet = Image.new("RGB", (right + MARGIN, top + sum(heights) - GAP + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), heading, INK, title)
    for label, (lines, height) in enumerate(zip(names, heights, strict=True)):
        rows = np.flatnonzero(faces.labels == label)
        middle = top + (height - GAP) / 2
        up = middle - _LINE * (len(lines) + 1) / 2
        for number, line in enumerate(lines):
            draw.text((MARGIN, up + _LINE * number), line, INK, bold)
        count = f"{len(rows):,}" if len(rows) else _EMPTY
        draw.text((MARGIN, up + _LINE * len(lines) + 2), count, PALE, small)
        for column, row in enumerate(_picked(rows, columns, label)):
            cell = face_to_image(faces.draw(np.array([row]))[0])
            sheet.paste(cell, (left + column * (CELL + GAP), round(middle - CELL / 2)))
        top += height
    content = io.BytesIO()
    sheet.save(content, "PNG", optimize=True)
    save(path, content.getvalue())


def load_font(size: int, text: str) -> Font:
    """Return the font that a sheet's texts are drawn in: one that has their letters."""
    if not text.isascii():
        # Pillow's own font knows ASCII alone; DejaVu, which comes with matplotlib, most scripts
        with contextlib.suppress(ImportError, OSError):
            import matplotlib

            return ImageFont.truetype(Path(matplotlib.get_data_path(), _DEJAVU), size)
    return ImageFont.load_default(size)


def _picked(rows: npt.NDArray[np.int64], columns: int, label: int) -> list[int]:
    # a seed of its own for each class: its row stays when other classes come or go
    generator = np.random.default_rng([SEED, label])
    return sorted(generator.permutation(rows)[:columns].tolist())


def face_to_image(face: npt.NDArray[np.uint8]) -> Image.Image:
    """Return one face, uint8 (C, H, W), as an image of a cell's size."""
    pixels = np.ascontiguousarray(face[0] if len(face) == 1 else face.transpose(1, 2, 0))
    return Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.LANCZOS)


def save(path: Path, content: bytes) -> None:
    """Write a result where the user asked for it.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        write_atomic(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
