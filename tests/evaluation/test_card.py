"""Model cards say what the files say, in the hub's form."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.card import render_card, write_card
from emotion_detection.evaluation.card_facts import read_shipped_facts, run_facts
from emotion_detection.evaluation.groups import Groups, compute_group_metrics
from emotion_detection.metrics.statistics import as_dict
from emotion_detection.training import Run

ROOT = Path(__file__).resolve().parents[2]


def parts(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Take a card apart: its front matter, and its sections by their headings."""
    _, front, body = text.split("---\n", 2)
    sections = {}
    for part in body.split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        sections[heading] = rest.strip()
    return yaml.safe_load(front), sections


@pytest.fixture(scope="module")
def tested(own_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was tested, plainly and mirrored."""
    place = tmp_path_factory.mktemp("card") / "own"
    shutil.copytree(own_run.folder, place)
    evaluate([place])
    evaluate([place], tta=True)
    return place


def test_the_shipped_card_is_that_of_the_files(load_benchmark: Any) -> None:
    script: ModuleType = load_benchmark("release.model_card")
    sources = script.shipped_sources()
    for place in script.PLACES:
        assert (ROOT / place).read_text(encoding="utf-8") == script.make_card(sources)
    table = (ROOT / script.ROBUSTNESS).read_text(encoding="utf-8")
    assert table == script.make_robustness(sources)
    assert json.loads(table)["tests"]["ferplus"] == pretrained.read_robustness("ferplus")


@pytest.mark.parametrize("labels", ["ferplus", "fer2013"])
@pytest.mark.parametrize("key", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_a_changed_record_changes_the_card(labels: str, key: str) -> None:
    record = pretrained.read_record()
    before = render_card(read_shipped_facts(record))
    figure = next(row for row in record["figures"] if row["labels"] == labels and not row["tta"])
    assert f"{figure[key]:.4f}" in before
    figure[key] = 0.1234
    after = render_card(read_shipped_facts(record))
    assert "0.1234" in after
    assert after != before


def test_duplicates_of_training_faces_are_counted_by_the_record() -> None:
    record = pretrained.read_record()
    _, sections = parts(render_card(read_shipped_facts(record)))
    whole = max(record["figures"], key=lambda row: row["n"])
    copies = whole["without_duplicates"]["exact"]
    assert f"{copies} of the {whole['n']:,} faces" in sections["Label noise"]
    for row in record["figures"]:
        row["without_duplicates"] = {"exact": 17, "n": 0}
    assert f"17 of the {whole['n']:,} faces" in render_card(read_shipped_facts(record))
    for row in record["figures"]:
        row["without_duplicates"] = None
    assert "are exact duplicates of" not in render_card(read_shipped_facts(record))


def test_the_front_matter_is_the_hubs() -> None:
    record = pretrained.read_record()
    front, _ = parts(render_card(read_shipped_facts(record)))
    assert front["license"] == "mit"
    assert front["pipeline_tag"] == "image-classification"
    (model,) = front["model-index"]
    assert model["name"] == record["name"]
    told = [
        {one["type"]: one["value"] for one in result["metrics"]}["accuracy"]
        for result in model["results"]
    ]
    plain = [round(row["accuracy"], 4) for row in record["figures"] if not row["tta"]]
    assert told == plain


def test_what_was_not_measured_is_unknown() -> None:
    _, sections = parts(render_card(read_shipped_facts(pretrained.read_record())))
    assert sections["Robustness"].startswith("Unknown")
    assert sections["Groups of people"].startswith("Unknown")
    assert "unknown" in sections["Other datasets"]


def test_robustness_and_groups_are_reported() -> None:
    robustness = {
        "clean": {"accuracy": 0.9, "ci95": [0.8, 0.95], "n": 1234},
        "severities": [1, 2],
        "corruptions": {"fog": {"accuracy": [0.75, 0.5]}},
        "mean_corruption_accuracy": 0.625,
    }
    facts = read_shipped_facts(pretrained.read_record(), robustness, ["A measured sentence."])
    _, sections = parts(render_card(facts))
    assert "| fog | 0.750 | 0.500 |" in sections["Robustness"]
    assert "0.6250 in the mean" in sections["Robustness"]
    assert "1,234" in sections["Robustness"]
    assert sections["Label noise"].endswith("A measured sentence.")


def test_groups_are_reported() -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(3), 400)
    truth = generator.integers(0, 3, 400)
    names = ["young"] * 190 + ["old"] * 200 + ["a|\nb"] * 10
    groups = Groups({"a|ge": names}, None, 0, 0)
    found = compute_group_metrics(("a", "b", "c"), scores, truth, groups, "a|ge")
    _, sections = parts(
        render_card(read_shipped_facts(pretrained.read_record(), groups={"a|ge": as_dict(found)}))
    )
    told = sections["Groups of people"]
    right = scores.argmax(axis=1) == truth
    assert f"| young | 190 | {right[:190].mean():.4f} (" in told
    assert f"| old | 200 | {right[190:390].mean():.4f} (" in told
    assert r"| a\| b | 10 | too few |" in told
    assert told.startswith("| a\\|ge | faces | accuracy (95 % interval) |\n| --- | --- | --- |\n")
    assert f"{abs(right[:190].mean() - right[190:390].mean()):.4f} (" in told


def test_a_runs_card_has_its_own_figures(tested: Path, tmp_path: Path) -> None:
    path = write_card(str(tested), tmp_path / "new")
    front, sections = parts(path.read_text(encoding="utf-8"))
    plain, mirrored = (
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(tested.glob("test/*/metrics.json"))
    )
    for row in (plain, mirrored):
        assert f"{row['accuracy']:.4f}" in sections["Metrics"]
    assert front["license"] == "unknown"
    made = json.loads((tested / "provenance.json").read_text(encoding="utf-8"))
    assert made["data"]["hash"] in sections["Reproduction"]
    for name, row in plain["per_class"].items():
        assert f"| {name} | {row['recall']:.3f} |" in sections["Each emotion"]
    assert "24 x 24 grey" in path.read_text(encoding="utf-8")


def test_a_test_on_other_data_stands_apart(tested: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tested, tmp_path / "run")
    file = next(iter(sorted(run.glob("test/*/metrics.json"))))
    metrics = json.loads(file.read_text(encoding="utf-8"))
    metrics["data"]["source"] = "elsewhere/faces"
    other = run / "test" / "own-test-elsewhere" / "metrics.json"
    other.parent.mkdir()
    other.write_text(json.dumps(metrics), encoding="utf-8")
    _, sections = parts(render_card(run_facts(run)))
    assert "elsewhere/faces" in sections["Other datasets"]
    assert "elsewhere/faces" not in sections["Metrics"]


@pytest.mark.parametrize("model", ["models/own/last.ckpt", ["a/best.ckpt", "b/best.ckpt"]])
def test_a_test_of_another_epoch_or_of_several_models_is_not_reported(
    tested: Path, tmp_path: Path, model: Any
) -> None:
    run = shutil.copytree(tested, tmp_path / "run")
    metrics = json.loads((run / "test" / "own-test" / "metrics.json").read_text())
    other = run / "test" / "own-test-of-other" / "metrics.json"
    other.parent.mkdir()
    other.write_text(json.dumps(metrics | {"model": model}))
    assert len(run_facts(run).figures) == 2


def test_a_run_s_card_has_the_corruptions_of_its_own_test(tested: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tested, tmp_path / "run")
    folder = run / "test" / "own-test"
    metrics = json.loads((folder / "metrics.json").read_text())
    spoilt = {name: metrics[name] for name in ("model", "split", "data", "tta")}
    spoilt["clean"] = {name: metrics[name] for name in ("accuracy", "n")}
    (folder / "corruptions.json").write_text(json.dumps(spoilt))
    assert run_facts(run).robustness == spoilt
    # an earlier model, at the same place
    spoilt["clean"]["accuracy"] -= 0.1
    (folder / "corruptions.json").write_text(json.dumps(spoilt))
    assert run_facts(run).robustness is None


@pytest.mark.parametrize(
    ("missing", "said"),
    [("test", "was not tested yet"), ("provenance.json", "is no run's folder")],
)
def test_no_card_of_what_has_no_figures(
    tested: Path, tmp_path: Path, missing: str, said: str
) -> None:
    run = shutil.copytree(tested, tmp_path / "run")
    gone = run / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(InputError, match=said):
        write_card(str(run), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_shipped_card_is_written_as_it_is(tmp_path: Path) -> None:
    assert write_card("pretrained", tmp_path).read_text(encoding="utf-8") == pretrained.read_card()


def test_a_card_of_drawn_faces_reports_it(tested: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tested, tmp_path / "run")
    made = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    made["data"]["label_set"] = "demo"
    (run / "provenance.json").write_text(json.dumps(made), encoding="utf-8")
    _, sections = parts(render_card(run_facts(run)))
    assert "rendered by the project" in sections["Training data and its rights"]
    assert "say nothing about people" in sections["Limits"]
