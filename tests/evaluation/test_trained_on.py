"""A run is never tested on the faces that it was trained on, whatever path they come by."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_detection.cli import main
from emotion_detection.config import DataConfig, TrainConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.cross_validation import cross_validate, summarize_folds
from emotion_detection.evaluation.model_comparison import compare
from emotion_detection.evaluation.report import ReportRequest, open_tests
from emotion_detection.evaluation.saved_tests import trained_faces_note
from emotion_detection.labels import FERPLUS, class_key
from emotion_detection.training import Run, train
from emotion_detection.training.trained_faces import (
    FILE,
    ModelTrainingFaces,
    count_trained,
    leave_out_trained,
    read_trained_faces,
)

Make = Callable[..., Path]
Faces = Callable[..., np.ndarray]


def _as_jpeg(path: Path) -> bytes:
    out = io.BytesIO()
    Image.open(path).save(out, "JPEG", quality=90)
    return out.getvalue()


def _names(run: Run, data: Path, split: str) -> list[str]:
    config = json.loads((run.folder / "provenance.json").read_text())["data"]
    assert config["source"] == str(data)
    cache = str(run.folder.parents[1] / "cache")
    return list(load(DataConfig(data=str(data), cache=cache, size=24)).split(split).names)


@pytest.fixture(scope="module")
def mixed(
    own_run: Run,
    own_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_faces: Faces,
    png: Callable[[np.ndarray], bytes],
) -> Path:
    """Splits made by hand: test holds training faces under other names and formats, and new ones.

    Of each class four were trained on, one was validated on, and five are new.
    """
    root = tmp_path_factory.mktemp("mixed") / "mixed"
    new = iter(tiny_faces(30, seed=77, size=24))
    for name in ("bored", "keen", "tired"):
        for split in ("train", "test"):
            (root / split / name).mkdir(parents=True)
        trained = [n for n in _names(own_run, own_data, "train") if n.startswith(name)]
        validated = [n for n in _names(own_run, own_data, "validation") if n.startswith(name)]
        for number, old in enumerate([*trained[:4], *validated[:1]]):
            (root / "test" / name / f"old{number}.jpg").write_bytes(_as_jpeg(own_data / old))
        for number in range(5):
            (root / "test" / name / f"new{number}.png").write_bytes(png(next(new)))
            (root / "train" / name / f"{number}.png").write_bytes(png(next(new)))
    return root


def test_trained_and_validated_faces_are_left_out_and_named(
    own_run: Run, mixed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = evaluate([own_run.folder], data=str(mixed), out=tmp_path)
    assert done.metrics["n"] == 15
    assert done.metrics["data"]["left_out_trained_on"] == 15
    said = capsys.readouterr().err
    assert f"note: 15 of 30 faces of the test split are left out, since {own_run.folder}" in said
    assert "old" in said.rpartition("the first: ")[2]


def test_a_split_of_trained_faces_alone_is_refused(
    own_run: Run, own_data: Path, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        for name in _names(own_run, own_data, "train"):
            (tmp_path / "data" / split / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(own_data / name, tmp_path / "data" / split / name)
    with pytest.raises(InputError, match=r"was trained or validated on all .* add faces"):
        evaluate([own_run.folder], data=str(tmp_path / "data"))


@pytest.mark.parametrize("split", ["train", "validation", "all", "test"])
def test_metrics_of_faces_that_are_not_new_say_so(
    own_run: Run,
    own_data: Path,
    split: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    trained, validated = (len(_names(own_run, own_data, name)) for name in ("train", "validation"))
    expected, note = {
        "train": ((trained, 0), f"trained on all {trained} of these faces"),
        "validation": (
            (0, validated),
            f"chosen (best epoch, temperature) on all {validated} of these faces",
        ),
        "all": (
            (trained, validated),
            f"trained on {trained} of these 150 faces and chosen (best epoch, temperature) on "
            f"{validated} of these 150 faces",
        ),
        "test": ((None, None), "not warned about"),
    }[split]
    words = ["test", "--model", str(own_run.folder), "--split", split, "--out", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["data"].get("trained_on"), metrics["data"].get("validated_on")) == expected
    line = f"the model was {note}: expect lower accuracy on new faces"
    (tested,) = open_tests([str(tmp_path)], ReportRequest(split=split))
    for has_note in (f"note: {line}\n" in out, f"T{line[1:]}." in tested.notes):
        assert has_note == (split != "test")
    if split == "all":
        assert metrics["n"] == len(list(own_data.rglob("*.png"))) == 150
        assert "all accuracy:" in out


def test_all_faces_of_other_data_are_tested_and_those_of_the_training_counted(
    own_run: Run, mixed: Path, tmp_path: Path
) -> None:
    done = evaluate([own_run.folder], data=str(mixed), split="all", out=tmp_path)
    assert done.metrics["n"] == 45
    assert done.metrics["data"]["trained_on"] == 12
    assert done.metrics["data"]["validated_on"] == 3
    assert "left_out_trained_on" not in done.metrics["data"]


def test_all_faces_of_a_folder_without_splits_are_tested(
    own_run: Run,
    tiny_faces: Faces,
    write_classes: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = [row % 3 for row in range(30)]
    names = ("bored", "keen", "tired")
    data = write_classes(tmp_path / "new", tiny_faces(30, seed=95, size=24), labels, names)
    words = ["test", "--model", str(own_run.folder), "--data", str(data), "--out", str(tmp_path)]
    words += ["--cache", str(tmp_path / "cache")]
    assert main(words) == 0
    said = capsys.readouterr()
    tested = json.loads((tmp_path / "metrics.json").read_text())["n"]
    assert f"note: {30 - tested} faces of {data} are in other splits, drawn here" in said.err
    assert main([*words, "--split", "all"]) == 0
    said = capsys.readouterr()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["n"], metrics["split"]) == (30, "all")
    assert (metrics["data"]["trained_on"], metrics["data"]["validated_on"]) == (0, 0)
    assert "not tested" not in said.err
    assert "expect lower accuracy" not in said.out


def test_an_earlier_version_without_a_list_of_faces_leaves_the_count_unknown(
    own_data: Path, tmp_path: Path
) -> None:
    config = DataConfig(data=str(own_data), cache=str(tmp_path), size=24)
    dataset = load(config)
    record = {"hash": "another", "options": {"data": str(own_data)}}
    old = ModelTrainingFaces(tmp_path / "old" / "best.ckpt", record, "models/old")
    counts = count_trained(dataset, "all", [old], config)
    assert counts == {"trained_on": None, "validated_on": None}
    metrics = {"data": counts, "n": 150}
    assert trained_faces_note(metrics) == (
        "it is unknown which of these faces the model was trained on"
    )


def test_faces_that_were_collected_later_move_none_into_the_test_split(
    own_run: Run,
    own_data: Path,
    tmp_path: Path,
    tiny_faces: Faces,
    png: Callable[[np.ndarray], bytes],
) -> None:
    grown = shutil.copytree(own_data, tmp_path / "grown")
    for number, face in enumerate(tiny_faces(9, seed=91, size=24)):
        (grown / ("bored", "keen", "tired")[number % 3] / f"new{number}.png").write_bytes(png(face))
    before = set(_names(own_run, own_data, "test"))
    cache = own_run.folder.parents[1] / "cache"
    now = load(DataConfig(data=str(grown), cache=str(cache), size=24)).split("test").names
    assert before <= set(now)
    assert all("new" in name for name in set(now) - before)
    # another machine, with no memory of the splits, and another input
    elsewhere = evaluate(
        [own_run.folder], data=str(grown), changes={"cache": str(tmp_path)}, out=tmp_path / "out"
    )
    assert elsewhere.metrics["n"] <= len(now) + 3


def test_figures_on_grown_data_do_not_replace_the_earlier_ones(
    own_data: Path,
    tmp_path: Path,
    config: Callable[..., TrainConfig],
    tiny_faces: Faces,
    png: Callable[[np.ndarray], bytes],
    monkeypatch: pytest.MonkeyPatch,
    skip_artifacts: Callable[..., None],
) -> None:
    skip_artifacts(monkeypatch)
    data = shutil.copytree(own_data, tmp_path / "data")
    run = train(config(data, "growing", epochs=1))
    first = evaluate([run.folder])
    assert first.folder.name == "own-test"
    for number, face in enumerate(tiny_faces(30, seed=92, size=24)):
        (data / "bored" / f"new{number}.png").write_bytes(png(face))
    second = evaluate([run.folder])
    assert second.folder != first.folder
    assert json.loads((first.folder / "metrics.json").read_text())["n"] == first.metrics["n"]


def test_a_run_from_an_earlier_version_is_used_on_unchanged_data_and_else_refused(
    own_data: Path, tmp_path: Path
) -> None:
    config = DataConfig(data=str(own_data), cache=str(tmp_path), size=24)
    dataset = load(config)
    record = {"hash": dataset.hash, "options": {"data": str(own_data)}}
    old = ModelTrainingFaces(tmp_path / "old" / "best.ckpt", record, "models/old")
    assert leave_out_trained(dataset, "test", [old], config) is dataset
    changed = ModelTrainingFaces(old.path, record | {"hash": "another"}, "models/old")
    with pytest.raises(InputError, match=r"^models/old: an earlier version .* train it again") as e:
        leave_out_trained(dataset, "test", [changed], config)
    assert "\n" not in str(e.value)
    # other data than it was trained on is not its business
    other = ModelTrainingFaces(
        old.path, {"hash": "x", "options": {"data": "elsewhere"}}, "models/old"
    )
    assert leave_out_trained(dataset, "test", [other], config) is dataset


def test_a_run_that_starts_from_another_is_not_validated_on_its_faces(
    own_run: Run,
    mixed: Path,
    config: Callable[..., TrainConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    skip_artifacts: Callable[..., None],
) -> None:
    skip_artifacts(monkeypatch)
    data = shutil.copytree(mixed, tmp_path / "data")
    (data / "test").rename(data / "validation")
    shutil.copytree(mixed / "train", data / "test")
    run = train(config(data, "second", epochs=1, init=str(own_run.folder)))
    # four of each class were trained on; what was only validated on may be validated on again
    assert run.metrics["n"] == 18
    first, second = (read_trained_faces(one.folder / FILE) for one in (own_run, run))
    assert first is not None
    assert second is not None
    assert len(second.faces) == len(first.faces) + 15 + 18


@pytest.mark.parametrize("with_table", [True, False])
def test_models_of_fer2013_are_not_tested_on_its_training_faces(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_table: bool
) -> None:
    from emotion_detection.training import trained_faces

    config = DataConfig(data=str(own_data), cache=str(tmp_path / "cache"), size=24)
    dataset = load(config)
    digests = np.array(dataset.split("test").digests)[:2, :8]
    monkeypatch.setattr(trained_faces.resources, "files", lambda _: tmp_path)
    if with_table:
        (tmp_path / "fer2013_digests.bin").write_bytes(digests.tobytes())
    sizes = {"train": 27_956}
    record = {"hash": "x", "label_set": "ferplus", "sizes": sizes, "options": {"data": "fer"}}
    model = ModelTrainingFaces(tmp_path / "model.onnx", record, "pretrained")
    found = leave_out_trained(dataset, "test", [model], config)
    assert found.sizes["test"] == dataset.sizes["test"] - 2 * with_table


def test_further_models_of_a_report_go_by_the_first_ones_data_and_classes(
    tmp_path: Path, tiny_faces: Faces, write_classes: Make, write_checkpoint: Make, fer_data: Path
) -> None:
    labels = [row % 3 for row in range(90)]
    data = write_classes(
        tmp_path / "faces", tiny_faces(90, seed=21), labels, ("bored", "happy", "sad")
    )
    names = load(DataConfig(data=str(data), cache=str(tmp_path / "cache"))).labels
    own = write_checkpoint(tmp_path / "own" / "best.ckpt", names, data, size=24)
    other = write_checkpoint(tmp_path / "other" / "best.ckpt", FERPLUS, fer_data, size=16)
    first, second = open_tests([str(own), str(other)], ReportRequest())
    assert list(first.test.names) == list(second.test.names)
    assert {class_key(name) for name in names} == {"bored", "happiness", "sadness"}
    assert first.test.files == second.test.files
    assert compare(first.test, second.test).n == len(first.test.files)
    unknown = list(second.test.names).index("bored")
    assert (second.test.scores[:, unknown] == 0).all()
    assert second.test.metrics["per_class"]["bored"]["recall"] == 0


def test_folds_are_trained_tested_and_summed_up_and_kept(
    own_data: Path,
    config: Callable[..., TrainConfig],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    skip_artifacts: Callable[..., None],
) -> None:
    skip_artifacts(monkeypatch)
    recipe = config(own_data, "crossed", folds=2, epochs=1)
    done = cross_validate(recipe)
    assert done.record["n"] == 150
    record = json.loads((done.folder / "folds.json").read_text())
    values = [fold["accuracy"] for fold in record["folds"]]
    assert record["mean"]["accuracy"] == pytest.approx(np.mean(values))
    assert record["std"]["accuracy"] == pytest.approx(np.std(values, ddof=1))
    files = [done.folder / f"fold-{k}" / "best.ckpt" for k in (1, 2)]
    before = [file.stat().st_mtime_ns for file in files]
    shutil.rmtree(done.folder / "fold-2" / "test")
    capsys.readouterr()
    again = cross_validate(recipe)
    assert [file.stat().st_mtime_ns for file in files] == before
    assert again.record["mean"] == done.record["mean"]
    assert capsys.readouterr().err.count("is finished; nothing to do") == 2
    with pytest.raises(InputError, match=r"another cross-validation is there \(--dropout differs"):
        cross_validate(config(own_data, "crossed", folds=2, epochs=1, dropout=0.1))


def test_folds_on_several_devices_are_refused(
    own_data: Path, config: Callable[..., TrainConfig]
) -> None:
    recipe = config(own_data, "many", folds=2, trainer={"devices": 2})
    with pytest.raises(InputError, match=r"--trainer.devices 2: must be 1 with --folds"):
        cross_validate(recipe)
    with pytest.raises(InputError, match=r"--fold 3: must be between 1 and 2"):
        config(own_data, "many", folds=2, fold=3)


def test_means_and_deviations_are_over_folds() -> None:
    measures = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")
    folds = [dict.fromkeys(measures, value) | {"n": n} for value, n in ((0.5, 10), (0.7, 12))]
    found = summarize_folds(folds)
    assert found["n"] == 22
    assert found["mean"]["macro_f1"] == pytest.approx(0.6)
    assert found["std"]["nll"] == pytest.approx(0.1414, abs=1e-4)
