"""The command line: what is wrong is said in one line, with the right exit code."""

import io
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emotion_detection import __version__
from emotion_detection.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys: Capture) -> Callable[..., str]:
    """``refused(*words)``: the one line that is said, after ``emotion: ``; the exit code is 2."""

    def said(*words: str) -> str:
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("emotion: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err.removeprefix("emotion: ").strip()

    return said


def test_without_a_verb_the_usage_is_shown_and_the_code_is_2(capsys: Capture) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: emotion VERB")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_lists_the_verbs(word: str, capsys: Capture) -> None:
    assert main([word]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in ("predict", "explain", "train", "test"))


def test_version_is_the_packages(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_words_come_from_the_command_line_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys, "argv", ["emotion", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("trian", "'trian' is no verb; there are predict, explain, train, test, report, "),
        ("train --epohcs 3", "--epohcs: no such option; did you mean --epochs?"),
        ("train --zzzzzz 3", "--zzzzzz: no such option; 'emotion train --help' lists them"),
        ("train --epochs many", "--epochs many: must be a whole number"),
        ("train --epochs 2.5", "--epochs 2.5: must be a whole number"),
        ("train --epochs 0", "--epochs 0: must be between 1 and 1000000"),
        ("train --epochs", "--epochs: expected one argument"),
        ("train --patience soon", "--patience soon: must be a whole number or null"),
        ("train --dropout high", "--dropout high: must be a number"),
        ("train --dropout 2", "--dropout 2.0: must be between 0.0 and 0.95"),
        ("train --learning_rate 0", "--learning_rate 0.0: above 0 and at most 10"),
        ("train --seed -1", "--seed -1: must be between"),
        ("train --channels 2", "--channels 2: must be 1 or 3"),
        ("train --votes best", "--votes best: must be probability or majority"),
        ("train --labels fer", "--labels fer: must be fer2013 or ferplus"),
        ("train --network resnet17", "--network resnet17: neither this project's nor timm's"),
        ("train --name a/b", "--name 'a/b': a folder's name"),
        ("train --preset best", "--preset best: no such preset; there are: baseline"),
        ("train --preset=best", "--preset best: no such preset; there are: baseline"),
        ("train --data none", "--data none: no such file or folder (nor 'auto'"),
        ("train --data ", "--data is empty"),
        ("train --resume none", "--resume none: no config.yaml there; name a run's folder"),
        ("train stray", "unrecognized arguments: stray"),
        ("train --trainer.devises 2", "--trainer.devises: no such option; did you mean --tra"),
        ("train --trainer.max_epochs 2", "--trainer.max_epochs: the number of epochs is --epochs"),
        ("train --trainer.gradient_clip_val x", "--trainer.gradient_clip_val x: must be a "),
        ("train --trainer.precision 12", "--trainer.precision 12: must be 64, 32, 16, "),
        ("test --labels fer", "--labels fer: must be fer2013 or ferplus"),
        ("test --split rest", "--split rest: must be one of train, validation, test"),
        ("train --trainer.barebones true", "--trainer.barebones: cannot be set; this project"),
        ("train --trainer.max_time soon", "--trainer.max_time soon: must be days:hours:min"),
        ("train --lr 0.1", "--lr: no such option; did you mean --learning_rate?"),
        ("predict a.png --least 0.5", "--least: no such option; did you mean --least_score?"),
        ("test --lables fer2013", "--lables: no such option; did you mean --labels?"),
        ("test --model none", "--model none: no such run, checkpoint or ONNX file"),
        ("test --tta yes", "unrecognized arguments: yes"),
        ("test --max_corrupt lots", "--max_corrupt lots: must be a number"),
        ("test", "models: there is no run to test yet: 'python train.py' makes one"),
        ("export", "the following arguments are required: model"),
        ("export none", "none: no such checkpoint"),
        ("data", "data: must be followed by info, check, crop, audit, download"),
        ("data facts", "data facts: must be followed by info, check, crop, audit, download"),
        ("data info --data none", "--data none: no such file or folder"),
        ("data info --size big", "--size big: must be a whole number"),
        ("data check --lables x", "--lables: no such option; did you mean --labels?"),
        ("data download now", "unrecognized arguments: now"),
    ],
)
def test_bad_usage_is_said_in_one_line(
    refused: Callable[..., str], words: str, expected: str
) -> None:
    assert expected in refused(*words.split(" "))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("epochs: [1\n", "--config bad.yaml: cannot be read as YAML: "),
        ("epohcs: 3\n", "--epohcs: no such option; did you mean --epochs?"),
        ("trainer:\n  devises: 2\n", "--trainer.devises: no such option; did you mean"),
        ("epochs: many\n", "--epochs many: must be a whole number"),
        ("epochs: 0\n", "--epochs 0: must be between"),
        ("preset: best\n", "--preset best: no such preset"),
        ("- epochs\n", "--config bad.yaml: must hold lines of 'option: value'"),
        ("", "--config bad.yaml: must hold lines of 'option: value'"),
        ("\x00", "--config bad.yaml: cannot be read as YAML: "),
    ],
)
def test_a_bad_config_file_is_said_in_one_line(
    refused: Callable[..., str], content: str, expected: str
) -> None:
    Path("bad.yaml").write_text(content)
    assert expected in refused("train", "--config", "bad.yaml")


