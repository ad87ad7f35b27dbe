"""Training: speed, time to an accuracy, presets, fine-tuning, intensity."""

from typing import Any

from benchmarks.common import NO_CLASS_MEANS, format_metrics, format_spread

Result = dict[str, Any]


def speed(result: dict[str, Any]) -> str:
    """Return the table of ``benchmarks/training/epoch_time.py``'s file."""
    lines = ["| way | seconds per epoch | peak MiB |", "| --- | --- | --- |"]
    for name, row in result["ways"].items():
        worker = row.get("worker_memory_mib")
        memory = f"{row['memory_mib']['median']:.0f}"
        memory += f" + 2 x {worker['median']:.0f}" if worker else ""
        lines.append(f"| ({name}) {row['what']} | {format_spread(row['seconds'], 1)} | {memory} |")
    save, cost = (format_spread(result["ratios"][name], 2) for name in ("a/b", "b/c"))
    lines += [
        "",
        f"`{result['command']}`: preset `{result['network']}`, {result['faces']:,} faces per "
        f"epoch, median (minimum-maximum) of {result['rounds']} rounds; a/b {save}, b/c {cost}; "
        f"{result['processor']}, {result['cores']} cores, torch {result['torch']}. "
        "[training.json](docs/results/training.json).",
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
    never = [mark for mark, row in result["marks"].items() if not any([*row["a"], *row["b"]])]
    for mark, row in result["marks"].items():
        ratio = "not reached"
        if mark in never:
            continue
        if "median" in row:
            bound = "at least " if any(row["lower_bounds"]) else ""
            ratio = f"{bound}{row['median']:.1f} ({row['min']:.1f}-{row['max']:.1f})"
        lines.append(f"| {mark} | {seconds(row['a'])} | {seconds(row['b'])} | {ratio} |")
    machine, versions = result["machine"], result["versions"]
    lines += [
        "",
        f"`{result['command'].partition(';')[0]}`: {result['faces']['train']:,} training faces, "
        f"FER-2013's labels, accuracy on all {result['faces']['validation']:,} of PublicTest, "
        "four times per epoch with the clock stopped; one value per seed; ratio: median "
        f"(minimum-maximum); {machine['processor']}, {machine['threads']} thread(s), torch "
        f"{versions['torch']}. Reached by neither: {', '.join(never) or 'none'}. "
        "[time_to_accuracy.json](docs/results/time_to_accuracy.json).",
    ]
    return "\n".join(lines)


def finetune(result: Result) -> str:
    """Return the table of ``benchmarks/training/finetune.py``'s file."""
    ways = ("from nothing", "fine-tuned")
    lines = ["| seed | from scratch | fine-tuned |", "| --- | --- | --- |"]
    lines += [
        f"| {run['seed']} | {' | '.join(format_metrics(run[way]) for way in ways)} |"
        for run in result["runs"]
    ]
    known = all("macro_f1" in run[way] for run in result["runs"] for way in ways)
    sizes = result["sizes"]
    lines += [
        "",
        f"`{result['command']}`: {sizes['train']} faces of PublicTest to train, "
        f"{sizes['validation']} to validate, {sizes['test']:,} to test: accuracy (95 % interval); "
        f"preset `compact`, {result['options']['epochs']} epochs, the learning rate of "
        f"{', '.join(map(str, result['learning_rates']))} that is best on validation; "
        f"{result['hardware']}. PublicTest also chose the shipped model's epoch and temperature."
        f"{'' if known else NO_CLASS_MEANS} [finetune.json](docs/results/finetune.json).",
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
        "| `--corrupt` | milliseconds per step | relative to the first |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {amount} | {spread(row['seconds'], 1000, 0)} | {spread(row['ratio'], 1, 2)} |"
        for amount, row in result["amounts"].items()
    ]
    lines += [
        "",
        f"`{result['command']}`: processor time of steps of {result['faces']} synthetic faces, "
        f"median (quartiles) of {result['rounds']}, ratios within a round; "
        f"{result['processor']}, {result['threads']} thread(s), torch {result['torch']}. "
        "[corrupt_cost.json](docs/results/corrupt_cost.json).",
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
        "| training | epochs, faces | validation accuracy (95 % interval) | of faces | steps/s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in result.items():
        every = row["curve"]["val_accuracy"]
        lines.append(
            f"| {name} | {len(every)}, {row['training_faces']:,} "
            f"| {format_metrics({'accuracy': every[-1], **row})} | {row['validation_faces']:,} "
            f"| {row['steps_per_second']:.2f} |"
        )
    any_row = next(iter(result.values()))
    lines += [
        "",
        "`python -m benchmarks.training.preset_curves NAME --data FER2013 --faces N --epochs N -- "
        "OPTIONS`, FER-2013's labels, PublicTest; "
        f"{any_row['processor']}, {any_row['threads']} thread(s), shared with other work; torch "
        f"{any_row['torch']}. Each whole command, and accuracy by epoch: "
        "[preset_curves.json](docs/results/preset_curves.json)."
        + ("" if all("macro_f1" in row for row in result.values()) else NO_CLASS_MEANS),
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
