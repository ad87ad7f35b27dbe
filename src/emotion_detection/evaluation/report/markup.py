"""Pieces of HTML. Text from files is escaped by :func:`text`; pieces are joined unchanged."""

import base64
import html
import math
from collections.abc import Iterable, Sequence

DASH = "&ndash;"
"""Placeholder of a missing value."""


def text(value: object) -> str:
    """Return a value as escaped text."""
    return html.escape(str(value))


def percent(value: float | None, digits: int = 1) -> str:
    """Format a fraction as a percentage, or a dash for None."""
    return DASH if _none(value) else f"{100 * float(value or 0):.{digits}f}&nbsp;%"


def number(value: float | None, digits: int = 4) -> str:
    """Format a number, or a dash for None."""
    return DASH if _none(value) else f"{float(value or 0):.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 1, points: bool = False) -> str:
    """Format an interval in percent, or of differences in percentage points."""
    if _none(low) or _none(high):
        return DASH
    one, other = (
        f"{100 * float(end or 0):{'+' if points else ''}.{digits}f}" for end in (low, high)
    )
    return f"{one} to {other}" + ("" if points else "&nbsp;%")


def _none(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first cell of each row is the heading. Cells are HTML."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a definition list of names and values."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in rows)}</dl>"


def figure(svg: str, caption: str) -> str:
    """Return a plot with a caption."""
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def figures(*drawn: str) -> str:
    """Return plots side by side, if there is room."""
    return f'<div class="figures">{"".join(drawn)}</div>'


def paragraph(*sentences: str) -> str:
    """Return sentences as a paragraph."""
    return f"<p>{' '.join(sentences)}</p>"


def missing(what: str, command: str | None = None) -> str:
    """Return a note on missing content, with the command that adds it."""
    how = f" To add it: <code>{text(command)}</code>" if command else ""
    return f'<p class="missing">{what}{how}</p>'


def more(summary: str, *inside: str) -> str:
    """Return content that is collapsed at first."""
    return f"<details><summary>{summary}</summary>{''.join(inside)}</details>"


def section(name: str, title: str, *inside: str) -> str:
    """Return a section of the page, with a name for links."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{title}</h2>{"".join(inside)}</section>'
    )


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
