"""Write model cards: Markdown with the front matter of the Hugging Face hub, from files.

After Mitchell et al. 2019, *Model Cards for Model Reporting*. Written by ``emotion report --card``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.evaluation.card_facts import UNKNOWN, CardFacts, Values, run_facts
from emotion_detection.evaluation.saved_tests import is_plain, read_prior, read_views
from emotion_detection.io.files import write_atomic

NAME = "model-card.md"

PROHIBITED = (
    "Not for judging, watching or selecting people: at work, in education, in hiring, "
    "insurance, policing, at borders or in court; not for telling what somebody feels, intends, "
    "or whether they lie; not for faces of people who were not told. In the European Union, "
    "inferring emotions at work and in education is prohibited except for medical or safety "
    "reasons, and people exposed to such a system must be told (Regulation (EU) 2024/1689, "
    "Articles 5 (1) (f) and 50 (3)). The project's USE_POLICY.md says more; nothing here is a "
    "claim of compliance."
)

NOISE = (
    "FER-2013's labels are noisy: people agree with them on 65 ± 5 % of the faces (Goodfellow et "
    "al. 2013)."
)


_DATASETS = {"fer2013": ("fer2013",), "ferplus": ("fer2013", "ferplus")}
"""Names of the datasets of a label set, for the front matter."""


def write_card(model: str, folder: Path, groups: Mapping[str, Any] | None = None) -> Path:
    """Write the card of 'pretrained', as it was shipped, or of a run's folder.

    Args:
        model: the model.
        folder: where ``model-card.md`` goes.
        groups: metrics by group, or None.

    Returns:
        The file.

    Raises:
        InputError: the model does not exist, was not tested, or the card cannot be written.
    """
    text = (
        pretrained.read_card()
        if model == "pretrained"
        else render_card(run_facts(Path(model), groups))
    )
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def render_card(facts: CardFacts) -> str:
    """Return a card as Markdown."""
    parts = [_front_matter(facts), *_sections(facts)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _front_matter(facts: CardFacts) -> str:
    results = [
        {
            "task": {"type": "image-classification", "name": "Facial expression recognition"},
            "dataset": {
                "name": f"{row['test_data']}, labels {row['labels_set']}",
                "type": row["labels_set"],
                "split": row.get("split", "test"),
            },
            "metrics": [
                {"type": kind, "name": name, "value": round(row[key], 4)}
                for kind, name, key in (
                    ("accuracy", "accuracy", "accuracy"),
                    ("f1", "macro F1", "macro_f1"),
                    ("expected_calibration_error", "ECE", "ece"),
                )
            ],
        }
        for row in facts.figures
        if is_plain(row) and row.get("is_test", True)
    ]
    sets = dict.fromkeys(
        name for label_set in facts.labels for name in _DATASETS.get(label_set, ())
    )
    values = {
        "license": facts.licence,  # 'unknown' is a value of the hub too
        "library_name": "emotion-detection",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "emotion", "onnx", *facts.labels],
        **({"datasets": list(sets)} if sets else {}),
        "metrics": ["accuracy", "f1"],
        **({"model-index": [{"name": facts.name, "results": results}]} if results else {}),
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---"


def _sections(facts: CardFacts) -> Iterator[str]:
    yield f"# {facts.name}"
    own, *others = facts.labels.items()
    names = f"{', '.join(own[1][:-1])} and {own[1][-1]}" if len(own[1]) > 1 else own[1][0]
    also = "".join(f" It also scores the label set {name} ({len(of)})." for name, of in others)
    yield (
        f"Scores the expression that raters would see in a face: {names}.{also} A face is "
        f"{facts.input}; {facts.parameters:,} trained parameters; one ONNX file that runs without "
        "PyTorch. An expression is not a feeling (Barrett et al. 2019)."
    )
    yield f"## Intended use\n\n{facts.intended_use}"
    yield f"## Prohibited use\n\n{PROHIBITED}"
    yield f"## Training data and its rights\n\n{facts.training['data']}. {facts.rights}"
    noise = [NOISE, *_copies(facts), *facts.notes] if _is_fer2013(facts) else ["Unknown."]
    yield f"## Label noise\n\n{' '.join(noise)}"
    yield f"## Metrics\n\n{_figures([row for row in facts.figures if row['own']])}"
    yield f"## Each emotion\n\n{_classes(facts)}"
    yield f"## Calibration\n\n{_calibration(facts)}"
    if intensity := _intensity(facts):
        yield f"## Intensity\n\n{intensity}"
    yield f"## Robustness\n\n{_robustness(facts.robustness)}"
    yield f"## Groups of people\n\n{_groups(facts.groups)}"
    elsewhere = [row for row in facts.figures if not row["own"]]
    told = _figures(elsewhere) if elsewhere else "Other datasets: unknown, none was tested."
    yield f"## Other datasets\n\n{told}"
    yield f"## Limits\n\n{facts.limits}"
    yield f"## Reproduction\n\n{_reproduction(facts.training)}"


def _is_fer2013(facts: CardFacts) -> bool:
    return bool({"fer2013", "ferplus"} & set(facts.labels))


def _copies(facts: CardFacts) -> Iterator[str]:
    """Return a sentence on exact duplicates of training faces in the largest test, if known."""
    known = [row for row in facts.figures if row["own"] and row.get("without_duplicates")]
    if known:
        row = max(known, key=lambda row: int(row["n"]))
        copies, by = row["without_duplicates"]["exact"], row["labels_set"]
        yield (
            f"{copies:,} of the {row['n']:,} faces tested by the labels {by} are exact duplicates "
            "of training faces."
        )


def _table(header: str, rows: list[str]) -> str:
    columns = header.replace(r"\|", "").count("|") - 1
    line = "| " + " | ".join(["---"] * columns) + " |"
    return "\n".join([header, line, *rows])


def _cell(name: str) -> str:
    """Escape a name for a table cell: one line, without column separators."""
    return " ".join(name.split()).replace("|", r"\|")


def _figures(figures: list[Values]) -> str:
    rows = []
    for row in figures:
        low, high = row["accuracy_ci95"]
        clean = row.get("without_duplicates") or {}
        copies = f"{clean['accuracy']:.4f} (n={clean['n']:,})" if clean.get("n") else UNKNOWN
        rows.append(
            f"| {_cell(row['test_data'])} | {row['labels_set']} "
            f"| {read_views(row)} | {read_prior(row)} | {row['n']:,} "
            f"| {row['accuracy']:.4f} ({low:.4f}-{high:.4f}) "
            f"| {row['balanced_accuracy']:.4f} | {row['macro_f1']:.4f} | {copies} |"
        )
    header = (
        "| data | labels | views | prior | faces | accuracy (95 % interval) | balanced | macro F1 "
        "| without duplicates |"
    )
    commands = dict.fromkeys(f"`{row['command']}`" for row in figures)
    filters = dict.fromkeys(f"{row['labels_set']}: {row['filter']}" for row in figures)
    return (
        f"{_table(header, rows)}\n\nFaces tested: {'; '.join(filters)}. Interval: bootstrap over "
        f"faces. Commands: {', '.join(commands)}."
    )


def _plain(facts: CardFacts) -> Values:
    """Return the test that the details are about: the model's own labels, one view."""
    own = next(iter(facts.labels))
    return min(
        facts.figures,
        key=lambda row: (not row["own"], row["labels_set"] != own, not is_plain(row)),
    )


