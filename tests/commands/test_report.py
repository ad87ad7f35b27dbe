"""``emotion report``: what is wrong is said in one line, and the page's path stands last."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.cli import main
from emotion_detection.labels import FER2013
from emotion_detection.training.network import ModelSpec, build_seeded
from emotion_detection.training.task import CHECKPOINT_KEY

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path, tiny_set: Any, write_csv: Callable[..., Path]) -> Path:
    """An untrained run on a tiny FER-2013."""
    import torch

    data = write_csv(tmp_path / "faces", *tiny_set).parent
    spec = ModelSpec("baseline", FER2013, 1, 16, 0.5)
    weights = build_seeded(spec, 0).state_dict()
    options = {"data": str(data), "cache": str(tmp_path / "cache"), "size": 16}
    own = {"spec": spec.as_dict(), "record": {"data": {"options": options}}}
    state = {f"network.{name}": value for name, value in weights.items()}
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    torch.save({"state_dict": state, CHECKPOINT_KEY: own}, folder / "best.ckpt")
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("report", "models: there is no run to test yet: 'python train.py' makes one"),
        ("report models/x", "models/x: no such run, checkpoint or ONNX file"),
        ("report none --out r", "none: no such run, checkpoint or ONNX file"),
        ("report none --out r --labels fer", "--labels fer: must be original, fer2013 or ferplus"),
        (
            "report none --out r --split rest",
            "--split rest: must be train, validation, test or all",
        ),
        ("report none --out r --accuracy 2", "--accuracy 2.0: must be above 0 and at most 1"),
        ("report none --out r --accuracy most", "--accuracy most: must be a number"),
        ("report none --out file", "--out file: is a file; a folder is needed"),
        ("report none --outt r", "--outt: no such option; did you mean --out?"),
    ],
)
def test_bad_usage_is_reported_in_one_line(words: str, expected: str, capsys: Capture) -> None:
    Path("file").write_text("in the way")
    assert main(words.split(" ")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--groups none.csv", "none.csv"),
        ("--groups groups.csv", "groups.csv: needs a column file"),
        ("--audit none.json", "--audit none.json: is no audit.json"),
    ],
)
def test_files_that_cannot_be_read_leave_no_report(
    run: Path, words: str, expected: str, capsys: Capture
) -> None:
    Path("groups.csv").write_text("name,age\na,b\n")
    assert main(["report", str(run), "--out", "r", *words.split()]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("emotion: ")
    assert expected in said
    assert not Path("r").exists()
    assert not (run / "test").exists()  # said before the test, not after it


@pytest.mark.slow
def test_a_run_is_tested_and_reported_on(run: Path, capsys: Capture) -> None:
    assert main(["report", str(run), "--out", "r", "--accuracy", "0.5"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == f"report: {Path('r/report.html')}"
    assert "yet: testing" in err
    assert (run / "test" / "fer2013-test" / "predictions.parquet").is_file()
    facts = json.loads(Path("r/report.json").read_text())
    assert facts["command"] == f"emotion report {run} --out r --accuracy 0.5"
    assert facts["models"][0]["coverage"]["wanted_accuracy"] == 0.5
    page = Path("r/report.html").read_text()
    assert page.count("data:image/png;base64,") > 7  # faces
    assert main(["report", str(run / "test" / "fer2013-test"), "--out", "again"]) == 0
    assert "yet: testing" not in capsys.readouterr().err
    again = json.loads(Path("again/report.json").read_text())
    assert again["models"][0]["per_class"] == facts["models"][0]["per_class"]


def test_help_lists_the_options(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    options = ("--data", "--labels", "--split", "--groups", "--audit", "--accuracy", "--out")
    assert [option for option in options if option not in out] == []
