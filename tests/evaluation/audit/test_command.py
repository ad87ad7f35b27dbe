"""The command, from words to files."""

import csv
import json
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from emotion_detection.cli import main
from emotion_detection.data import load
from emotion_detection.data.exclude import exclude_faces
from emotion_detection.evaluation.audit.audit_files import COLUMN_NAMES

REASONS = ["label", "duplicate", "nonface", "outlier"]


@pytest.fixture(scope="module")
def words(tiny_data, tiny_cache, whole):
    """The words of an audit whose folds are trained already; its results go beside them."""
    recipe = "--preset baseline --size 16 --epochs 2 --batch_size 16 --intensity_weight 0"
    return [
        *("data", "audit", str(tiny_data), "--cache", str(tiny_cache), *recipe.split()),
        *("--folds", "2", "--splits", "train", "validation", "--trainer.accelerator", "cpu"),
        *("--out", str(whole[2])),
    ]


@pytest.fixture
def audited(words, whole, capsys):
    """``audited(*more)`` -> the rows of audit.csv, audit.json, and what was printed."""

    def run(*more):
        assert main([*words, *more]) == 0
        with (whole[2] / "audit.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return rows, json.loads((whole[2] / "audit.json").read_text()), capsys.readouterr().out

    return run


def test_files_say_the_same_and_what_was_planted(audited, whole):
    judged, looked, _ = whole
    rows, record, said = audited("--reasons", *REASONS, "--lead", "0")
    assert tuple(rows[0]) == COLUMN_NAMES
    listed = Counter(row["reason"] for row in rows)
    assert {reason: row["listed"] for reason, row in record["reasons"].items()} == {
        reason: listed[reason] for reason in REASONS
    }
    assert record["listed"] == len(rows) == len({row["file"] for row in rows})
    for reason in REASONS:
        own = [row for row in rows if row["reason"] == reason]
        assert [int(row["rank"]) for row in own] == list(range(1, len(own) + 1))
        by_class = Counter(row["label"] for row in own)
        kept = record["reasons"][reason]["listed_by_class"]
        assert {name: count for name, count in kept.items() if count} == dict(by_class)
    reasons = {row["file"]: row["reason"] for row in rows}
    assert reasons["images/0020.png"] == "nonface"
    # of each pair with two labels one is named at least
    for row in range(3):
        assert {f"images/{row:04d}.png", f"images/{84 + row:04d}.png"} & set(reasons)
    right = judged.scores.argmax(axis=1) == looked.labels
    assert record["out_of_fold"]["accuracy"] == pytest.approx(right.mean())
    assert f"accuracy {right.mean():.4f}" in said
    assert record["data"]["hash"] == load_hash(record)


def load_hash(record):
    from emotion_detection.config import DataConfig, data_config_fields

    return load(DataConfig(**data_config_fields(record["settings"]["recipe"]))).hash


@pytest.mark.parametrize(
    ("more", "recipe"),
    [
        ([], ("quick", "quick", 24)),
        (["--config", "own.yaml"], ("compact", "compact", 40)),
        (["--config=own.yaml", "--preset", "large"], ("large", "large", 40)),
        (["--preset", "resnet18", "--trainer.precision", "null"], ("resnet18", "resnet18", 48)),
    ],
)
def test_the_recipe_is_the_presets_also_of_a_config_file(more, recipe, tmp_path, monkeypatch):
    seen = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("preset: compact\nsize: 40\n")
    monkeypatch.setattr(
        "emotion_detection.evaluation.audit.run_audit", lambda config, options: seen.append(config)
    )
    assert main(["data", "audit", "faces", *more]) == 0
    assert (seen[0].preset, seen[0].network, seen[0].size) == recipe
    precision = {} if "null" in more else {"precision": "bf16-mixed"}
    assert seen[0].trainer == {"devices": 1, **precision}


def test_the_last_line_takes_the_list_back(audited, whole, capsys):
    rows, _, said = audited("--reasons", "duplicate", "nonface")
    last = said.rstrip().splitlines()[-1]
    assert last.startswith("train without them: python train.py --data ")
    path = last.split()[-1]
    assert last.endswith(f"--exclude {whole[2] / 'audit.csv'}")
    kept = exclude_faces(whole[1].parts, whole[2] / "audit.csv")
    assert path == str(whole[2] / "audit.csv")
    before = {name for faces in whole[1].parts.values() for name in faces.names}
    after = {name for faces in kept.values() for name in faces.names}
    assert before - after == {row["file"] for row in rows}
    assert "names are in neither" not in capsys.readouterr().err


@pytest.mark.slow
def test_reasons_lead_and_top_choose_what_is_listed(audited):
    every, record, _ = audited("--lead", "0")
    assert {row["reason"] for row in every} <= {"label", "duplicate", "nonface"}
    few, _, _ = audited("--lead", "0", "--top", "1")
    firsts = [row for row in every if row["rank"] == "1"]
    assert few == firsts
    sure, again, _ = audited("--lead", "0.9", "--reasons", "label")
    assert all(float(row["score"]) >= 0.95 for row in sure)
    found = {reason: row["found"] for reason, row in record["reasons"].items()}
    assert {reason: row["found"] for reason, row in again["reasons"].items()} == found


def test_the_sheet_is_an_image_of_the_named_faces(audited, whole):
    _, record, _ = audited()
    with Image.open(whole[2] / "audit.png") as sheet:
        assert sheet.format == "PNG"
        pixels = np.asarray(sheet.convert("L"))
    # the blank face, grey level 7, fills a cell of 72 px
    assert (pixels == 7).sum() >= 72 * 72
    assert record["reasons"]["nonface"]["found"] >= 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--folds", "1"], "--folds 1: must be between 2 and 100"),
        (["--top", "0"], "--top 0: must be at least 1"),
        (["--lead", "2"], "--lead 2.0: must be between 0 and 1"),
        (["--reasons", "ugly"], "--reasons ugly: must be some of label, duplicate"),
        (["--splits", "test"], "--splits test: must be some of train, validation"),
        (["--splits", "validation"], "must hold train"),
        (["--rank", "best"], "--rank best: must be"),
        (["--preset", "none"], "--preset none: no such preset"),
        (["--trainer.devices", "2"], "--trainer.devices 2: must be 1"),
        (["--extra_labels", "ferplus"], "--extra_labels: no such option"),
        (["--folds", "3"], "another audit"),
        (["--out", "/dev/null/x"], "/dev/null/x"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(words, whole, capsys, more, reason):
    before = sorted(path.name for path in whole[2].rglob("*"))
    assert main([*words, *more]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("emotion: ")
    assert reason in said
    assert sorted(path.name for path in whole[2].rglob("*")) == before


def test_a_missing_extra_is_reported_before_anything_is_trained(
    words, monkeypatch, capsys, tmp_path
):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    assert main([*words, "--out", str(tmp_path / "new")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("emotion: 'data audit' needs cleanlab")
    assert "[audit]" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("more", [[], ["--data", "auto"], ["auto"], ["--preset", "quick"]])
def test_faces_must_be_named(capsys, tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "audit", *more]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("emotion: data audit: name the faces: 'emotion data audit PATH'")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_options_may_name_the_faces(words, tmp_path, whole):
    options = tmp_path / "audit.yaml"
    options.write_text(f"data: {words[2]}\nout: {whole[2]}\n")
    named = [word for word in words if word not in (words[2], "--out", str(whole[2]))]
    assert main([*named[:2], "--config", str(options), *named[2:]]) == 0
