"""What the versions of ``ablations.py`` are, what the rule says of them, and the page about it."""

import statistics
from typing import Any

ENOUGH, CHEAPER = 0.5, 0.9  # points of accuracy; share of the training time
SETS = {"ferplus": "FER+ majority", "fer2013": "FER-2013's labels"}
SETTINGS = {"preset": "compact", "epochs": 12, "labels": "ferplus", "extra_labels": "fer2013"}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "whole": ("the whole recipe", {}),
    "no-flip": ("no flip", {"flip": 0.0}),
    "no-affine": ("no rotation, shift and scale", {"rotate": 0.0, "shift": 0.0, "scale": 0.0}),
    "no-light": ("no change of brightness and contrast", {"brightness": 0.0, "contrast": 0.0}),
    "no-erasing": ("no erasing", {"erase": 0.0}),
    "mixup": ("mixup 0.2 added", {"mixup": 0.2}),
    "no-smoothing": ("no label smoothing", {"label_smoothing": 0.0}),
    "no-ema": ("no moving average of the weights", {"ema": 0.0}),
    "constant": ("constant learning rate, no warm-up", {"schedule": "constant", "warmup": 0.0}),
    "balance": ("class balance 0.5 added", {"class_balance": 0.5}),
    "fp32": ("fp32 instead of bf16", {"trainer.precision": "32-true"}),
    "kept": (
        "what the rule keeps of all this",
        {
            **dict.fromkeys(("flip", "rotate", "shift", "scale"), 0.0),
            **dict.fromkeys(("brightness", "contrast", "erase", "label_smoothing", "ema"), 0.0),
        },
    ),
}
CLASS_MEANS = ("balanced_accuracy", "macro_f1")
ADDED = ("mixup", "balance")  # the others take an ingredient away, or exchange it

PAGE = f"""# Ablations

What does each ingredient of the preset bring? It is trained as it is, and with one ingredient
removed, added or exchanged. The tables show accuracy on validation in percent: the mean, and each
seed, at the epoch with the best mean over both label sets.

*Gain* is the accuracy with the ingredient minus the accuracy without it, in points, averaged over
seeds and shared label sets. *Time* is processor time relative to the whole recipe. An ingredient
stays (or joins) if its gain is at least {ENOUGH} points, or if every seed takes at least
{100 * (1 - CHEAPER):.0f} % less time with it. This proves nothing: one standard error is 0.77
points (3,589 faces at 69 %).

<!-- results: ablations -->
{{}}
<!-- end of results: ablations -->

## Longer trainings

Networks hardly overfit in {SETTINGS["epochs"]} epochs, so everything that makes the faces harder
costs more than it brings. The preset trains longer. This table removes all that the rule drops,
except the schedule, because a moving average and a falling learning rate have the same effect:

<!-- results: longer -->
{{}}
<!-- end of results: longer -->

{{}}
"""


