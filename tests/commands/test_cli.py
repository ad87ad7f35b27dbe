"""The command line: what is wrong is said in one line, with the right exit code."""

import io
import multiprocessing
import subprocess
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


def test_without_a_command_the_usage_is_shown_and_the_code_is_2(capsys: Capture) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: emotion COMMAND")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_lists_the_commands(word: str, capsys: Capture) -> None:
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
        ("trian", "unknown command 'trian'. Did you mean 'train'?"),
        ("foo", "unknown command 'foo'; the commands are predict, explain, train, test, report, "),
        ("evaluate x", "unknown command 'evaluate'. Did you mean 'test'?"),
        ("version", "unknown command 'version'. Did you mean '--version'?"),
        ("none.jpg", "none.jpg: no such file or folder"),
        ("none.mp4 --out a.csv", "none.mp4: no such file or folder"),
        ("train --epohcs 3", "--epohcs: no such option; did you mean --epochs?"),
        ("train --zzzzzz 3", "--zzzzzz: no such option; 'emotion train --help' lists the options"),
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
        ("train --labels fer", "--labels fer: must be original, fer2013 or ferplus"),
        ("train --network resnet17", "--network resnet17: neither this project's nor timm's"),
        ("train --name a/b", "--name 'a/b': a folder's name"),
        ("train --preset best", "--preset best: no such preset; there are: baseline"),
        ("train --preset=best", "--preset best: no such preset; there are: baseline"),
        ("train --data none", "--data none: no such file or folder (nor 'auto'"),
        ("train --data ", "--data is empty"),
        ("train --resume none", "--resume none: no config.yaml there; name a run's folder"),
        ("train stray", "unrecognized arguments: stray; did you mean --data stray?"),
        ("test stray", "unrecognized arguments: stray; did you mean --model stray?"),
        ("train --device coreml", "--device coreml: did you mean mps? It must be auto, cpu"),
        ("train --trainer.devises 2", "--trainer.devises: no such option; did you mean --tra"),
        ("train --trainer.max_epochs 2", "--trainer.max_epochs: the number of epochs is --epochs"),
        ("train --trainer.gradient_clip_val x", "--trainer.gradient_clip_val x: must be a "),
        ("train --trainer.precision 12", "--trainer.precision 12: must be 64, 32, 16, "),
        ("test --labels fer", "--labels fer: must be original, fer2013 or ferplus"),
        ("test --split rest", "--split rest: must be train, validation, test or all"),
        ("train --trainer.barebones true", "--trainer.barebones: cannot be set; this project"),
        ("train --trainer.max_time soon", "--trainer.max_time soon: must be days:hours:min"),
        ("train --weights x", "--weights: no such option; did you mean --init or --resume?"),
        ("train --num_workers 4", "--num_workers: no such option: batches are read without"),
        ("train --device quantum", "--device quantum: must be auto, cpu, cuda, mps, or a GPU"),
        ("predict a.png --score 0.5", "--score: no such option; did you mean --min_score?"),
        ("predict a.png --format csv", "--format: no such option; did you mean --out FILE.csv"),
        ("test --device cuda", "--device: no such option: the GPU is used where PyTorch finds"),
        ("report --conf 0.5", "--conf: no such option; 'emotion report --help' lists"),
        ("test --lables fer2013", "--lables: no such option; did you mean --labels?"),
        ("test --model none", "--model none: no such run, checkpoint or ONNX file"),
        ("test --tta yes", "unrecognized arguments: yes"),
        ("test --max_corrupt lots", "--max_corrupt lots: must be a number"),
        ("test", "models: there is no run to test yet: 'python train.py' makes one"),
        ("export", "the following arguments are required: RUN"),
        ("export none", "none: no such checkpoint"),
        ("data", "data: must be followed by info, check, crop, audit, download"),
        ("data facts", "unknown command 'data facts'; the commands are info, check, crop, audit"),
        ("data inof", "unknown command 'data inof'. Did you mean 'info'?"),
        ("data info --data none", "--data none: no such file or folder"),
        ("data info --size big", "--size big: must be a whole number"),
        ("data check --lables x", "--lables: no such option; did you mean --labels?"),
        ("data download now", "unrecognized arguments: now"),
    ],
)
def test_bad_usage_is_reported_in_one_line(
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
def test_a_bad_config_file_is_reported_in_one_line(
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
        ("train", ["--help_trainer", "--epochs", "--patience", "--extra_labels", "--teacher"]),
        ("predict", ["--min_face_size", "--min_confidence", "--min_score", "--detection_size"]),
        ("predict", ["--frame_stride", "--smoothing", "--shard", "--out", "--annotate"]),
        ("explain", ["--min_face_size", "--min_confidence", "--detection_size", "--method"]),
        ("serve", ["--max_batch", "--max_inflight_bytes", "--shutdown_delay", "--min_score"]),
        ("report", ["--audit", "--groups", "--out"]),
        ("data audit", ["--folds", "--reasons", "--epochs", "--help_trainer"]),
        ("test", ["--model", "--data", "--labels", "--split", "--tta", "--out"]),
        ("export", ["model", "--out", "--data"]),
        ("data info", ["--data", "--labels", "--out"]),
        ("data check", ["--data", "--labels", "--out", "--classes", "--rename", "--crop"]),
        ("data crop", ["--data", "--size", "--channels", "--out"]),
        ("data download", ["--help"]),
    ],
)
def test_help_of_a_command_lists_its_options(
    words: str, options: list[str], capsys: Capture
) -> None:
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


