"""``emotion test``: test a model on labelled faces."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from emotion_detection.commands.parsing import (
    join_data_words,
    new_parser,
    parse,
    parse_texts,
    read_words,
)
from emotion_detection.commands.shared_options import (
    PRIOR_HELP,
    add_tested_faces,
    check_tested_faces,
)
from emotion_detection.config import DataConfig
from emotion_detection.errors import require_package


def run(words: list[str]) -> int:
    """Run ``emotion test``; print the accuracy last."""
    parser = _parser()
    parsed = parse(parser, join_data_words(read_words(parser, words)))
    check_tested_faces(parsed)
    require_package("'test'", "train", "torch", "pytorch_lightning")
    from emotion_detection.evaluation.evaluate import ask
    from emotion_detection.evaluation.evaluate import run as run_test
    from emotion_detection.postprocessing import check_prior

    asked = ask(
        models=parsed.model,
        option="--model",
        data=parsed.data,
        labels=parsed.labels,
        split=parsed.split,
        tta=parsed.tta,
        views=parsed.views,
        prior=check_prior(parsed.prior),
        out=parsed.out,
        changes={
            name: getattr(parsed, name)
            for name in ("max_corrupt", "cache", "crop", "classes", "rename")
        },
    )
    if asked.untested:
        print(
            f"note: {asked.untested:,} faces of {asked.dataset.source} are in other splits, drawn "
            "here, and not tested; --split all tests every face",
            file=sys.stderr,
        )
    done = run_test(asked)
    if done.metrics:
        _show(done.metrics, done.folder)
    if parsed.corruptions:
        from emotion_detection.evaluation.robustness import evaluate_corruptions

        if record := evaluate_corruptions(asked):
            _show_corruptions(record, asked.folder)
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser("test", "Test a model on labelled faces.", "[--model RUN] [OPTIONS]")
    add = parser.add_argument
    add(
        "--model",
        type=str,
        nargs="+",
        default=[],
        metavar="RUN",
        help="run folders, checkpoints, ONNX files, hf://USER/NAME or 'pretrained' (the shipped "
        "model); the scores of several are averaged; default: the newest run",
    )
    add("--data", type=str, help="dataset; default: the training data of the model")
    add("--classes", type=parse_texts, metavar="[ITEM,...]", help="classes to keep; default: all")
    add("--rename", type=parse_texts, metavar="[ITEM,...]", help="new class names, OLD=NEW each")
    add(
        "--crop",
        type=str,
        help="'faces' to detect and crop faces as 'predict' does, or 'none'; default: as in "
        "training",
    )
    add_tested_faces(parser)
    add(
        "--views",
        type=int,
        metavar="N",
        help="views of each face whose scores are averaged: 1, 2 (with horizontal flip) or 4 (also "
        "enlarged); default: 1",
    )
    add("--tta", action="store_true", help="flip test-time augmentation: the same as --views 2")
    add("--prior", type=str, default="natural", help=PRIOR_HELP)
    add("--out", type=str, metavar="DIR", help="folder for the results; default: in the run")
    add(
        "--corruptions",
        action="store_true",
        help="also test on corrupted faces (blur, noise, darkness, occlusion and more): 80 tests",
    )
    add("--max_corrupt", type=float, metavar="X", help=_help("max_corrupt"))
    add("--cache", type=str, help="folder of the decoded faces")
    return parser


def _help(name: str) -> str:
    return f"largest accepted fraction of unreadable images; default: {getattr(DataConfig, name)}"


def _intensity(figures: dict[str, Any]) -> str:
    """Print the agreement of the intensity with its target; constants have no correlation."""
    named = {"pearson": "Pearson", "spearman": "Spearman", "ccc": "CCC", "mae": "MAE"}
    words = [
        f"{what} {figures[key]:.3f}" for key, what in named.items() if figures[key] is not None
    ]
    if (reliability := figures.get("raters_reliability")) is not None:
        words.append(f"inter-rater reliability {reliability:.3f}")
    return f"intensity: {', '.join(words)} (n={figures['n']})"


def _show(metrics: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from emotion_detection.evaluation.saved_tests import synthetic_note, trained_faces_note

    table = Table(box=None, pad_edge=False)
    for column in ("", "recall", "precision", "F1", "faces"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in metrics["per_class"].items():
        values = (f"{row[key]:.3f}" for key in ("recall", "precision", "f1"))
        table.add_row(Text(name), *values, f"{row['n']:,}")
    Console().print(table)
    print(
        f"balanced accuracy {metrics['balanced_accuracy']:.4f}, "
        f"macro F1 {metrics['macro_f1']:.4f}, ECE {metrics['ece']:.4f}, "
        f"NLL {metrics['nll']:.4f}, Brier {metrics['brier']:.4f}"
    )
    before = metrics["before_temperature"]
    print(
        f"before temperature ({', '.join(f'{t:.3f}' for t in metrics['temperature'])}): "
        f"ECE {before['ece']:.4f}, NLL {before['nll']:.4f}, Brier {before['brier']:.4f}"
    )
    if followed := metrics.get("intensity"):
        print(_intensity(followed))
    clean = metrics.get("without_duplicates")
    if clean and clean["n"] and clean["exact_or_near"]:
        low, high = clean["accuracy_ci95"]
        print(
            f"without the {clean['exact_or_near']} faces that resemble a training face "
            f"({clean['exact']} exact duplicates): {clean['accuracy']:.4f} "
            f"(95% CI {low:.4f}-{high:.4f}, n={clean['n']}; balanced accuracy "
            f"{clean['balanced_accuracy']:.4f}, macro F1 {clean['macro_f1']:.4f})"
        )
    for note in (trained_faces_note(metrics), synthetic_note(metrics)):
        if note is not None:
            print(f"note: {note}")
    for name in ("metrics.json", "predictions.parquet", "confusion.png"):
        print(f"  {folder / name}")
    low, high = metrics["accuracy_ci95"]
    print(
        f"{metrics['split']} accuracy: {metrics['accuracy']:.4f} "
        f"(95% CI {low:.4f}-{high:.4f}, n={metrics['n']})",
        flush=True,
    )


def _show_corruptions(record: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    strengths = record["severities"]
    table = Table(box=None, pad_edge=False)
    table.add_column("accuracy at strength")
    for strength in strengths:
        table.add_column(str(strength), justify="right")
    for name, found in record["corruptions"].items():
        table.add_row(name.replace("_", " "), *(f"{value:.3f}" for value in found["accuracy"]))
    table.add_row("mean", *(f"{value:.3f}" for value in record["by_severity"]), style="bold")
    Console().print(table)
    told = record["calibration"]
    before = told["before_temperature"]
    print(
        "mean under corruption: balanced accuracy "
        f"{record['mean_corruption_balanced_accuracy']:.4f}, "
        f"macro F1 {record['mean_corruption_macro_f1']:.4f}, "
        f"ECE {told['mean_ece']:.4f}, NLL {told['mean_nll']:.4f} "
        f"(before temperature: ECE {before['mean_ece']:.4f}, NLL {before['mean_nll']:.4f})"
    )
    covered = ", ".join(
        f"{value:.4f} of the most confident {float(fraction):.0%}"
        for fraction, value in told["accuracy_at_coverage"].items()
        if float(fraction) < 1
    )
    print(f"accuracy under corruption: {covered}")
    for name in ("corruptions.json", "corruptions.png"):
        print(f"  {folder / name}")
    low, high = record["drop"]["ci95"]
    print(
        f"mean accuracy under corruption: {record['mean_corruption_accuracy']:.4f}, "
        f"{record['drop']['value']:.4f} less (95% CI {low:.4f}-{high:.4f}) than without: "
        f"{record['clean']['accuracy']:.4f}",
        flush=True,
    )
