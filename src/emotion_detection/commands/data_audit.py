"""``emotion data audit``: options -> an audit."""

import dataclasses
from argparse import SUPPRESS
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser

from emotion_detection.audit_options import AUDITED_SPLITS, REASONS, AuditOptions
from emotion_detection.commands.config_files import preset_name, prints_config, rename_configs
from emotion_detection.commands.field_parser import add_config, new_field_parser, plain
from emotion_detection.commands.parsing import (
    add_field_groups,
    add_fields,
    join_data_words,
    parse,
    read_words,
)
from emotion_detection.commands.train import GROUPS
from emotion_detection.commands.trainer_options import (
    HELP,
    add_trainer_options,
    asks_for_trainer_help,
    print_trainer_help,
    split_trainer_words,
    trainer_names,
)
from emotion_detection.config import TrainConfig, config_from_dict, find_preset, list_presets
from emotion_detection.errors import InputError, require_package

PRESET = "quick"
"""Default recipe of the folds, which trains each in a minute or two."""

_THE_AUDITS = {"trainer", "preset", "extra_labels", "extra_labels_weight", "teacher"}
_THE_AUDITS |= {"teacher_weight", "exclude", "name", "models", "logs", "data", "folds", "fold"}
"""Fields of a training that an audit sets itself, does not use, or has as own options."""

_LISTS = {
    "splits": f"audited splits, some of {', '.join(AUDITED_SPLITS)}",
    "reasons": f"reasons to list a face, some of {', '.join(REASONS)}",
}


def run(words: list[str]) -> int:
    """Run ``emotion data audit``.

    Raises:
        InputError: an option is not allowed, or no data is named.
    """
    if asks_for_trainer_help(words):
        return print_trainer_help("data audit")
    parser = _parser()
    parser.add_argument("--trainer", type=dict, default={}, help=SUPPRESS)  # of config files
    words = join_data_words(read_words(parser, words, trainer_names()))
    first = f"--config={find_preset(preset_name(words, PRESET))}"
    words = [first, *rename_configs(words)]
    own, _ = split_trainer_words(words, parser.prog)
    # before Lightning is imported, which takes seconds: help and errors in the options
    if not prints_config(words):  # that is printed with the Trainer's fields
        _read(parser, own, {})
    require_package("'data audit'", "train,audit", "torch", "pytorch_lightning")
    from emotion_detection.evaluation.audit import run_audit

    parser = _parser()
    add_trainer_options(parser)
    run_audit(*_read(parser, words, parser.get_defaults().as_dict()["trainer"]))
    return 0


def _read(
    parser: ArgumentParser, words: Sequence[str], usual: dict[str, Any]
) -> tuple[TrainConfig, AuditOptions]:
    """Return the recipe and the options, without default values of the Trainer's fields."""
    values: dict[str, Any] = parse(parser, words).as_dict()
    trainer = {k: v for k, v in plain(values.pop("trainer")).items() if v != usual.get(k)}
    for name in ("config", HELP.removeprefix("--")):
        values.pop(name, None)
    if values["data"] in (None, "auto"):
        raise InputError(
            "data audit: name the faces: 'emotion data audit PATH', or 'fer2013' or 'demo' for PATH"
        )
    own = {f.name: values.pop(f.name) for f in dataclasses.fields(AuditOptions)}
    options = AuditOptions(**own | {name: tuple(own[name]) for name in _LISTS})
    return config_from_dict(values | {"trainer": {"devices": 1, **trainer}}), options


def _parser() -> ArgumentParser:
    parser = new_field_parser(
        "data audit",
        "Train on parts of the data, predict the rest, and list the faces that look wrong.",
        "PATH [OPTIONS]",
    )
    parser.add_argument(
        "--preset",
        type=str,
        metavar="NAME",
        default=PRESET,
        help=f"recipe of the trainings: {', '.join(list_presets())}",
    )
    add_config(parser)
    parser.add_argument(
        HELP,
        action="store_true",
        help="list the options of Lightning's Trainer, --trainer.FIELD: device, precision and more",
    )
    group = parser.add_argument_group("audit")
    group.add_argument(
        "--data", type=str, help="the faces: a path, 'fer2013' or 'demo'; may be the first word"
    )
    add_fields(group, AuditOptions, skip=_LISTS)
    for name, what in _LISTS.items():
        default = list(getattr(AuditOptions, name))
        group.add_argument(f"--{name}", type=str, nargs="+", default=default, help=what)
    add_field_groups(
        parser,
        TrainConfig,
        {k: v for k, v in GROUPS.items() if k != "output"},
        "training",
        _THE_AUDITS,
    )
    return parser
