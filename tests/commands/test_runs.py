"""The commands people type: which settings win, what stands on the last line."""

import re
import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.training import Run
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.initial_weights import start_from
from emotion_detection.training.network import build

ROOT = Path(__file__).resolve().parents[2]
LAST = re.compile(r"test accuracy: 0\.\d{4} \(95% CI 0\.\d{4}-[01]\.\d{4}, n=\d+\)")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., TrainConfig]:
    """``config_of(*words)``: the config that 'emotion train' makes of them; nothing is trained."""
    monkeypatch.chdir(tmp_path)
    seen: list[TrainConfig] = []

    def train(config: TrainConfig, resume: str | None = None) -> Run:
        seen.append(config)
        return Run(Path(), Path(), {})

    monkeypatch.setattr("emotion_detection.training.train", train)

    def made(*words: str) -> TrainConfig:
        assert main(["train", *words]) == 0
        return seen[-1]

    return made


@pytest.fixture
def two_presets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Presets 'baseline' (epochs 20) and 'quick' (epochs 3, batch_size 8, dropout 0.1)."""
    quick = tmp_path / "quick.yaml"
    quick.write_text("preset: quick\nepochs: 3\nbatch_size: 8\ndropout: 0.1\n")
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("preset: baseline\nepochs: 20\n")
    monkeypatch.setattr(
        "emotion_detection.commands.train.find_preset", lambda name: str(tmp_path / f"{name}.yaml")
    )


def _config_file(path: Path, **values: Any) -> str:
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_without_options_the_preset_alone_counts(config_of: Callable[..., TrainConfig]) -> None:
    assert config_of() == TrainConfig()


@pytest.mark.usefixtures("two_presets")
def test_options_win_over_the_config_file_and_that_over_the_preset(
    config_of: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    file = _config_file(tmp_path / "own.yaml", batch_size=64, dropout=0.4)
    found = config_of("--preset", "quick", "--config", file, "--dropout", "0.2")
    assert (found.preset, found.epochs, found.batch_size, found.dropout) == ("quick", 3, 64, 0.2)


@pytest.mark.usefixtures("two_presets")
@pytest.mark.parametrize("equals", [True, False])
def test_a_preset_that_the_config_file_names_is_started_from(
    config_of: Callable[..., TrainConfig], tmp_path: Path, equals: bool
) -> None:
    file = _config_file(tmp_path / "own.yaml", preset="quick", batch_size=64)
    found = config_of(*([f"--config={file}"] if equals else ["--config", file]))
    assert (found.preset, found.epochs, found.batch_size, found.dropout) == ("quick", 3, 64, 0.1)


@pytest.mark.usefixtures("two_presets")
def test_options_before_the_config_file_win_as_well(
    config_of: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    file = _config_file(tmp_path / "own.yaml", dropout=0.4)
    assert config_of("--config", file, "--dropout", "0.2").dropout == 0.2


def test_a_config_file_of_an_earlier_version_is_read(
    config_of: Callable[..., TrainConfig], tmp_path: Path, capsys: Capture
) -> None:
    file = _config_file(tmp_path / "old.yaml", labels="ferplus", also="fer2013", also_weight=0.3)
    found = config_of("--config", file, "--also_weight", "0.5")
    assert (found.labels, found.extra_labels) == ("ferplus", "fer2013")
    assert found.extra_labels_weight == 0.5
    said = capsys.readouterr().err
    assert "--also_weight is now called --extra_labels_weight" in said
    assert f"--config {file}: has old names: also (extra_labels)" in said


def test_the_printed_config_has_the_trainers_fields(capsys: Capture, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--preset", "quick", "--trainer.devices", "1", "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["preset"], printed["trainer"]["precision"]) == ("quick", "bf16-mixed")
    assert str(printed["trainer"]["devices"]) == "1"


def test_trainer_fields_are_kept_where_they_are_not_lightnings_own(
    config_of: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    file = _config_file(tmp_path / "own.yaml", trainer={"gradient_clip_val": 0.5})
    found = config_of("--config", file, "--trainer.devices", "2", "--trainer.strategy", "ddp")
    assert {k: str(v) for k, v in found.trainer.items()} == {
        "gradient_clip_val": "0.5",
        "devices": "2",
        "strategy": "ddp",
    }


def _faces(
    folder: Path, tiny_faces: Callable[..., np.ndarray], png: Callable[..., bytes]
) -> Sequence[str]:
    for row, face in enumerate(tiny_faces(90, size=24)):
        name = ("bored", "keen", "tired")[row % 3]
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{row:04d}.png").write_bytes(png(face))
    return ["--data", str(folder), "--size", "24", "--epochs", "1", "--trainer.accelerator", "cpu"]


@pytest.fixture(scope="module")
def workplace(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_faces: Callable[..., np.ndarray],
    png: Callable[..., bytes],
) -> Path:
    """A folder with own faces, from which models/first was trained."""
    place = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        words = _faces(Path("faces"), tiny_faces, png)
        assert main(["train", *words, "--name", "first"]) == 0
    return place


def _script(name: str, *words: str) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / name), run_name="__main__")
    return stop.value.code


def test_train_py_names_the_run_last(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(workplace)
    config = str(workplace / "models" / "first" / "config.yaml")
    assert _script("train.py", "--config", config, "--name", "again", "--seed", "3") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "run: models/again"
    assert {path.name for path in Path("models/again").iterdir()} >= {
        "best.ckpt", "last.ckpt", "model.onnx", "config.yaml", "provenance.json", "metrics.json",
    }  # fmt: skip
    assert Path("logs/again/curves.png").is_file()
    written = [line.split()[0] for line in out if line.startswith("  ")]
    assert written
    assert all(Path(place).is_file() for place in written)


def test_test_py_says_the_accuracy_last(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(workplace)
    assert _script("test.py", "--model", "models/first", "--tta") == 0
    out = capsys.readouterr().out.splitlines()
    assert LAST.fullmatch(out[-1])
    assert any(line.startswith("balanced accuracy 0.") for line in out)
    assert "  models/first/test/own-test-tta/metrics.json" in out
    assert Path("models/first/test/own-test-tta/predictions.parquet").is_file()


def test_the_command_does_the_same_on_another_split(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(workplace)
    assert main(["test", "--model", "models/first", "--split", "validation", "--out", "v"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert LAST.fullmatch(last.replace("validation", "test", 1))
    assert Path("v/metrics.json").is_file()


def test_export_writes_the_named_file(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(workplace)
    assert main(["export", "models/first", "--out", "new/x.onnx"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"scores of \d+ validation faces differ from torch's by \S+ at most", out[0]
    )
    assert re.fullmatch(r"wrote new/x\.onnx \(0\.\d\d MB\)", out[1])
    kept = [onnx.load(place).metadata_props for place in ("new/x.onnx", "models/first/model.onnx")]
    assert {p.key: p.value for p in kept[0]} == {p.key: p.value for p in kept[1]}
    assert main(["test", "--model", "new/x.onnx", "--out", "exported"]) == 0
    assert main(["test", "--model", "models/first", "--out", "own"]) == 0
    accuracies = [line for line in capsys.readouterr().out.splitlines() if LAST.fullmatch(line)]
    assert len(accuracies) == 2
    assert accuracies[0] == accuracies[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "x.bin"], "--out x.bin: the name must end in .onnx"),
        (["--out", "faces/keen/0001.png/x.onnx"], "its folder cannot be made"),
        (["--data", "none"], "--data none: no such file or folder"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_one_line(
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(workplace)
    assert main(["export", "models/first", *words]) == 2
    *notes, last = capsys.readouterr().err.splitlines()
    assert last.startswith("emotion: ")
    assert expected in last
    assert all(note.startswith("note: ") for note in notes)


@pytest.fixture
def elsewhere(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run models/first, seen from another folder that has nothing in it."""
    monkeypatch.chdir(tmp_path)
    return workplace / "models" / "first"


