"""Which tests a report is made of: those that are there, and only where none is a new one."""

import csv
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.data.fer2013_faces import shorten_digest
from emotion_detection.errors import InputError
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.report import ReportRequest, open_test
from emotion_detection.labels import FER2013
from emotion_detection.training import Run

Make = Callable[..., Any]


@pytest.fixture
def run(fer_run: Run, tmp_path: Path) -> Path:
    """A run's folder of this test's own, without tests."""
    place = tmp_path / fer_run.folder.name
    shutil.copytree(fer_run.folder, place, ignore=shutil.ignore_patterns("test"))
    return place


@pytest.fixture
def no_test(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and from then on nothing may be tested."""

    def refuse(*_: object) -> None:
        pytest.fail("tested again")

    return lambda: monkeypatch.setattr(
        "emotion_detection.evaluation.report.test_runs.run_test", refuse
    )


@pytest.mark.slow
def test_a_missing_test_is_made_once(
    run: Path, no_test: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    made = open_test(str(run), ReportRequest())
    assert made.test.folder == run / "test" / "fer2013-test"
    assert "Tested for this report" in made.notes[0]
    assert f"no test of {run} in {made.test.folder} yet: testing" in capsys.readouterr().err
    no_test()
    again = open_test(str(run), ReportRequest())
    assert "nothing was tested again" in again.notes[0]
    np.testing.assert_array_equal(again.test.scores, made.test.scores)
    assert open_test(str(made.test.folder), ReportRequest()).test.metrics == made.test.metrics


@pytest.mark.parametrize("what", ["older than the model", "of other data", "of another model"])
def test_a_test_that_does_not_match_is_made_again(run: Path, what: str) -> None:
    folder = open_test(str(run), ReportRequest()).test.folder
    metrics = json.loads((folder / "metrics.json").read_text())
    if what == "of other data":
        metrics["data"]["hash"] = "0"
    if what == "of another model":
        metrics["model"] = "models/other/best.ckpt"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    if what == "older than the model":
        os.utime(folder / "metrics.json", (1e9, 1e9))
    found = open_test(str(run), ReportRequest())
    assert "Tested for this report" in found.notes[0]
    assert found.test.metrics["model"] == (run / "best.ckpt").as_posix()


def test_faces_are_those_that_were_tested(
    run: Path, fer_data: Path, images_of: Callable[..., np.ndarray]
) -> None:
    found = open_test(str(run), ReportRequest())
    images = images_of(fer_data, 16)
    np.testing.assert_array_equal(found.image(7), images[7])
    # 48 px, as the CSV has them: the names are made of those pixels
    pixels = images_of(fer_data, 48)[7][0]
    assert found.test.files[7] == f"PrivateTest_{shorten_digest(pixels).hex()}.png"


def test_faces_are_found_by_name_in_whatever_order(
    tmp_path: Path, fer_data: Path, config: Make, some_scores: Make, write_tested: Make
) -> None:
    scores, truth = some_scores(3)
    known = config(fer_data, "x")
    names = load(DataConfig(data=str(fer_data), cache=known.cache)).split("test").names
    files = [names[row] for row in (50, 10, 1)]
    data = {
        "source": str(fer_data),
        "label_set": "fer2013",
        "hash": load(DataConfig(data=str(fer_data), cache=known.cache)).hash,
    }
    place = write_tested(tmp_path / "some-test", scores, truth, FER2013, files, data=data)
    wanted = ReportRequest(changes={"cache": known.cache})
    found = open_test(str(place), wanted)
    assert found.rows.tolist() == [50, 10, 1]
    (tmp_path / "some-test" / "predictions.parquet").unlink()
    files[1] = "elsewhere.png"
    write_tested(tmp_path / "some-test", scores, truth, FER2013, files, data=data)
    found = open_test(str(place), wanted)
    assert found.image(0) is None
    assert "the data holds others than were tested" in found.notes[-1]


def test_other_images_under_the_same_names_are_not_shown(
    tmp_path: Path, run: Path, write_csv: Make
) -> None:
    place = open_test(str(run), ReportRequest()).test.folder
    assert open_test(str(place), ReportRequest()).image(0) is not None
    usages = ["Training"] * 112 + ["PublicTest"] * 28 + ["PrivateTest"] * 56
    other = np.random.default_rng(3).integers(0, 256, (196, 48, 48), np.uint8)
    write_csv(tmp_path / "other", other, [row % 7 for row in range(196)], usages)
    found = open_test(str(place), ReportRequest(data=str(tmp_path / "other")))
    assert found.image(0) is None
    assert "holds others than were tested" in found.notes[0]


@pytest.mark.parametrize("newer", ["test", "model"])
def test_thresholds_are_chosen_on_the_same_model_s_validation(run: Path, newer: str) -> None:
    open_test(str(run), ReportRequest(split="validation"))
    if newer == "model":
        later = time.time() + 60
        os.utime(run / "best.ckpt", (later, later))
    found = open_test(str(run), ReportRequest())
    assert (found.validation is None) == (newer == "model")


def test_a_test_elsewhere_finds_validation_where_the_page_says(run: Path, tmp_path: Path) -> None:
    evaluate([run], out=tmp_path / "mine")
    found = open_test(str(tmp_path / "mine"), ReportRequest())
    assert found.elsewhere
    assert found.validation is None
    evaluate([run], split="validation", out=found.validation_place)
    assert open_test(str(tmp_path / "mine"), ReportRequest()).validation is not None
    assert not open_test(str(run), ReportRequest()).elsewhere


def test_without_its_data_an_earlier_test_serves(
    run: Path, no_test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_test(str(run), ReportRequest())
    no_test()

    def gone(*_: object, **__: object) -> None:
        raise InputError("gone: no such file or folder")

    monkeypatch.setattr("emotion_detection.evaluation.report.test_runs.ask", gone)
    for place in (run, run / "best.ckpt"):
        found = open_test(str(place), ReportRequest())
        assert found.test.metrics == made.test.metrics
        assert found.image(0) is None
        assert "cannot be tested again (gone" in found.notes[0]
        assert "by the labels fer2013" in found.notes[0]
    with pytest.raises(InputError, match="no such file or folder"):
        open_test(str(run), ReportRequest(split="validation"))
    # a test by labels that it did not learn is not preferred
    shutil.copytree(made.test.folder, run / "test" / "ferplus-test")
    assert open_test(str(run), ReportRequest()).test.folder == made.test.folder
    # another epoch's figures are not the best one's
    shutil.copy(run / "best.ckpt", run / "last.ckpt")
    with pytest.raises(InputError, match="no such file or folder"):
        open_test(str(run / "last.ckpt"), ReportRequest())


def test_named_data_that_is_not_there_is_not_passed_over(tmp_path: Path, run: Path) -> None:
    open_test(str(run), ReportRequest())
    with pytest.raises(InputError, match="no such file or folder"):
        open_test(str(run), ReportRequest(data=str(tmp_path / "gone")))


def test_the_training_s_curves_are_read(run: Path, fer_run: Run) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    found = open_test(str(run), ReportRequest()).curves
    assert found is not None
    with (Path(config["logs"]) / run.name / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["val_loss"] for row in found] == [float(row["val_loss"]) for row in rows]
    assert len(found) == 2
    assert fer_run.logs.name == run.name


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ReportRequest(labels="fer2013"), "--labels fer2013: .* holds a test of own"),
        (ReportRequest(split="train"), "--split train: .* holds a test of test"),
    ],
)
def test_a_test_of_something_else_is_refused(
    tmp_path: Path, some_scores: Make, write_tested: Make, wanted: ReportRequest, expected: str
) -> None:
    place = write_tested(tmp_path / "own-test", *some_scores(20))
    with pytest.raises(InputError, match=expected):
        open_test(str(place), wanted)


def test_what_is_no_model_and_no_test_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither best"):
        open_test(str(tmp_path), ReportRequest())
