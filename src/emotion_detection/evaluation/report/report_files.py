"""Write the files of ``emotion report``: the page, the plots as PNG, the facts as JSON."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError
from emotion_detection.evaluation.report.facts import compute_report_facts
from emotion_detection.evaluation.report.render import DAMAGED, render_report
from emotion_detection.evaluation.report.report_plots import draw_report
from emotion_detection.evaluation.report.test_runs import TestedModel
from emotion_detection.io.files import write_atomic
from emotion_detection.io.plain_values import read_json

PAGE, NUMBERS, FIGURES = "report.html", "report.json", "figures"


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Args:
        path: ``report.html``.
        facts: content of ``report.json``.
        images: names of the plots.
    """

    path: Path
    facts: dict[str, Any]
    images: tuple[str, ...]


def write_report(
    models: Sequence[TestedModel],
    folder: Path,
    command: str,
    wanted_accuracy: float = 0.9,
    groups: Path | None = None,
    audit: Path | None = None,
) -> Report:
    """Write ``report.html``, ``report.json`` and ``figures/*.png``.

    Args:
        models: tests; the report is about the first, compared with the others.
        folder: folder for the files.
        command: the command that was run.
        wanted_accuracy: target accuracy for the threshold.
        groups: CSV of the faces' groups.
        audit: ``audit.json`` of the data.

    Raises:
        InputError: the tests have different faces, their files, groups or audit cannot be read, or
            the report cannot be written.
    """
    first = models[0]
    read_image = first.image if first.faces is not None else None
    try:
        facts = compute_report_facts(models, command, wanted_accuracy, groups, audit)
        plots = draw_report(facts)
        facts["figures"] = list(plots.images)
        text = render_report(facts, plots.drawings, read_image)
    except DAMAGED as error:
        if isinstance(error, InputError):
            raise
        folders = ", ".join(str(model.test.folder) for model in models)
        raise InputError(f"{folders}: a file of this test is damaged: {error!r}") from error
    earlier = _earlier_figures(folder)
    _write(folder, text, facts, plots.images)
    for name in earlier - set(plots.images):
        (folder / FIGURES / f"{name}.png").unlink(missing_ok=True)
    return Report(folder / PAGE, facts, tuple(plots.images))


def _earlier_figures(folder: Path) -> set[str]:
    """Return the names of an earlier report's plots in this folder."""
    try:
        names = read_json(folder / NUMBERS)["figures"]
        return {name for name in names if re.fullmatch(r"[\w-]+", name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write(folder: Path, text: str, facts: dict[str, Any], images: dict[str, bytes]) -> None:
    try:
        for name, image in images.items():
            write_atomic(folder / FIGURES / f"{name}.png", image)
        write_atomic(folder / NUMBERS, json.dumps(facts, indent=1) + "\n")
        write_atomic(folder / PAGE, text)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--out {folder}: the report cannot be written: {reason}") from None
