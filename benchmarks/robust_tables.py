"""Tables of ``robust_training.py``: what was tried on validation for the shipped model."""

from typing import Any

Result = dict[str, Any]


def _candidates(result: Result, before: str) -> list[str]:
    lines = [
        "| weights | FER+, 1 view | 2 | 4 | FER-2013, 1 view | 2 | 4 | mean of 80 corruptions |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in result["candidates"].items():
        cells = [
            f"{one[label_set][views]['accuracy']:.4f}"
            for label_set in ("ferplus", "fer2013")
            for views in ("1", "2", "4")
        ]
        mean = one["mean_corruption_accuracy"]
        lines.append(f"| {_words(name, before)} | {' | '.join(cells)} | {mean:.4f} |")
    return lines


def _rare_classes(result: Result, before: str) -> list[str]:
    """Return balanced accuracy and macro F1 of each candidate."""
    lines = [
        "Balanced accuracy, macro F1:",
        "",
        "| weights | FER+, 1 view | 2 | 4 | FER-2013, 1 view | 2 | 4 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in result["candidates"].items():
        cells = [
            f"{one[labels][views]['balanced_accuracy']:.4f}, {one[labels][views]['macro_f1']:.4f}"
            for labels in ("ferplus", "fer2013")
            for views in ("1", "2", "4")
        ]
        lines.append(f"| {_words(name, before)} | {' | '.join(cells)} |")
    return lines


def robust_second(result: Result) -> str:
    """Return accuracy by views and under corruption of the second fine-tuning's candidates."""
    lines = [*_candidates(result, "shipped"), "", *_rare_classes(result, "shipped")]
    lines += [
        "",
        f"`{result['command']}`, as above: {result['data']}; corruptions on "
        f"{result['faces_under_corruption']} faces. Results: "
        "[docs/results/robust_second.json](docs/results/robust_second.json).",
    ]
    return "\n".join(lines)


def robust_training(result: Result) -> str:
    """Return accuracy by views and under corruption of each candidate, then the adjustments."""
    before = "before (trained without corruption)"
    lines = [*_candidates(result, before), "", *_rare_classes(result, before)]
    chosen = result["chosen"]
    lines += [
        "",
        f"Exponent of the class frequencies, {_words(chosen)}, FER+ (accuracy, balanced accuracy, "
        "macro F1):",
        "",
        "| exponent | 1 view | 4 views |",
        "| --- | --- | --- |",
    ]
    one = result["candidates"][chosen]["adjustment"]
    for exponent in one["1"]:
        cells = [
            ", ".join(
                f"{one[views][exponent][name]:.4f}"
                for name in ("accuracy", "balanced_accuracy", "macro_f1")
            )
            for views in ("1", "4")
        ]
        lines.append(f"| {exponent} | {' | '.join(cells)} |")
    first = result["candidates"][chosen]["ferplus"]["1"]
    second = result["candidates"][chosen]["fer2013"]["1"]
    machine = result["machine"]
    lines += [
        "",
        f"`{result['command']}`: {result['data']}, FER+ majority (n={first['n']:,}) and FER-2013's "
        f"own labels (n={second['n']:,}). Corruptions by FER+ "
        f"on {result['faces_under_corruption']} faces, one view. Temperatures fitted on the same "
        f"faces. {machine['processor']}, {machine['cores']} cores. One seed: differences below "
        "a point are not meaningful. Results: "
        "[docs/results/robust_training.json](docs/results/robust_training.json).",
    ]
    return "\n".join(lines)


def _words(name: str, before: str = "") -> str:
    share = name.partition(", share ")[2]
    if not share:
        return before
    if share == "1":
        return "fine-tuned with corruption"
    return f"{float(share):.0%} fine-tuned, {1 - float(share):.0%} before"