def compared(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Set every version against the whole recipe, seed by seed; times only on the same machine."""
    runs = {(run["row"], run["seed"]): run for run in result["runs"]}
    lines = {}
    for row in ROWS:
        own = [runs[row, seed] for seed in result["seeds"] if (row, seed) in runs]
        pairs = [(run, runs["whole", run["seed"]]) for run in own if ("whole", run["seed"]) in runs]
        gains = [
            (-100 if row in ADDED else 100) * (whole["figures"][name]["accuracy"] - one["accuracy"])
            for run, whole in pairs
            for name, one in run["figures"].items()
            if row != "whole" and name in whole["figures"]
        ]
        accuracy = {
            name: [100 * r["figures"][name]["accuracy"] for r in own if name in r["figures"]]
            for name in SETS
        }
        means = {
            name: [
                tuple(100 * run["figures"][name][metric] for metric in CLASS_MEANS)
                for run in own
                if all(metric in run["figures"].get(name, {}) for metric in CLASS_MEANS)
            ]
            for name in SETS
        }
        times = [r["cost"] / w["cost"] for r, w in pairs if r["machine"] == w["machine"]]
        # rounded as the page shows it, so that it and the verdict agree
        gain = round(statistics.fmean(gains), 2) + 0.0 if gains else None  # no -0.0
        verdict = "not run" if not own else "" if row == "whole" else "unfinished"
        if gain is not None and len(pairs) == len(result["seeds"]):
            verdict = _verdict(row, gain, times, len(pairs))
        lines[row] = {"accuracy": accuracy, "gain": gain, "times": times, "verdict": verdict}
        lines[row]["class_means"] = means
    return lines


def _verdict(row: str, gain: float, times: list[float], seeds: int) -> str:
    costs = [time if row in ADDED else 1 / time for time in times]
    reasons = ["gain"] if gain >= ENOUGH else []
    reasons += ["cheaper"] if len(costs) == seeds and max(costs) <= CHEAPER else []
    good, bad = ("joins", "stays out") if row in ADDED else ("stays", "goes")
    if row == "kept":
        good, bad = "what it drops stays", "what it drops goes"
    return f"{good} ({', '.join(reasons)})" if reasons else bad


def page(result: dict[str, Any], longer: dict[str, Any]) -> str:
    """Return the page.

    Args:
        result: what ``ablations.py`` wrote.
        longer: the same of longer trainings, of which only the versions that were run are shown.
    """
    ran, once = ({run["row"] for run in one["runs"]} for one in (longer, result))
    rows = {row for row in ROWS if row != "kept" or row in once}
    tables = (_table(result, rows, "ablations"), _table(longer, ran, "ablations-long"))
    return PAGE.format(*tables, _conclusion(longer))


def _conclusion(longer: dict[str, Any]) -> str:
    gain = compared(longer)["kept"]["gain"]
    if gain is None:
        return "What the preset keeps beyond the rule has not been measured yet."
    if gain < ENOUGH:
        return f"This gain, {gain:+.2f} points, is below the rule's {ENOUGH}: they should go."
    return (
        f"Over {longer['epochs']} epochs they gain {gain:.2f} points together, so the preset keeps "
        "them. For a dozen epochs, leave out augmentation, label smoothing and the moving average. "
        "Mixup was not tried in longer trainings. Class balance trades accuracy for recall of rare "
        "emotions."
    )


def _table(result: dict[str, Any], rows: set[str], file: str) -> str:
    """Return a table of some versions, and what was run for it."""
    names = " | ".join(SETS.values())
    text = [
        f"| version | {names} | gain | time | verdict |",
        "| --- " * 6 + "|",
    ]
    missing = False
    for row, line in compared(result).items():
        if row not in rows:
            continue
        cells = [ROWS[row][0]]
        for name, values in line["accuracy"].items():
            means = line["class_means"][name]
            missing |= len(means) < len(values)
            each = ", ".join(f"{value:.2f}" for value in values)
            cell = [f"{statistics.fmean(values):.2f} ({each})"] if values else []
            cell += [f"{statistics.fmean(mean):.2f}" for mean in zip(*means, strict=True)]
            cells.append(" / ".join(cell))
        cells.append("" if line["gain"] is None else f"{line['gain']:+.2f}")
        cells.append(f"{statistics.fmean(line['times']):.2f}" if line["times"] else "")
        cells.append(line["verdict"])
        text.append(f"| {' | '.join(cells)} |")
    note = (
        " These runs did not keep balanced accuracy and macro F1."
        if missing
        else " Accuracy (each seed) / balanced accuracy / macro F1."
    )
    return "\n".join([*text, "", _said(result, file) + note])


def _said(result: dict[str, Any], file: str) -> str:
    words = " ".join(f"--{name} {result[name] or 'none'}" for name in SETTINGS)
    seeds, runs = " ".join(map(str, result["seeds"])), result["runs"]
    if any("nll" not in own for run in runs for own in run["figures"].values()):
        ran = (row for row in ROWS if row != "whole" and any(run["row"] == row for run in runs))
        words += f" --rows {' '.join(ran)} --shipped"  # whose record keeps no more of validation
    said = f"`python -m benchmarks.training.ablations --data FER2013 {words} --seeds {seeds}`"
    if not runs:
        return f"{said}: not run."
    counts = {name: figures["n"] for run in runs for name, figures in run["figures"].items()}
    faces = ", ".join(f"{counts[name]:,} with {SETS[name]}" for name in SETS if name in counts)
    said += (
        f": {max(run['faces'] for run in runs):,} training faces; on PublicTest {faces}; "
        f"{'; '.join(sorted({run['machine'] for run in runs}))}."
    )
    if seconds := [run["seconds"] for run in runs if run["row"] == "whole"]:
        said += f" The whole recipe took {statistics.fmean(seconds):,.0f} s."
    return f"{said} [{file}.json](results/{file}.json)."
