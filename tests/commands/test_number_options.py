"""Options of the commands that plain argparse parses: the same words, and no jsonargparse."""

import subprocess
import sys

import pytest

from emotion_detection.commands.parsing import new_parser, parse, parse_texts
from emotion_detection.errors import InputError


def _parser(kind: object) -> object:
    parser = new_parser("some", "Do something.")
    parser.add_argument("--value", type=kind, default=None)
    return parser


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (int, "12", 12),
        (int, "-3", -3),
        (int, "007", 7),
        (int, "0x10", 16),
        (float, ".5", 0.5),
        (float, "5e-1", 0.5),
        (parse_texts, '["a b", "c"]', ["a b", "c"]),
        (parse_texts, "[happy, sad]", ["happy", "sad"]),
        (str, "null", "null"),
    ],
)
def test_values_are_converted(kind: object, word: str, value: object) -> None:
    found = parse(_parser(kind), [f"--value={word}"]).value
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("given", ["--value={}", "--value {}"])
@pytest.mark.parametrize(
    ("kind", "word", "allowed"),
    [
        (int, "five", "a whole number"),
        (int, "2.0", "a whole number"),
        (int, "1e1", "a whole number"),
        (float, "five", "a number"),
        (float, "nan", "a number"),
        (float, "inf", "a number"),
        (float, "1e400", "a number"),
        (parse_texts, "happy", "a list of texts"),
        (parse_texts, "[1]", "a list of texts"),
        (parse_texts, "[", "a list of texts"),
    ],
)
def test_another_value_is_one_line(kind: object, word: str, allowed: str, given: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(_parser(kind), given.format(word).split(" "))
    assert str(refusal.value) == f"--value {word}: must be {allowed}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--value", ""], "--value '': must be a whole number"),
        (["--value"], "argument --value: expected one argument"),
        (["--valeu", "3"], "--valeu: no such option; did you mean --value?"),
        (["stray"], "unrecognized arguments: stray"),
    ],
)
def test_other_errors_are_one_line_too(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(_parser(int), words)
    assert str(refusal.value).startswith(message)


def test_commands_without_fields_do_not_import_jsonargparse() -> None:
    code = (
        "import sys\n"
        "from emotion_detection.commands import explain, export, predict, report, serve, test\n"
        "for command in (explain, export, predict, report, serve, test):\n"
        "    assert command._parser().format_help()\n"
        "assert 'jsonargparse' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
