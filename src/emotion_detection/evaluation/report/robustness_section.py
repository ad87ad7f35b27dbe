"""The sections of a report on robustness, and on how each metric was computed."""

from collections.abc import Mapping
from typing import Any

from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.calibration_section import add_option_to_command
from emotion_detection.evaluation.report.markup import interval, number, percent, text
from emotion_detection.evaluation.robustness_plot import draw_robustness
from emotion_detection.metrics.statistics import DRAWS

Values = Mapping[str, Any]

_METHODS = (
    (
        "accuracy",
        "Fraction of the faces whose label has the highest score. Interval: percentile bootstrap "
        f"over faces, {DRAWS:,} draws, seed 0 (Efron and Tibshirani 1993).",
    ),
    (
        "recall, precision, false positive rate",
        "Proportions; Wilson's (1927) interval. F1: harmonic mean; bootstrap interval.",
    ),
    (
        "without duplicates",
        "Faces with an exact or near duplicate among the training faces are left out.",
    ),
    (
        "ROC and precision-recall",
        "One class's score against all others (Fawcett 2006); area by trapezoids, average "
        "precision as a sum over steps.",
    ),
    (
        "ECE, NLL, Brier",
        "Expected calibration error over 15 equally wide bins of the highest score (Guo et al. "
        "2017); negative log likelihood; Brier score summed over classes (Brier 1950). ECE by "
        "chance: of labels drawn from the scores themselves (Bröcker and Smith 2007).",
    ),
    (
        "temperature",
        "One number that divides the logits, fitted on validation (Guo et al. 2017).",
    ),
    (
        "coverage",
        "Faces answered from the highest score down (selective classification, Geifman and "
        "El-Yaniv 2017).",
    ),
    (
        "intensity",
        "Pearson's correlation, Lin's (1989) concordance, mean absolute error; inter-rater "
        "reliability is ICC(1, k) (Shrout and Fleiss 1979).",
    ),
    (
        "robustness",
        "A fixed set of corruptions at five strengths, after Hendrycks and Dietterich 2019; mean "
        "corruption accuracy is the mean over all of them and all strengths.",
    ),
    (
        "groups of people",
        "Wilson's interval of each rate, over people if they are known. Intervals of gaps hold "
        "for all pairs of groups together, and for all emotions together: bootstrap of the largest "
        "standardised difference (Romano and Wolf 2005).",
    ),
    (
        "two models",
        "McNemar's (1947) exact test on the faces where one alone is right; paired bootstrap "
        "interval of the difference.",
    ),
)


def render_robustness(facts: Values, drawn: ReportPlots) -> str:
    """Return the section on accuracy under corruption."""
    found, test = facts["robustness"], facts["test"]
    if found is None:
        return markup.section(
            "robustness",
            "Robustness",
            markup.missing(
                "Robustness to blur, noise, darkness, low resolution and covered faces was not "
                "tested.",
                add_option_to_command(test, "--corruptions", out=facts["places"]["test"]),
            ),
        )
    svg = drawn.add(
        "robustness",
        draw_robustness(found),
        "Accuracy under each corruption at five strengths; the numbers are in the table",
    )
    means = {
        name: sum(one["accuracy"]) / len(one["accuracy"])
        for name, one in found["corruptions"].items()
    }
    worst = min(means, key=lambda name: means[name])
    table = markup.table(
        "Accuracy under each corruption, in percent",
        ["corruption", *(f"strength {number}" for number in found["severities"]), "mean"],
        (
            [
                text(name.replace("_", " ")),
                *(percent(one) for one in found["corruptions"][name]["accuracy"]),
                percent(mean),
            ]
            for name, mean in means.items()
        ),
    )
    clean = found["clean"]
    return markup.section(
        "robustness",
        "Robustness",
        markup.paragraph(
            f"<b>Mean corruption accuracy {percent(found['mean_corruption_accuracy'])}</b>, "
            f"against {percent(clean['accuracy'])} on the unchanged images ({clean['n']:,} "
            f"faces). Worst: {text(worst.replace('_', ' '))}.",
            _lost(found.get("drop")),
            _class_means(found),
            _calibration(found.get("calibration")),
        ),
        markup.figure(svg, "Dashed: the unchanged images. Bands: 95 % intervals."),
        markup.more("All numbers", table),
    )


def _lost(drop: Values | None) -> str:
    if not drop:
        return ""
    low, high = drop["ci95"]
    return f"Mean loss: {100 * drop['value']:.1f} points ({interval(low, high, points=True)})."


def _class_means(found: Values) -> str:
    """Return balanced accuracy and macro F1, if the test wrote them."""
    return " ".join(
        f"{name}: {percent(found[f'mean_corruption_{key}'])} in the mean, against "
        f"{percent(found['clean'].get(key))}."
        for key, name in (("balanced_accuracy", "Balanced accuracy"), ("macro_f1", "Macro F1"))
        if f"mean_corruption_{key}" in found
    )


def _calibration(found: Values | None) -> str:
    """Return the mean ECE, after and before temperature scaling, if the test wrote it."""
    if not found:
        return ""
    before = found.get("before_temperature")
    earlier = f" ({number(before['mean_ece'])} before temperature scaling)" if before else ""
    half = found["accuracy_at_coverage"].get("0.5")
    return (
        f"Mean ECE {number(found['mean_ece'])}{earlier}; accuracy on the more confident half of "
        f"the corrupted faces {percent(half)}."
    )


def render_methods(versions: Mapping[str, str]) -> str:
    """Return the section on how each metric was computed."""
    return markup.section(
        "methods",
        "Methods",
        markup.paragraph(
            "An expression is not a feeling (Barrett et al. 2019): all metrics tell how often the",
            "prediction agrees with the label, not what anybody felt. All intervals are of 95 %,",
            "over the faces that were tested; other faces, other training seeds and other labels",
            "differ by more.",
        ),
        markup.facts((name, how) for name, how in _METHODS),
        markup.paragraph(
            "All numbers are in report.json, too, and the plots as PNG in figures/; packages: "
            + text(", ".join(f"{name} {version}" for name, version in versions.items()))
            + "."
        ),
    )
