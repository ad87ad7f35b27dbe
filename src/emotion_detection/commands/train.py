"""``emotion train``: presets, config files and options -> a training."""

import sys
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from emotion_detection.commands.parsing import (
    join_data_words,
    new_parser,
    option_value,
    parse,
    plain,
    preset_name,
)
from emotion_detection.commands.trainer_options import add_trainer_options
from emotion_detection.config import LOGGERS, TrainConfig, as_dict, preset_path, presets
from emotion_detection.errors import InputError
from emotion_detection.plain_values import read_yaml
from emotion_detection.training import Run, resumed_config, train
from emotion_detection.training.fit import NOT_THE_USERS
from emotion_detection.training.folder import run_folder


def run(words: list[str]) -> int:
    """Train as the words say; print the run's folder last."""
    for name in (word.partition("=")[0] for word in words):
        if name == "--trainer.max_epochs":
            raise InputError("--trainer.max_epochs: the number of epochs is --epochs")
        if name == "--trainer.logger":
            raise InputError(f"--trainer.logger: say --logger with {', '.join(LOGGERS)}")
        if name.removeprefix("--trainer.") in NOT_THE_USERS and name.startswith("--trainer."):
            raise InputError(f"{name}: cannot be set; this project sets it itself")
    words = join_data_words(words)
    parser = _parser()
    resume = option_value(words, "--resume")
    preset = preset_name(words, TrainConfig.preset)
    if resume is not None:
        path = run_folder(resume) / "config.yaml"
        read_yaml(path, "--resume")  # before the parser, which is told to follow it, sees it
        first = [f"--config={path}"]
        before = as_dict(_config(parse(parser, first), parser))
        after = as_dict(_config(parse(parser, [*first, *words]), parser))
        config = resumed_config(resume, {k: v for k, v in after.items() if v != before[k]})
    else:
        first = [f"--config={preset_path(preset)}"]
        config = _config(parse(parser, [*first, *words]), parser)
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


def _parser() -> ArgumentParser:
    parser = new_parser("train", "Train a network; validate it every epoch; export the best.")
    parser.add_argument("--config", action="config", help="YAML file of these options")
    parser.add_argument("--resume", type=str, help="run folder to go on with, to the same end")
    parser.add_class_arguments(TrainConfig, skip={"trainer", "preset", "teacher", "logger"})
    parser.add_argument(
        "--teacher",
        type=str,
        nargs="+",
        default=[],
        help="runs whose scores are learnt too; several are averaged",
    )
    parser.add_argument(
        "--logger",
        type=str,
        nargs="+",
        default=["tensorboard"],
        help=f"loggers beside metrics.csv, several allowed: {', '.join(LOGGERS)}",
    )
    parser.add_argument(
        "--preset",
        type=str,
        default=TrainConfig.preset,
        help=f"what the other values start from: {', '.join(presets())}",
    )
    add_trainer_options(parser)
    return parser


def _config(parsed: Namespace, parser: ArgumentParser) -> TrainConfig:
    values: dict[str, Any] = parsed.as_dict()
    defaults = parser.get_defaults().as_dict()["trainer"]
    trainer = {k: v for k, v in plain(values.pop("trainer")).items() if v != defaults.get(k)}
    for name in ("config", "resume"):
        values.pop(name, None)
    return TrainConfig(**values, trainer=trainer)


def _say_end(done: Run) -> None:
    low, high = done.metrics["accuracy_ci95"]
    training = done.metrics["training"]
    print(
        f"validation accuracy: {done.metrics['accuracy']:.4f} "
        f"(95% CI {low:.4f}-{high:.4f}, n={done.metrics['n']}; epoch {training['best_epoch']} of "
        f"{training['epochs']})"
    )
    for name, what in (
        ("best.ckpt", "best checkpoint"),
        ("model.onnx", "for use without torch"),
        ("metrics.json", "figures on validation"),
    ):
        print(f"  {done.folder / name}  ({what})")
    print(f"  {done.logs / 'curves.png'}  (loss and accuracy)")
    sys.stdout.flush()
    print(f"run: {done.folder}", flush=True)
