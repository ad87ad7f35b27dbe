"""The tables of docs/audit.md, made of ``benchmarks/data/audit_quality.py``'s file."""

from typing import Any

from benchmarks.common import NO_CLASS_MEANS, format_class_means
from emotion_detection.audit_options import RANKS

Result = dict[str, Any]


def labels(result: Result) -> str:
    """Return how often FER+'s majority is another emotion than the labels that were named."""
    lines = [
        "| faces | FER+'s majority is another emotion (95 % interval) | of those with a majority "
        "| majority is the suggested label |",
        "| --- | --- | --- | --- |",
    ]
    judged = result["labels"]
    lines += [
        f"| the first {_row(row)} | {row['suggestion_is_majority']:.3f} |"
        for row in judged["first"]
    ]
    lines.append(f"| all {_row(judged['all_faces'])} | |")
    told, non = result["out_of_fold"], result["nonfaces"]
    low, high = told["accuracy_ci95"]
    lines += [
        "",
        f"`{result['found_command']}`: {result['data']}, {told['n']:,} faces, {told['folds']} "
        f"folds of the preset `quick`, out-of-fold accuracy {told['accuracy']:.4f} "
        f"({low:.4f}-{high:.4f}). A face without a majority (FER+'s rule) counts as no other. "
        f"Non-faces: {non['named']} are listed, {non['no_face']} of them ({non['precision']:.0%}) "
        f"were no face to at least half of FER+'s raters, who found {non['all_no_face']} in all: "
        f"{non['recall']:.0%} of those are listed. Results on this page: "
        "[docs/results/audit.json](docs/results/audit.json).",
    ]
    return "\n".join(lines)


def _row(row: Result) -> str:
    low, high = row["share_ci95"]
    return (
        f"{row['faces']:,} | {row['share']:.3f} ({low:.3f}-{high:.3f}) "
        f"| {row['share_of_majority']:.3f}"
    )


def training(result: Result) -> str:
    """Return what training without the listed faces did on validation."""
    lines = [
        "| training | left out | FER-2013's labels | difference (95 % interval) "
        "| FER+'s majority | difference (95 % interval) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for way, row in result["training"].items():
        cells = [way, f"{row['left_out']:,}"]
        for name in ("fer2013", "ferplus"):
            own = row[name]
            low, high = own["gain_ci95"]
            cells.append(
                f"{own['accuracy']:.4f} ({', '.join(f'{a:.4f}' for a in own['accuracies'])})"
                + format_class_means(own)
            )
            cells.append(
                f"{own['gain']:+.4f} ({low:+.4f} to {high:+.4f})" if row["left_out"] else ""
            )
        lines.append(f"| {' | '.join(cells)} |")
    sizes = next(iter(result["training"].values()))
    recipe = result["recipe"]
    lines += [
        "",
        f"`{result['command']}`: preset `{recipe['preset']}`, {recipe['epochs']} epochs, trained "
        f"on FER-2013's labels, seeds {' and '.join(map(str, result['seeds']))} (in brackets), "
        "checkpoint chosen on PublicTest, accuracy on PublicTest: "
        f"{sizes['fer2013']['n']:,} faces by FER-2013's labels, {sizes['ferplus']['n']:,} by "
        "FER+'s majority (contempt, which is no class of these networks, counts as an error). "
        "Differences from all faces: mean over seeds, bootstrap over "
        f"faces; {result['hardware']}, 1 thread."
        + ("" if "macro_f1" in sizes["fer2013"] else NO_CLASS_MEANS),
    ]
    return "\n".join(lines)


def ranks(result: Result) -> str:
    """Say which rank to take when, by what each found of the flipped labels of drawn faces."""
    own = result["drawn"]
    default, other = (own["first"][rank] for rank in RANKS)
    return (
        f"**Which rank.** Of {own['flipped']} labels of synthetic faces, flipped at random, "
        f"the default, `--rank {RANKS[0]}`, has {default['share']:.0%} among the first "
        f"{default['named']} that it lists, `--rank {RANKS[1]}` {other['share']:.0%}. Where labels "
        "were mixed up at random, for example by a bug, use "
        f"`emotion data audit FACES --rank {RANKS[1]}`. The default is for labels by people, "
        "who confuse similar emotions, as in FER-2013: FER+'s raters chose another emotion for "
        f"{_share(result, 'labels')} of the first {default['named']} that it lists, and for "
        f"{_share(result, 'labels_by_other_rank')} with "
        f"`{result['labels_by_other_rank']['command']}`."
    )


def _share(result: Result, key: str) -> str:
    """Return the share of as many faces of FER-2013 as drawn faces were named."""
    named = result["drawn"]["first"][RANKS[0]]["named"]
    row = next(row for row in result[key]["first"] if row["faces"] == named)
    low, high = row["share_ci95"]
    return f"{row['share']:.0%} ({low:.0%} to {high:.0%})"


def drawn(result: Result) -> str:
    """Return how many of the first faces named were flipped."""
    own = result["drawn"]
    parts = [
        f"{row['flipped']} of the first {row['named']} ({row['share']:.0%}) with `--rank {rank}`"
        for rank, row in own["first"].items()
    ]
    return (
        f"{own['flipped']} of {own['faces']:,} synthetic training faces got a random other label. "
        f"The audit lists {' and '.join(parts)} (`{own['command']}`; seed {own['seed']}; "
        f"out-of-fold accuracy by these labels {own['out_of_fold_accuracy']:.3f})."
    )
