"""Write the files of an audit: ``audit.csv``, ``audit.json`` and ``audit.png``.

The last is a contact sheet of the findings: faces with label, suggestion and score.
"""

import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from emotion_detection.audit_options import REASONS, AuditOptions
from emotion_detection.config import DataConfig, TrainConfig, config_to_dict
from emotion_detection.data import SPLITS, Dataset, load
from emotion_detection.data.summary import (
    CELL,
    GAP,
    INK,
    MARGIN,
    PALE,
    PAPER,
    Font,
    escape_text,
    face_to_image,
    load_font,
    save,
)
from emotion_detection.evaluation.audit.audited_faces import AuditedFaces
from emotion_detection.evaluation.audit.folds import OutOfFold
from emotion_detection.evaluation.audit.label_issues import MEANINGS, LabelIssues, drop_repeated
from emotion_detection.io.files import escape_cell
from emotion_detection.metrics.statistics import compute_accuracy_interval

COLUMNS = 12
ROWS = 4
"""Rows per reason: the most confident findings, from left to right and top to bottom."""

_WIDTH, _LINE = 84, 15
_HEADING = 44
_RED = "#b42318"


@dataclass(frozen=True)
class Cell:
    """One face of the sheet.

    Args:
        face: uint8 (C, H, W).
        label: the given label.
        suggested: the suggested label, or empty.
        score: confidence that something is wrong.
    """

    face: npt.NDArray[np.uint8]
    label: str
    suggested: str
    score: float


