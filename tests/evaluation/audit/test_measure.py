"""How the benchmark sets an audit against FER+'s raters."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_detection.errors import InputError
from emotion_detection.labels import FER2013, FERPLUS_COLUMNS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def measured(load_benchmark):
    return load_benchmark("data.audit_quality")


def votes(*named):
    """Ten raters a face who all say one thing, or half of them another ('fear/anger')."""
    counts = np.zeros((len(named), 10), np.int64)
    for row, said in enumerate(named):
        for name in (said.split("/") * 2)[:2]:
            counts[row, FERPLUS_COLUMNS.index(name)] += 5
    return counts


def named(*faces):
    rows = enumerate(faces, 1)
    return [
        {"file": f"Training_{k:05d}.png", "suggested": other, "rank": str(rank)}
        for rank, (k, other) in rows
    ]


def test_labels_are_judged_by_the_majority(measured, monkeypatch):
    monkeypatch.setattr(measured, "FIRST", (2,))
    labels = np.array(
        [FER2013.index(name) for name in ("fear", "fear", "anger", "neutral", "fear")]
    )
    raters = votes("surprise", "fear", "fear/anger", "happiness", "contempt")
    rows = named((0, "surprise"), (2, "fear"), (1, "anger"), (4, "disgust"))
    result = measured.judge_labels(rows, raters, labels)
    first, every = result["first"]
    # face 0 is another emotion; faces 1 and 2 are not: the label, and no majority
    assert (first["faces"], first["with_majority"], first["other"]) == (2, 1, 1)
    assert (first["share"], first["share_of_majority"]) == (0.5, 1)
    assert first["suggestion_is_majority"] == 0.5
    assert (every["faces"], every["with_majority"], every["other"]) == (4, 3, 2)
    whole = result["all_faces"]
    assert (whole["faces"], whole["with_majority"], whole["other"]) == (5, 4, 3)


def test_images_are_judged_by_half_of_the_raters(measured):
    raters = votes("NF", "fear", "NF/anger", "unknown")
    result = measured.judge_nonfaces(named((0, ""), (1, "")), raters)
    assert (result["no_face"], result["precision"], result["recall"]) == (1, 0.5, 0.5)


def test_of_200_flipped_labels_four_of_five_of_the_first_200_are_named():
    drawn = json.loads((ROOT / "docs/results/audit.json").read_text(encoding="utf-8"))["drawn"]
    assert drawn["flipped"] == drawn["first"]["self_confidence"]["named"] == 200
    assert drawn["first"]["self_confidence"]["flipped"] >= 160


def test_only_faces_of_fer2013_have_votes(measured):
    with pytest.raises(InputError, match=r"me\.png: not a face of FER-2013"):
        measured.number("me.png")


def test_the_table_names_the_command_that_lists_its_faces(load_benchmark, measured):
    record = json.loads((ROOT / "docs/results/audit.json").read_text(encoding="utf-8"))
    assert record["found_command"].endswith(" ".join(measured.FOUND))
    said = load_benchmark("docs.audit_tables").labels(record)
    assert f"`{record['found_command']}`" in said
    assert record["labels"]["first"][-1]["faces"] > record["listed"]


def test_the_page_says_which_rank_to_take_by_what_each_found(load_benchmark):
    record = json.loads((ROOT / "docs/results/audit.json").read_text(encoding="utf-8"))
    record["drawn"]["first"]["self_confidence"]["share"] = 0.42
    said = load_benchmark("docs.audit_tables").ranks(record)
    assert "`--rank self_confidence` 42%" in said
    assert "emotion data audit FACES --rank self_confidence" in said
    first = {row["faces"]: row["share"] for row in record["labels_by_other_rank"]["first"]}
    assert f"{first[200]:.0%}" in said
