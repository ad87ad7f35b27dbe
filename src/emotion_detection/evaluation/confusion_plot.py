"""Plot the confusion matrix, for a test's folder and for reports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_detection.evaluation.plot_style import (
    HEAT,
    INK,
    ON,
    new_figure,
    shorten_label,
    use_plot_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@use_plot_style
def draw_confusion(
    confusion: Sequence[Sequence[int]], names: Sequence[str], title: str = ""
) -> "Figure":
    """Plot a confusion matrix, normalized by true class, with the numbers of faces.

    Args:
        confusion: rows are true classes.
        names: class names.
        title: title of the plot.
    """
    from matplotlib.patches import Rectangle

    counts, classes = np.array(confusion), len(names)
    side = min(max(4.4, 0.54 * classes + 1.0), 11.0)
    figure, (axes,) = new_figure(side, side - 0.2)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 7.0 if classes <= 8 else max(3.5, 7.0 * 8 / classes)
    for true, called in np.ndindex(counts.shape):
        share = float(shares[true, called])
        axes.add_patch(
            Rectangle((called - 0.48, true - 0.48), 0.96, 0.96, color=HEAT, alpha=share, lw=0)
        )
        if counts[true, called]:
            colour = ON if share > 0.45 else INK
            label = f"{share:.0%}\n{counts[true, called]:,}"
            axes.text(called, true, label, ha="center", va="center", fontsize=size, color=colour)
    places, labels = range(classes), [shorten_label(name) for name in names]
    axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, labels)
    axes.tick_params(length=0, labelcolor=INK)
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="predicted", ylabel="label")
    axes.spines[:].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=8, color=INK)
    return figure
