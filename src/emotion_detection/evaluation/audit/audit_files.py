"""Write the files of an audit: ``audit.csv``, ``audit.json`` and ``audit.png``."""

import csv
import dataclasses
import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from emotion_detection.audit_options import REASONS, AuditOptions
from emotion_detection.config import DataConfig, TrainConfig, config_to_dict
from emotion_detection.data import SPLITS, Dataset, load
from emotion_detection.data.summary import escape_text, save
from emotion_detection.evaluation.audit.audited_faces import AuditedFaces
from emotion_detection.evaluation.audit.contact_sheet import COLUMNS, ROWS, Cell, draw_sheet
from emotion_detection.evaluation.audit.folds import OutOfFold
from emotion_detection.evaluation.audit.label_issues import MEANINGS, LabelIssues, drop_repeated
from emotion_detection.io.files import escape_cell
from emotion_detection.metrics.statistics import compute_accuracy_interval

HEADINGS = {
    "label": "likely wrong labels",
    "duplicate": "duplicates with different labels",
    "nonface": "no face",
    "outlier": "outliers",
}
COLUMN_NAMES = ("file", "split", "label", "suggested", "reason", "score", "rank")
"""Columns of ``audit.csv``; the first is what ``--exclude`` reads."""


def enlarge_faces(
    config: DataConfig, dataset: Dataset, audited: AuditedFaces, smallest: int
) -> Any:
    """Load the faces at a size that people and the face detector can use.

    Args:
        config: the data settings.
        dataset: the data, at the networks' size.
        audited: the audited faces.
        smallest: minimum height and width in pixels.

    Returns:
        uint8 (N, C, H, W), in the order of ``audited``.
    """
    if config.size < smallest:
        values = {f.name: getattr(config, f.name) for f in dataclasses.fields(DataConfig)}
        dataset = load(DataConfig(**{**values, "size": smallest}))
    # random splits may differ at another size, so faces are identified by name
    splits = [dataset.split(name) for name in SPLITS if dataset.sizes[name]]
    names = itertools.chain.from_iterable(faces.names for faces in splits)
    place = {name: row for row, name in enumerate(names)}
    ends = np.cumsum([len(faces) for faces in splits])
    rows = np.array([place[name] for name in audited.names], np.int64)
    channels, height, width = splits[0].stored.shape[1:]
    images = np.empty((len(rows), channels, height, width), np.uint8)
    for faces, end in zip(splits, ends, strict=True):
        own = (rows >= end - len(faces)) & (rows < end)
        images[own] = faces.draw(rows[own] - (end - len(faces)))
    return images


def write_csv(
    path: Path, dataset: Dataset, audited: AuditedFaces, listed: dict[str, LabelIssues]
) -> int:
    """Write the faces to leave out, one row each, as a file for ``--exclude``.

    Returns:
        The number of faces.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMN_NAMES)
    count = 0
    for reason, own in listed.items():
        for rank, (row, score, suggested) in enumerate(
            zip(own.rows, own.scores, own.suggested, strict=True), 1
        ):
            label, other = _names(dataset, int(audited.labels[row]), int(suggested))
            cells = (audited.names[row], audited.splits[row], label, other, reason)
            rows.writerow((*map(escape_cell, cells), f"{score:.4f}", rank))
            count += 1
    save(path, text.getvalue().encode())
    return count


def _names(dataset: Dataset, label: int, suggested: int) -> tuple[str, str]:
    return dataset.labels[label], dataset.labels[suggested] if suggested >= 0 else ""


def record(
    config: TrainConfig,
    options: AuditOptions,
    dataset: Dataset,
    audited: AuditedFaces,
    judged: OutOfFold,
    found: dict[str, LabelIssues],
    listed: dict[str, LabelIssues],
) -> dict[str, Any]:
    """Return the content of ``audit.json`` as plain values."""
    right = judged.scores.argmax(axis=1) == audited.labels
    counts = np.bincount(audited.labels, minlength=len(dataset.labels))

    def by_class(own: LabelIssues) -> dict[str, int]:
        numbers = np.bincount(audited.labels[own.rows], minlength=len(dataset.labels))
        return dict(zip(dataset.labels, numbers.tolist(), strict=True))

    return {
        "data": dataset.record(),
        "splits": list(options.splits),
        "faces": len(audited),
        "faces_by_class": dict(zip(dataset.labels, counts.tolist(), strict=True)),
        "out_of_fold": {
            "folds": options.folds,
            "accuracy": float(right.mean()),
            "accuracy_ci95": list(compute_accuracy_interval(right)),
            "n": len(right),
            "by_fold": [float(right[judged.folds == k].mean()) for k in range(options.folds)],
        },
        "reasons": {
            reason: {
                "meaning": HEADINGS[reason],
                "score": MEANINGS[reason],
                "found": len(own),
                "found_by_class": by_class(own),
                "listed": len(listed[reason]) if reason in listed else 0,
                "listed_by_class": by_class(listed[reason]) if reason in listed else {},
            }
            for reason, own in found.items()
        },
        "listed": sum(len(own) for own in listed.values()),
        "settings": {**dataclasses.asdict(options), "recipe": config_to_dict(config)},
    }


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write ``audit.json``."""
    save(path, (json.dumps(values, indent=2) + "\n").encode())


def write_sheet(
    path: Path, dataset: Dataset, audited: AuditedFaces, images: Any, found: dict[str, LabelIssues]
) -> None:
    """Write ``audit.png``: the most confident findings of each reason, also of unlisted ones.

    A face that was found for several reasons is shown under one of them.
    """
    parts = []
    for reason, own in drop_repeated(found, REASONS).items():
        first = own.top(COLUMNS * ROWS)
        cells = [
            Cell(images[row], *_names(dataset, int(audited.labels[row]), int(other)), float(score))
            for row, score, other in zip(first.rows, first.scores, first.suggested, strict=True)
        ]
        heading = _heading(len(found[reason]), len(own), len(cells))
        parts.append((f"{HEADINGS[reason]}: {heading}", cells))
    source = escape_text(Path(dataset.source).name or dataset.source)
    title = f"{source}, {dataset.kind}: what looks wrong in {len(audited):,} faces"
    save(path, draw_sheet(title, parts))


def _heading(found: int, own: int, drawn: int) -> str:
    """Return the heading of a reason's faces, with the same count as in the table."""
    if not found:
        return "none found"
    words = f"{found:,} found"
    if own < found:
        words += f", {found - own:,} of them under another reason"
    return words if drawn == own else f"{words}; the top {drawn} are shown"
