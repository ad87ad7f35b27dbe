"""Accuracy under corruption, and trainings with corruption."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.common import format_metrics

Result = dict[str, Any]


def robustness(result: Result) -> str:
    """Return the means of all tests, and accuracy by strength and by kind of corruption."""
    tests = result["tests"]
    machine, first = result["machine"], next(iter(tests.values()))
    return "\n\n".join(
        [
            "\n".join(_means(tests)),
            _note(tests),
            "\n".join(_kinds(tests)),
            f"`{first['command']}`, also with the label sets, views and models of the rows: "
            "FER-2013, PrivateTest, once per row; seed "
            f"{', '.join(sorted({str(test['seed']) for test in tests.values()}))}; intervals: 95 % "
            f"bootstrap over faces; {machine['processor']}, {machine['cores']} cores. Each kind at "
            "each strength, with its interval, NLL and mean score: "
            "[robustness.json](docs/results/robustness.json).",
        ]
    )


def _means(tests: dict[str, Result]) -> list[str]:
    lines = [
        "| model, labels (faces) | clean | mean of all 80 | drop, points "
        "| ECE, clean → mean of all 80 | accuracy of the most confident half, fifth |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, test in tests.items():
        clean, drop = test["clean"], test["drop"]
        least, most = (100 * value for value in drop["ci95"])
        cells = ["", ""]
        if own := test.get("calibration"):
            cells = [f"{own['clean']['ece']:.4f} → {own['mean_ece']:.4f}"]
            if before := own.get("before_temperature"):
                cells[0] += f" (T = 1: {before['clean']['ece']:.4f} → {before['mean_ece']:.4f})"
            cells += [
                ", ".join(f"{own['accuracy_at_coverage'][one]:.3f}" for one in ("0.5", "0.2"))
            ]
        metrics = format_metrics({**clean, "accuracy_ci95": clean["ci95"]})
        lines.append(
            f"| {name} ({clean['n']:,}) | {metrics} "
            f"| {_mean(test, list(test['corruptions']), range(5), 4)} "
            f"| {100 * drop['value']:.1f} ({least:.1f}-{most:.1f}) | {' | '.join(cells)} |"
        )
    return lines


def _note(tests: dict[str, Result]) -> str:
    """Return what the numbers of a cell are, and which are missing."""
    words = "Accuracy (95 % interval) / balanced accuracy / macro F1"
    known = ["macro_f1" in test["clean"] for test in tests.values()]
    if not any(known):
        words = "Accuracy (95 % interval) / balanced accuracy; these tests did not write macro F1"
    elif not all(known):
        words += ", which older tests did not write"
    words += "."
    if not all("calibration" in test for test in tests.values()):
        words += " Empty cells: not written."
    return words


def _kinds(tests: dict[str, Result]) -> list[str]:
    """Return a row a strength and a row a kind, the one that costs the first test most first."""
    shown = {name: test for name, test in tests.items() if test.get("views", 1) == 1}
    first = next(iter(shown.values()))["corruptions"]
    kinds = sorted(first, key=lambda kind: statistics.fmean(first[kind]["accuracy"]))
    rows: dict[str, tuple[list[str], Iterable[int]]] = {
        f"strength {1 + place}, all kinds": (kinds, [place]) for place in range(5)
    }
    rows |= {kind.replace("_", " "): ([kind], range(5)) for kind in kinds}
    lines = [f"| mean of | {' | '.join(shown)} |", "| --- |" + " --- |" * len(shown)]
    for words, (own, places) in rows.items():
        cells = [_mean(test, own, places, 3) for test in shown.values()]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return lines


def _mean(test: Result, kinds: Sequence[str], places: Iterable[int], digits: int) -> str:
    """Return the means over kinds and strengths, as "0.744 / 0.519 / 0.520"."""
    names = [
        name for name in ("accuracy", "balanced_accuracy", "macro_f1") if name in test["clean"]
    ]
    means = (
        statistics.fmean(
            test["corruptions"][kind][name][place] for kind in kinds for place in places
        )
        for name in names
    )
    return " / ".join(f"{mean:.{digits}f}" for mean in means)


def robust_training(first: Result, second: Result, third: Result) -> str:
    """Return accuracy and accuracy under corruption of the weights that were compared."""
    rows = {
        _name(name, first["chosen"]): candidate for name, candidate in first["candidates"].items()
    }
    for place, result in (("second", second), ("third", third)):
        share = float(result["chosen"].rpartition(" ")[2])
        words = f"{1 - share:.0%} shipped, {share:.0%} {place} fine-tuning"
        rows[words] = result["candidates"][result["chosen"]]
    lines = [
        "| weights | FER+ majority | FER-2013's labels | mean of 80 corruptions "
        "| mean of the three accuracies |",
        "| --- | --- | --- | --- | --- |",
    ]
    for words, row in rows.items():
        clean = [row[labels]["4"] for labels in ("ferplus", "fer2013")]
        corrupted = row["mean_corruption_accuracy"]
        mean = statistics.fmean([*(one["accuracy"] for one in clean), corrupted])
        lines.append(
            f"| {words} | {' | '.join(map(format_metrics, clean))} | {corrupted:.4f} | {mean:.4f} |"
        )
    machine, files = first["machine"], ("robust_training", "robust_second", "robust_third")
    links = ", ".join(f"[{file}.json](docs/results/{file}.json)" for file in files)
    lines += [
        "",
        f"`{first['command']}`: {first['data']}; accuracy / balanced accuracy / macro F1 with four "
        f"views on {clean[0]['n']:,} and {clean[1]['n']:,} faces; corruptions: accuracy by FER+ on "
        f"{first['faces_under_corruption']} faces, one view; one seed; {machine['processor']}, "
        f"{machine['cores']} cores. Other views, proportions and exponents of the class "
        f"frequencies: {links}.",
    ]
    return "\n".join(lines)


def _name(candidate: str, chosen: str) -> str:
    share = candidate.partition(", share ")[2]
    if not share:
        return "before (trained without corruption)"
    if share == "1":
        return "fine-tuned with corruption"
    words = f"{1 - float(share):.0%} before, {float(share):.0%} fine-tuned"
    return f"**{words}: shipped**" if candidate == chosen else words
