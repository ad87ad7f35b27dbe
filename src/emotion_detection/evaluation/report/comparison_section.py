"""The section of a report that compares a second model with the first, on the same faces."""

from collections.abc import Mapping
from typing import Any

from emotion_detection.evaluation.model_comparison import Comparison, compare
from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.comparison_plots import draw_two
from emotion_detection.evaluation.report.facts import describe_faces
from emotion_detection.evaluation.report.gallery import render_gallery
from emotion_detection.evaluation.report.markup import interval, number, percent, text
from emotion_detection.evaluation.report.test_runs import TestedModel
from emotion_detection.metrics.statistics import Ints, as_dict

Values = Mapping[str, Any]

SHOWN = 14
"""Faces shown of each kind."""


def compute_comparison_facts(
    first: TestedModel, second: TestedModel, people: Ints | None = None
) -> dict[str, Any]:
    """Compare two models on the same faces.

    Args:
        first: a model's test.
        second: another's.
        people: int64 (N,), the person of each of the first's faces, if known.

    Raises:
        InputError: the tests are not of the same faces, classes and labels.
    """
    found = compare(first.test, second.test, people)
    facts = as_dict(found)
    for name in ("only_first", "only_second", "second_rows"):
        del facts[name]
    return {
        "first": first.name,
        "second": second.name,
        **facts,
        "only_first": _faces(first, second, found, found.only_first),
        "only_second": _faces(first, second, found, found.only_second),
    }


def _faces(
    first: TestedModel, second: TestedModel, found: Comparison, rows: Any
) -> list[dict[str, Any]]:
    return [
        {
            **describe_faces(first.test, int(row)),
            "second": describe_faces(second.test, int(found.second_rows[row])),
        }
        for row in rows[:SHOWN]
    ]


def render_comparison(
    found: Values, facts: tuple[Values, Values], model: TestedModel, drawn: ReportPlots
) -> str:
    """Return the section.

    Args:
        found: result of :func:`compute_comparison_facts`.
        facts: facts of the two models.
        model: the first model, for the images.
        drawn: stores the plot.
    """
    names = text(found["first"]), text(found["second"])
    title = f"Beside {names[1]}"
    place = f"beside-{len([name for name in drawn.images if name.startswith('beside')]) + 1}"
    recalls = [{name: one["recall"] for name, one in side["per_class"].items()} for side in facts]
    svg = drawn.add(
        place,
        draw_two(*recalls),
        "Recall of each class under the two models, as in the tables",
    )
    caption = f"Round: {names[0]}; square: {names[1]}. Lines are 95 % intervals of each alone."
    return markup.section(
        place,
        title,
        _verdict(found, names),
        _table(found, facts, names),
        markup.figures(markup.figure(svg, caption)),
        _per_class(found),
        f"<h3>Correct in {names[0]} only</h3>",
        _gallery(found["only_first"], model),
        f"<h3>Correct in {names[1]} only</h3>",
        _gallery(found["only_second"], model),
    )


def _verdict(found: Values, names: tuple[str, str]) -> str:
    gap, test = found["accuracy"], found["mcnemar"]
    p = "below 0.0001" if test["p"] < 0.0001 else f"{test['p']:.4f}"
    sure = gap["low"] > 0 or gap["high"] < 0
    said = (
        f"<b>{names[1 if gap['value'] > 0 else 0]} is right more often</b>: the interval of the "
        "difference does not hold zero."
        if sure
        else "<b>On these faces neither is shown to be right more often</b>: the interval of the "
        "difference holds zero."
    )
    return markup.paragraph(
        f"{said} Predictions differ on {found['called_otherwise']:,} of {found['n']:,} faces; "
        f"{test['only_first']:,} are correct in {names[0]} only, {test['only_second']:,} in "
        f"{names[1]} only (McNemar's exact test, p {p})."
    )


def _table(found: Values, facts: tuple[Values, Values], names: tuple[str, str]) -> str:
    rows = []
    for key, name in (
        ("accuracy", "accuracy"),
        ("balanced_accuracy", "balanced accuracy"),
        ("macro_f1", "macro F1"),
    ):
        gap = found[key]
        rows.append(
            [
                name,
                *(percent(side["test"].get(key)) for side in facts),
                f"{100 * gap['value']:+.1f}<small>{interval(gap['low'], gap['high'], points=True)}"
                "</small>",
            ]
        )
    for key in ("ece", "nll"):
        gap = found[key]
        ends = f"{gap['low']:+.4f} to {gap['high']:+.4f}"
        rows.append(
            [
                f"{key.upper()} (less is better)",
                *(number(side["test"].get(key)) for side in facts),
                f"{gap['value']:+.4f}<small>{ends}</small>",
            ]
        )
    people = found["accuracy"]["clusters"]
    over = "" if people is None else f", over {people:,} people"
    return markup.table(
        f"Second minus first, with the 95 % interval{over}; proportions in percentage points",
        ["", *names, "difference"],
        rows,
    )


def _per_class(found: Values) -> str:
    def cell(gap: Values) -> str:
        if gap["value"] is None:
            return markup.DASH
        ends = interval(gap["low"], gap["high"], points=True)
        return f"{100 * gap['value']:+.1f}<small>{ends}</small>"

    table = markup.table(
        "Second minus first, in percentage points, with 95 % intervals",
        ["class", "recall", "F1"],
        (
            [text(name), cell(one["recall"]), cell(one["f1"])]
            for name, one in found["per_class"].items()
        ),
    )
    return markup.more("The difference in each class", table)


def _gallery(faces: list[Values], model: TestedModel) -> str:
    if not faces:
        return markup.paragraph("None.")
    return render_gallery(faces, model.image)
