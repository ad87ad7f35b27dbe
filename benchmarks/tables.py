"""Tables of README and docs/results.md, each made of the file that a command wrote."""

from typing import Any

Result = dict[str, Any]


def interval(row: Result) -> str:
    """Return an accuracy with its interval, such as ``0.8700 (0.8580-0.8817)``."""
    low, high = row["accuracy_ci95"]
    return f"{row['accuracy']:.4f} ({low:.4f}-{high:.4f})"


NOT_KEPT = " Empty cells: this file was written before the benchmark kept these metrics."


def class_means(row: Result) -> str:
    """Return balanced accuracy and macro F1, such as ``0.6903, 0.7175``; empty if unknown."""
    if "balanced_accuracy" not in row or "macro_f1" not in row:
        return ""
    return f"{row['balanced_accuracy']:.4f}, {row['macro_f1']:.4f}"


def shipped(record: Result) -> str:
    """Return the shipped model's accuracy and calibration."""
    training = record["training"]
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
            f"| {row.get('prior', 'natural')} | {row['n']:,} | {interval(row)} "
            f"| {row['balanced_accuracy']:.4f} | {row['macro_f1']:.4f} "
            f"| {clean['accuracy']:.4f} (n={clean['n']:,}) | {row['ece']:.4f} |"
        )
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
        f"| {interval(row)} | {row['balanced_accuracy']:.4f} | {row['macro_f1']:.4f} "
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


def latency(result: Result) -> str:
    """Return the table of ``benchmarks/latency.py``'s file."""
    lines = ["| what | median ms | 5th to 95th percentile |", "| --- | --- | --- |"]
    for name, row in result["figures"].items():
        lines.append(
            f"| {name} | {row['median_ms']:.2f} | {row['p05_ms']:.2f} to {row['p95_ms']:.2f} |"
        )
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} rounds, {result['hardware']}, onnxruntime "
        f"{result['onnxruntime']}; load of the machine before: {result['load_before'][0]:.1f}.",
    ]
    return "\n".join(lines)


def agreement(result: Result) -> str:
    """Return the sentence of ``benchmarks/agreement.py``'s file."""
    test = result["splits"]["test"]
    return (
        f"On the {test['with_majority']:,} test faces with a majority the two label sets agree on "
        f"the emotion for {test['agree']:.1%} (`{result['command']}`)."
    )


def drawn(result: Result) -> str:
    """Return the sentence of ``benchmarks/drawn.py``'s file."""
    found = result["intensity"]
    return (
        f"On {found['n']} synthetic test faces, whose true intensity is known, the preset "
        f"`{result['preset']}` reaches Spearman {found['spearman']:.3f}, "
        f"Pearson {found['pearson']:.3f}, CCC "
        f"{found['ccc']:.3f}, MAE {found['mae']:.3f} (`{result['command']}`, seed "
        f"{result['seed']})."
    )


def time_to_accuracy(result: Result) -> str:
    """Return the table of ``benchmarks/time_to_accuracy.py``'s file."""

    def seconds(values: list[float | None]) -> str:
        return ", ".join("not reached" if value is None else f"{value:.1f}" for value in values)

    lines = [
        "| validation accuracy | (a) the usual way, seconds | (b) `quick`, seconds | a/b |",
        "| --- | --- | --- | --- |",
    ]
    for mark, row in result["marks"].items():
        ratio = "not reached"
        if "median" in row:
            bound = "at least " if any(row["lower_bounds"]) else ""
            ratio = f"{bound}{row['median']:.1f} ({row['min']:.1f}-{row['max']:.1f})"
        lines.append(f"| {mark} | {seconds(row['a'])} | {seconds(row['b'])} | {ratio} |")
    machine, versions = result["machine"], result["versions"]
    loads = [run["load_before"] for run in result["runs"]]
    done = len({run["seed"] for run in result["runs"] if run["way"] == "b"})
    lines += [
        "",
        f"`{result['command']}`: {result['faces']['train']:,} training faces, FER-2013's own "
        f"labels, accuracy on all {result['faces']['validation']:,} of PublicTest, measured four "
        f"times per epoch with the clock stopped; one value per seed, "
        f"{done} of {len(result['seeds'])} seeds; ratio: median "
        f"(minimum-maximum); load before the runs "
        f"{min(loads):.1f} to {max(loads):.1f}; {machine['processor']}, "
        f"{machine['threads']} thread(s); torch {versions['torch']}.",
    ]
    return "\n".join(lines)


