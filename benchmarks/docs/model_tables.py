"""The shipped model's metrics, and how its label sets agree."""

from typing import Any

from benchmarks.common import format_accuracy

Result = dict[str, Any]


def shipped(record: Result) -> str:
    """Return the shipped model's accuracy and calibration."""
    training = record["training"]
    lines = _figure_lines(record)
    first = _figure(record, "ferplus")
    sizes = record["files"]
    lines += [
        "",
        f"`{first['command']}`, the same with `--labels fer2013`, `--views 2`, `--views 4` and "
        f"`--prior balanced`. PrivateTest, used once per row; FER+ majority: "
        f"{first['filter']}. "
        f"{record['parameters']:,} parameters, {record['multiply_adds'] / 1e6:.1f} million "
        f"multiply-adds per face; ONNX file {sizes['model.onnx']['bytes'] / 1e6:.1f} MB. One "
        f"training (seed {training['config']['seed']}, `{training['command']}`, "
        f"{training['seconds'] / 60:.0f} minutes on {training['hardware']}, "
        "shared with other work), chosen on PublicTest. All metrics: the model's record, "
        "[record.json](src/emotion_detection/pretrained/record.json).",
    ]
    return "\n".join(lines)


def candidate(record: Result) -> str:
    """Return accuracy and calibration of weights that were tested and not shipped."""
    return "\n".join(
        [
            *_figure_lines(record),
            "",
            f"`{_figure(record, 'ferplus')['command']}`, the same with `--labels fer2013`, "
            "`--views 2`, `--views 4` and `--prior balanced`, on the averaged run instead of the "
            "shipped one; PrivateTest, used once per row. All metrics: "
            "[docs/results/robust_third_record.json](docs/results/robust_third_record.json).",
        ]
    )


def _figure_lines(record: Result) -> list[str]:
    lines = [
        "| labels | views | prior | faces | test accuracy (95 % interval) | balanced | macro F1 "
        "| without duplicates | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    names = {"ferplus": "FER+ majority, 8 emotions", "fer2013": "FER-2013's own"}
    for row in record["figures"]:
        clean = row["without_duplicates"]
        lines.append(
            f"| {names[row['labels']]} | {row.get('views', 2 if row['tta'] else 1)} "
            f"| {row.get('prior', 'natural')} | {row['n']:,} | {format_accuracy(row)} "
            f"| {row['balanced_accuracy']:.4f} | {row['macro_f1']:.4f} "
            f"| {clean['accuracy']:.4f} (n={clean['n']:,}) | {row['ece']:.4f} |"
        )
    return lines


def shipped_short(record: Result) -> str:
    """Return the shipped model's accuracy as images are read by default, and with one view."""
    lines = [
        "| shipped model on FER-2013's test split | faces | test accuracy (95 % interval) "
        "| balanced accuracy | macro F1 | ECE |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    names = {"ferplus": "FER+ majority, 8 emotions", "fer2013": "FER-2013's own labels, 7 emotions"}
    ways = {(4, "natural"): "four views", (1, "natural"): "one view"}
    ways[4, "balanced"] = "four views, `--prior balanced`"
    lines += [
        f"| {names[row['labels']]}, {ways[row['views'], row['prior']]} | {row['n']:,} "
        f"| {format_accuracy(row)} | {row['balanced_accuracy']:.4f} | {row['macro_f1']:.4f} "
        f"| {row['ece']:.4f} |"
        for row in record["figures"]
        if (row["views"], row["prior"]) in ways
    ]
    lines += [
        "",
        f"`{_figure(record, 'ferplus')['command']}`, the same with `--labels fer2013`, `--views 4` "
        f"and `--prior balanced`; {record['training']['hardware']}. Images get four views "
        "by default, crops one. All metrics: "
        "[record.json](src/emotion_detection/pretrained/record.json).",
    ]
    return "\n".join(lines)


def shipped_classes(record: Result) -> str:
    """Return the shipped model's figures for each emotion, and how it follows the raters."""
    row = _figure(record, "ferplus")
    lines = [
        "| emotion | recall | precision | F1 | faces | scores vs. vote fractions: Pearson | CCC "
        "| MAE | inter-rater reliability |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in row["per_class"].items():
        share = row["vote_shares"][name]
        lines.append(
            f"| {name} | {one['recall']:.3f} | {one['precision']:.3f} | {one['f1']:.3f} "
            f"| {one['n']:,} | {share['pearson']:.3f} | {share['ccc']:.3f} | {share['mae']:.3f} "
            f"| {share['raters_reliability']:.3f} |"
        )
    lines += ["", f"`{row['command']}`; {row['data']}, n={row['n']:,}: {row['filter']}."]
    return "\n".join(lines)


def shipped_intensity(record: Result) -> str:
    """Return how the shipped model's intensity follows the raters."""
    row = _figure(record, "ferplus")
    found = row["intensity"]
    return (
        "| Pearson | Spearman | CCC | MAE | inter-rater reliability | faces |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        f"| {found['pearson']:.3f} | {found['spearman']:.3f} | {found['ccc']:.3f} "
        f"| {found['mae']:.3f} | {found['raters_reliability']:.3f} | {found['n']:,} |\n\n"
        f"`{row['command']}`; {row['data']}; faces: {row['filter']}."
    )


def shipped_calibration(record: Result) -> str:
    """Return ECE, NLL and Brier before and after temperature, for both label sets."""
    lines = [
        "| labels | T | ECE | NLL | Brier |",
        "| --- | --- | --- | --- | --- |",
    ]
    for labels in ("ferplus", "fer2013"):
        row = _figure(record, labels)
        before = row["before_temperature"]
        changes = (f"{before[key]:.4f} → {row[key]:.4f}" for key in ("ece", "nll", "brier"))
        lines.append(f"| {labels} | {row['temperature'][0]:.3f} | {' | '.join(changes)} |")
    row = _figure(record, "ferplus")
    lines += ["", f"`{row['command']}`, and `--labels fer2013`; {row['data']}."]
    return "\n".join(lines)


def _figure(record: Result, labels: str, tta: bool = False) -> Result:
    found: list[Result] = [
        row for row in record["figures"] if row["labels"] == labels and row["tta"] == tta
    ]
    return found[0]


def agreement(result: Result) -> str:
    """Return the sentence of ``benchmarks/data/label_agreement.py``'s file."""
    test = result["splits"]["test"]
    return (
        f"On the {test['with_majority']:,} test faces with a majority the two label sets agree on "
        f"the emotion for {test['agree']:.1%} (`{result['command']}`)."
    )
