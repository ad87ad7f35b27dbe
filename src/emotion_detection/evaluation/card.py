"""Write model cards: Markdown with the front matter of the Hugging Face hub, from files.

After Mitchell et al. 2019, *Model Cards for Model Reporting*. Written by ``emotion report --card``;
the text is in ``report/templates/card.md.j2``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.evaluation.card_facts import CardFacts, Values, run_facts
from emotion_detection.evaluation.report.render import DAMAGED, render_template
from emotion_detection.evaluation.saved_tests import is_plain
from emotion_detection.io.files import write_atomic

NAME = "model-card.md"

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
    """Return a card as Markdown.

    Raises:
        InputError: the metrics are not what a test writes.
    """
    own = next(iter(facts.labels))
    try:
        tested = [row for row in facts.figures if row["own"] and row.get("without_duplicates")]
        return render_template(
            "card.md.j2",
            facts=facts,
            own=own,
            front_matter=_front_matter(facts),
            # the model's own labels, one view
            plain=min(
                facts.figures,
                key=lambda row: (not row["own"], row["labels_set"] != own, not is_plain(row)),
            ),
            calibrated=[
                row for row in facts.figures if is_plain(row) and row.get("before_temperature")
            ],
            duplicates=max(tested, key=lambda row: int(row["n"]), default=None),
            describe_filters=_describe_filters,
        )
    except DAMAGED as error:
        raise InputError(
            f"--card: {facts.name}: a file of this run is damaged: {error!r}"
        ) from None


def _describe_filters(rows: list[Values]) -> list[str]:
    """Return which faces were tested, for each label set."""
    return list(dict.fromkeys(f"{row['labels_set']}: {row['filter']}" for row in rows))


def _front_matter(facts: CardFacts) -> str:
    """Return the hub's values, as YAML."""
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
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
