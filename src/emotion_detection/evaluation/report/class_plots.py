"""Plots of each class: precision and recall, one-vs-rest curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
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
def draw_per_class(per_class: Values) -> "Figure":
    """Plot precision, recall and F1 of each class with intervals.

    Args:
        per_class: class name -> ``precision``, ``recall`` and ``f1``, each with ``value``, ``low``
            and ``high``.
    """
    names = list(per_class)
    figure, (axes,) = new_figure(4.6, 0.9 + 0.42 * len(names))
    marks = (("recall", FIRST, "o"), ("precision", SECOND, "s"), ("f1", PALE, "D"))
    for step, (measure, colour, mark) in enumerate(marks):
        found = [per_class[name][measure] for name in names]
        dots(axes, found, [row + 0.22 * (step - 1) for row in range(len(names))], colour, mark)
        axes.plot([], [], mark, color=colour, ms=4, label="F1" if measure == "f1" else measure)
    axes.set_yticks(range(len(names)), [shorten_label(name) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def dots(
    axes: Any, found: Sequence[Values], places: Sequence[float], colour: str, mark: str = "o"
) -> None:
    """Plot metrics with intervals; those without a value are left out."""
    for one, place in zip(found, places, strict=True):
        if one["value"] is None:
            continue
        if one["low"] is not None:
            axes.plot([one["low"], one["high"]], [place, place], color=colour, lw=1.2)
        axes.plot([one["value"]], [place], mark, color=colour, ms=4)


@use_plot_style
def draw_intervals(
    found: Mapping[str, Values], label: str, middle: float | None = None, low: float | None = 0.0
) -> "Figure":
    """Plot one metric with its interval for each of some names.

    Args:
        found: name -> ``value``, ``low``, ``high``.
        label: name of the metric.
        middle: position of a reference line.
        low: lower limit of the axis; None: automatic.
    """
    figure, (axes,) = new_figure(4.6, 0.8 + 0.28 * len(found))
    if middle is not None:
        axes.axvline(middle, color=PALE, lw=1, linestyle=(0, (3, 2)))
    dots(axes, list(found.values()), range(len(found)), FIRST)
    axes.set_yticks(range(len(found)), [shorten_label(name) for name in found])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(ylim=(len(found) - 0.5, -0.5), xlabel=label)
    if low is not None:
        axes.set_xlim(low, 1)
    axes.grid(axis="x")
    return figure


@use_plot_style
def draw_roc(curves: Values) -> "Figure":
    """Draw ROC curves, one class against the rest.

    Args:
        curves: class name -> ``x`` (false positive rate) and ``y`` (recall), perhaps empty.
    """
    figure, (axes,) = new_figure(4.4, 4.3)
    axes.plot([0, 1], [0, 1], color=PALE, lw=0.8, linestyle=(0, (3, 2)))
    styles = style_class_lines(curves)
    for name, curve in curves.items():
        if curve["x"]:
            axes.plot(curve["x"], curve["y"], label=shorten_label(name), **styles[name])
    axes.set(xlabel="false positive rate")
    axes.set(ylabel="recall (true positive rate)", xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    return _with_legend(figure, axes, "lower right")


@use_plot_style
def draw_precision_recall(curves: Values) -> "Figure":
    """Draw precision against recall, one class against the rest.

    Args:
        curves: class name -> ``x`` (recall) and ``y`` (precision), perhaps empty.
    """
    figure, (axes,) = new_figure(4.4, 4.3)
    styles = style_class_lines(curves)
    for name, curve in curves.items():
        if curve["x"]:
            style = {**styles[name], "drawstyle": "steps-pre"}
            axes.plot(curve["x"], curve["y"], label=shorten_label(name), **style)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    return _with_legend(figure, axes, "lower left")


def _with_legend(figure: "Figure", axes: Any, place: str) -> "Figure":
    axes.grid()
    lines = len(axes.get_legend_handles_labels()[0])
    if not lines:
        return figure
    if lines > 10:  # a longer legend would hide the curves; the table has all classes
        figure.set_size_inches(4.4, 4.3 + 0.16 * -(-lines // 3))
        figure.legend(loc="outside lower center", ncols=3, fontsize=7)
    else:
        axes.legend(loc=place, handlelength=2.6)
    return figure
