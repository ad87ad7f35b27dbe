"""Testing models: the same figures from each file, averages, and which classes are compared."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from emotion_detection.errors import InputError
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.model_loading import find_newest_run, open_model
from emotion_detection.labels import FER2013, FERPLUS
from emotion_detection.training import Run

Scores = Callable[[Path], np.ndarray]
Make = Callable[..., Path]


def test_run_checkpoint_and_onnx_file_give_the_same_figures_and_scores(
    fer_run: Run, tmp_path: Path, scores_in: Scores
) -> None:
    places = [fer_run.folder, fer_run.folder / "best.ckpt", fer_run.folder / "model.onnx"]
    done = [evaluate([place], out=tmp_path / str(i)) for i, place in enumerate(places)]
    assert len({test.metrics["accuracy"] for test in done}) == 1
    assert {test.metrics["n"] for test in done} == {56}
    assert len({test.metrics["parameters"] for test in done}) == 1
    for test in done[1:]:
        np.testing.assert_allclose(scores_in(test.folder), scores_in(done[0].folder), atol=1e-4)


def test_validation_figures_are_those_that_training_wrote(own_run: Run, tmp_path: Path) -> None:
    found = evaluate([own_run.folder], split="validation", out=tmp_path).metrics
    for name in ("accuracy", "accuracy_ci95", "confusion", "n", "parameters", "split"):
        assert found[name] == own_run.metrics[name]
    seen = {"trained_on": 0, "validated_on": found["n"]}
    assert found["data"] == own_run.metrics["data"] | seen
    assert found["nll"] == pytest.approx(own_run.metrics["nll"], abs=1e-6)


@pytest.mark.parametrize(("split", "count"), [("train", 112), ("validation", 28), ("test", 56)])
def test_the_named_split_is_tested(fer_run: Run, tmp_path: Path, split: str, count: int) -> None:
    found = evaluate([fer_run.folder], split=split, out=tmp_path).metrics
    assert (found["split"], found["n"]) == (split, count)
    assert ("without_duplicates" in found) == (split != "train")


def test_the_newest_run_is_the_default(
    tmp_path: Path, fer_data: Path, write_checkpoint: Make
) -> None:
    for age, name in enumerate(("b", "c", "a")):
        path = write_checkpoint(tmp_path / name / "best.ckpt", FER2013, fer_data, seed=age)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert find_newest_run(tmp_path) == tmp_path / "b"
    done = evaluate(runs=tmp_path)
    assert done.metrics["model"] == str(tmp_path / "b" / "best.ckpt")
    assert done.folder == tmp_path / "b" / "test" / "fer2013-test"


def test_without_a_run_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run to test yet: 'python train.py' makes one"):
        evaluate(runs=tmp_path)


def test_tta_is_the_mean_of_the_plain_and_the_mirrored_scores(
    fer_run: Run,
    fer_data: Path,
    tmp_path: Path,
    scores_in: Scores,
    images_of: Callable[..., np.ndarray],
) -> None:
    images = images_of(fer_data, 16)
    model = open_model(fer_run.folder)
    plain, mirrored = (
        model.outputs(faces)["scores"] for faces in (images, np.flip(images, axis=3))
    )
    found = evaluate([fer_run.folder], tta=True, out=tmp_path)
    assert np.abs(plain - mirrored).max() > 1e-3
    readout = model.readouts[next(iter(model.label_sets))]
    expected = readout.combine([plain, mirrored])
    # the mean, made as confident on validation as it is right
    assert set(readout.temperatures) == {2, 4}
    np.testing.assert_array_equal(expected.argmax(1), (plain + mirrored).argmax(1))
    np.testing.assert_allclose(scores_in(tmp_path), expected, atol=1e-5)
    assert (found.metrics["tta"], found.metrics["views"]) == (True, 2)


def test_several_models_are_averaged(
    tmp_path: Path, fer_run: Run, fer_data: Path, write_checkpoint: Make, scores_in: Scores
) -> None:
    other = write_checkpoint(tmp_path / "other" / "best.ckpt", FER2013[::-1], fer_data, size=24)
    places = [fer_run.folder / "model.onnx", other]
    for number, place in enumerate(places):
        evaluate([place], data=str(fer_data), out=tmp_path / str(number))
    both = evaluate(places, out=tmp_path / "both")
    alone = [
        _by_class(scores_in(tmp_path / str(number)), _labels(tmp_path / str(number)))
        for number in range(2)
    ]
    together = _by_class(scores_in(both.folder), both.metrics["labels"])
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, atol=1e-5)
    assert both.metrics["model"] == [place.as_posix() for place in places]
    assert both.metrics["parameters"] == sum(open_model(place).parameters for place in places)


def test_models_of_two_sizes_are_tested_on_the_same_faces(
    tmp_path: Path,
    tiny_faces: Callable[..., np.ndarray],
    write_classes: Make,
    write_checkpoint: Make,
) -> None:
    faces = tiny_faces(60, seed=8).astype(float)
    # pairs about as like as near-duplicates begin: at the models' inputs only some would be
    faces[30:] = faces[:30] + 0.2 * (tiny_faces(30, seed=9).astype(float) - 128)
    labels = [row % 2 for row in range(60)]
    data = write_classes(
        tmp_path / "data", faces.clip(0, 255).astype(np.uint8), labels, ("bored", "keen")
    )
    paths = [
        write_checkpoint(tmp_path / str(size) / "best.ckpt", ("bored", "keen"), data, size=size)
        for size in (16, 40)
    ]
    done = [evaluate([path], out=tmp_path / f"out-{path.parent.name}") for path in paths]
    files = [
        pq.read_table(test.folder / "predictions.parquet")["file"].to_pylist() for test in done
    ]
    assert files[0] == files[1]
    assert evaluate(paths, out=tmp_path / "both").metrics["n"] == len(files[0])


def _labels(folder: Path) -> Sequence[str]:
    labels: list[str] = json.loads((folder / "metrics.json").read_text())["labels"]
    return labels


def _by_class(scores: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    return scores[:, [list(labels).index(name) for name in FER2013]]


def test_models_of_different_classes_are_not_averaged(fer_run: Run, own_run: Run) -> None:
    with pytest.raises(InputError, match="different classes cannot be averaged"):
        evaluate([fer_run.folder, own_run.folder])


def test_of_eight_emotions_contempt_is_dropped_and_the_rest_renormalised(
    tmp_path: Path,
    fer_data: Path,
    write_checkpoint: Make,
    scores_in: Scores,
    images_of: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_checkpoint(tmp_path / "plus" / "best.ckpt", FERPLUS, fer_data)
    done = evaluate([path])
    eight = open_model(path).outputs(images_of(fer_data, 16))["scores"]
    expected = eight[:, :7] / eight[:, :7].sum(axis=1, keepdims=True)
    assert eight[:, 7].max() > 0.05
    np.testing.assert_allclose(scores_in(done.folder), expected, atol=1e-5)
    assert done.metrics["labels"] == list(FER2013)
    assert "note: contempt is not among these labels: dropped" in capsys.readouterr().err


def test_own_faces_of_fewer_emotions_are_judged_among_all_that_the_model_knows(
    fer_run: Run,
    tmp_path: Path,
    tiny_faces: Callable[..., np.ndarray],
    write_classes: Make,
    scores_in: Scores,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = [row % 2 for row in range(40)]
    data = write_classes(tmp_path / "two", tiny_faces(40, seed=3), labels, ("happy", "sad"))
    found = evaluate([fer_run.folder], data=str(data), out=tmp_path / "out").metrics
    assert found["labels"] == list(FER2013)
    assert scores_in(tmp_path / "out").shape == (found["n"], 7)
    counts = {name: row["n"] for name, row in found["per_class"].items()}
    assert {name for name, count in counts.items() if count} == {"happiness", "sadness"}
    assert set(pq.read_table(tmp_path / "out" / "predictions.parquet")["label"].to_pylist()) == {
        "happiness",
        "sadness",
    }
    assert "warning: no faces of anger in this split" in capsys.readouterr().err


def test_faces_of_a_class_that_the_model_does_not_know_count_as_mistakes(
    fer_run: Run,
    tmp_path: Path,
    tiny_faces: Callable[..., np.ndarray],
    write_classes: Make,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = [row % 2 for row in range(40)]
    data = write_classes(tmp_path / "new", tiny_faces(40, seed=4), labels, ("happy", "contempt"))
    found = evaluate([fer_run.folder], data=str(data), out=tmp_path / "out").metrics
    assert found["per_class"]["contempt"]["recall"] == 0
    unknown = found["per_class"]["contempt"]["n"]
    assert 0 < unknown < found["n"]
    assert found["accuracy"] <= 1 - unknown / found["n"]
    said = f"does not know contempt: its {unknown} faces count as mistakes"
    assert said in capsys.readouterr().err


def test_faces_that_share_no_class_with_the_model_are_refused(fer_run: Run, own_data: Path) -> None:
    with pytest.raises(InputError, match=r"its classes \(bored, keen, tired\) are not the model's"):
        evaluate([fer_run.folder], data=str(own_data))


def test_a_model_does_not_depend_on_the_folder_it_is_tested_from(
    own_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluate([own_run.folder], out=tmp_path / "here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    after = evaluate([own_run.folder], out="out")
    timed = {"seconds", "command"}
    assert {k: v for k, v in after.metrics.items() if k not in timed} == {
        k: v for k, v in before.metrics.items() if k not in timed
    }
    assert sorted(path.name for path in Path().iterdir()) == ["out"]
    assert (tmp_path / "elsewhere" / "out" / "metrics.json").is_file()


def test_the_original_of_a_copy_in_train_does_not_count(
    fer_run: Run,
    tmp_path: Path,
    tiny_faces: Callable[..., np.ndarray],
    marked: Callable[..., np.ndarray],
    write_folders: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = [row % 7 for row in range(91)]
    faces = marked(tiny_faces(91, seed=6), labels, 7)
    usages = ["Training"] * 70 + ["PrivateTest"] * 21
    faces[70] = faces[0]
    faces[75] = np.clip(faces[5].astype(int) * 0.9 + 6, 0, 255).astype(np.uint8)
    data = write_folders(tmp_path / "planted", faces, labels, usages)
    other = evaluate([fer_run.folder], data=str(data), out=tmp_path / "out").metrics
    assert "without_duplicates" not in other  # its train is not what the model was trained on
    module = sys.modules[evaluate.__module__]  # its name is the function's too
    monkeypatch.setattr(module, "_trained_on", lambda *_: True)
    found = evaluate([fer_run.folder], data=str(data), out=tmp_path / "out").metrics
    clean = found["without_duplicates"]
    assert (found["n"], clean["exact"], clean["exact_or_near"], clean["n"]) == (21, 1, 2, 19)
    rows = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    copies = ("00070.png", "00075.png")
    kept = [row for row in rows if not row["file"].endswith(copies)]
    right = [FER2013[int(np.argmax(row["scores"]))] == row["label"] for row in kept]
    assert len(kept) == 19
    assert clean["accuracy"] == pytest.approx(np.mean(right))
    assert clean["accuracy_ci95"][0] <= clean["accuracy"] <= clean["accuracy_ci95"][1]
    truth = [row["label"] for row in kept]
    called = [FER2013[int(np.argmax(row["scores"]))] for row in kept]
    assert clean["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
    f1 = f1_score(truth, called, labels=sorted(set(truth)), average="macro")
    assert clean["macro_f1"] == pytest.approx(f1)
    assert "0.98" in clean["measure"]
