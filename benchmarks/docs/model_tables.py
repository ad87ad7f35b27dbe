"""The shipped model's metrics, and how its label sets agree."""

from typing import Any

from benchmarks.common import format_accuracy, format_metrics

Result = dict[str, Any]


def shipped(record: Result) -> str:
    """Return the shipped model's accuracy and calibration with one and four views."""
    names = {"ferplus": "FER+ majority", "fer2013": "FER-2013's own"}
    priors = {"natural": "", "balanced": ", `--prior balanced`"}
    lines = [
        "| labels, views | accuracy (95 % interval) / balanced accuracy / macro F1 "
        "| accuracy without duplicates | ECE |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {names[row['labels']]}, {row['views']}{priors[row['prior']]} | {format_metrics(row)} "
        f"| {row['without_duplicates']['accuracy']:.4f} | {row['ece']:.4f} |"
        for row in record["figures"]
        if row["views"] != 2
    ]
    first, second = (_figure(record, labels) for labels in names)
    lines += [
        "",
        f"`{first['command']}`, also with `--labels fer2013`, `--views 4`, `--prior balanced`: "
        f"PrivateTest, once per row; {first['n']:,} faces with a majority among FER+'s ten raters "
        f"({first['without_duplicates']['n']:,} without duplicates of training faces), "
        f"{second['n']:,} ({second['without_duplicates']['n']:,}) with FER-2013's labels; "
        f"{record['training']['hardware']}. Two views, and all other metrics: "
        "[record.json](src/emotion_detection/pretrained/record.json).",
    ]
    return "\n".join(lines)


def candidate(record: Result, shipped: Result) -> str:
    """Return the test accuracy of weights that were not shipped, beside the shipped ones."""
    own, other = (_figure(one, "ferplus") for one in (record, shipped))
    return (
        f"That average reaches {format_metrics(own)} on the test split, the shipped model "
        f"{format_metrics(other)} (`{other['command']}`, and the same with the other model: "
        f"PrivateTest, {own['n']:,} faces with a FER+ majority, one view; "
        f"{record['training']['hardware']}. Four views and FER-2013's labels: "
        "[robust_third_record.json](docs/results/robust_third_record.json))."
    )


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
        "| emotion | faces | recall | precision | correlation with votes "
        "| inter-rater reliability |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in row["per_class"].items():
        votes = row["vote_shares"][name]
        lines.append(
            f"| {name} | {one['n']:,} | {one['recall']:.3f} | {one['precision']:.3f} "
            f"| {votes['pearson']:.3f} | {votes['raters_reliability']:.3f} |"
        )
    lines += [
        "",
        f"`{row['command']}`: {row['data']}, {row['n']:,} faces with a FER+ majority; Pearson's "
        "correlation of the score with the fraction of the ten raters who chose the emotion.",
    ]
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
