"""``emotion train``: train a model by a preset, config files and options."""

import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from emotion_detection.commands.config_files import (
    preset_name,
    prints_config,
    rename_config,
    rename_configs,
)
from emotion_detection.commands.field_parser import add_config, new_field_parser, plain
from emotion_detection.commands.parsing import (
    add_field_groups,
    join_data_words,
    option_value,
    parse,
    read_words,
)
from emotion_detection.commands.trainer_options import (
    HELP,
    add_trainer_options,
    asks_for_trainer_help,
    print_trainer_help,
    split_trainer_words,
    trainer_names,
)
from emotion_detection.config import LOGGERS, TrainConfig, config_to_dict, find_preset, list_presets
from emotion_detection.errors import require_package

if TYPE_CHECKING:
    from emotion_detection.training import Run

GROUPS = {
    "data": (
        *("data", "labels", "votes", "size", "channels", "classes", "rename", "crop", "exclude"),
        *("split_seed", "validation_fraction", "test_fraction", "person", "folds", "fold"),
        *("max_corrupt", "cache", "cache_limit"),
    ),
    "network": (
        *("network", "pretrained", "init", "frozen", "dropout", "intensity_weight"),
        *("extra_labels", "extra_labels_weight", "teacher_weight"),
    ),
    "augmentation": (
        *("flip", "rotate", "shift", "scale", "brightness", "contrast", "erase", "mixup"),
        "corrupt",
    ),
    "output": ("name", "models", "logs"),
}
"""Headings of the help and their fields; the other fields are below 'training'."""

_APART = {"trainer", "preset", "teacher", "logger"}
"""Fields whose options are added separately."""


def run(words: list[str]) -> int:
    """Run ``emotion train``; print the run's folder last."""
    if asks_for_trainer_help(words):
        return print_trainer_help("train")
    parser = new_train_parser()
    parser.add_argument("--trainer", type=dict, default={}, help=SUPPRESS)  # of config files
    words = join_data_words(read_words(parser, words, trainer_names()))
    preset = preset_name(words, TrainConfig.preset)
    words = rename_configs(words)
    own, _ = split_trainer_words(words, parser.prog)
    resume = option_value(words, "--resume")
    first = f"--config={find_preset(preset)}"
    # before Lightning is imported, which takes seconds: help and errors in the options
    if resume is not None:
        parse(parser, own)
    elif not prints_config(words):  # that is printed with the Trainer's fields
        _config(parse(parser, [first, *own]), {})
    require_package("'train'", "train", "torch", "pytorch_lightning")
    return _train(words, first, resume)


def _train(words: Sequence[str], first: str, resume: str | None) -> int:
    """Train, with Lightning imported.

    Args:
        words: the words of the command.
        first: the preset, as an option.
        resume: the run to resume, if any.
    """
    from emotion_detection.training import read_resumed_config, train
    from emotion_detection.training.run_folder import run_folder

    parser = new_train_parser()
    add_trainer_options(parser)
    usual = parser.get_defaults().as_dict()["trainer"]
    if resume is None:
        config = _config(parse(parser, [first, *words]), usual)
    else:
        # before the parser, which is told to follow the file, sees it
        first = f"--config={rename_config(run_folder(resume) / 'config.yaml', '--resume')}"
        before = config_to_dict(_config(parse(parser, [first]), usual))
        after = config_to_dict(_config(parse(parser, [first, *words]), usual))
        config = read_resumed_config(resume, {k: v for k, v in after.items() if v != before[k]})
    if config.folds is not None and config.fold is None:
        return _cross_validate(config)
    done = train(config, resume=resume)
    if done.metrics:
        _say_end(done)
    return 0


def _cross_validate(config: TrainConfig) -> int:
    from emotion_detection.evaluation.cross_validation import MEASURES, RESULT, cross_validate

    done = cross_validate(config)
    mean, std = done.record["mean"], done.record["std"]
    for name in MEASURES:
        print(f"{name.replace('_', ' ')}: {mean[name]:.4f} (standard deviation {std[name]:.4f})")
    print(f"  {done.folder / RESULT}")
    print(
        f"accuracy over {len(done.record['folds'])} folds: {mean['accuracy']:.4f} "
        f"± {std['accuracy']:.4f} (mean ± standard deviation, n={done.record['n']})"
    )
    print(f"run: {done.folder}", flush=True)
    return 0


def new_train_parser() -> ArgumentParser:
    """Create the parser of ``emotion train``, without the fields of Lightning's Trainer."""
    parser = new_field_parser(
        "train",
        "Train a network, validate it after every epoch, and export the best checkpoint.",
        "[--preset NAME] [--data PATH] [OPTIONS]",
    )
    parser.add_argument(
        "--preset",
        type=str,
        metavar="NAME",
        default=TrainConfig.preset,
        help=f"recipe that the other options start from: {', '.join(list_presets())}",
    )
    add_config(parser)
    parser.add_argument("--resume", type=str, help="run folder to resume, to the same result")
    parser.add_argument(
        HELP,
        action="store_true",
        help="list the options of Lightning's Trainer, --trainer.FIELD: device, precision, "
        "number of processes and more",
    )
    groups = add_field_groups(parser, TrainConfig, GROUPS, "training", _APART)
    groups["output"].add_argument(
        "--logger",
        type=str,
        nargs="+",
        default=["tensorboard"],
        help=f"loggers beside metrics.csv, several allowed: {', '.join(LOGGERS)}",
    )
    groups["network"].add_argument(
        "--teacher",
        type=str,
        nargs="+",
        default=[],
        help="runs (folders or checkpoints) to distil from; the scores of several are averaged",
    )
    return parser


def _config(parsed: Namespace, usual: dict[str, Any]) -> TrainConfig:
    """Return the config, with the Trainer's fields that differ from the defaults."""
    values: dict[str, Any] = parsed.as_dict()
    trainer = {k: v for k, v in plain(values.pop("trainer")).items() if v != usual.get(k)}
    for name in ("config", "resume", HELP.removeprefix("--")):
        values.pop(name, None)
    return TrainConfig(**values, trainer=trainer)


def _say_end(done: "Run") -> None:
    low, high = done.metrics["accuracy_ci95"]
    training = done.metrics["training"]
    print(
        f"validation balanced accuracy: {done.metrics['balanced_accuracy']:.4f}, "
        f"macro F1: {done.metrics['macro_f1']:.4f}"
    )
    print(
        f"validation accuracy: {done.metrics['accuracy']:.4f} "
        f"(95% CI {low:.4f}-{high:.4f}, n={done.metrics['n']}; epoch {training['best_epoch']} of "
        f"{training['epochs']})"
    )
    for name, what in (
        ("best.ckpt", "best checkpoint"),
        ("model.onnx", "for use without torch"),
        ("metrics.json", "metrics on validation"),
    ):
        print(f"  {done.folder / name}  ({what})")
    print(f"  {done.logs / 'curves.png'}  (loss and accuracy)")
    sys.stdout.flush()
    print(f"run: {done.folder}", flush=True)
