"""Parameters and cost of each preset, counted; its figures, from the files that hold them.

python -m benchmarks.training.presets [--out docs/results/presets.json]
"""

import sys
from typing import Any

from benchmarks.common import (
    RESULTS,
    Parser,
    name_command,
    read_json,
    report_errors,
    write_json,
)
from emotion_detection import pretrained
from emotion_detection.config import TrainConfig, list_presets, read_preset
from emotion_detection.labels import FER2013
from emotion_detection.training.network import (
    ModelSpec,
    build,
    count_multiply_adds,
    count_parameters,
)


def cost(preset: str) -> dict[str, Any]:
    """Build a preset's network for FER-2013's seven emotions and count."""
    config = TrainConfig(**read_preset(preset))
    spec = ModelSpec(config.network, FER2013, config.channels, config.size, config.dropout)
    network = build(spec)
    return {
        "size": config.size,
        "epochs": config.epochs,
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(network, spec),
    }


def measured() -> dict[str, str]:
    """Say of each preset that was measured what it reached."""
    baseline = read_json(RESULTS / "baseline.json")
    shipped = {
        (row["labels"], row["views"]): row["accuracy"]
        for row in pretrained.read_record()["figures"]
        if row["prior"] == "natural"
    }
    quick = read_json(RESULTS / "time_to_accuracy.json")
    ends = [run["curve"]["accuracy"][-1] for run in quick["runs"] if run["way"] == "b"]
    begun = {
        name: f"{row['curve']['val_accuracy'][-1]:.4f} on validation after "
        f"{row['steps']:,} steps on {row['training_faces']:,} faces, "
        f"{row['steps_per_second']:.2f} steps/s of one core; never for all of its epochs"
        for name, row in read_longest_curves().items()
    }
    return begun | {
        "baseline": f"test {baseline['mean']['test_accuracy']:.4f}, flip TTA "
        f"{baseline['mean']['tta_accuracy']:.4f} (mean of {len(baseline['runs'])} seeds)",
        "compact": f"test {shipped['fer2013', 1]:.4f}, four views "
        f"{shipped['fer2013', 4]:.4f}; FER+ {shipped['ferplus', 1]:.4f}, "
        f"{shipped['ferplus', 4]:.4f} (the shipped model)",
        "quick": f"validation {sum(ends) / len(ends):.4f} (mean of {len(ends)} seeds)",
    }


def read_longest_curves() -> dict[str, dict[str, Any]]:
    """Return the short trainings of presets, that on all faces where there is one, by preset."""
    curves = read_json(RESULTS / "preset_curves.json")
    found = {name: curves.get(f"{name}-all", curves.get(name)) for name in list_presets()}
    return {name: row for name, row in found.items() if row}


def class_means() -> dict[str, str]:
    """Return balanced accuracy and macro F1 of each preset whose files have them."""
    rows = read_json(RESULTS / "baseline.json")["runs"]
    found = {}
    means = {
        name: sum(row[name] for row in rows) / len(rows)
        for name in ("test_balanced_accuracy", "test_macro_f1")
        if all(name in row for row in rows)
    }
    found["baseline"] = "test " + ", ".join(f"{value:.4f}" for value in means.values())
    if len(means) == 1:  # collected before balanced accuracy was kept
        found["baseline"] += " (macro F1 alone)"
    figures = {
        (row["labels"], row["views"]): f"{row['balanced_accuracy']:.4f}, {row['macro_f1']:.4f}"
        for row in pretrained.read_record()["figures"]
        if row["prior"] == "natural"
    }
    found["compact"] = (
        f"test {figures['fer2013', 1]}, four views {figures['fer2013', 4]}; "
        f"FER+ {figures['ferplus', 1]}, four views {figures['ferplus', 4]}"
    )
    for name, row in read_longest_curves().items():
        if "macro_f1" in row:
            found[name] = f"validation {row['balanced_accuracy']:.4f}, {row['macro_f1']:.4f}"
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Count, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_out()
    options = parser.parse_args(words)
    reached, means = measured(), class_means()
    found = {
        name: cost(name) | {"reached": reached.get(name), "class_means": means.get(name)}
        for name in list_presets()
    }
    for name, row in found.items():
        print(f"{name:10} {row['parameters']:>12,} {row['multiply_adds']:>14,}  {row['reached']}")
    if options.out:
        result = {"command": name_command(__file__), "presets": found}
        write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
