"""What a test leaves on disk, and where."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.evaluation import Test as Done
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.confusion_plot import draw_confusion
from emotion_detection.evaluation.plot_style import render_png
from emotion_detection.evaluation.saved_tests import is_test, read_test
from emotion_detection.labels import FER2013, FERPLUS
from emotion_detection.training import Run

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def tested(fer_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return evaluate([fer_run.folder], out=tmp_path_factory.mktemp("tested"))


def test_three_files_are_written_and_nothing_else(tested: Done) -> None:
    names = sorted(path.name for path in tested.folder.iterdir())
    assert names == ["confusion.png", "metrics.json", "predictions.parquet"]


def test_metrics_json_holds_what_is_promised(tested: Done, fer_data: Path, fer_run: Run) -> None:
    found = json.loads((tested.folder / "metrics.json").read_text(encoding="utf-8"))
    assert found == tested.metrics
    assert {
        "accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "ece", "nll", "brier", "n",
        "labels", "per_class", "confusion", "data", "split", "model", "parameters",
    } <= set(found)  # fmt: skip
    assert found["labels"] == list(found["per_class"]) == list(FER2013)
    assert set(found["per_class"]["anger"]) == {"recall", "precision", "f1", "n"}
    assert [sum(row) for row in found["confusion"]] == [8] * 7
    assert found["data"]["source"] == fer_data.as_posix()
    assert found["data"]["label_set"] == "fer2013"
    assert found["model"] == (fer_run.folder / "best.ckpt").as_posix()
    assert found["accuracy_ci95"][0] <= found["accuracy"] <= found["accuracy_ci95"][1]


def test_predictions_have_a_row_for_each_face(tested: Done) -> None:
    table = pq.read_table(tested.folder / "predictions.parquet")
    assert table.column_names == ["file", "label", "scores", "intensity"]
    assert table.schema.field("scores").type == pa.list_(pa.float32())
    assert table.schema.field("intensity").type == pa.float32()
    assert json.loads(table.schema.metadata[b"labels"]) == list(FER2013)
    files = table["file"].to_pylist()
    assert len(set(files)) == 56
    assert all(re.fullmatch(r"PrivateTest_[0-9a-f]{16}\.png", file) for file in files)
    assert table["label"].to_pylist() == [FER2013[row % 7] for row in range(140, 196)]
    assert table["intensity"].null_count == 56
    scores = np.array(table["scores"].to_pylist())
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_metrics_say_command_code_and_seconds(tested: Done, fer_run: Run, fer_data: Path) -> None:
    assert tested.metrics["command"] == (
        f"emotion test --model {fer_run.folder} --data {fer_data} --labels fer2013 --split test"
    )
    assert set(tested.metrics["code"]) == {"version", "commit", "changed"}
    assert tested.metrics["seconds"] >= 0


def test_votes_and_target_intensity_stand_beside_the_scores(
    tmp_path: Path, tiny_set: Any, write_csv: Make, write_votes: Make, write_checkpoint: Make
) -> None:
    data = write_csv(tmp_path / "data", *tiny_set).parent
    votes = np.zeros((42, 10), np.int64)
    votes[:, 0], votes[np.arange(42), 1 + np.arange(42) % 7] = 3, 7
    write_votes(data, votes, tiny_set.usages)
    model = write_checkpoint(tmp_path / "plus" / "best.ckpt", FERPLUS, data)
    found = read_test(evaluate([model], labels="ferplus").folder)
    assert found.vote_shares is not None
    np.testing.assert_allclose(found.vote_shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found.vote_shares[np.arange(7), found.truth], 0.7, atol=1e-6)
    np.testing.assert_allclose(found.wanted_intensity, 0.7, atol=1e-6)
    assert found.intensity is None


def test_what_was_written_is_read_back(
    tested: Done, scores_in: Callable[[Path], np.ndarray]
) -> None:
    found = read_test(tested.folder)
    assert is_test(tested.folder)
    assert found.metrics == tested.metrics
    assert found.right.mean() == pytest.approx(tested.metrics["accuracy"])
    np.testing.assert_array_equal(found.scores, scores_in(tested.folder))
    assert (found.vote_shares, found.wanted_intensity, found.corruptions) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("metrics.json", b"{", "metrics.json: cannot be read"),
        ("metrics.json", b"[]", "metrics.json: must hold a JSON object"),
        ("metrics.json", b"{}", "metrics.json: lacks accuracy"),
        ("predictions.parquet", b"PAR1", "predictions.parquet: is not what a test writes"),
        ("corruptions.json", b"?", "corruptions.json: cannot be read"),
    ],
)
def test_files_that_no_test_wrote_are_named(
    tested: Done, tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    for path in tested.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected):
        read_test(tmp_path)


def test_accuracy_can_be_computed_again_from_the_predictions(tested: Done) -> None:
    table = pq.read_table(tested.folder / "predictions.parquet")
    called = np.array(table["scores"].to_pylist()).argmax(axis=1)
    right = np.array(FER2013)[called] == np.array(table["label"].to_pylist())
    assert right.mean() == pytest.approx(tested.metrics["accuracy"])


def test_the_confusion_is_drawn_as_png(tested: Done) -> None:
    with Image.open(tested.folder / "confusion.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 600
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 10


def test_folders_say_labels_split_other_data_number_of_models_and_mirroring(
    tmp_path: Path, fer_data: Path, write_checkpoint: Make, write_csv: Make, tiny_set: object
) -> None:
    first = write_checkpoint(tmp_path / "one" / "best.ckpt", FER2013, fer_data)
    second = write_checkpoint(tmp_path / "two" / "best.ckpt", FER2013, fer_data, seed=1)
    other = write_csv(tmp_path / "elsewhere", *tiny_set).parent
    found = [
        evaluate([first]),
        evaluate([first], split="validation", tta=True),
        evaluate([first], data=str(other)),
        evaluate([first, second]),
    ]
    assert [test.folder.relative_to(tmp_path / "one" / "test").as_posix() for test in found] == [
        "fer2013-test",
        "fer2013-validation-tta",
        "fer2013-test-elsewhere",
        "fer2013-test-mean-of-2",
    ]
    assert all((test.folder / "metrics.json").is_file() for test in found)
    assert not (tmp_path / "two" / "test").exists()


def test_a_second_test_takes_the_place_of_the_first(
    tmp_path: Path, fer_data: Path, write_checkpoint: Make
) -> None:
    paths = [
        write_checkpoint(tmp_path / str(seed) / "best.ckpt", FER2013, fer_data, seed=seed)
        for seed in range(2)
    ]
    for path in paths:
        evaluate([path], out=tmp_path / "out")
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["model"] == paths[1].as_posix()
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_folder_that_cannot_be_written_is_named(fer_run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="the results cannot be written") as say:
        evaluate([fer_run.folder], out=tmp_path / "file" / "out")
    assert str(tmp_path / "file") in str(say.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_test_killed_while_writing_leaves_no_old_figures(
    fer_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate([fer_run.folder], out=tmp_path)
    assert is_test(tmp_path)

    def killed(path: Path, content: bytes | str) -> None:
        if path.name != "predictions.parquet":
            raise KeyboardInterrupt
        assert isinstance(content, bytes)
        path.write_bytes(content)

    monkeypatch.setattr("emotion_detection.evaluation.saved_tests.write_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate([fer_run.folder], split="validation", out=tmp_path)
    assert not is_test(tmp_path)


def test_the_confusion_matrix_takes_names_as_they_are() -> None:
    # with an uneven brace between dollars it is no mathematics; the font has no such letters
    names = ["$x_{$", "笑顔", "joy"]
    drawn = render_png(draw_confusion(np.eye(3, dtype=int).tolist(), names, "test"))
    with Image.open(io.BytesIO(drawn)) as opened:
        assert opened.format == "PNG"
