"""Training: speed, time to an accuracy, presets, fine-tuning, intensity."""

from typing import Any

from benchmarks.common import NOT_KEPT, format_accuracy, format_class_means, format_spread

Result = dict[str, Any]


def speed(result: dict[str, Any]) -> str:
    """Return the table of ``benchmarks/training/epoch_time.py``'s file."""
    lines = ["| way | seconds per epoch | faces/s | peak MiB |", "| --- | --- | --- | --- |"]
    for name, row in result["ways"].items():
        worker = row.get("worker_memory_mib")
        memory = f"{row['memory_mib']['median']:.0f}"
        memory += f" + 2 x {worker['median']:.0f}" if worker else ""
        lines.append(
            f"| ({name}) {row['what']} | {format_spread(row['seconds'], 1)} "
            f"| {row['faces_per_second']['median']:.0f} | {memory} |"
        )
    save, cost = (format_spread(result["ratios"][name], 2) for name in ("a/b", "b/c"))
    lines += [
        "",
        f"`{result['command']}`: {result['faces']:,} faces per epoch, {result['rounds']} rounds, "
        f"median (minimum-maximum): a/b {save}, b/c {cost}; {result['processor']}, "
        f"{result['cores']} cores, no GPU; torch {result['torch']}. Results: "
        "[docs/results/training.json](docs/results/training.json).",
    ]
    return "\n".join(lines)


def drawn(result: Result) -> str:
    """Return the sentence of ``benchmarks/training/intensity.py``'s file."""
    found = result["intensity"]
    return (
        f"On {found['n']} synthetic test faces, whose true intensity is known, the preset "
        f"`{result['preset']}` reaches Spearman {found['spearman']:.3f}, "
        f"Pearson {found['pearson']:.3f}, CCC "
        f"{found['ccc']:.3f}, MAE {found['mae']:.3f} (`{result['command']}`, seed "
        f"{result['seed']})."
    )


def time_to_accuracy(result: Result) -> str:
    """Return the table of ``benchmarks/training/time_to_accuracy.py``'s file."""

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
    """Return the table of ``benchmarks/training/finetune.py``'s file."""
    lines = [
        "| seed | from scratch | balanced accuracy, macro F1 | fine-tuned "
        "| balanced accuracy, macro F1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    ways = ("from nothing", "fine-tuned")
    lines += [
        f"| {run['seed']} | "
        + " | ".join(
            f"{format_accuracy(run[way])} | {format_class_means(run[way])}" for way in ways
        )
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
    """Return the table of ``benchmarks/training/corrupt_cost.py``'s file."""

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
    """Return the table of ``benchmarks/training/preset_curves.py``'s file."""
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
            f"(n={row['validation_faces']:,}) | {format_class_means(row)} "
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
    """Return the table of ``benchmarks/training/presets.py``'s file."""
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
