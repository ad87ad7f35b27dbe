"""Pictures of corruptions: what they look like, and how accuracy falls under them."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt

_COLUMNS = 4
_GAP = 5  # pixels between the examples
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
            color=_PALE,
        )
        axes.set_yticks(
            [(line + 0.5) * height - _GAP / 2 for line in range(len(own))],
            [name.replace("_", "\n") for name in own],
            color=_INK,
        )
        axes.tick_params(length=0, labelsize=9, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    return _png(figure)


def _png(figure: Any) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
