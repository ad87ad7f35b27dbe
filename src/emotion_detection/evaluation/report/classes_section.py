"""The sections of a report on the training curves and on each class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotion_detection.evaluation.confusion_plot import draw_confusion
from emotion_detection.evaluation.evaluate import is_shipped
from emotion_detection.evaluation.plot_style import ReportPlots
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.class_plots import (
    draw_per_class,
    draw_precision_recall,
    draw_roc,
)
from emotion_detection.evaluation.report.comparison_plots import draw_training
from emotion_detection.evaluation.report.markup import interval, number, percent, text

Values = Mapping[str, Any]


def render_training(facts: Values, drawn: ReportPlots) -> str:
    """Return the section of the training's curves."""
    rows = facts["training"]
    if not rows:
        said = "There are no training curves: they lie in logs/RUN/metrics.csv of a run."
        model = facts["test"]["model"]
        if isinstance(model, str) and is_shipped(Path(model)):
            said = (
                "The curves of the shipped model's training do not come with the package; the "
                "project's docs/results.md shows them."
            )
        return markup.section("training", "Training", markup.missing(said))
    last = rows[-1]
    best = max(rows, key=lambda row: row.get("val_accuracy") or 0.0)
    svg = drawn.add(
        "training",
        draw_training(rows),
        f"Loss and accuracy over {len(rows)} epochs, as in the table",
    )
    names = ["train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    table = markup.table(
        "Every epoch",
        [
            "epoch",
            *(name.replace("train_", "training ").replace("val_", "validation ") for name in names),
        ],
        ([f"{row['epoch']:.0f}", *(number(row.get(name)) for name in names)] for row in rows),
    )
    caption = (
        f"{len(rows)} epochs; validation accuracy is highest in epoch {best['epoch']:.0f} "
        f"({percent(best.get('val_accuracy'))}). A validation loss that rises while that of "
        "training falls means overfitting."
    )
    return markup.section(
        "training",
        "Training",
        markup.figure(svg, caption),
        markup.more(f"All {last['epoch']:.0f} epochs", table),
    )


def render_classes(facts: Values, drawn: ReportPlots) -> str:
    """Return the section of confusion, precision, recall, F1, ROC and precision-recall."""
    test, found = facts["test"], facts["per_class"]
    names = test["labels"]
    per_class = markup.table(
        "Each class, with 95 % intervals",
        [
            *("class", "faces", "recall", "precision", "F1"),
            *("false positive rate", "area under ROC", "average precision"),
        ],
        (_class_row(name, one, facts) for name, one in found.items()),
    )
    confusion = markup.table(
        "Rows: label; columns: prediction",
        ["label", *map(text, names)],
        (
            [text(name), *(f"{count:,}" for count in row)]
            for name, row in zip(names, test["confusion"], strict=True)
        ),
    )
    figures = markup.figures(
        markup.figure(
            drawn.add(
                "confusion",
                draw_confusion(test["confusion"], names),
                "Confusion matrix; the numbers are in the table below it",
            ),
            "Rows: label; columns: prediction.",
        ),
        markup.figure(
            drawn.add(
                "per-class",
                draw_per_class(found),
                "Recall, precision and F1 of each class, as in the table",
            ),
            f"{_extremes(found)}Lines are 95 % intervals: long where there are few faces.",
        ),
        markup.figure(
            drawn.add(
                "roc",
                draw_roc(facts["roc"]),
                "ROC curves, one class against the rest; areas are in the table",
            ),
            "One class against the rest (ROC): the nearer to the upper left, the better the class "
            "is separated from the others.",
        ),
        markup.figure(
            drawn.add(
                "precision-recall",
                draw_precision_recall(facts["precision_recall"]),
                "Precision against recall; average precisions are in the table",
            ),
            "Precision against recall, over all thresholds of the score.",
        ),
    )
    return markup.section(
        "classes",
        "Each class",
        markup.paragraph(
            f"Balanced accuracy (mean recall) {percent(test.get('balanced_accuracy'))}, macro F1 "
            f"{percent(test.get('macro_f1'))}."
        ),
        per_class,
        figures,
        markup.more("The confusion matrix as a table", confusion),
    )


def _extremes(found: Values) -> str:
    """Return the classes with the highest and the lowest recall, among those with faces."""
    recall = {name: one["recall"]["value"] for name, one in found.items() if one["n"]}
    low, high = (
        min(recall, key=lambda name: recall[name]),
        max(recall, key=lambda name: recall[name]),
    )
    return "" if low == high else f"Highest recall: {text(high)}; lowest: {text(low)}. "


def _class_row(name: str, one: Values, facts: Values) -> list[str]:
    cells = [text(name), f"{one['n']:,}"]
    for measure in ("recall", "precision", "f1"):
        value = one[measure]
        ends = interval(value["low"], value["high"])
        cells.append(f"{percent(value['value'])}<small>{ends}</small>")
    areas = (facts[curve][name]["area"] for curve in ("roc", "precision_recall"))
    return [*cells, percent(one["false_rate"]["value"]), *(number(area, 3) for area in areas)]