def _classes(facts: CardFacts) -> str:
    row = _plain(facts)
    rows = [
        f"| {_cell(name)} | {one['recall']:.3f} | {one['precision']:.3f} | {one['f1']:.3f} "
        f"| {one['n']:,} |"
        for name, one in row["per_class"].items()
    ]
    table = _table("| emotion | recall | precision | F1 | faces |", rows)
    return f"{table}\n\n{row['test_data']}, labels {row['labels_set']}, n={row['n']:,}."


def _calibration(facts: CardFacts) -> str:
    rows = []
    for row in facts.figures:
        before = row.get("before_temperature") or {}
        if not is_plain(row) or not before:
            continue
        changes = (f"{before[key]:.4f} → {row[key]:.4f}" for key in ("ece", "nll", "brier"))
        temperatures = ", ".join(f"{value:.3f}" for value in row["temperature"])
        rows.append(
            f"| {row['test_data']}, {row['labels_set']} | {temperatures} | {' | '.join(changes)} |"
        )
    if not rows:
        return "Unknown."
    table = _table("| data | T | ECE | NLL | Brier |", rows)
    return f"{table}\n\nBefore → after temperature scaling, fitted on validation (Guo et al. 2017)."


def _intensity(facts: CardFacts) -> str:
    row = _plain(facts)
    found = row.get("intensity")
    if not found:
        return ""
    named = {"pearson": "Pearson", "spearman": "Spearman", "ccc": "CCC", "mae": "MAE"}
    told = [f"{name} {found[key]:.3f}" for key, name in named.items() if found[key] is not None]
    raters = found.get("raters_reliability")
    of_raters = "" if raters is None else f" The inter-rater reliability is {raters:.3f}."
    return (
        "From 0 (neutral) to 1, a separate output: the fraction of raters who would see any "
        f"expression, or what the data gives. {', '.join(told)} (n={found['n']:,}).{of_raters}"
    )


