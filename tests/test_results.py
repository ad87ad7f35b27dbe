"""Figures quoted in README are those of the files that commands wrote."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs/results"


@pytest.fixture(scope="module")
def readme() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts import each other by name
    try:
        import readme
    finally:
        sys.path.pop(0)
    return readme


def baseline() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / "baseline.json").read_text(encoding="utf-8"))
    return result


def test_readme_says_what_the_files_say(readme: Any) -> None:
    assert readme.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["baseline", "training"])
def test_a_changed_figure_is_noticed(readme: Any, name: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(RESULTS, results)
    text = (results / f"{name}.json").read_text(encoding="utf-8")
    result = json.loads(text)
    if name == "baseline":
        result["runs"][0]["test_accuracy"] += 0.01
    else:
        result["ratios"]["b/c"]["median"] += 0.1
    (results / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.rewritten(page, RESULTS) == page
    assert readme.rewritten(page, results) != page


def test_a_page_without_its_marks_is_refused(readme: Any) -> None:
    with pytest.raises(ValueError, match="results: baseline"):
        readme.rewritten("nothing", RESULTS)


def test_the_baseline_is_three_seeds_on_the_whole_test_split() -> None:
    result = baseline()
    assert len({run["seed"] for run in result["runs"]}) == 3
    assert {run["test_n"] for run in result["runs"]} == {3589}
    assert all(run["last_train_loss"] < run["first_train_loss"] for run in result["runs"])
    assert all(run["test_accuracy"] >= 0.55 for run in result["runs"])


def test_an_untested_run_is_refused(tmp_path: Path) -> None:
    words = [str(tmp_path), "--out", str(tmp_path / "out.json")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/seeds.py"), *words], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert not (tmp_path / "out.json").exists()
