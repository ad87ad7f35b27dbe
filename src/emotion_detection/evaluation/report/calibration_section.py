"""The sections of a report on calibration, the threshold, notable faces and intensity."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.calibration_plots import (
    draw_coverage,
    draw_intensity,
    draw_reliability,
    draw_votes,
)
from emotion_detection.evaluation.report.gallery import FaceImageReader, render_gallery
from emotion_detection.evaluation.report.markup import interval, number, percent, text

Values = Mapping[str, Any]


def add_option_to_command(test: Values, *words: str, out: str | None = None) -> str:
    """Return the test's command with an option added or changed.

    Args:
        test: the test's metrics.
        words: the option, and a value if it takes one.
        out: folder for the results; None: the default.
    """
    said = shlex.split(test.get("command") or "emotion test --model MODEL")
    if words[0] in said:
        place = said.index(words[0])
        del said[place : place + len(words)]
    return shlex.join([*said, *words, *(["--out", out] if out else [])])


def render_calibration(facts: Values, drawn: ReportPlots) -> str:
    """Return the section on calibration and the confidence threshold."""
    test, found = facts["test"], facts["reliability"]
    before, cover = test.get("before_temperature"), facts["coverage"]
    temperature = ", ".join(f"{value:.3f}" for value in test.get("temperature") or []) or "unknown"
    rows = [
        ["before temperature", *(number(before.get(key)) for key in ("ece", "nll", "brier"))]
        if before
        else ["before temperature", *[markup.DASH] * 3],
        ["after temperature", *(number(test.get(key)) for key in ("ece", "nll", "brier"))],
    ]
    before_bins = found["before"]["bins"] if found["before"] else None
    reliability = drawn.add(
        "reliability",
        draw_reliability(found["after"]["bins"], before_bins),
        "Reliability diagram: accuracy against the highest score; the numbers are in the table",
    )
    coverage = drawn.add(
        "coverage",
        draw_coverage(cover["curve"], cover["chosen"], cover["wanted_accuracy"]),
        "Accuracy of the answered faces against the fraction of faces that is answered",
    )
    return markup.section(
        "sureness",
        "Calibration",
        markup.table(f"Calibration; temperature {temperature}", ["", "ECE", "NLL", "Brier"], rows),
        markup.paragraph(
            "With this many faces, the ECE of perfectly calibrated scores is below "
            f"{number(found['after']['ece_by_chance'])} in 95 % of tests."
        ),
        markup.figures(
            markup.figure(
                reliability,
                "On the dashed line a score of 80 % is right in 80 % of the faces. Below the line "
                "the model is overconfident, above it underconfident. Bars: number of faces by "
                "score.",
            ),
            markup.figure(
                coverage,
                "Accuracy when only the most confident faces are answered. Dot: the threshold "
                "below; dashed line: the target accuracy.",
            ),
        ),
        _threshold(cover, test, facts["places"]["validation"]),
        markup.more("The reliability diagram as a table", _bins(found["after"]["bins"])),
    )


def _threshold(cover: Values, test: Values, place: str | None) -> str:
    target, chosen = cover["wanted_accuracy"], cover["chosen"]
    if chosen is None:
        return markup.paragraph(
            f"No threshold reaches an accuracy of {percent(target)} on the {cover['chosen_on']} "
            "faces."
        )
    said = markup.paragraph(
        f"<b>For an accuracy of {percent(target)}</b>, leave faces unanswered whose highest score "
        f"is below <b>{chosen['threshold']:.3f}</b>. Here that answers "
        f"{percent(chosen['coverage'])} of the faces with an accuracy of "
        f"{percent(chosen['accuracy']['value'])} "
        f"({interval(chosen['accuracy']['low'], chosen['accuracy']['high'])}). The threshold was "
        f"chosen on the {cover['chosen_on']} faces."
    )
    if cover["chosen_on"] == test["split"] == "test":
        said += markup.missing(
            "It was chosen on the same faces that it is tested on, so this accuracy is too high. "
            "After a test of the validation split, the report chooses it there.",
            add_option_to_command(test, "--split", "validation", out=place),
        )
    return said


def _bins(bins: Sequence[Values]) -> str:
    return markup.table(
        "Faces by their highest score",
        ["highest score", "faces", "mean score", "accuracy", "95 % interval"],
        (
            [
                f"{one['low']:.3f} to {one['high']:.3f}",
                f"{one['n']:,}",
                percent(one["confidence"]),
                percent(one["accuracy"]["value"]),
                interval(one["accuracy"]["low"], one["accuracy"]["high"]),
            ]
            for one in bins
            if one["n"]
        ),
    )


def render_faces(facts: Values, image: FaceImageReader, shown: bool) -> str:
    """Return the section of notable faces."""
    wrong, doubted = facts["surest_mistakes"], facts["most_doubtful"]
    hint = "The images are not shown: the faces could not be opened. Name them with --data."
    return markup.section(
        "faces",
        "Faces to look at",
        "" if shown else markup.missing(hint),
        "<h3>Most confident errors</h3>",
        markup.paragraph(
            "Faces on which the model is wrong with the highest scores. Where you agree with the "
            "model, the label may be wrong."
        ),
        render_gallery(wrong, image) if wrong else markup.paragraph("There are no errors."),
        "<h3>Least confident</h3>",
        markup.paragraph("The faces with the lowest top score: a threshold leaves them out first."),
        render_gallery(doubted, image),
    )


def render_intensity(facts: Values, drawn: ReportPlots) -> str:
    """Return the section of intensity, and of scores and votes."""
    found, votes, test = facts["intensity"], facts["vote_shares"], facts["test"]
    of_raters = test["data"].get("label_set") == "ferplus"
    parts: list[str] = []
    figures: list[str] = []
    if found is None:
        parts.append(markup.missing("No intensity: the model predicts none, or the data has none."))
    else:
        svg = drawn.add(
            "intensity",
            draw_intensity(found["bins"], of_raters),
            "The model's intensity against the target: median and the middle 80 % of the faces",
        )
        figures.append(
            markup.figure(svg, "Dots: the median face; lines: the middle 80 % of the faces.")
        )
        names = {"pearson": "Pearson", "spearman": "Spearman", "ccc": "CCC", "mae": "MAE"}
        names["raters_reliability"] = "inter-rater reliability"
        told = [
            f"{what} {found[key]:.3f}" for key, what in names.items() if found.get(key) is not None
        ]
        parts.append(
            markup.paragraph(f"Intensity: {', '.join(told)} ({found.get('n', 0):,} faces).")
        )
    if votes is None:
        command = (
            add_option_to_command(test, "--labels", "ferplus")
            if test["data"].get("label_set") == "fer2013"
            else None
        )
        parts.append(markup.missing("The data has no votes of raters.", command))
    else:
        svg = drawn.add(
            "votes",
            draw_votes({name: one["bins"] for name, one in votes.items()}),
            "Mean score of each class against the fraction of raters who chose it",
        )
        figures.append(
            markup.figure(svg, "Mean score against the fraction of raters who chose it.")
        )
        keys = ("pearson", "ccc", "mae", "raters_reliability")
        table = markup.table(
            "Agreement of scores with votes",
            ["class", "Pearson", "CCC", "MAE", "inter-rater reliability"],
            (
                [text(name), *(number(one.get(key), 3) for key in keys)]
                for name, one in votes.items()
            ),
        )
        parts.append(table)
    return markup.section("intensity", "Intensity and votes", *parts, markup.figures(*figures))
