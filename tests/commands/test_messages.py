"""Messages: one line of bounded length without control characters, whatever a file is called."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.cli import main
from emotion_detection.errors import LONGEST_MESSAGE, ImageError, InputError, printable
from emotion_detection.io.files import get_path_kind

LONG = "A" * 100_000


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``refused(*words)``: what a command says when it ends with exit code 2."""

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(list(words)) == 2
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize("kind", [InputError, ImageError])
def test_a_message_is_cut(kind: type[InputError]) -> None:
    assert len(str(kind(LONG))) == LONGEST_MESSAGE - 1
    assert str(kind("short")) == "short"


def test_what_lies_under_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert get_path_kind(tmp_path) == "folder"
    assert get_path_kind(tmp_path / "file") == "file"
    assert get_path_kind(tmp_path / "nothing") is None
    assert get_path_kind(tmp_path / "file" / "below") is None
    assert get_path_kind("/dev/null") == "other"
    for name in (LONG, "a\0b"):
        with pytest.raises(InputError):
            get_path_kind(name)


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "in", "--out", f"{LONG}.csv"),
        ("predict", "in", "--annotate", LONG),
        ("predict", LONG),
        ("predict", "in", "--model", LONG),
        ("explain", LONG),
    ],
    ids=["out", "annotate", "input", "model", "explain"],
)
def test_a_name_that_no_file_can_have_is_one_short_line(
    words: tuple[str, ...],
    refused: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    Image.new("L", (64, 64)).save(tmp_path / "in" / "a.png")
    said = refused(*words)
    assert said.startswith("emotion: ")
    assert said.count("\n") == 1
    assert len(said) <= LONGEST_MESSAGE + 20


@pytest.mark.parametrize("model", [LONG, "data:a/b;base64," + LONG, "a\0b"])
def test_a_model_that_cannot_be_is_refused_in_python(model: str) -> None:
    with pytest.raises(InputError):
        EmotionDetector(model)


def test_control_characters_of_names_do_not_reach_the_terminal(
    refused: Callable[..., str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("clear\x1b[2J.jpg", "line\nbreak.jpg", "right\u202eleft.jpg"):
        (tmp_path / name).write_bytes(b"no image")
    assert main(["predict", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert not set(said) & set("\x1b\u202e")
    assert r"clear\x1b[2J.jpg" in said
    assert r"line\nbreak.jpg" in said
    said = refused("explain", str(tmp_path / "line\nbreak.jpg"))
    assert said.count("\n") == 1


def test_an_error_of_the_system_is_one_line(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotion_detection.commands import data

    def fail(words: list[str]) -> int:
        raise PermissionError(13, "Permission denied", "/secret/table.csv")

    monkeypatch.setattr(data, "run", fail)
    assert refused("data", "info", "x") == "emotion: /secret/table.csv: Permission denied\n"


def test_an_escaped_text_is_printable() -> None:
    assert printable("é 表 a\tb\x7f") == r"é 表 a\tb\x7f"


FOLDER = "neither best.ckpt nor model.onnx is in this folder"
MISSING = "no such run, checkpoint or ONNX file"
NO_DATA = "no such file or folder (nor 'auto', 'fer2013', 'demo')"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["report", "nope"], f"nope: {MISSING}"),
        (["report", "./nope/"], f"./nope/: {MISSING}"),
        (["report", "empty"], f"empty: {FOLDER}"),
        (["report", "http://a/b"], "http://a/b: models are read from disk"),
        (["report", ""], f"'': {MISSING}"),
        (["test", "--model", "nope"], f"--model nope: {MISSING}"),
        (["export", "nope"], "nope: no such checkpoint"),
        (["export", "nope", "--web", "page"], "nope: no such run folder or ONNX file"),
        (["export", "empty", "--web", "page"], "empty: there is no model.onnx in this folder"),
        (["export", ""], "RUN is empty"),
        (["export"], "the following arguments are required: RUN"),
        (["explain", "nope.jpg"], "nope.jpg: no such file"),
        (["explain", ""], "IMAGE is empty"),
        (["explain"], "the following arguments are required: IMAGE"),
        (["predict", "nope"], "nope: no such file or folder"),
        (["predict", ""], "'': no such file or folder"),
        (["data", "info", "nope"], f"nope: {NO_DATA}"),
        (["data", "info", "--data", "nope"], f"--data nope: {NO_DATA}"),
        (["data", "info", ""], "PATH is empty"),
        (["data", "info", "--data", ""], "--data is empty"),
        (["data", "check", "nope"], f"nope: {NO_DATA}"),
        (["data", "crop", "nope", "out"], f"nope: {NO_DATA}"),
        (["data", "audit", "nope"], f"nope: {NO_DATA}"),
    ],
    ids=str,
)
def test_an_argument_is_named_as_it_was_written(
    words: list[str],
    expected: str,
    refused: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    said = refused(*words)
    assert said.startswith(f"emotion: {expected}")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
