"""``emotion train``: presets, config files and options -> a training."""

import sys
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from emotion_detection.commands.parsing import new_parser, parse, plain
from emotion_detection.commands.trainer_options import add_trainer_options
from emotion_detection.config import TrainConfig, as_dict, preset_path, presets
from emotion_detection.errors import InputError
from emotion_detection.plain_values import read_yaml
from emotion_detection.training import Run, resumed_config, train


def run(words: list[str]) -> int:
    """Train as the words say; print the run's folder last."""
    if any(word.partition("=")[0] == "--trainer.max_epochs" for word in words):
        raise InputError("--trainer.max_epochs: the number of epochs is --epochs")
    parser = _parser()
    resume = _option(words, "--resume")
    if resume is not None:
        path = _existing(Path(resume) / "config.yaml", "--resume")
        read_yaml(path, "--resume")  # before the parser, which is told to follow it, sees it
        first = [f"--config={path}"]
    else:
        first = [f"--config={preset_path(_preset(words))}"]
    parsed = parse(parser, [*first, *words])
    config = _config(parsed, parser)
    if resume is not None:
        before = as_dict(resumed_config(resume))
        after = as_dict(config)
        config = resumed_config(resume, {k: v for k, v in after.items() if v != before[k]})
    done = train(config, resume=resume)
    if done.metrics:
        _say_end(done)
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser("train", "Train a network; validate it every epoch; export the best.")
    parser.add_argument("--config", action="config", help="YAML file of these options")
    parser.add_argument("--resume", type=str, help="run folder to go on with, to the same end")
    parser.add_class_arguments(TrainConfig, skip={"trainer", "preset", "teacher"})
    parser.add_argument(
        "--teacher",
        type=str,
        nargs="+",
        default=[],
        help="runs whose scores are learnt too; several are averaged",
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


def _option(words: list[str], name: str) -> str | None:
    """Find an option that must be known before the others are parsed."""
    found = None
    for place, word in enumerate(words):
        if word == name and place + 1 < len(words):
            found = words[place + 1]
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def _preset(words: list[str]) -> str:
    """Return the preset that options, else the config file, name."""
    if (named := _option(words, "--preset")) is not None:
        return named
    if (file := _option(words, "--config")) is not None:
        values = read_yaml(_existing(Path(file), "--config"), "--config")
        return str(values.get("preset", TrainConfig.preset))
    return TrainConfig.preset


def _existing(path: Path, option: str) -> Path:
    if not path.is_file():
        raise InputError(f"{option}: {path}: no such file")
    return path


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
