"""Metrics quoted in README and docs are those of the files that commands wrote."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "docs/results"


@pytest.fixture(scope="module")
def readme(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("docs.readme")


def baseline() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / "baseline.json").read_text(encoding="utf-8"))
    return result


def test_pages_match_the_files(readme: Any) -> None:
    assert readme.main(["--check"]) == 0


@pytest.fixture
def root(readme: Any, tmp_path: Path) -> Path:
    """A copy of all files that tables are made of."""
    further = [place for places in readme.MORE_FILES.values() for place in places]
    for place in [*further, *(place for place, _ in readme.TABLES.values())]:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("baseline", ("runs", 0, "test_accuracy")),
        ("training", ("ratios", "b/c", "median")),
        ("robust-training", ("candidates", "robust, share 0.7", "mean_corruption_accuracy")),
        ("corrupt-cost", ("amounts", "1", "ratio", "median")),
        ("shipped", ("figures", 0, "accuracy")),
        ("shipped", ("figures", 0, "ece")),
        ("shipped-classes", ("figures", 0, "vote_shares", "fear", "pearson")),
        ("latency", ("figures", "session, 1 face", "median_ms")),
        ("agreement", ("splits", "test", "agree")),
        ("drawn", ("intensity", "spearman")),
        ("presets", ("presets", "compact", "parameters")),
        ("finetune", ("runs", 0, "fine-tuned", "accuracy")),
        ("pasted", ("test", "missed")),
        (
            "robustness",
            ("tests", "shipped model, FER+ majority", "corruptions", "mask", "accuracy", 2),
        ),
        ("inference", ("picture", "detect", "median")),
        ("detector-ways", ("times", "640", "processor", "median")),
        ("many", ("in_one_go", "pictures_per_second", "median")),
        ("time-to-accuracy", ("marks", "0.523", "median")),
        ("serving", ("crops", "figures", "64", "per_second")),
        ("audit", ("labels", "first", 0, "share")),
        ("audit-drawn", ("drawn", "first", "self_confidence", "share")),
        ("audit-training", ("training", "without the listed", "ferplus", "accuracy")),
    ],
)
def test_a_changed_figure_is_noticed(readme: Any, name: str, path: Any, root: Path) -> None:
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in readme.PAGES}

    def again() -> dict[str, str]:
        return {name: readme.rewritten(page, root, name) for name, page in pages.items()}

    assert again() == pages
    file = root / readme.TABLES[name][0]
    result = json.loads(file.read_text(encoding="utf-8"))
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] *= 1.1
    file.write_text(json.dumps(result), encoding="utf-8")
    assert again() != pages


def test_a_change_in_a_further_file_of_a_table_is_noticed(readme: Any, root: Path) -> None:
    name = "docs/results-training.md"
    page = (ROOT / name).read_text(encoding="utf-8")
    assert readme.rewritten(page, root, name) == page
    file = root / readme.MORE_FILES["robust-training"][0]
    result = json.loads(file.read_text(encoding="utf-8"))
    result["candidates"][result["chosen"]]["mean_corruption_accuracy"] *= 1.1
    file.write_text(json.dumps(result), encoding="utf-8")
    assert readme.rewritten(page, root, name) != page


def test_what_the_shipped_model_must_reach(readme: Any) -> None:
    def read(name: str) -> Any:
        return json.loads((ROOT / readme.TABLES[name][0]).read_text(encoding="utf-8"))

    figures = {
        (row["labels"], row["views"], row["prior"]): row for row in read("shipped")["figures"]
    }
    least = {"ferplus": (3153, 0.864, 0.871), "fer2013": (3589, 0.695, 0.701)}
    for labels, (count, plain, averaged) in least.items():
        one, four = figures[labels, 1, "natural"], figures[labels, 4, "natural"]
        assert one["n"] == four["n"] == count
        assert one["accuracy"] >= plain
        assert four["accuracy"] >= averaged
        assert max(one["ece"], four["ece"]) <= 0.03
    balanced = figures["ferplus", 4, "balanced"]["balanced_accuracy"]
    assert balanced >= figures["ferplus", 4, "natural"]["balanced_accuracy"] + 0.05
    assert read("latency")["figures"]["session, 1 face"]["median_ms"] <= 2
    assert read("drawn")["intensity"]["spearman"] >= 0.8


def test_what_detection_must_reach() -> None:
    test = json.loads((RESULTS / "pasted.json").read_text(encoding="utf-8"))["test"]
    assert test["faces"] >= 1000
    # the detector before, at 0.2, missed 1 %, with five boxes that were no faces
    assert test["missed"] <= 0.05
    assert test["finds_elsewhere"] + test["finds_in_them"] <= 1
    assert abs(test["ways"][test["chosen"]]["less_classify"]) <= 0.02


def test_every_table_stands_on_a_page(readme: Any) -> None:
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in readme.PAGES)
    assert [name for name in readme.TABLES if f"<!-- results: {name} -->" not in pages] == []


@pytest.mark.parametrize("page", ["<!-- results: baseline -->\nno end", "<!-- results: none -->"])
def test_a_page_with_wrong_marks_is_refused(readme: Any, page: str) -> None:
    with pytest.raises(ValueError, match=r"has no end|no table none"):
        readme.rewritten(page, ROOT)


def test_the_baseline_is_three_seeds_on_the_whole_test_split() -> None:
    result = baseline()
    assert len({run["seed"] for run in result["runs"]}) == 3
    assert {run["test_n"] for run in result["runs"]} == {3589}
    assert all(run["last_train_loss"] < run["first_train_loss"] for run in result["runs"])
    assert all(run["test_accuracy"] >= 0.55 for run in result["runs"])


def test_an_untested_run_is_refused(
    load_benchmark: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert load_benchmark("training.seeds").main(words) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
