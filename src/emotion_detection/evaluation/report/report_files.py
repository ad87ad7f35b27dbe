"""Write the files of ``emotion report``: the page, the plots as PNG, the facts as JSON."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_detection import __version__
from emotion_detection.errors import InputError
from emotion_detection.evaluation.group_table import read_groups_of
from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import calibration_section as sureness
from emotion_detection.evaluation.report import classes_section as sections
from emotion_detection.evaluation.report import groups_section as people
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report import robustness_section as checks
from emotion_detection.evaluation.report.audit_section import read_audit, render_audit
from emotion_detection.evaluation.report.comparison_section import (
    compute_comparison_facts,
    render_comparison,
)
from emotion_detection.evaluation.report.facts import compute_model_facts
from emotion_detection.evaluation.report.groups_section import (
    compute_accuracy_over_people,
    group_facts,
)
from emotion_detection.evaluation.report.headline_section import render_headline
from emotion_detection.evaluation.report.html_page import render_page
from emotion_detection.evaluation.report.test_runs import TestedModel
from emotion_detection.io.files import write_atomic
from emotion_detection.io.plain_values import read_json
from emotion_detection.metrics.statistics import as_dict

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
        InputError: the tests have different faces, groups or audit cannot be read, or the report
            cannot be written.
    """
    whose = read_groups_of(groups, models[0].test.files).identity if groups else None
    facts: dict[str, Any] = {
        "command": command,
        "version": __version__,
        "models": [
            {
                **compute_model_facts(model, wanted_accuracy),
                "groups": group_facts(model.test, groups) if groups else None,
                "over_people": compute_accuracy_over_people(model.test, groups) if groups else None,
            }
            for model in models
        ],
        "audit": read_audit(audit) if audit else None,
        "comparisons": [compute_comparison_facts(models[0], other, whose) for other in models[1:]],
    }
    drawn = ReportPlots()
    first = facts["models"][0]
    parts = [
        render_headline(facts["models"]),
        sections.render_training(first, drawn),
        sections.render_classes(first, drawn),
        sureness.render_calibration(first, drawn),
        sureness.render_faces(first, models[0].image, models[0].faces is not None),
        sureness.render_intensity(first, drawn),
        checks.render_robustness(first, drawn),
        people.render_groups(first["groups"], command, drawn),
        render_audit(facts["audit"], first["test"]),
        checks.render_methods({"emotion-detection": __version__}),
    ]
    others = zip(facts["models"][1:], facts["comparisons"], strict=True)
    parts[1:1] = [
        render_comparison(found, (first, other), models[0], drawn) for other, found in others
    ]
    test = first["test"]
    title = f"Report on {models[0].name}"
    subtitle = (
        f"{test['n']:,} faces of {markup.text(test['data']['source'])}, {test['split']} split"
    )
    footer = f"Made by <code>{markup.text(command)}</code>, emotion-detection {__version__}."
    text = render_page(title, subtitle, parts, footer)
    facts["figures"] = list(drawn.images)
    earlier = _earlier_figures(folder)
    _write(folder, text, as_dict(facts), drawn.images)
    for name in earlier - set(drawn.images):
        (folder / FIGURES / f"{name}.png").unlink(missing_ok=True)
    return Report(folder / PAGE, facts, tuple(drawn.images))


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