@pytest.mark.parametrize(
    ("words", "command", "extra"),
    [
        ("train", "train", "train"),
        ("test", "test", "train"),
        ("report", "report", "train"),
        ("export x", "export", "train"),
        ("data audit demo", "data audit", "train,audit"),
    ],
)
def test_a_missing_extra_is_named(
    words: str,
    command: str,
    extra: str,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("torch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    assert refused(*words.split()) == (
        f"'{command}' needs torch, which is not installed; run this in the checkout: "
        f"pip install '.[{extra}]'"
    )


@pytest.mark.parametrize(
    ("words", "renamed"),
    [
        ("--lr 0.1", "--lr is called --learning_rate here"),
        ("--num-epochs=3", "--num-epochs is called --epochs here"),
        ("--batch 8", "--batch is called --batch_size here"),
        ("--source faces", "--source is called --data here"),
        ("--imgsz 48", "--imgsz is called --size here"),
        ("--also ferplus", "--also is now called --extra_labels"),
        ("--devices 2", "--devices is called --trainer.devices here"),
        ("--precision 32-true", "--precision is called --trainer.precision here"),
        ("--device cuda:1", "--device cuda:1 is --trainer.accelerator gpu --trainer.devices [1]"),
    ],
)
def test_names_of_other_tools_and_of_before_are_taken(
    words: str, renamed: str, capsys: Capture
) -> None:
    # refused for its last option, so that nothing is trained
    assert main(["train", *words.split(), "--epochs", "0"]) == 2
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"emotion: {renamed}")
    assert last.startswith("emotion: --epochs 0: must be between")


@pytest.mark.parametrize("option", ["--help_trainer", "--help-trainer"])
def test_help_trainer_lists_lightnings_options_without_markup(option: str, capsys: Capture) -> None:
    assert main(["train", option]) == 0
    out = capsys.readouterr().out
    assert all(f"  --trainer.{name} " in out for name in ("accelerator", "devices", "max_steps"))
    assert "--trainer.max_epochs" not in out  # users cannot set it
    assert "GPU nodes for distributed training" in out
    assert not any(mark in out for mark in ("``", ":class:", ":paramref:", "Default:"))
    assert max(map(len, out.splitlines())) <= 100


def test_every_field_that_the_trainer_has_is_in_its_help(capsys: Capture) -> None:
    from jsonargparse import ArgumentParser

    from emotion_detection.commands.trainer_options import add_trainer_options, trainer_fields

    parser = ArgumentParser()
    add_trainer_options(parser)
    defaults = parser.get_defaults().as_dict()["trainer"]
    assert {name: field.default for name, field in trainer_fields().items()} == defaults
    assert all(field.text for field in trainer_fields().values())


IMPORTED = """
import sys
from emotion_detection.cli import main
for words in sys.argv[1:]:
    try:
        code = main(words.split())
    except SystemExit as stop:
        code = stop.code
    assert code == 0, words
heavy = {"torch", "pytorch_lightning", "lightning", "lightning_fabric", "torchmetrics", "timm",
         "kornia", "onnxruntime", "onnx", "matplotlib", "pyarrow", "fastapi", "uvicorn", "numpy",
         "PIL", "av", "ray", "cleanlab", "kagglehub"}
print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def test_help_of_every_command_imports_nothing_heavy() -> None:
    commands = ["predict", "explain", "train", "test", "report", "export", "serve", "data"]
    commands += [f"data {what}" for what in ("info", "check", "crop", "audit", "download")]
    words = [f"{command} --help" for command in commands] + ["train --help_trainer", "--help"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.split()) == (0, [])
    assert [c for c in commands if c != "data" and f"usage: emotion {c}" not in done.stdout] == []


@pytest.mark.parametrize("words", [["help", "train"], ["train", "-h"]])
def test_help_is_a_command_too(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(words)
    assert capsys.readouterr().out.startswith("usage: emotion train")


def test_the_name_of_an_image_alone_is_predicted(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    seen = []
    monkeypatch.setattr("emotion_detection.commands.predict.run", lambda w: seen.append(w) or 0)
    Path("holiday").mkdir()
    for words in (["a.jpg", "--json"], ["holiday"], ["0"], ["rtsp://x/y"], ["--source", "a.jpg"]):
        assert main(words) == 0
        assert seen.pop() == words
    assert capsys.readouterr().err == ""


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
