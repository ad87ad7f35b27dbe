"""The section of a report on groups: metrics of each group, and gaps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emotion_detection.evaluation.group_table import read_groups_of
from emotion_detection.evaluation.groups import LEAST_PEOPLE, compute_group_metrics
from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.class_plots import draw_intervals
from emotion_detection.evaluation.report.markup import interval, number, percent, text
from emotion_detection.evaluation.saved_tests import SavedTest
from emotion_detection.metrics.statistics import as_dict, bootstrap_paired_difference

Values = Mapping[str, Any]


def group_facts(test: SavedTest, path: Path) -> dict[str, Any]:
    """Return a model's metrics on each column of groups.

    Args:
        test: the test.
        path: CSV with ``file`` and groups.

    Raises:
        InputError: the file is not valid, or matches none of the faces.
    """
    found = read_groups_of(path, test.files)
    return {
        column: as_dict(compute_group_metrics(test.names, test.scores, test.truth, found, column))
        for column in found.columns
    }


def compute_accuracy_over_people(test: SavedTest, path: Path) -> dict[str, Any] | None:
    """Return the accuracy with an interval over people; None if the file has no identities.

    Args:
        test: the test.
        path: CSV with ``file`` and groups.
    """
    people = read_groups_of(path, test.files).identity
    if people is None:
        return None
    found: dict[str, Any] = as_dict(
        bootstrap_paired_difference(np.zeros(len(people)), test.right, people)
    )
    return found


def render_groups(found: Values | None, command: str, drawn: ReportPlots) -> str:
    """Return the section.

    Args:
        found: result of :func:`group_facts`, or None.
        command: the report's command, for the hint if there are no groups.
        drawn: stores the plots.
    """
    parts: list[str] = []
    if found is None:
        parts.append(
            markup.missing(
                "How evenly the model serves people is unknown: nothing is known of the "
                "people in these images, and nothing is inferred.",
                f"{command} --groups FILE.csv",
            )
        )
    for place, (column, one) in enumerate((found or {}).items()):
        parts += [f"<h3>{text(column)}</h3>", *_column(one, f"groups-{place + 1}", drawn)]
    return markup.section("groups", "Groups of people", *parts)


def _column(found: Values, place: str, drawn: ReportPlots) -> list[str]:
    persons = "" if found["people"] is None else f", or of fewer than {LEAST_PEOPLE} people"
    people = "" if found["people"] is None else f"; intervals over {found['people']:,} people"
    few = ", ".join(f"{text(name)} ({n:,})" for name, n in found["too_few"].items())
    said = [
        f"Of {found['without']:,} faces the file names no group." if found["without"] else "",
        f"Names in it that no face here has: {found['unknown']:,}." if found["unknown"] else "",
        f"Fewer than {found['least']} faces{persons}, so no metrics: {few}." if few else "",
    ]
    if not found["groups"]:
        return [markup.paragraph(*said, "No group has enough faces.")]
    table = markup.table(
        f"Each group, with 95 % intervals{people}",
        ["group", "faces", "accuracy", "mean recall", "mean score", "ECE; by chance up to"],
        (
            [
                text(one["name"]),
                f"{one['n']:,}",
                _with_interval(one["accuracy"]),
                percent(one["macro_recall"]),
                percent(one["confidence"]),
                f"{number(one['ece'], 3)}<small>{number(one['ece_by_chance'], 3)}</small>",
            ]
            for one in found["groups"]
        ),
    )
    svg = drawn.add(
        place,
        draw_intervals({one["name"]: one["accuracy"] for one in found["groups"]}, "accuracy"),
        f"Accuracy of each group of {found['column']}, as in the table",
    )
    return [
        markup.paragraph(_worst(found)),
        table,
        markup.figures(markup.figure(svg, "Accuracy and its 95 % interval.")),
        _gaps(
            "False positive rate: faces of other emotions that are predicted as this one",
            found["false_gaps"],
        ),
        _gaps("Recall: faces of this emotion that are predicted as it", found["recall_gaps"]),
        markup.paragraph(*said),
    ]


def _with_interval(one: Values) -> str:
    return f"{percent(one['value'])}<small>{interval(one['low'], one['high'])}</small>"


def _worst(found: Values) -> str:
    gap = found["gap"]
    if gap is None:
        return "There is one group with enough faces: nothing to compare."
    ends = interval(gap["low"], gap["high"], points=True)
    said = (
        f"Lowest: {text(found['worst'])}; highest: {text(found['best'])}; {100 * gap['value']:.1f}"
    )
    if gap["different"]:
        return f"<b>{said} points apart</b> ({ends}): the interval does not hold zero."
    return (
        f"{said} points apart ({ends}). No difference is shown, which does not show that there is "
        "none."
    )


def _gaps(title: str, found: Values) -> str:
    if not any(found.values()):
        return markup.paragraph(f"{title}: too few faces in each group.")
    rows = []
    for name, gap in found.items():
        if gap is None:
            rows.append([text(name), "too few faces", markup.DASH, markup.DASH, markup.DASH])
            continue
        shown = f"{len(gap['different'])} pairs" if gap["different"] else "no difference shown"
        ends = interval(gap["low"], gap["high"], points=True)
        size = f"{100 * gap['value']:.1f} points<small>{ends}</small>"
        rows.append([text(name), text(gap["highest"]), text(gap["lowest"]), size, shown])
    return markup.table(title, ["emotion", "most in", "least in", "gap", "shown to differ"], rows)
