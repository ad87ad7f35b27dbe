"""Accuracy under corruption, and trainings with corruption."""

from typing import Any

Result = dict[str, Any]


def robustness(result: Result) -> str:
    """Return the means of all tests, and each test's accuracies."""
    blocks = [_means(result["tests"])]
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


def robust_second(result: Result) -> str:
    """Return accuracy by views and under corruption of the second fine-tuning's candidates."""
    lines = _candidates(result, "shipped")
    lines += [
        "",
        f"`{result['command']}`, as above: {result['data']}; corruptions on "
        f"{result['faces_under_corruption']} faces. Results: "
        "[docs/results/robust_second.json](docs/results/robust_second.json).",
    ]
    return "\n".join(lines)


def robust_training(result: Result) -> str:
    """Return accuracy by views and under corruption of each candidate, then the adjustments."""
    lines = _candidates(result, "before (trained without corruption)")
    chosen = result["chosen"]
    lines += [
        "",
        f"Exponent of the class frequencies, {_words(chosen)}, FER+ (accuracy, balanced accuracy):",
        "",
        "| exponent | 1 view | 4 views |",
        "| --- | --- | --- |",
    ]
    one = result["candidates"][chosen]["adjustment"]
    for exponent in one["1"]:
        cells = [
            f"{one[v][exponent]['accuracy']:.4f}, {one[v][exponent]['balanced_accuracy']:.4f}"
            for v in ("1", "4")
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
