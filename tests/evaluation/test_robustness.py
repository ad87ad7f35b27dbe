"""``test.py --corruptions``: the figures against scikit-learn's, the files, several models."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from emotion_detection.cli import main
from emotion_detection.data import load
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.evaluation import robustness
from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from emotion_detection.evaluation.evaluate import EvaluationPlan, ask
from emotion_detection.evaluation.evaluate import run as run_test
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.evaluation.robustness import (
    compute_robustness_metrics,
    draw_examples,
    evaluate_corruptions,
)
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training import Run

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., Any]
FEW = ("darkness", "rotation", "gaussian_noise")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three corruptions, so that a test takes no time."""
    monkeypatch.setattr(robustness, "CORRUPTIONS", {name: CORRUPTIONS[name] for name in FEW})


def _expected(
    paths: list[Path], asked: EvaluationPlan, name: str, strength: int, tta: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and what was called, without the code under test."""
    said = []
    for path in paths:
        model = open_model(path)
        config = replace(asked.config, size=model.size, channels=model.channels)
        faces = load(config).split("test")
        spoiled = corrupt(np.array(faces.images), name, strength)
        views = [spoiled, spoiled[..., ::-1]] if tta else [spoiled]
        readout = model.readouts.get(next(iter(model.label_sets)), Postprocessing())
        said.append(readout.combine([model.outputs(np.array(v))["scores"] for v in views]))
    return faces.labels, np.mean(said, axis=0).argmax(axis=1)


def _width(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "kind",
    ["checkpoint", "ONNX, mirrored", pytest.param("two sizes, mirrored", marks=pytest.mark.slow)],
)
def test_figures_are_scikit_learns(
    kind: str,
    fer_run: Run,
    fer_data: Path,
    tmp_path: Path,
    write_checkpoint: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(robustness, "CHUNK", 13)  # 56 faces: the last chunk is a short one
    paths = [fer_run.folder / ("model.onnx" if "ONNX" in kind else "best.ckpt")]
    if "two" in kind:
        labels = open_model(paths[0]).labels
        paths.append(write_checkpoint(tmp_path / "b" / "best.ckpt", labels, fer_data, size=24))
    asked = ask(paths, tta="mirrored" in kind, out=tmp_path / "out")
    record = evaluate_corruptions(asked)
    every = []
    for name in FEW:
        found = record["corruptions"][name]
        for strength in STRENGTHS:
            truth, called = _expected(paths, asked, name, strength, asked.views > 1)
            own = {key: values[strength - 1] for key, values in found.items()}
            assert own["accuracy"] == accuracy_score(truth, called)
            assert own["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
            classes = np.unique(truth)
            f1 = f1_score(truth, called, labels=classes, average="macro")
            assert own["macro_f1"] == pytest.approx(f1)
            low, high = stats.binom.ppf((0.025, 0.975), len(truth), own["accuracy"]) / len(truth)
            assert own["ci95"] == pytest.approx([low, high], abs=1.5 / len(truth))
            counts = record["called"][name][strength - 1]
            assert counts == np.bincount(called, minlength=7).tolist()
            every.append(own["accuracy"])
    assert record["mean_corruption_accuracy"] == pytest.approx(np.mean(every))
    assert record["by_severity"] == pytest.approx(np.reshape(every, (3, 5)).mean(axis=0))
    assert record["relative"] == pytest.approx(np.mean(every) / record["clean"]["accuracy"])


@pytest.mark.usefixtures("few")
def test_without_corruption_it_is_the_usual_test(fer_run: Run, tmp_path: Path) -> None:
    asked = ask([fer_run.folder], out=tmp_path)
    metrics = run_test(asked).metrics
    record = evaluate_corruptions(asked)
    assert record["clean"]["ci95"] == metrics["accuracy_ci95"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "n"):
        assert record["clean"][name] == pytest.approx(metrics[name])
    told, before = record["calibration"], record["calibration"]["before_temperature"]
    for name in ("ece", "nll"):
        assert told["clean"][name] == pytest.approx(metrics[name], abs=1e-6)
        wanted = metrics["before_temperature"][name]
        assert before["clean"][name] == pytest.approx(wanted, abs=1e-6)
    assert metrics["temperature"] != [1.0]
    assert before["mean_nll"] != told["mean_nll"]
    assert set(before) == set(told) - {"before_temperature"}
    assert set(told["accuracy_at_coverage"]) == {"1.0", "0.8", "0.5", "0.2"}
    mean = pytest.approx(record["mean_corruption_accuracy"])
    assert told["accuracy_at_coverage"]["1.0"] == mean
    assert record["called"]["clean"] == np.sum(metrics["confusion"], axis=0).tolist()
    for name in ("data", "labels", "model", "split", "tta"):
        assert record[name] == metrics[name]
    assert record["command"] == f"{metrics['command']} --corruptions"


@pytest.mark.usefixtures("few")
def test_what_is_written(fer_run: Run, tmp_path: Path) -> None:
    record = evaluate_corruptions(ask([fer_run.folder], out=tmp_path))
    assert json.loads((tmp_path / "corruptions.json").read_text()) == record
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "corruptions.json",
        "corruptions.png",
    ]
    assert _width(tmp_path / "corruptions.png") > 600
    assert set(record["corruptions"]) == set(FEW)
    assert record["severities"] == [1, 2, 3, 4, 5]
    assert record["seed"] == 0
    for row in record["corruptions"].values():
        assert {name: len(values) for name, values in row.items()} == {
            "accuracy": 5,
            "ci95": 5,
            "balanced_accuracy": 5,
            "macro_f1": 5,
        }
    sure = record["mean_score"]
    assert {name: np.size(values) for name, values in sure.items()} == {
        "clean": 1,
        **dict.fromkeys(FEW, 5),
    }
    assert all(1 / 7 < value <= 1 for values in sure.values() for value in np.ravel(values))


@pytest.mark.usefixtures("few")
def test_the_seed_counts_and_repeats(fer_run: Run, tmp_path: Path) -> None:
    asked = ask([fer_run.folder], out=tmp_path)
    one, again, other = (evaluate_corruptions(asked, seed) for seed in (0, 0, 1))
    assert one["mean_score"] == again["mean_score"]
    assert one["mean_score"]["gaussian_noise"] != other["mean_score"]["gaussian_noise"]
    assert one["mean_score"]["darkness"] == other["mean_score"]["darkness"]


def test_mean_and_drop_of_figures_that_are_known() -> None:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 400)
    columns = 1 + 5 * len(CORRUPTIONS)
    right = generator.random((400, columns)) < np.linspace(0.9, 0.4, columns)
    called = np.where(right, truth[:, None], (truth[:, None] + 1) % 3)
    found = compute_robustness_metrics(called, truth, ("a", "b", "c", "none of them"))
    assert found["mean_corruption_accuracy"] == pytest.approx(right[:, 1:].mean())
    lost = right[:, 0] - right[:, 1:].mean(axis=1)
    error = stats.sem(lost)
    assert found["drop"]["value"] == pytest.approx(lost.mean())
    assert found["drop"]["ci95"] == pytest.approx(
        [lost.mean() - 1.96 * error, lost.mean() + 1.96 * error], abs=0.2 * error
    )
    balanced = [
        found["clean"]["balanced_accuracy"],
        *(value for row in found["corruptions"].values() for value in row["balanced_accuracy"]),
    ]
    theirs = [balanced_accuracy_score(truth, column) for column in called.T]
    assert balanced == pytest.approx(theirs)
    assert found["mean_corruption_balanced_accuracy"] == pytest.approx(np.mean(theirs[1:]))
    theirs = [f1_score(truth, column, average="macro") for column in called.T]
    assert found["clean"]["macro_f1"] == pytest.approx(theirs[0])
    assert found["mean_corruption_macro_f1"] == pytest.approx(np.mean(theirs[1:]))


def test_a_model_that_is_never_right_has_no_relative_accuracy() -> None:
    columns = 1 + 5 * len(CORRUPTIONS)
    found = compute_robustness_metrics(
        np.ones((4, columns), np.int64), np.zeros(4, np.int64), ("a", "b")
    )
    assert found["relative"] is None
    assert found["mean_corruption_accuracy"] == 0


@pytest.mark.usefixtures("few")
def test_each_of_several_processes_asks_for_its_own_faces(
    fer_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask([fer_run.folder], out=tmp_path)
    whole: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    monkeypatch.setattr(robustness, "gather_rows", lambda rows, _: whole.append(rows))
    assert evaluate_corruptions(asked) == {}
    monkeypatch.setattr(robustness, "gather_rows", lambda rows, _: parts.append(rows))
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        assert evaluate_corruptions(asked) == {}
    assert list(tmp_path.iterdir()) == []
    for rank, part in enumerate(parts):
        np.testing.assert_allclose(part, whole[0][rank::3], atol=1e-5)


@pytest.mark.release
@pytest.mark.slow
def test_two_processes_write_the_figures_of_one(fer_run: Run, tmp_path: Path) -> None:
    one = evaluate_corruptions(ask([fer_run.folder], out=tmp_path / "one"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    words += [str(ROOT / "test.py"), "--model", str(fer_run.folder), "--corruptions"]
    done = subprocess.run(
        [sys.executable, *words, "--out", str(tmp_path / "two")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mean accuracy under corruption: ") == 1
    assert done.stderr.count("corruption 16/16: ") == 1
    two = json.loads((tmp_path / "two" / "corruptions.json").read_text())
    assert two["clean"] == one["clean"]
    assert two["corruptions"] == one["corruptions"]
    assert two["called"] == one["called"]


@pytest.mark.usefixtures("few")
def test_a_place_that_cannot_be_written_is_one_line(fer_run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/inside: the results cannot be written"):
        evaluate_corruptions(ask([fer_run.folder], out=tmp_path / "file" / "inside"))


@pytest.mark.usefixtures("few")
def test_the_output_of_the_command(
    fer_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["test", "--model", str(fer_run.folder), "--out", str(tmp_path)]
    assert main([*words, "--corruptions"]) == 0
    said = capsys.readouterr()
    record = json.loads((tmp_path / "corruptions.json").read_text())
    assert re.search(r"^test accuracy: 0\.\d{4} ", said.out, re.MULTILINE)
    for name in FEW:
        values = " +".join(f"{value:.3f}" for value in record["corruptions"][name]["accuracy"])
        assert re.search(rf"^{name.replace('_', ' ')} +{values}", said.out, re.MULTILINE)
    before = record["calibration"]["before_temperature"]
    assert f"(before temperature: ECE {before['mean_ece']:.4f}, " in said.out
    half = record["calibration"]["accuracy_at_coverage"]["0.5"]
    assert "accuracy under corruption: " in said.out
    assert f"{half:.4f} of the most confident 50%" in said.out
    assert f"macro F1 {record['mean_corruption_macro_f1']:.4f}, " in said.out
    mean = f"mean accuracy under corruption: {record['mean_corruption_accuracy']:.4f}, "
    assert said.out.splitlines()[-1].startswith(mean)
    assert "corruption 3/3: " in said.err
    assert (tmp_path / "metrics.json").is_file()
    assert main(words) == 0
    assert "corruption" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("channels", [1, 3])
def test_examples_are_drawn_of_grey_and_of_colour(channels: int, tmp_path: Path) -> None:
    face = np.repeat(make_synthetic_faces(1).faces, channels, axis=0)
    (tmp_path / "examples.png").write_bytes(draw_examples(face))
    assert _width(tmp_path / "examples.png") > 1200
