"""Draw the plots of a report: training, classes, calibration, comparison.

:func:`draw_report` draws all that the facts have; each name is that of the PNG in ``figures/``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_detection.evaluation.confusion_plot import draw_confusion
from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
    LINE,
    PALE,
    SECOND,
    ReportPlots,
    new_figure,
    shorten_label,
    style_class_lines,
    use_plot_style,
)
from emotion_detection.evaluation.robustness import draw_robustness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Mapping[str, Any]


def draw_report(facts: Values) -> ReportPlots:
    """Draw the plots of a report, in the order of ``figures`` in ``report.json``.

    Args:
        facts: the facts of :func:`.facts.compute_report_facts`.
    """
    plots, first = ReportPlots(), facts["models"][0]
    reliability, coverage = first["reliability"], first["coverage"]
    if first["training"]:
        plots.add("training", draw_training(first["training"]))
    plots.add("confusion", draw_confusion(first["test"]["confusion"], first["test"]["labels"]))
    plots.add("per-class", draw_per_class(first["per_class"]))
    plots.add("roc", draw_roc(first["roc"]))
    plots.add("precision-recall", draw_precision_recall(first["precision_recall"]))
    before = reliability["before"] and reliability["before"]["bins"]
    plots.add("reliability", draw_reliability(reliability["after"]["bins"], before))
    target = coverage["wanted_accuracy"]
    plots.add("coverage", draw_coverage(coverage["curve"], coverage["chosen"], target))
    if first["intensity"]:
        of_raters = first["test"]["data"].get("label_set") == "ferplus"
        plots.add("intensity", draw_intensity(first["intensity"]["bins"], of_raters))
    if first["vote_shares"]:
        bins = {name: one["bins"] for name, one in first["vote_shares"].items()}
        plots.add("votes", draw_votes(bins))
    if first["robustness"]:
        plots.add("robustness", draw_robustness(first["robustness"]))
    for place, column in enumerate((first["groups"] or {}).values(), 1):
        if column["groups"]:
            accuracies = {one["name"]: one["accuracy"] for one in column["groups"]}
            plots.add(f"groups-{place}", draw_intervals(accuracies, "accuracy"))
    for place, other in enumerate(facts["models"][1:], 1):
        recalls = [
            {name: one["recall"] for name, one in model["per_class"].items()}
            for model in (first, other)
        ]
        plots.add(f"beside-{place}", draw_two(*recalls))
    return plots


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
        _draw_dots(
            axes, found, [row + 0.22 * (step - 1) for row in range(len(names))], colour, mark
        )
        axes.plot([], [], mark, color=colour, ms=4, label="F1" if measure == "f1" else measure)
    axes.set_yticks(range(len(names)), [shorten_label(name) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _draw_dots(
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
def draw_intervals(found: Mapping[str, Values], label: str) -> "Figure":
    """Plot one metric with its interval for each of some names.

    Args:
        found: name -> ``value``, ``low``, ``high``.
        label: name of the metric, from 0 to 1.
    """
    figure, (axes,) = new_figure(4.6, 0.8 + 0.28 * len(found))
    _draw_dots(axes, list(found.values()), range(len(found)), FIRST)
    axes.set_yticks(range(len(found)), [shorten_label(name) for name in found])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(found) - 0.5, -0.5), xlabel=label)
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
        _draw_dots(axes, list(found.values()), places, colour, mark)
        axes.plot([], [], mark, color=colour, ms=4, label=("first", "second")[step])
    axes.set_yticks(range(len(first)), [shorten_label(name) for name in first])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 1), ylim=(len(first) - 0.5, -0.5), xlabel="recall")
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
