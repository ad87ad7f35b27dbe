"""Plots of training curves, and of two models."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
    SECOND,
    new_figure,
    shorten_label,
    use_plot_style,
)
from emotion_detection.evaluation.report.class_plots import dots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Mapping[str, Any]


@use_plot_style
def draw_training(rows: Sequence[Values]) -> "Figure":
    """Plot loss and accuracy over the epochs.

    Args:
        rows: one per epoch: ``epoch``, ``train_loss``, ``val_loss``, ``train_accuracy``,
            ``val_accuracy``; None where unknown.
    """
    from matplotlib.ticker import MaxNLocator

    figure, panels = new_figure(4.6, 4.8, (1, 1))
    for axes, measure in zip(panels, ("loss", "accuracy"), strict=True):
        for part, colour, words in (
            ("train", SECOND, "training"),
            ("val", FIRST, "validation"),
        ):
            key = f"{part}_{measure}"
            points = [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), ".-", color=colour, ms=4, lw=1.4, label=words)
        axes.set_ylabel(measure)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid()
    panels[-1].set_xlabel("epoch")
    if panels[0].lines:
        panels[0].legend()
    return figure


@use_plot_style
def draw_two(first: Mapping[str, Values], second: Mapping[str, Values]) -> "Figure":
    """Draw each class's recall under two models.

    Args:
        first: class name -> ``value``, ``low``, ``high``.
        second: the same of the other model.
    """
    figure, (axes,) = new_figure(4.6, 1.0 + 0.36 * len(first))
    for step, (found, colour, mark) in enumerate(((first, FIRST, "o"), (second, SECOND, "s"))):
        places = [row + 0.24 * (step - 0.5) for row in range(len(found))]
        dots(axes, list(found.values()), places, colour, mark)
        axes.plot([], [], mark, color=colour, ms=4, label=("first", "second")[step])
    axes.set_yticks(range(len(first)), [shorten_label(name) for name in first])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(first) - 0.5, -0.5), xlabel="recall")
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