def draw_sheet(title: str, parts: Sequence[tuple[str, Sequence[Cell]]]) -> bytes:
    """Draw the most confident findings of each reason.

    Args:
        title: title of the sheet.
        parts: a heading and its faces, most confident first; :data:`ROWS` rows are shown.

    Returns:
        The PNG's bytes.
    """
    words = title + "".join(
        heading + "".join(cell.label + cell.suggested for cell in cells) for heading, cells in parts
    )
    large, bold, small = (load_font(size, words) for size in (20, 15, 12))
    height = CELL + 3 * _LINE + 2 * GAP
    rows = [-(-min(len(cells), COLUMNS * ROWS) // COLUMNS) for _, cells in parts]
    heights = [_HEADING + count * height for count in rows]
    whole = 2 * MARGIN + 20 + sum(heights)
    sheet = Image.new("RGB", (2 * MARGIN + COLUMNS * (_WIDTH + GAP), whole), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, large)
    top = MARGIN + 20
    for (heading, cells), used in zip(parts, heights, strict=True):
        draw.text((MARGIN, top + 16), heading, INK, bold)
        below = top + _HEADING
        for place, cell in enumerate(cells[: COLUMNS * ROWS]):
            row, column = divmod(place, COLUMNS)
            left = MARGIN + column * (_WIDTH + GAP)
            _draw_cell(sheet, draw, cell, left, below + row * height, small)
        top += used
    content = io.BytesIO()
    sheet.save(content, "PNG", optimize=True)
    return content.getvalue()


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, left: int, top: int, small: Font
) -> None:
    sheet.paste(face_to_image(cell.face), (left, top))
    lines = [
        (escape_text(cell.label), INK),
        (escape_text(cell.suggested) and f"{escape_text(cell.suggested)}?", _RED),
        (f"{cell.score:.3f}", PALE),
    ]
    for number, (text, colour) in enumerate(lines):
        place = (left, top + CELL + 2 + number * _LINE)
        draw.text(place, _fitting(text, small), colour, small)


def _fitting(text: str, small: Font) -> str:
    """Shorten a text that is wider than the cell of a face."""
    if small.getlength(text) <= _WIDTH:
        return text
    while text and small.getlength(text + "...") > _WIDTH:
        text = text[:-1]
    return text + "..."


HEADINGS = {
    "label": "likely wrong labels",
    "duplicate": "duplicates with different labels",
    "nonface": "no face",
    "outlier": "outliers",
}
COLUMN_NAMES = ("file", "split", "label", "suggested", "reason", "score", "rank")
"""Columns of ``audit.csv``; the first is what ``--exclude`` reads."""


def enlarge_faces(
    config: DataConfig, dataset: Dataset, audited: AuditedFaces, smallest: int
) -> Any:
    """Load the faces at a size that people and the face detector can use.

    Args:
        config: the data settings.
        dataset: the data, at the networks' size.
        audited: the audited faces.
        smallest: minimum height and width in pixels.

    Returns:
        uint8 (N, C, H, W), in the order of ``audited``.
    """
    if config.size < smallest:
        values = {f.name: getattr(config, f.name) for f in dataclasses.fields(DataConfig)}
        dataset = load(DataConfig(**{**values, "size": smallest}))
    # random splits may differ at another size, so faces are identified by name
    splits = [dataset.split(name) for name in SPLITS if dataset.sizes[name]]
    names = itertools.chain.from_iterable(faces.names for faces in splits)
    place = {name: row for row, name in enumerate(names)}
    ends = np.cumsum([len(faces) for faces in splits])
    rows = np.array([place[name] for name in audited.names], np.int64)
    channels, height, width = splits[0].stored.shape[1:]
    images = np.empty((len(rows), channels, height, width), np.uint8)
    for faces, end in zip(splits, ends, strict=True):
        own = (rows >= end - len(faces)) & (rows < end)
        images[own] = faces.draw(rows[own] - (end - len(faces)))
    return images


def write_csv(
    path: Path, dataset: Dataset, audited: AuditedFaces, listed: dict[str, LabelIssues]
) -> int:
    """Write the faces to leave out, one row each, as a file for ``--exclude``.

    Returns:
        The number of faces.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMN_NAMES)
    count = 0
    for reason, own in listed.items():
        for rank, (row, score, suggested) in enumerate(
            zip(own.rows, own.scores, own.suggested, strict=True), 1
        ):
            label, other = _names(dataset, int(audited.labels[row]), int(suggested))
            cells = (audited.names[row], audited.splits[row], label, other, reason)
            rows.writerow((*map(escape_cell, cells), f"{score:.4f}", rank))
            count += 1
    save(path, text.getvalue().encode())
    return count


def _names(dataset: Dataset, label: int, suggested: int) -> tuple[str, str]:
    return dataset.labels[label], dataset.labels[suggested] if suggested >= 0 else ""


def record(
    config: TrainConfig,
    options: AuditOptions,
    dataset: Dataset,
    audited: AuditedFaces,
    judged: OutOfFold,
    found: dict[str, LabelIssues],
    listed: dict[str, LabelIssues],
) -> dict[str, Any]:
    """Return the content of ``audit.json`` as plain values."""
    right = judged.scores.argmax(axis=1) == audited.labels
    counts = np.bincount(audited.labels, minlength=len(dataset.labels))

    def by_class(own: LabelIssues) -> dict[str, int]:
        numbers = np.bincount(audited.labels[own.rows], minlength=len(dataset.labels))
        return dict(zip(dataset.labels, numbers.tolist(), strict=True))

    return {
        "data": dataset.record(),
        "splits": list(options.splits),
        "faces": len(audited),
        "faces_by_class": dict(zip(dataset.labels, counts.tolist(), strict=True)),
        "out_of_fold": {
            "folds": options.folds,
            "accuracy": float(right.mean()),
            "accuracy_ci95": list(compute_accuracy_interval(right)),
            "n": len(right),
            "by_fold": [float(right[judged.folds == k].mean()) for k in range(options.folds)],
        },
        "reasons": {
            reason: {
                "meaning": HEADINGS[reason],
                "score": MEANINGS[reason],
                "found": len(own),
                "found_by_class": by_class(own),
                "listed": len(listed[reason]) if reason in listed else 0,
                "listed_by_class": by_class(listed[reason]) if reason in listed else {},
            }
            for reason, own in found.items()
        },
        "listed": sum(len(own) for own in listed.values()),
        "settings": {**dataclasses.asdict(options), "recipe": config_to_dict(config)},
    }


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write ``audit.json``."""
    save(path, (json.dumps(values, indent=2) + "\n").encode())


def write_sheet(
    path: Path, dataset: Dataset, audited: AuditedFaces, images: Any, found: dict[str, LabelIssues]
) -> None:
    """Write ``audit.png``: the most confident findings of each reason, also of unlisted ones.

    A face that was found for several reasons is shown under one of them.
    """
    parts = []
    for reason, own in drop_repeated(found, REASONS).items():
        first = own.top(COLUMNS * ROWS)
        cells = [
            Cell(images[row], *_names(dataset, int(audited.labels[row]), int(other)), float(score))
            for row, score, other in zip(first.rows, first.scores, first.suggested, strict=True)
        ]
        heading = _heading(len(found[reason]), len(own), len(cells))
        parts.append((f"{HEADINGS[reason]}: {heading}", cells))
    source = escape_text(Path(dataset.source).name or dataset.source)
    title = f"{source}, {dataset.kind}: what looks wrong in {len(audited):,} faces"
    save(path, draw_sheet(title, parts))


def _heading(found: int, own: int, drawn: int) -> str:
    """Return the heading of a reason's faces, with the same count as in the table."""
    if not found:
        return "none found"
    words = f"{found:,} found"
    if own < found:
        words += f", {found - own:,} of them under another reason"
    return words if drawn == own else f"{words}; the top {drawn} are shown"
