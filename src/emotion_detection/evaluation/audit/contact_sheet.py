"""Draw a contact sheet of an audit's findings: faces with label, suggestion and score."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

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
)

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
