"""An option of another tool is answered by what it means, not by how it is spelt."""

import pytest
from jsonargparse import ArgumentParser

from emotion_detection.commands.parsing import new_parser, parse, preset_name
from emotion_detection.commands.suggestions import suggest
from emotion_detection.errors import InputError

TRAIN = (
    *("--config", "--data", "--logs", "--models", "--model_name_is_none", "--learning_rate"),
    *("--batch_size", "--trainer", "--trainer.devices", "--trainer.accelerator", "--patience"),
    *("--init", "--resume", "--network", "--name", "--epochs", "--trainer.precision", "--also"),
    *("--also_weight", "--size", "--trainer.enable_progress_bar"),
)
PREDICT = ("--model", "--least_score", "--threshold", "--out")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("--lr", "--learning_rate"),
        ("--batch-size", "--batch_size"),
        ("--batchsize", "--batch_size"),
        ("--device", "--trainer.accelerator or --trainer.devices"),
        ("--weights", "--init"),
        ("--checkpoint", "--init or --resume"),
        ("--model", "--network, or --init for weights"),
        ("--early_stopping", "--patience"),
        ("--early-stopping", "--patience"),
        ("--trainer.gpus", "--trainer.devices with --trainer.accelerator gpu"),
        ("--imgsz", "--size"),
        ("--out", "--models"),
        ("--epohcs", "--epochs"),
        ("--lerning_rate", "--learning_rate"),
        ("--trainer.devises", "--trainer.devices"),
        ("--trainer.enable_progress", "--trainer.enable_progress_bar"),
    ],
)
def test_in_training(name: str, meant: str) -> None:
    assert suggest(name, TRAIN, "emotion train") == f"; did you mean {meant}?"


@pytest.mark.parametrize("name", ["--xy", "--trainer.sxyzz", "--zzz"])
def test_what_is_like_nothing_is_not_guessed(name: str) -> None:
    assert suggest(name, TRAIN, "emotion train") == "; 'emotion train --help' lists them"


def test_what_cannot_be_chosen_is_said() -> None:
    assert suggest("--num_workers", TRAIN, "emotion train").startswith(": batches are read")


def test_the_same_name_means_another_option_in_another_command() -> None:
    said = suggest("--conf", PREDICT, "emotion predict")
    assert said == "; did you mean --threshold or --least_score?"
    assert suggest("--weights", PREDICT, "emotion predict") == "; did you mean --model?"


@pytest.fixture
def parser() -> ArgumentParser:
    parser = new_parser("train", "Train.")
    parser.add_argument("--frozen", type=bool, default=False)
    parser.add_argument("--batch_size", type=int, default=32)
    return parser


@pytest.mark.parametrize(
    ("words", "frozen", "batch_size"),
    [
        ("--frozen", True, 32),
        ("--frozen --batch_size 8", True, 8),
        ("--batch-size=8 --frozen", True, 8),
        ("--frozen false --batch-size 8", False, 8),
        ("--frozen=true", True, 32),
    ],
)
def test_switches_may_stand_alone_and_dashes_for_underscores(
    parser: ArgumentParser, words: str, frozen: bool, batch_size: int
) -> None:
    parsed = parse(parser, words.split())
    assert (parsed.frozen, parsed.batch_size) == (frozen, batch_size)


def test_a_number_needs_its_value_all_the_same(parser: ArgumentParser) -> None:
    with pytest.raises(InputError, match="--batch_size: expected one argument"):
        parse(parser, ["--batch_size", "--frozen"])


def test_the_last_config_file_that_names_a_preset_counts(tmp_path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("preset: compact\n")
    two.write_text("epochs: 3\n")
    words = ["--config", str(one), f"--config={two}"]
    assert preset_name(words, "quick") == "compact"
    assert preset_name([*words, "--preset", "large"], "quick") == "large"
    assert preset_name([f"--config={two}"], "quick") == "quick"
