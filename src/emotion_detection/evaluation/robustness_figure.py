"""Pictures of corruptions: what they look like, and how accuracy falls under them."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt

_COLUMNS = 4
_BLUE, _INK, _PALE = "#1f6feb", "#1f2328", "#6e7781"


def draw_robustness(record: dict[str, Any]) -> bytes:
    """Draw accuracy against strength, a small plot a corruption.

    Args:
        record: what ``corruptions.json`` holds.

    Returns:
        The PNG's bytes.
    """
    from matplotlib.figure import Figure

    clean, strengths = record["clean"], record["severities"]
    rows = -(-len(record["corruptions"]) // _COLUMNS)
    figure = Figure(figsize=(9, 1.75 * rows + 0.7), layout="constrained", dpi=150)
    plots = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in plots.flat[len(record["corruptions"]) :]:
        axes.set_visible(False)
    for axes, (name, found) in zip(plots.flat, record["corruptions"].items(), strict=False):
        low, high = zip(*found["ci95"], strict=True)
        axes.axhline(clean["accuracy"], color=_PALE, linestyle="--", linewidth=1)
        axes.fill_between(strengths, low, high, color=_BLUE, alpha=0.2, linewidth=0)
        axes.plot(strengths, found["accuracy"], color=_BLUE, marker="o", markersize=3.5)
        axes.set_title(name.replace("_", " "), fontsize=9, color=_INK)
        axes.annotate(
            f"{found['accuracy'][-1]:.2f}",
            (strengths[-1], found["accuracy"][-1]),
            textcoords="offset points",
            xytext=(0, -11),  # accuracy falls: below is free
            ha="right",
            fontsize=7.5,
            color=_INK,
        )
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    plots[0, 0].set_ylim(0, 1)
    plots[0, 0].set_xticks(strengths)
    figure.supxlabel("strength", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    figure.suptitle(
        f"{record['split']}: {clean['accuracy']:.4f} clean (dashed), "
        f"{record['mean_corruption_accuracy']:.4f} on the mean of all corruptions, "
        f"n={clean['n']:,}; bands: 95 %",
        fontsize=10,
    )
    return _png(figure)


def draw_examples(face: npt.NDArray[np.uint8], row: int = 0) -> bytes:
    """Draw one face under every corruption at every strength.

    Args:
        face: uint8 (C, H, W), C 1 or 3.
        row: its number in its data, which its corruptions are drawn from.

    Returns:
        The PNG's bytes.
    """
    from matplotlib.figure import Figure

    rows = -(-len(CORRUPTIONS) // 2)
    across = len(STRENGTHS) + 1
    figure = Figure(figsize=(11, 0.78 * rows + 0.3), layout="constrained", dpi=150)
    left, right = figure.subfigures(1, 2, wspace=0.03)
    names = list(CORRUPTIONS)
    for part, own in ((left, names[:rows]), (right, names[rows:])):
        plots = part.subplots(rows, across, squeeze=False, gridspec_kw={"wspace": 0.02})
        for axes in plots.flat:
            axes.axis("off")
        for column, strength in enumerate(STRENGTHS, start=1):
            plots[0, column].set_title(str(strength), fontsize=9, color=_PALE)
        plots[0, 0].set_title("strength", fontsize=9, color=_PALE, loc="right")
        for line, name in zip(plots, own, strict=False):
            line[0].text(
                1.0,
                0.5,
                name.replace("_", "\n"),
                transform=line[0].transAxes,
                ha="right",
                va="center",
                fontsize=9,
                color=_INK,
            )
            for axes, strength in zip(line[1:], STRENGTHS, strict=True):
                spoiled = corrupt(face[None], name, strength, np.array([row]))[0]
                picture = spoiled[0] if len(spoiled) == 1 else np.moveaxis(spoiled, 0, -1)
                axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    return _png(figure)


def _png(figure: Any) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
