"""Pieces of HTML. Whatever comes from files goes through :func:`text`; pieces are joined as is."""

import base64
import html
import math
from collections.abc import Iterable, Sequence

DASH = "&ndash;"
"""Stands where there is no figure."""


def text(value: object) -> str:
    """Return a value as text that a browser takes for nothing else."""
    return html.escape(str(value))


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage, or a dash where there is none."""
    return DASH if _none(value) else f"{100 * float(value or 0):.{digits}f}&nbsp;%"


def number(value: float | None, digits: int = 4) -> str:
    """Return a number, or a dash where there is none."""
    return DASH if _none(value) else f"{float(value or 0):.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 1, points: bool = False) -> str:
    """Return an interval of shares in percent, or of differences in percentage points."""
    if _none(low) or _none(high):
        return DASH
    one, other = (
        f"{100 * float(end or 0):{'+' if points else ''}.{digits}f}" for end in (low, high)
    )
    return f"{one} to {other}" + ("" if points else "&nbsp;%")


def _none(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first cell of each row is its heading. Cells are HTML already."""
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
    """Return names and what stands behind them, as a list."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in rows)}</dl>"


def figure(svg: str, caption: str) -> str:
    """Return a drawing with what is to be seen in it."""
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def figures(*drawn: str) -> str:
    """Return figures beside each other where there is room."""
    return f'<div class="figures">{"".join(drawn)}</div>'


def paragraph(*sentences: str) -> str:
    """Return sentences as a paragraph."""
    return f"<p>{' '.join(sentences)}</p>"


def missing(what: str, command: str | None = None) -> str:
    """Say what is not in the report, and which command would bring it."""
    how = f" To have it: <code>{text(command)}</code>" if command else ""
    return f'<p class="missing">{what}{how}</p>'


def more(summary: str, *inside: str) -> str:
    """Return what is shown on demand."""
    return f"<details><summary>{summary}</summary>{''.join(inside)}</details>"


def section(name: str, title: str, *inside: str) -> str:
    """Return a section of the page, to be linked to by its name."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{title}</h2>{"".join(inside)}</section>'
    )


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
