"""Style of plots, and their output as PNG and as SVG that follows the page's theme.

Plots use a few fixed colours. In the SVG, each becomes one of the page's colour variables, so that
one plot serves the light and the dark theme; the PNG keeps the colours.
"""

import functools
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec

from emotion_detection.palette import PAPER_SHADES, assign_colour_slots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PALE, LINE, PAPER, ON = "#1f2329", "#5f6773", "#d5d9df", "#fffffe", "#fefefe"
FIRST, SECOND, HEAT = "#0072b1", "#d55e01", "#0072b3"
CLASSES = tuple(PAPER_SHADES.values())
"""One colour per class; further classes repeat the colours with another dash."""

VARIABLES = {
    INK: "ink",
    PALE: "pale",
    LINE: "line",
    PAPER: "paper",
    ON: "on",
    FIRST: "first",
    SECOND: "second",
    HEAT: "heat",
    **{colour: f"class-{number}" for number, colour in enumerate(CLASSES)},
}
"""The page's variable for each colour."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

LETTERS = 14
"""Maximum length of a class name in a plot; tables have the full name."""

Words = ParamSpec("Words")

_STYLE: Any = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.facecolor": PAPER,
    "axes.labelcolor": PALE,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": PALE,
    "ytick.labelcolor": PALE,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.labelcolor": INK,
    "figure.facecolor": PAPER,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class SvgPlot:
    """A plot for a page.

    Args:
        name: name of the plot in the page; prefix of all ids.
        width: in the page's pixels.
        height: in the page's pixels.
        box: width and height of ``viewBox``.
        drawing: content of the ``svg`` element.
    """

    name: str
    width: int
    height: int
    box: str
    drawing: str


@dataclass
class ReportPlots:
    """The plots of a report, as PNG and as SVG.

    Args:
        images: name -> PNG.
        drawings: name -> SVG.
    """

    images: dict[str, bytes] = field(default_factory=dict)
    drawings: dict[str, SvgPlot] = field(default_factory=dict)

    def add(self, name: str, figure: "Figure") -> None:
        """Store a plot."""
        self.images[name] = render_png(figure)
        figure.set_layout_engine("none")  # the layout is done, and takes longest
        self.drawings[name] = render_svg(figure, name)


def use_plot_style(draw: Callable[Words, "Figure"]) -> Callable[Words, "Figure"]:
    """Decorate a function to draw in the report's style, whatever the caller's style."""

    @functools.wraps(draw)
    def drawn(*values: Words.args, **named: Words.kwargs) -> "Figure":
        import matplotlib

        with matplotlib.rc_context(_STYLE):
            return draw(*values, **named)

    return drawn


def new_figure(
    width: float = 4.6, height: float = 3.3, panels: Sequence[float] = (1,)
) -> tuple["Figure", Sequence["Axes"]]:
    """Return an empty figure, small enough for a phone.

    Args:
        width: in inches.
        height: of all panels together, in inches.
        panels: relative heights of the axes, one below the other.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=panels)[:, 0]
    return figure, list(axes)


def shorten_label(name: str) -> str:
    """Shorten and escape a name for a plot."""
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    name = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
    return name.replace("$", r"\$")


def style_class_lines(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour and dash of each class's line, as matplotlib's ``plot`` takes them."""
    styles = {}
    for name, slot in assign_colour_slots(labels).items():
        turn, place = divmod(slot, len(CLASSES))
        dash = DASHES[(place + turn) % len(DASHES)]
        styles[name] = {"color": CLASSES[place], "linestyle": dash, "lw": 1.4}
    return styles


def render_png(figure: "Figure") -> bytes:
    """Return a figure as PNG."""
    out = io.BytesIO()
    with _saving():
        figure.savefig(out, format="png", dpi=160, metadata={"Software": None})
    return out.getvalue()


def render_svg(figure: "Figure", name: str) -> SvgPlot:
    """Return a figure as SVG for a page; equal figures give equal text.

    Args:
        figure: drawn in the colours of :data:`VARIABLES`.
        name: name of the plot in the page; prefix of all ids.
    """
    out = io.StringIO()
    with _saving(name):
        unsaid = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=unsaid)
    text = out.getvalue()
    text = text[text.index("<svg") : text.rindex("</svg>")]
    text = text[text.index(">") + 1 :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = text.replace("xlink:href", "href")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", text)
    width, height = (72 * inches for inches in figure.get_size_inches())
    return SvgPlot(
        name,
        round(width * 4 / 3),
        round(height * 4 / 3),
        f"{width:g} {height:g}",
        re.sub(r"\n *", " ", text),
    )


@contextmanager
def _saving(salt: str | None = None) -> Iterator[None]:
    """Save in the report's style, without warnings about letters missing in the font."""
    import matplotlib

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield
