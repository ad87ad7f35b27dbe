"""``emotion data audit``: options -> an audit."""

import dataclasses
from typing import Any

from jsonargparse import ArgumentParser

from emotion_detection.commands.parsing import (
    join_data_words,
    new_parser,
    parse,
    plain,
    preset_name,
)
from emotion_detection.commands.trainer_options import add_trainer_options
from emotion_detection.config import TrainConfig, config_of, preset_path, presets
from emotion_detection.errors import InputError
from emotion_detection.evaluation.audit import AuditOptions, audit
from emotion_detection.evaluation.audit.options import REASONS, SPLITS

PRESET = "quick"
"""The recipe of the folds when none is named: each is trained in a minute or two."""

_THE_AUDITS = {"trainer", "preset", "also", "also_weight", "teacher", "teacher_weight", "exclude"}
_THE_AUDITS |= {"name", "models", "logs", "data", "folds", "fold"}
"""Fields of a training that an audit sets itself, has no use for, or asks for."""

_LISTS = {
    "splits": f"splits that are looked at, some of {', '.join(SPLITS)}",
    "reasons": f"why faces are listed, some of {', '.join(REASONS)}",
}


def run(words: list[str]) -> int:
    """Audit as the words say.

    Raises:
        InputError: bad options, or no data is named: hours of training are no default.
    """
    words = join_data_words(words)
    parser = _parser()
    parsed = parse(parser, [f"--config={preset_path(preset_name(words, PRESET))}", *words])
    values: dict[str, Any] = parsed.as_dict()
    usual = parser.get_defaults().as_dict()["trainer"]
    trainer = {k: v for k, v in plain(values.pop("trainer")).items() if v != usual.get(k)}
    values.pop("config")
    if values["data"] in (None, "auto"):
        raise InputError(
            "data audit: name the faces: 'emotion data audit PATH', or 'fer2013' or 'demo' for PATH"
        )
    own = {f.name: values.pop(f.name) for f in dataclasses.fields(AuditOptions)}
    options = AuditOptions(**own | {name: tuple(own[name]) for name in _LISTS})
    audit(config_of(values | {"trainer": {"devices": 1, **trainer}}), options)
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser(
        "data audit",
        "Train on parts of the data, predict the rest, and list the faces that look wrong.",
    )
    parser.add_argument("--config", action="config", help="YAML file of these options")
    parser.add_argument(
        "--preset",
        type=str,
        default=PRESET,
        help=f"recipe of the trainings: {', '.join(presets())}",
    )
    parser.add_argument(
        "--data", type=str, help="the faces: a path, 'fer2013' or 'demo'; may be the first word"
    )
    parser.add_class_arguments(AuditOptions, skip=set(_LISTS))
    for name, what in _LISTS.items():
        default = list(getattr(AuditOptions, name))
        parser.add_argument(f"--{name}", type=str, nargs="+", default=default, help=what)
    parser.add_class_arguments(TrainConfig, skip=_THE_AUDITS)
    add_trainer_options(parser)
    return parser
