"""Figures quoted in README are those of the files that commands wrote."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load_seeds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seeds", ROOT / "benchmarks/seeds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seeds = load_seeds()


def test_readme_quotes_the_baseline_file() -> None:
    result = json.loads((ROOT / "docs/results/baseline.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert seeds.replace_block(readme, seeds.markdown(result)) == readme


def test_a_changed_figure_would_be_noticed() -> None:
    result = json.loads((ROOT / "docs/results/baseline.json").read_text(encoding="utf-8"))
    result["runs"][0]["test_accuracy"] += 0.01
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert seeds.replace_block(readme, seeds.markdown(result)) != readme


def test_the_baseline_is_three_seeds_on_the_whole_test_split() -> None:
    result = json.loads((ROOT / "docs/results/baseline.json").read_text(encoding="utf-8"))
    assert len({run["seed"] for run in result["runs"]}) == 3
    assert {run["test_n"] for run in result["runs"]} == {3589}
    assert all(run["last_train_loss"] < run["first_train_loss"] for run in result["runs"])


def test_an_untested_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing", encoding="utf-8")
    words = [str(tmp_path), "--out", str(tmp_path / "out.json"), "--readme", str(readme)]
    assert seeds.main(words) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
