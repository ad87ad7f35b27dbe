"""Plots of calibration, confidence thresholds, intensity and votes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
    LINE,
    PALE,
    SECOND,
    new_figure,
    shorten_label,
    style_class_lines,
    use_plot_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Mapping[str, Any]


@use_plot_style
def draw_reliability(after: Sequence[Values], before: Sequence[Values] | None) -> "Figure":
    """Plot a reliability diagram with a histogram of the highest scores.

    Args:
        after: bins: ``low``, ``high``, ``n``, ``confidence``, ``accuracy`` (``value``, ``low``,
            ``high``); empty bins are left out.
        before: the bins before temperature scaling, or None.
    """
    after, before = ([b for b in bins if b["n"]] for bins in (after, before or []))
    figure, (axes, below) = new_figure(4.4, 4.9, (4, 1))
    axes.plot([0, 1], [0, 1], color=PALE, lw=0.8, linestyle=(0, (3, 2)))
    if before:
        x, y = [b["confidence"] for b in before], [b["accuracy"]["value"] for b in before]
        axes.plot(x, y, "s-", color=SECOND, ms=3, lw=1, label="before temperature")
    for one in after:
        ends = one["accuracy"]["low"], one["accuracy"]["high"]
        axes.plot([one["confidence"]] * 2, ends, color=FIRST, lw=1.2)
    x, y = [b["confidence"] for b in after], [b["accuracy"]["value"] for b in after]
    axes.plot(x, y, "o-", color=FIRST, ms=4, lw=1.4, label="after temperature")
    axes.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.grid()
    if before:
        axes.legend(loc="upper left")
    below.bar(
        [b["low"] for b in after],
        [b["n"] for b in after],
        [max(b["high"] - b["low"], 0.01) for b in after],
        align="edge",
        color=FIRST,
        alpha=0.55,
    )
    below.set(xlabel="highest score", ylabel="faces", xlim=(0, 1))
    return figure


@use_plot_style
def draw_coverage(curve: Values, chosen: Values | None, target: float) -> "Figure":
    """Plot accuracy against coverage.

    Args:
        curve: ``coverage`` and ``accuracy``, equally long.
        chosen: the threshold's ``coverage`` and ``accuracy`` (``value``); None: not reached.
        target: the target accuracy.
    """
    from matplotlib.ticker import MultipleLocator

    figure, (axes,) = new_figure(4.4, 3.4)
    axes.axhline(target, color=PALE, lw=0.8, linestyle=(0, (3, 2)))
    axes.plot(curve["coverage"], curve["accuracy"], color=FIRST, lw=1.6)
    if chosen is not None:
        axes.plot([chosen["coverage"]], [chosen["accuracy"]["value"]], "o", color=SECOND, ms=6)
    axes.set(xlabel="faces answered", ylabel="accuracy on them", xlim=(0, 1))
    least = min(min(curve["accuracy"]), target)
    bottom = max(0.0, np.floor(least * 10 - 0.5) / 10)
    axes.set_ylim(bottom, 1.01)
    axes.yaxis.set_major_locator(MultipleLocator(0.05 if bottom >= 0.7 else 0.1))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid()
    return figure


@use_plot_style
def draw_intensity(bins: Sequence[Values], of_raters: bool) -> "Figure":
    """Plot the model's intensity against the target.

    Args:
        bins: bins of the target: ``target``, ``median``, ``low``, ``high``, ``n``.
        of_raters: whether the target is a fraction of raters.
    """
    figure, (axes,) = new_figure(4.4, 4.1)
    axes.plot([0, 1], [0, 1], color=PALE, lw=0.8, linestyle=(0, (3, 2)))
    for one in bins:
        axes.plot([one["wanted"]] * 2, [one["low"], one["high"]], color=FIRST, lw=1.4, alpha=0.6)
    axes.plot([b["wanted"] for b in bins], [b["median"] for b in bins], "o", color=FIRST, ms=4.5)
    axes.set(
        xlabel="fraction of raters who saw an expression" if of_raters else "target intensity",
        ylabel="the model's intensity",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        aspect="equal",
    )
    axes.grid()
    return figure


@use_plot_style
def draw_votes(scores: Mapping[str, Sequence[Values]]) -> "Figure":
    """Plot each class's mean score against the fraction of raters who chose it.

    Args:
        scores: class name -> bins of ``target`` and ``mean``.
    """
    figure, (axes,) = new_figure(4.4, 4.1)
    axes.plot([0, 1], [0, 1], color=PALE, lw=0.8, linestyle=(0, (3, 2)))
    styles = style_class_lines(scores)
    for name, bins in scores.items():
        x, y = [b["wanted"] for b in bins], [b["mean"] for b in bins]
        axes.plot(x, y, marker=".", ms=4, label=shorten_label(name), **styles[name])
    axes.set(xlabel="fraction of raters who chose it", ylabel="mean score")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.grid()
    axes.legend(loc="upper left", handlelength=2.6, labelcolor=INK, edgecolor=LINE)
    return figure
