"""Starting and going on through the command line: names, refusals, what may change."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import train
from emotion_detection.training.run_folder import select_finish_options

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_faces: Callable[..., Any],
    write_manifest: Callable[..., Path],
    skip_artifacts: Callable[..., None],
) -> list[str]:
    """Words of a training on tiny faces, all its files below the current folder."""
    monkeypatch.chdir(tmp_path)
    skip_artifacts(monkeypatch)
    splits = ["train"] * 42 + ["validation"] * 12 + ["test"] * 6
    emotions = [("a", "b", "c")[row % 3] for row in range(60)]
    write_manifest(tmp_path / "faces", tiny_faces(60, size=16), emotions, splits)
    return ["train", "--data", "faces", "--size", "16", "--batch_size", "8", "--name", "x"]


def epochs(folder: Path) -> list[str]:
    with (folder / "logs/x/metrics.csv").open(encoding="utf-8") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def test_a_finished_run_goes_on_when_more_epochs_are_asked(
    words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*words, "--epochs", "1"]) == 0
    assert main(["train", "--resume", "models/x"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["train", "--resume", "models/x", "--epochs", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"run: {Path('models/x')}"
    assert epochs(tmp_path) == ["1", "2", "3"]
    assert "epochs: 3" in (tmp_path / "models/x/config.yaml").read_text(encoding="utf-8")


def test_a_run_goes_on_after_its_data_moved(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--epochs", "1"]) == 0
    (tmp_path / "faces").rename(tmp_path / "elsewhere")
    assert main(["train", "--resume", "models/x", "--epochs", "2", "--data", "elsewhere"]) == 0
    assert epochs(tmp_path) == ["1", "2"]


@pytest.mark.parametrize("option", [["--seed", "5"], ["--learning_rate", "0.1"]])
def test_a_run_cannot_go_on_as_another(
    words: list[str], option: list[str], capsys: Capture
) -> None:
    assert main([*words, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["train", "--resume", "models/x", *option]) == 2
    assert f"{option[0]} cannot be changed" in capsys.readouterr().err


def test_a_list_of_excluded_faces_that_changed_is_noticed(
    words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    names = [line.split(",")[0] for line in _manifest(tmp_path).read_text().splitlines()[1:3]]
    listed = tmp_path / "list.txt"
    listed.write_text(names[0])
    assert main([*words, "--epochs", "1", "--exclude", "list.txt"]) == 0
    listed.write_text("\n".join(names))
    assert main(["train", "--resume", "models/x", "--epochs", "2"]) == 2
    assert "lists other faces" in capsys.readouterr().err


def _manifest(folder: Path) -> Path:
    return next((folder / "faces").glob("*.csv"))


@pytest.mark.parametrize("bad", [["--init", "nowhere"], ["--trainer.precision", "no-such"]])
def test_a_refused_start_does_not_use_up_its_name(
    words: list[str], tmp_path: Path, bad: list[str]
) -> None:
    assert main([*words, "--epochs", "1", *bad]) == 2
    assert not (tmp_path / "models/x").exists()
    assert main([*words, "--epochs", "1"]) == 0


def test_a_start_killed_before_its_config_can_be_made_again(
    words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "models/x").mkdir(parents=True)
    assert main([*words, "--epochs", "1"]) == 0
    assert (tmp_path / "models/x/last.ckpt").exists()


def test_an_init_run_that_is_gone_does_not_stop_a_resume(words: list[str], tmp_path: Path) -> None:
    assert main([*words[:-1], "first", "--epochs", "1"]) == 0
    assert main([*words, "--epochs", "1", "--init", "models/first"]) == 0
    (tmp_path / "models/first").rename(tmp_path / "models/gone")
    assert main(["train", "--resume", "models/x", "--epochs", "2"]) == 0
    assert epochs(tmp_path) == ["1", "2"]


def test_a_finished_run_is_not_finished_for_another_patience() -> None:
    short, long = TrainConfig(patience=1), TrainConfig(patience=5)
    assert select_finish_options(short) != select_finish_options(long)
    assert select_finish_options(short) == select_finish_options(TrainConfig(patience=1, seed=3))


def test_the_number_of_epochs_is_not_lightnings_to_say(words: list[str], capsys: Capture) -> None:
    assert main([*words, "--trainer.max_epochs", "3"]) == 2
    assert "--epochs" in capsys.readouterr().err


def test_a_short_name_that_means_several_faces_is_refused(
    tmp_path: Path, data_config: Callable[..., Any], tiny_faces: Callable[..., Any], png: Any
) -> None:
    for row, face in enumerate(tiny_faces(40, size=16)):
        place = tmp_path / "faces" / ("a", "b")[row % 2] / f"{row // 2}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(face))
    (tmp_path / "list.txt").write_text("1.png\n2.png\n3.png\n4.png\n")
    places = {name: str(tmp_path / name) for name in ("models", "logs", "cache")}
    config = TrainConfig(
        data=str(tmp_path / "faces"), size=16, exclude=str(tmp_path / "list.txt"), **places
    )
    with pytest.raises(InputError, match="means several faces"):
        train(config)
