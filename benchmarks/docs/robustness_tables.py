"""Accuracy under corruption, and trainings with corruption."""

from typing import Any

Result = dict[str, Any]

_COVERAGES = ("1.0", "0.8", "0.5", "0.2")


def robustness(result: Result) -> str:
    """Return the means of all tests, and each test's accuracies."""
    blocks = [_means(result["tests"]), *_class_means(result["tests"])]
    blocks += _calibration(result["tests"])
    for name, test in result["tests"].items():
        blocks.append(f"### {name}\n\n{_accuracies(test)}")
    commands = ", ".join(f"`{test['command']}`" for test in result["tests"].values())
    machine = result["machine"]
    blocks.append(
        f"{commands}: FER-2013, PrivateTest, used once per row; seed "
        f"{', '.join(sorted({str(test['seed']) for test in result['tests'].values()}))}; "
        f"intervals: 95 % bootstrap over faces; {machine['processor']}, {machine['cores']} cores. "
        "All metrics, with intervals and balanced accuracy: "
        "[docs/results/robustness.json](docs/results/robustness.json)."
    )
    return "\n\n".join(blocks)


def _means(tests: dict[str, Result]) -> str:
    lines = [
        "| model and labels | faces | clean | mean of all 80 | drop, points | relative "
        "| strength 1 | 2 | 3 | 4 | 5 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, test in tests.items():
        clean, drop = test["clean"], test["drop"]
        low, high = clean["ci95"]
        least, most = (100 * value for value in drop["ci95"])
        lines.append(
            f"| {name} | {clean['n']:,} | {clean['accuracy']:.4f} ({low:.4f}-{high:.4f}) "
            f"| {test['mean_corruption_accuracy']:.4f} "
            f"| {100 * drop['value']:.1f} ({least:.1f}-{most:.1f}) | {test['relative']:.0%} "
            f"| {' | '.join(f'{value:.3f}' for value in test['by_severity'])} |"
        )
    return "\n".join(lines)


def _class_means(tests: dict[str, Result]) -> list[str]:
    """Return balanced accuracy and macro F1, clean and in the mean, and a note on empty cells."""
    lines = [
        "| model and labels | balanced accuracy, clean | mean of all 80 | macro F1, clean "
        "| mean of all 80 |",
        "| --- | --- | --- | --- | --- |",
    ]
    missing = False
    for name, test in tests.items():
        cells = []
        for metric in ("balanced_accuracy", "macro_f1"):
            if metric not in test["clean"]:
                missing = True
                cells += ["", ""]
                continue
            every = [value for one in test["corruptions"].values() for value in one[metric]]
            cells += [f"{test['clean'][metric]:.4f}", f"{sum(every) / len(every):.4f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    note = "Empty cells: tests of versions that did not write macro F1 under corruption."
    return ["\n".join(lines), *([note] if missing else [])]


def _calibration(tests: dict[str, Result]) -> list[str]:
    """Return calibration without and with temperature, and a note on empty cells."""
    told = {name: test["calibration"] for name, test in tests.items() if "calibration" in test}
    if not told:
        return []
    lines = [
        "| model and labels | ECE, clean | mean ECE of all 80 | NLL, clean | mean NLL of all 80 "
        "| accuracy of all corrupted faces | most confident 80 % | 50 % | 20 % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, after in told.items():
        before = after.get("before_temperature")
        cells = []
        for metric in ("ece", "nll"):
            for now, earlier in (
                (after["clean"][metric], before and before["clean"][metric]),
                (after[f"mean_{metric}"], before and before[f"mean_{metric}"]),
            ):
                cells.append(f"{earlier:.4f} → {now:.4f}" if before else f"{now:.4f}")
        covered = [f"{after['accuracy_at_coverage'][one]:.3f}" for one in _COVERAGES]
        lines.append(f"| {name} | {' | '.join([*cells, *covered])} |")
    notes = ["ECE and NLL: before → after temperature scaling."]
    if any("before_temperature" not in one for one in told.values()):
        notes.append("One number alone: after; that test's version did not write the other.")
    if len(told) < len(tests):
        notes.append(f"Calibration not written: {', '.join(n for n in tests if n not in told)}.")
    return ["\n".join(lines), " ".join(notes)]


def _accuracies(test: Result) -> str:
    """Return a row a corruption, the one that costs most at strength 3 first."""
    lines = [
        "| corruption | 1 | 2 | 3 | 4 | 5 | at 5: mean score | predicted most |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in sorted(
        test["corruptions"].items(), key=lambda item: float(item[1]["accuracy"][2])
    ):
        counts = test["called"][name][-1]
        most = max(range(len(counts)), key=counts.__getitem__)
        lines.append(
            f"| {name.replace('_', ' ')} "
            f"| {' | '.join(f'{value:.3f}' for value in found['accuracy'])} "
            f"| {test['mean_score'][name][-1]:.2f} "
            f"| {test['labels'][most]}, {counts[most] / sum(counts):.0%} |"
        )
    counts, clean = test["called"]["clean"], test["clean"]
    most = max(range(len(counts)), key=counts.__getitem__)
    lines.append(
        f"| *none* | {clean['accuracy']:.3f} | | | | | {test['mean_score']['clean']:.2f} "
        f"| {test['labels'][most]}, {counts[most] / sum(counts):.0%} |"
    )
    return "\n".join(lines)


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
    return _later_candidates(result, "robust_second.json")


def robust_third(result: Result) -> str:
    """Return accuracy by views and under corruption of the third fine-tuning's candidates."""
    return _later_candidates(result, "robust_third.json")


def _later_candidates(result: Result, file: str) -> str:
    lines = [*_candidates(result, "shipped"), "", *_rare_classes(result, "shipped")]
    lines += [
        "",
        f"`{result['command']}`, as above: {result['data']}; corruptions on "
        f"{result['faces_under_corruption']} faces. Results: "
        f"[docs/results/{file}](docs/results/{file}).",
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
