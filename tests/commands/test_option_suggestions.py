"""An option of another tool is answered by what it means, not by how it is spelt."""

import pytest
from jsonargparse import ArgumentParser

from emotion_detection.commands.config_files import preset_name
from emotion_detection.commands.field_parser import new_field_parser
from emotion_detection.commands.option_names import OLD_NAMES, SAME, understand
from emotion_detection.commands.option_suggestions import suggest
from emotion_detection.commands.parsing import parse
from emotion_detection.errors import InputError

TRAIN = (
    *("--config", "--data", "--logs", "--models", "--model_name_is_none", "--learning_rate"),
    *("--batch_size", "--trainer", "--trainer.devices", "--trainer.accelerator", "--patience"),
    *("--init", "--resume", "--network", "--name", "--epochs", "--trainer.precision"),
    *("--extra_labels", "--extra_labels_weight", "--size", "--trainer.enable_progress_bar"),
    *("--class_balance", "--weight_decay", "--optimizer", "--dropout", "--rotate"),
    "--help_trainer",
)
PREDICT = (
    *("--model", "--min_score", "--min_confidence", "--min_face_size", "--out", "--annotate"),
    *("--detection_size", "--frame_stride", "--labels", "--views"),
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("--weights", "--init or --resume"),
        ("--checkpoint", "--init or --resume"),
        ("--model", "--network for the architecture or --init for weights"),
        ("--early_stopping", "--patience"),
        ("--early-stopping", "--patience"),
        ("--trainer.gpus", "--trainer.devices with --trainer.accelerator gpu"),
        ("--gpus", "--trainer.devices with --trainer.accelerator gpu"),
        ("--fp16", "--trainer.precision 16-mixed"),
        ("--grad_clip", "--trainer.gradient_clip_val"),
        ("--out", "--models"),
        ("--epohcs", "--epochs"),
        ("--lerning_rate", "--learning_rate"),
        ("--trainer.devises", "--trainer.devices"),
        ("--trainer.enable_progress", "--trainer.enable_progress_bar"),
        ("--balance", "--class_balance"),
        ("--opt", "--optimizer"),
    ],
)
def test_in_training(name: str, meant: str) -> None:
    assert suggest(name, TRAIN, "emotion train") == f"; did you mean {meant}?"


@pytest.mark.parametrize("name", ["--xy", "--trainer.sxyzz", "--zzz", "--log_interval", "--topk"])
def test_what_is_like_nothing_is_not_guessed(name: str) -> None:
    assert suggest(name, TRAIN, "emotion train") == "; 'emotion train --help' lists the options"


def test_what_cannot_be_chosen_is_reported() -> None:
    assert suggest("--num_workers", TRAIN, "emotion train").startswith(": batches are read")
    assert suggest("--verbose", PREDICT, "emotion predict") == ": nothing more can be printed"
    assert "GPU is used" in suggest("--device", ("--model",), "emotion report")


def test_the_same_name_means_another_option_in_another_command() -> None:
    said = suggest("--min", PREDICT, "emotion predict")
    assert said == "; did you mean --min_score or --min_confidence or --min_face_size?"
    assert suggest("--save_dir", PREDICT, "emotion predict") == (
        "; did you mean --out or --annotate?"
    )
    assert suggest("--save_dir", TRAIN, "emotion train") == "; did you mean --models?"


@pytest.mark.parametrize(
    ("words", "understood", "notes"),
    [
        ("--conf 0.5", "--min_confidence 0.5", 1),
        ("--min-confidence=0.5", "--min_confidence=0.5", 0),
        ("--threshold=0.5 --least-score 0.6", "--min_confidence=0.5 --min_score 0.6", 2),
        ("--imgsz 960 --weights models/a", "--detection_size 960 --model models/a", 2),
        ("--source a.jpg b.jpg --out c.csv", "a.jpg b.jpg --out c.csv", 1),
        ("--source=a.jpg", "a.jpg", 1),
        ("--every 3", "--frame_stride 3", 1),
        ("--out -- --conf", "--out -- --conf", 0),
        ("--device cpu", "--device cpu", 0),
        ("--nothing", "--nothing", 0),
    ],
)
def test_names_of_other_tools_and_of_before(
    words: str, understood: str, notes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert understand(words.split(), PREDICT, takes_inputs=True) == understood.split()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == notes
    assert all(line.startswith("emotion: --") for line in said)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("cpu", "--trainer.accelerator=cpu"),
        ("cuda", "--trainer.accelerator=gpu"),
        ("0", "--trainer.accelerator=gpu --trainer.devices=[0]"),
        ("cuda:1", "--trainer.accelerator=gpu --trainer.devices=[1]"),
        ("0,1", "--trainer.accelerator=gpu --trainer.devices=[0,1]"),
        ("mps", "--trainer.accelerator=mps"),
    ],
)
@pytest.mark.parametrize("equals", [True, False])
def test_a_device_is_the_trainers_fields(value: str, fields: str, equals: bool) -> None:
    words = [f"--device={value}"] if equals else ["--device", value]
    assert understand([*words, "--seed", "1"], TRAIN) == [*fields.split(), "--seed", "1"]


def test_only_the_first_of_several_processes_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert understand(["--conf", "1"], PREDICT) == ["--min_confidence", "1"]
    assert capsys.readouterr().err == ""


def test_every_name_of_before_leads_to_an_option_that_exists() -> None:
    from emotion_detection.commands import predict, serve, train
    from emotion_detection.commands.parsing import option_names

    parsers = (predict._parser(), serve._parser(), train.new_train_parser())
    options = {option for parser in parsers for option in option_names(parser)}
    assert {f"--{name}" for name in OLD_NAMES.values()} <= options
    assert not {f"--{name}" for name in OLD_NAMES} & options
    assert {f"--{name}" for names in SAME.values() for name in names} <= options


@pytest.fixture
def parser() -> ArgumentParser:
    parser = new_field_parser("train", "Train.")
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
