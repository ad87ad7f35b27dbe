"""The section of a report on an audit of the data."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.markup import interval, percent, text
from emotion_detection.io.plain_values import read_json

Values = Mapping[str, Any]

SHEET = "audit.png"
LARGEST = 4_000_000
"""Maximum bytes of a contact sheet in the page; a larger one is only named."""


def read_audit(path: Path) -> dict[str, Any]:
    """Read the ``audit.json`` of ``emotion data audit``.

    Args:
        path: ``audit.json``, or its folder.

    Raises:
        InputError: the file is missing, or not from an audit.
    """
    path = path / "audit.json" if path.is_dir() else path
    try:
        found = read_json(path)
        known = {
            "faces": int(found["faces"]),
            "splits": [str(one) for one in found["splits"]],
            "listed": int(found["listed"]),
            "data": {"source": str(found["data"]["source"]), "hash": str(found["data"]["hash"])},
            "command": str(found.get("command", "")),
            "out_of_fold": {
                "accuracy": float(found["out_of_fold"]["accuracy"]),
                "accuracy_ci95": [float(end) for end in found["out_of_fold"]["accuracy_ci95"]],
                "folds": int(found["out_of_fold"]["folds"]),
            },
            "reasons": {
                str(name): {
                    "meaning": str(one["meaning"]),
                    "found": int(one["found"]),
                    "listed": int(one["listed"]),
                }
                for name, one in found["reasons"].items()
            },
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"--audit {path}: is no audit.json of 'emotion data audit': {reason}"
        ) from None
    sheet = path.with_name(SHEET)
    return known | {"sheet": str(sheet) if sheet.is_file() else None}


def render_audit(found: Values | None, test: Values) -> str:
    """Return the section.

    Args:
        found: the audit, from :func:`read_audit`, or None.
        test: the test's metrics.
    """
    if found is None:
        label_set = test["data"].get("label_set")
        words = ["emotion", "data", "audit", str(test["data"]["source"])]
        words += ["--labels", label_set] if label_set in ("fer2013", "ferplus") else []
        return markup.section(
            "data",
            "The data",
            markup.missing(
                "How many labels of the data are likely wrong is not known.",
                shlex.join([*words, "--out", "audit"]),
            ),
            markup.paragraph("Then give its audit.json to this report with --audit."),
        )
    folds = found["out_of_fold"]
    low, high = folds["accuracy_ci95"]
    other = found["data"]["hash"] != test["data"].get("hash")
    table = markup.table(
        "What the audit found",
        ["", "found", "listed to be left out"],
        (
            [text(one["meaning"]), f"{one['found']:,}", f"{one['listed']:,}"]
            for one in found["reasons"].values()
        ),
    )
    return markup.section(
        "data",
        "The data",
        markup.missing("The audit is of other data than was tested.") if other else "",
        markup.paragraph(
            f"{found['faces']:,} faces of {text(found['data']['source'])}"
            f" ({text(', '.join(found['splits']))}) were judged by {folds['folds']} networks, each"
            " by one that had not seen it (accuracy",
            f"{percent(folds['accuracy'])}, {interval(low, high)}).",
            f"<code>{text(found['command'])}</code>" if found["command"] else "",
        ),
        table,
        _sheet(found["sheet"]),
    )


def _sheet(place: str | None) -> str:
    if place is None:
        return markup.missing("The audit's contact sheet, audit.png, does not lie beside its file.")
    sheet = Path(place).read_bytes()
    if len(sheet) > LARGEST:
        return markup.paragraph(f"The contact sheet is too large to show: {text(place)}.")
    alt = "Contact sheet: the faces that look most wrong, for each reason"
    return f'<figure><img class="sheet" src="{markup.data_uri(sheet)}" alt="{alt}"></figure>'