def test_a_run_is_tested_and_resumed_from_another_folder(
    elsewhere: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["test", "--model", str(elsewhere), "--out", "found"]) == 0
    assert LAST.fullmatch(capsys.readouterr().out.splitlines()[-1])
    (tmp_path / "copied").mkdir()
    copy = tmp_path / "copied" / "models" / "first"
    shutil.copytree(elsewhere, copy)
    shutil.copytree(elsewhere.parents[1] / "faces", tmp_path / "copied" / "faces")
    shutil.copytree(elsewhere.parents[1] / "logs", tmp_path / "copied" / "logs")
    before = yaml.safe_load((copy / "config.yaml").read_text())
    assert main(["train", "--resume", str(copy / "last.ckpt"), "--epochs", "2"]) == 0
    assert (tmp_path / "copied" / "logs" / "first" / "curves.png").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"copied", "found"}
    assert yaml.safe_load((copy / "config.yaml").read_text()) == before | {"epochs": 2}
    options = open_model(copy / "model.onnx").training_data["options"]
    assert options["data"] == before["data"] == "faces"


def test_a_run_is_exported_without_its_data(
    elsewhere: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copy(elsewhere / "best.ckpt", "best.ckpt")
    assert main(["export", "best.ckpt"]) == 0
    assert "scores of 64 synthetic faces differ" in capsys.readouterr().out
    assert Path("model.onnx").is_file()


def test_an_onnx_file_holds_no_weights_to_train_on(elsewhere: Path, capsys: Capture) -> None:
    spec = load_trained(elsewhere).spec
    with pytest.raises(InputError, match="an ONNX file holds no weights to train on"):
        start_from(build(spec), spec, str(elsewhere / "model.onnx"))
    assert main(["export", str(elsewhere / "model.onnx")]) == 2
    assert "an ONNX file holds no weights to train on" in capsys.readouterr().err


def test_data_info_and_check_write_what_they_say(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(workplace)
    assert main(["data", "info", "--data", "faces", "--size", "24", "--out", "sheet.png"]) == 0
    assert main(["data", "check", "--data", "faces", "--size", "24", "--out", "c.json"]) == 0
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")
    assert Path("c.json").is_file()
    out = capsys.readouterr().out
    assert "sheet: sheet.png" in out
    assert "report: c.json" in out