def test_a_config_file_that_is_not_there_is_named(refused: Callable[..., str]) -> None:
    assert refused("train", "--config", "none.yaml") == "--config: none.yaml: no such file"


def test_a_config_file_that_is_no_text_is_named(refused: Callable[..., str]) -> None:
    Path("bad.yaml").write_bytes(b"\xff\xfe\x9c")
    assert "--config bad.yaml: cannot be read as YAML" in refused("train", "--config=bad.yaml")


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("train", ["--preset", "--config", "--resume", "--data", "--seed", "--init", "--exclude"]),
        ("train", ["--trainer.devices", "--trainer.strategy", "--epochs", "--patience"]),
        ("test", ["--model", "--data", "--labels", "--split", "--tta", "--out"]),
        ("export", ["model", "--out", "--data"]),
        ("data info", ["--data", "--labels", "--out"]),
        ("data check", ["--data", "--labels", "--out", "--classes", "--rename", "--crop"]),
        ("data crop", ["--data", "--size", "--channels", "--out"]),
        ("data download", ["--help"]),
    ],
)
def test_help_of_a_verb_lists_its_options(words: str, options: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*words.split(), "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert f"emotion {words}" in out
    assert [option for option in options if option not in out] == []


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_of_data_lists_what_it_does(word: str, capsys: Capture) -> None:
    assert main(["data", word]) == 0
    out = capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["emotion", "data", what] for what in ("info", "check", "crop", "audit", "download")
    ]


@pytest.mark.parametrize("verb", ["train", "test", "export"])
def test_a_missing_extra_is_named(
    verb: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("training", "evaluation", f"commands.{verb}")
    loaded = tuple(f"emotion_detection.{part}" for part in parts)
    for name in [name for name in sys.modules if name.startswith(loaded)]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("torch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    said = refused(verb)
    assert said.startswith((f"'{verb}' needs torch", f"'{verb}' needs pytorch_lightning"))
    assert "pip install 'emotion-detection[train]'" in said
    assert "pip install -e '.[train]'" in said


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(words: list[str]) -> int:
        raise error

    monkeypatch.setattr("emotion_detection.commands.data.run", run)


def test_a_missing_module_of_the_project_itself_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _raising(monkeypatch, ModuleNotFoundError("gone", name="emotion_detection.gone"))
    with pytest.raises(ModuleNotFoundError):
        main(["data", "info"])


def test_ctrl_c_ends_with_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _raising(monkeypatch, KeyboardInterrupt())
    assert main(["data", "info"]) == 130
    assert capsys.readouterr().err == "emotion: interrupted\n"


def test_a_training_that_cannot_go_on_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from emotion_detection.errors import TrainingError

    _raising(monkeypatch, TrainingError("the loss is not finite in step 3"))
    assert main(["data", "info"]) == 1
    assert capsys.readouterr().err == "emotion: the loss is not finite in step 3\n"


def test_letters_that_the_encoding_lacks_are_printed_as_escapes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="cp1252") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    name = "in/ünï 人脸 🙂.jpg"
    assert main(["predict", name]) == 2
    err.flush()
    told = err.buffer.getvalue().decode("cp1252")
    assert "ünï \\u4eba\\u8138 \\U0001f642.jpg: no such file" in told


def test_in_a_frozen_program_workers_start_before_anything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def become_a_worker() -> None:
        raise SystemExit(7)  # as freeze_support ends the process of a worker

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(multiprocessing, "freeze_support", become_a_worker)
    with pytest.raises(SystemExit, match="7"):
        main(["--multiprocessing-fork", "parent_pid=1"])
