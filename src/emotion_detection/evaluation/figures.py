"""Figures as PNG."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def draw_confusion(
    confusion: npt.NDArray[np.int64], names: Sequence[str], metrics: dict[str, Any]
) -> bytes:
    """Draw a confusion matrix: shares of each true class, with the numbers of faces.

    Args:
        confusion: int64 (classes, classes), rows are true classes.
        names: class names.
        metrics: for the title: accuracy, its interval, number of faces, split.

    Returns:
        The PNG's bytes.
    """
    from matplotlib.figure import Figure

    side = max(5.0, 0.85 * len(names) + 1.8)
    figure = Figure(figsize=(side, side), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, called in np.ndindex(confusion.shape):
        share, count = shares[true, called], confusion[true, called]
        axes.text(
            called,
            true,
            f"{share:.0%}\n{count}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share > 0.55 else "#222222",
        )
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    low, high = metrics["accuracy_ci95"]
    axes.set_title(
        f"{metrics['split']} accuracy {metrics['accuracy']:.4f} "
        f"(95% CI {low:.4f}-{high:.4f}, n={metrics['n']:,})",
        fontsize=10,
    )
    axes.spines[:].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
