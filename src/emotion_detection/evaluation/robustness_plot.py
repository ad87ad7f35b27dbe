"""Plot the accuracy under corruptions, and examples of corrupted faces."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from emotion_detection.evaluation.plot_style import (
    FIRST,
    INK,
    PALE,
    new_figure,
    render_png,
    use_plot_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 5  # pixels between the examples


@use_plot_style
def draw_robustness(found: Mapping[str, Any], title: str = "") -> "Figure":
    """Plot accuracy against strength: a small panel for each corruption, on common axes.

    Args:
        found: content of ``corruptions.json``.
        title: title of the plot.
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
    if title:
        figure.suptitle(title, fontsize=8, color=INK)
    return figure


def draw_examples(face: npt.NDArray[np.uint8], row: int = 0) -> bytes:
    """Draw one face under every corruption at every strength.

    Args:
        face: uint8 (C, H, W), C 1 or 3.
        row: row of the face in the data, which the random numbers depend on.

    Returns:
        The PNG's bytes.
    """
    from matplotlib.figure import Figure

    names = list(CORRUPTIONS)
    half = -(-len(names) // 2)
    figure = Figure(figsize=(11, 0.78 * half + 0.3), layout="constrained", dpi=150)
    for axes, own in zip(figure.subplots(1, 2), (names[:half], names[half:]), strict=True):
        height, width = face.shape[1] + _GAP, face.shape[2] + _GAP
        sheet = np.full((height * half, width * len(STRENGTHS), 3), 255, np.uint8)
        for line, name in enumerate(own):
            for column, strength in enumerate(STRENGTHS):
                spoiled = corrupt(face[None], name, strength, np.array([row]))[0]
                place = np.s_[line * height :, column * width :]
                sheet[place][: face.shape[1], : face.shape[2]] = np.moveaxis(spoiled, 0, -1)
        axes.imshow(sheet, interpolation="nearest")
        axes.set_xticks(
            [(column + 0.5) * width - _GAP / 2 for column in range(len(STRENGTHS))],
            [f"strength {at}" if at == STRENGTHS[0] else str(at) for at in STRENGTHS],
            color=PALE,
        )
        axes.set_yticks(
            [(line + 0.5) * height - _GAP / 2 for line in range(len(own))],
            [name.replace("_", "\n") for name in own],
            color=INK,
        )
        axes.tick_params(length=0, labelsize=9, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    return render_png(figure)