def _robustness(found: Values | None) -> str:
    if not found:
        return "Unknown: `emotion test --corruptions` was not run."
    strengths = found["severities"]
    rows = [
        f"| {name} | {' | '.join(f'{value:.3f}' for value in one['accuracy'])} |"
        for name, one in found["corruptions"].items()
    ]
    header = "| corruption | " + " | ".join(f"strength {number}" for number in strengths) + " |"
    clean = found["clean"]
    means = "".join(
        f" {what}: {clean[key]:.4f} without, {found[f'mean_corruption_{key}']:.4f} in the mean."
        for key, what in (("balanced_accuracy", "Balanced accuracy"), ("macro_f1", "Macro F1"))
        if key in clean and f"mean_corruption_{key}" in found
    )
    return (
        f"{_table(header, rows)}\n\nAccuracy; {clean['accuracy']:.4f} without, "
        f"{found['mean_corruption_accuracy']:.4f} in the mean over all "
        f"(n={clean['n']:,} faces each).{means} "
        f"`{found.get('command', 'emotion test --corruptions')}`."
    )


def _groups(found: Mapping[str, Any] | None) -> str:
    if not found:
        return (
            "Unknown. Nothing is known of who is in the test faces, so nothing of how evenly the "
            "model serves people; `emotion report --groups FILE` measures it on faces whose groups "
            "you know."
        )
    parts = []
    for column, one in found.items():
        rows = [
            f"| {_cell(group['name'])} | {group['n']:,} | {_with_interval(group['accuracy'])} |"
            for group in one["groups"]
        ]
        rows += [f"| {_cell(name)} | {n:,} | too few |" for name, n in one["too_few"].items()]
        parts.append(_table(f"| {_cell(column)} | faces | accuracy (95 % interval) |", rows))
        if gap := one["gap"]:
            parts.append(f"Gap from {one['worst']} to {one['best']}: {_with_interval(gap)}.")
    return "\n\n".join(parts)


def _with_interval(value: Mapping[str, Any]) -> str:
    return f"{value['value']:.4f} ({value['low']:.4f}-{value['high']:.4f})"


def _reproduction(training: Values) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in training["packages"].items())
    seconds = training["seconds"]
    took = f"{seconds / 60:.0f} minutes" if isinstance(seconds, int | float) else "time unknown"
    return (
        f"`{training['command']}` (again: `{training['again']}`); seed {training['seed']}, code "
        f"{training['code']}, SHA-256 of the data {training['data_hash']}; {took} on "
        f"{training['hardware']}. Packages: {packages}."
    )
