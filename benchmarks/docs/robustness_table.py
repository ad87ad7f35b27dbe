"""Tables of docs/robustness.md, made of the file that ``collect_robustness.py`` wrote."""

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