def finetune(result: Result) -> str:
    """Return the table of ``benchmarks/finetune.py``'s file."""
    lines = [
        "| seed | from scratch | balanced accuracy, macro F1 | fine-tuned "
        "| balanced accuracy, macro F1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    ways = ("from nothing", "fine-tuned")
    lines += [
        f"| {run['seed']} | "
        + " | ".join(f"{interval(run[way])} | {class_means(run[way])}" for way in ways)
        + " |"
        for run in result["runs"]
    ]
    known = all("macro_f1" in run[way] for run in result["runs"] for way in ways)
    sizes = result["sizes"]
    lines += [
        "",
        f"`{result['command']}`: {result['data']}: {sizes['train']} train, {sizes['validation']} "
        f"validate, {sizes['test']:,} test; preset `compact`, {result['options']['epochs']} "
        f"epochs, each way at the learning rate ({', '.join(map(str, result['learning_rates']))}) "
        f"that is best on its validation faces; {result['hardware']}. PublicTest also chose the "
        f"shipped model's epoch and temperature.{'' if known else NOT_KEPT}",
    ]
    return "\n".join(lines)


def corrupt_cost(result: Result) -> str:
    """Return the table of ``benchmarks/corrupt_cost.py``'s file."""

    def spread(values: Result, factor: int, digits: int) -> str:
        median, low, high = (
            f"{factor * values[name]:.{digits}f}" for name in ("median", "low", "high")
        )
        return f"{median} ({low}-{high})"

    lines = [
        "| `--corrupt` | milliseconds per step | faces/s | relative to the first |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {amount} | {spread(row['seconds'], 1000, 0)} | {row['faces_per_second']:.0f} "
        f"| {spread(row['ratio'], 1, 2)} |"
        for amount, row in result["amounts"].items()
    ]
    lines += [
        "",
        f"`{result['command']}`: steps of {result['faces']} synthetic faces, {result['rounds']} of "
        "each in turns; processor time; median (quartiles), ratios within a round; "
        f"{result['processor']}, {result['threads']} thread(s), load of the machine before: "
        f"{result['load_before']:.1f}; torch {result['torch']}. Results: "
        "[docs/results/corrupt_cost.json](docs/results/corrupt_cost.json).",
    ]
    return "\n".join(lines)


PURPOSES = {
    "baseline": "learning and comparing: the baseline CNN",
    "quick": "something trained in a minute or two",
    "compact": "use: two processor cores, the browser",
    "large": "one GPU; teaching smaller networks",
    "resnet18": "comparing; pretrained backbones",
}


def preset_curves(result: Result) -> str:
    """Return the table of ``benchmarks/preset_curves.py``'s file."""
    lines = [
        "| training | faces | steps | validation accuracy by epoch | last (95 % interval) "
        "| balanced accuracy, macro F1 | steps/s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result.items():
        low, high = row["accuracy_ci95"]
        by_epoch = ", ".join(f"{value:.3f}" for value in row["curve"]["val_accuracy"])
        lines.append(
            f"| {name} | {row['faces']:,} | {row['steps']} | {by_epoch} | {low:.3f}-{high:.3f} "
            f"(n={row['validation_faces']:,}) | {class_means(row)} "
            f"| {row['steps_per_second']:.2f} |"
        )
    any_row = next(iter(result.values()))
    commands = ", ".join(f"`{row['command']}`" for row in result.values())
    lines += [
        "",
        f"{commands}: PublicTest; steps/s of the median epoch with its validation; "
        f"{any_row['processor']}, {any_row['threads']} thread(s), shared with other work; torch "
        f"{any_row['torch']}. "
        "Results: [docs/results/preset_curves.json](docs/results/preset_curves.json)."
        + ("" if all("macro_f1" in row for row in result.values()) else NOT_KEPT),
    ]
    return "\n".join(lines)


def presets(result: Result) -> str:
    """Return the table of ``benchmarks/presets.py``'s file."""
    lines = [
        "| preset | for | input | parameters | multiply-adds per face | FER-2013's labels "
        "| balanced accuracy, macro F1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, purpose in PURPOSES.items():
        row = result["presets"][name]
        lines.append(
            f"| `{name}` | {purpose} | {row['size']} x {row['size']} "
            f"| {row['parameters'] / 1e6:.2f} M | {row['multiply_adds'] / 1e6:,.1f} M "
            f"| {row['reached'] or 'not trained here'} | {row.get('class_means') or ''} |"
        )
    if not all(row.get("class_means") for row in result["presets"].values()):
        lines += ["", "Empty cells: the files of these trainings do not have these metrics."]
    return "\n".join(lines)
