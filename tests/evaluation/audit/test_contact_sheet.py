"""The sheet counts as the table and the record do."""

from types import SimpleNamespace

import numpy as np
import pytest

from emotion_detection.evaluation.audit import audit_files as write
from emotion_detection.evaluation.audit.audit_files import COLUMNS, ROWS
from emotion_detection.evaluation.audit.audited_faces import AuditedFaces
from emotion_detection.evaluation.audit.label_issues import LabelIssues

DRAWN = COLUMNS * ROWS


def suspects(start, stop):
    rows = np.arange(start, stop)
    return LabelIssues(rows, np.linspace(1, 0, len(rows), dtype=np.float32), np.full(len(rows), -1))


@pytest.fixture
def sheet(monkeypatch, tmp_path):
    """``sheet(found)`` -> the headings, and how many faces are drawn below each."""
    drawn = []
    draw = write.draw_sheet

    def seen(title, parts):
        drawn.extend((heading, len(cells)) for heading, cells in parts)
        return draw(title, parts)

    monkeypatch.setattr(write, "draw_sheet", seen)

    def make(found):
        count = 80
        dataset = SimpleNamespace(labels=["glad"], source="faces", kind="folders")
        none = np.zeros(count, np.int64)
        names = [str(number) for number in range(count)]
        looked = AuditedFaces(names, ["train"] * count, none, none, none, none, none, {})
        images = np.zeros((count, 1, 48, 48), np.uint8)
        write.write_sheet(tmp_path / "audit.png", dataset, looked, images, found)
        return drawn

    return make


def test_headings_say_what_was_found_and_what_stands_elsewhere(sheet):
    found = {
        "label": suspects(0, 60),
        "duplicate": suspects(0, 0),
        "nonface": suspects(0, 3),
        "outlier": suspects(60, 62),
    }
    assert sheet(found) == [
        (
            "likely wrong labels: 60 found, 3 of them under another reason; "
            f"the top {DRAWN} are shown",
            DRAWN,
        ),
        ("duplicates with different labels: none found", 0),
        ("no face: 3 found", 3),
        ("outliers: 2 found", 2),
    ]


def test_faces_that_all_stand_elsewhere_are_reported(sheet):
    nothing = suspects(0, 0)
    found = {"label": suspects(0, 2), "duplicate": suspects(0, 2)}
    headings = dict(sheet(found | {"nonface": nothing, "outlier": nothing}))
    said = "duplicates with different labels: 2 found, 2 of them under another"
    assert headings[f"{said} reason"] == 0
