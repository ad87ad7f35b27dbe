"""Drawings of a training's course and of how a model bears bad pictures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emotion_detection.evaluation.report.drawing import (
    FIRST,
    INK,
    PALE,
    SECOND,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Mapping[str, Any]


@styled
def draw_training(rows: Sequence[Values]) -> "Figure":
    """Draw loss and accuracy over the epochs.

    Args:
        rows: one an epoch: ``epoch``, ``train_loss``, ``val_loss``, ``train_accuracy``,
            ``val_accuracy``; None where unknown.
    """
    from matplotlib.ticker import MaxNLocator

    figure, panels = new_figure(4.6, 4.8, (1, 1))
    for axes, measure in zip(panels, ("loss", "accuracy"), strict=True):
        for part, colour, words in (
            ("train", SECOND, "training, as it ran"),
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


@styled
def draw_robustness(found: Values) -> "Figure":
    """Draw accuracy against strength: a small panel for each corruption, on common axes.

    Args:
        found: what ``corruptions.json`` holds.
    """
    names = list(found["corruptions"])
    columns = 3
    lines = -(-len(names) // columns)
    figure, _ = new_figure(4.6, 0.35 + 1.15 * lines)
    figure.clear()
    panels = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    clean = found["clean"]["accuracy"]
    for axes, name in zip(panels, names, strict=False):
        one = found["corruptions"][name]
        axes.axhline(clean, color=PALE, lw=0.8, linestyle=(0, (3, 2)))
        if one.get("ci95"):
            low, high = zip(*one["ci95"], strict=True)
            axes.fill_between(found["severities"], low, high, color=FIRST, alpha=0.25, lw=0)
        axes.plot(found["severities"], one["accuracy"], ".-", color=FIRST, ms=4, lw=1.3)
        axes.set_title(name.replace("_", " "), fontsize=7.5, color=INK, pad=2)
        axes.set(ylim=(0, 1), xticks=found["severities"])
        axes.grid()
        axes.tick_params(labelsize=7)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("strength", fontsize=8, color=PALE)
    figure.supylabel("accuracy", fontsize=8, color=PALE)
    return figure


@styled
def draw_two(first: Mapping[str, Values], second: Mapping[str, Values]) -> "Figure":
    """Draw each class's recall under two models.

    Args:
        first: class name -> ``value``, ``low``, ``high``.
        second: the same of the other model.
    """
    from emotion_detection.evaluation.report.draw_classes import dots, short

    figure, (axes,) = new_figure(4.6, 1.0 + 0.36 * len(first))
    for step, (found, colour, mark) in enumerate(((first, FIRST, "o"), (second, SECOND, "s"))):
        places = [row + 0.24 * (step - 0.5) for row in range(len(found))]
        dots(axes, list(found.values()), places, colour, mark)
        axes.plot([], [], mark, color=colour, ms=4, label=("first", "second")[step])
    axes.set_yticks(range(len(first)), [short(name) for name in first])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(first) - 0.5, -0.5), xlabel="recall")
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
