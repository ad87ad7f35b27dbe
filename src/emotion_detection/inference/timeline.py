"""Plot the expressions of each person in a video over time; needs the extra ``video``."""

import importlib
import io
import math
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import missing_package
from emotion_detection.io.files import write_atomic
from emotion_detection.palette import list_emotion_colours
from emotion_detection.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 6
"""Maximum number of persons in the plot; those visible longest are shown."""

COLUMNS = 600
"""Maximum number of points in time; more are averaged, since no image could show them."""

_PLACEHOLDERS = "Last Resort"
"""Fonts that only have a box for each character; matplotlib ships one."""

Floats = npt.NDArray[np.float64]


class Timeline:
    """Collect and plot a video's results, in about 80 bytes per face and frame.

    Args:
        labels: the emotions, in the order of the model.

    Raises:
        InputError: matplotlib is missing.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        try:
            importlib.import_module("matplotlib")
        except ModuleNotFoundError:
            raise missing_package("the plot over time", "matplotlib", "video") from None
        self.labels = tuple(labels)
        self._rows: dict[int, array[float]] = {}
        self._times = array("d")

    @property
    def has_frames(self) -> bool:
        """Whether any result was added."""
        return len(self._times) > 0

    def add(self, result: Result) -> None:
        """Add the next frame's result.

        Raises:
            ValueError: a result without a time, or a face without a track.
        """
        if result.time is None or any(face.track is None for face in result.faces):
            raise ValueError("a timeline needs tracked results of a video")
        self._times.append(result.time)
        for face in result.faces:
            intensity = math.nan if face.intensity is None else face.intensity
            scores = (face.scores[name] for name in self.labels)
            self._rows.setdefault(face.track or 0, array("d")).extend(
                (result.time, intensity, *scores)
            )

    def write(self, path: Path, title: str) -> None:
        """Plot one panel per person as a PNG, for the :data:`MOST_PANELS` visible longest.

        Stacked areas are the scores of the emotions, the black line is the intensity. A gap means
        that the person was not visible. The title names the number of persons.

        Args:
            path: the image, written atomically.
            title: the title; characters that no installed font has are escaped.

        Raises:
            OSError: the image cannot be written.
        """
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        title, families = find_fonts(title, self.labels)
        with rc_context({"font.family": families}):
            figure = self._draw_figure(Figure, title)
            image = io.BytesIO()
            figure.savefig(image, format="png")
        write_atomic(path, image.getvalue())

    def _draw_figure(self, make: type["Figure"], title: str) -> "Figure":
        shown = sorted(self._rows, key=lambda track: (-len(self._rows[track]), track))[:MOST_PANELS]
        height = 1.15 + 1.75 * max(len(shown), 1)
        figure = make(figsize=(10, height), layout="constrained", dpi=150)
        figure.suptitle(f"{title}\n{self._summary(len(shown))}", fontsize=10.5)
        panels = figure.subplots(max(len(shown), 1), sharex=True, squeeze=False)[:, 0]
        if not shown:
            panels[0].text(
                0.5, 0.5, "no person was seen", ha="center", transform=panels[0].transAxes
            )
        for axes, track in zip(panels, sorted(shown), strict=False):
            self._draw(axes, track)
        step = self._step()
        start = self._times[0] if self._times else 0.0
        panels[0].set(xlim=(start, self._times[-1] + step if self._times else 1.0))
        for axes in panels:
            axes.set(ylim=(0, 1.02), yticks=(0, 0.5, 1))
            axes.spines[["top", "right"]].set_visible(False)
        panels[-1].set_xlabel("time in seconds")
        handles, names = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(
                handles, names, loc="outside lower center", ncols=9, frameon=False, fontsize=8,
                handlelength=1.2, columnspacing=1.2,
            )  # fmt: skip
        return figure

    def _summary(self, shown: int) -> str:
        faces = len(self._rows)
        if faces > shown:
            return f"the {shown} persons seen longest, of {faces}"
        return {0: "no person", 1: "1 person"}.get(faces, f"{faces} persons")

    def _step(self) -> float:
        """Return the usual time in seconds between two processed frames."""
        steps = np.diff(np.asarray(self._times))
        return float(np.median(steps)) if len(steps) else 0.04

    def _draw(self, axes: "Axes", track: int) -> None:
        rows = np.asarray(self._rows[track]).reshape(-1, 2 + len(self.labels))
        step = self._step()
        times = np.asarray(self._times)
        lasting = np.diff(times, append=times[-1] + step)
        seen = lasting[np.searchsorted(times, rows[:, 0])]
        mean = seen @ rows[:, 2:]
        main = self.labels[int(mean.argmax())]
        axes.set_title(
            f"person {track}: seen for {seen.sum():.1f} s, mostly {main}",
            loc="left",
            fontsize=9,
        )
        span = self._times[-1] - self._times[0]
        colours = list_emotion_colours(self.labels)
        points = _with_gaps(_averaged(rows, max(span / COLUMNS, step / 2)), step)
        axes.stackplot(
            points[:, 0],
            points[:, 2:].T,
            labels=self.labels,
            colors=[f"#{bytes(colours[name]).hex()}" for name in self.labels],
            linewidth=0,
        )
        if np.isfinite(points[:, 1]).any():
            axes.plot(points[:, 0], points[:, 1], color="white", linewidth=2.2)
            axes.plot(points[:, 0], points[:, 1], color="black", linewidth=1.1, label="intensity")
        axes.set_ylabel("score", fontsize=8)


def find_fonts(title: str, labels: Sequence[str]) -> tuple[str, list[str]]:
    """Find installed fonts that can draw a title and labels.

    Args:
        title: the title; a file's name may be in any script.
        labels: the emotions.

    Returns:
        The title, in which characters that no installed font has are escaped, and the names of the
        fonts: the default one first, then those for missing characters.
    """
    from matplotlib import font_manager

    usual = "DejaVu Sans"
    left = {letter for letter in (*title, *"".join(labels)) if letter.isprintable()}
    left -= _drawable(font_manager.findfont(usual))
    families = [usual]
    if left:
        for entry in sorted(font_manager.fontManager.ttflist, key=_font_order):
            if entry.name in families or entry.name.startswith(_PLACEHOLDERS):
                continue
            if not (more := left & _drawable(entry.fname)):
                continue
            families.append(entry.name)
            left -= more
            if not left:
                break
    escaped = (
        letter.encode("unicode_escape").decode("ascii")
        if letter in left or not letter.isprintable()
        else letter
        for letter in title
    )
    # a dollar begins a formula
    return "".join(escaped).replace("$", r"\$"), families


def _font_order(entry: Any) -> tuple[bool, str]:
    """Return a sort key that puts upright fonts of normal weight first."""
    return (entry.style != "normal" or entry.weight not in (400, "normal"), entry.name)


@cache
def _drawable(path: str) -> set[str]:
    """Return the characters that a font can draw."""
    from matplotlib.ft2font import FT2Font

    try:
        return set(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):  # a damaged font on this machine
        return set()


def _averaged(rows: Floats, width: float) -> Floats:
    """Average the rows, which begin with a time, over intervals of this many seconds."""
    interval = np.floor((rows[:, 0] - rows[0, 0]) / width + 1e-6)
    starts = np.flatnonzero(np.diff(interval, prepend=-1.0))
    counts = np.diff(starts, append=len(rows))
    means: Floats = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    return means


def _with_gaps(rows: Floats, step: float) -> Floats:
    """Insert a row of NaN wherever the person was not visible.

    Each stretch is extended by one step, so that a person in a single frame is drawn.
    """
    apart = np.diff(rows[:, 0])
    usual = max(step, float(np.median(apart)) if len(apart) else 0.0)
    stretches = np.split(rows, np.flatnonzero(apart > 2.5 * usual) + 1)
    drawn = []
    for stretch in stretches:
        last = stretch[-1:].copy()
        last[0, 0] += usual
        nothing = np.full_like(last, np.nan)
        nothing[0, 0] = last[0, 0]
        drawn += [stretch, last, nothing]
    return np.concatenate(drawn)
