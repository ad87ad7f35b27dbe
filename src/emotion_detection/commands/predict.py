"""``emotion predict``: predict the expressions of faces in images, folders and videos."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from emotion_detection.commands.parsing import check_choice, new_parser, parse, read_words
from emotion_detection.commands.shared_options import (
    DEVICE_HELP,
    MODEL_HELP,
    PRIOR_HELP,
    VIEWS_HELP,
    add_detection_options,
    add_score_options,
)
from emotion_detection.defaults import (
    DEFAULT_MAX_PIXELS,
    MIN_TRACK_TIME,
    SMOOTHING,
    START_CONFIDENCE,
)
from emotion_detection.errors import InputError

_ENGINES = ("local", "ray")


def run(words: list[str]) -> int:
    """Run ``emotion predict``; return 0, or 3 if some files could not be read."""
    parser = _parser()
    options = parse(parser, _inputs_last(parser, read_words(parser, words)))
    _check(options)
    from emotion_detection.commands.predict_run import predict

    return predict(options)


def _parser() -> ArgumentParser:
    parser = new_parser(
        "predict", "Predict the expressions of faces in images and videos.", "[OPTIONS] INPUT ..."
    )
    parser.add_argument(
        "inputs",
        type=str,
        nargs="*",
        metavar="INPUT",
        help="images, folders of them (at any depth), videos, cameras (0), streams (rtsp://...)",
    )
    _add_model(parser.add_argument_group("model"))
    _add_output(parser.add_argument_group("output"))
    detection = parser.add_argument_group("detection")
    add_detection_options(detection)
    add_score_options(detection)
    _add(detection, "max_pixels", "N", "reject larger images", int, DEFAULT_MAX_PIXELS)
    _add_video(parser.add_argument_group("videos"))
    _add_engine(parser.add_argument_group("many files"))
    return parser


def _add(
    group: Any, option: str, metavar: str, text: str, kind: type = str, default: Any = None
) -> None:
    group.add_argument(f"--{option}", type=kind, metavar=metavar, default=default, help=text)


def _add_model(group: Any) -> None:
    _add(group, "model", "RUN", MODEL_HELP)
    _add(group, "labels", "NAME", "label set, as ferplus or fer2013; default: the model's first")
    _add(group, "views", "N", VIEWS_HELP, int)
    _add(group, "prior", "PRIOR", PRIOR_HELP, str, "natural")
    _add(group, "device", "DEVICE", DEVICE_HELP, str, "auto")
    text = "the images are face crops: detect nothing"
    group.add_argument("--crops", action="store_true", help=text)


def _add_output(group: Any) -> None:
    _add(group, "out", "FILE", "table to write: FILE.csv, FILE.jsonl or FILE.parquet")
    _add(group, "annotate", "DIR", "folder for the annotated images and videos")
    group.add_argument("--json", action="store_true", help="print JSON lines on a terminal, too")


def _add_video(group: Any) -> None:
    text = "also process the videos in folders"
    group.add_argument("--videos", action="store_true", help=text)
    _add(group, "frame_stride", "N", "use every Nth frame", int, 1)
    _add(group, "every_seconds", "SECONDS", "use one frame per interval of this length", float)
    _add(group, "smoothing", "SECONDS", "time constant of score smoothing", float, SMOOTHING)
    text = "drop persons who are visible for a shorter time"
    _add(group, "min_track_time", "SECONDS", text, float, MIN_TRACK_TIME)
    text = "confidence of a detection that starts a track immediately"
    _add(group, "track_confidence", "X", text, float, START_CONFIDENCE)
    _add(group, "persons", "FILE", "table of persons to write: .csv, .jsonl or .parquet")


def _add_engine(group: Any) -> None:
    _add(group, "engine", "ENGINE", "local or ray", str, "local")
    _add(group, "address", "HOST:PORT", "address of the Ray cluster; default: this machine's")
    _add(group, "workers", "N", "processes of the local engine; default: one per core", int)
    _add(group, "shard", "I/N", "process only shard I of N, and write no table yet")


def _inputs_last(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """Return the words with all inputs at the end, so that they may stand between options."""
    alone = {o for a in parser._actions if a.nargs == 0 for o in a.option_strings}
    options, inputs, left = list[str](), list[str](), list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            inputs += left
            break
        if not word.startswith("-") or word == "-":
            inputs.append(word)
            continue
        options.append(word)
        if word not in alone and "=" not in word and left:
            options.append(left.pop(0))
    return [*options, "--", *inputs]


def _check(options: Namespace) -> None:
    """Check the options that need no file.

    Raises:
        InputError: a value is not allowed.
    """
    if not options.inputs:
        raise InputError("predict: nothing to read: name images, folders or videos")
    check_choice("engine", options.engine, _ENGINES)
    if options.address is not None and options.engine != "ray":
        raise InputError("--address: is the address of a Ray cluster; add --engine ray")
    least_values = (("workers", 1), ("frame_stride", 1), ("smoothing", 0), ("min_track_time", 0))
    for name, least in least_values:
        value = getattr(options, name)
        if value is not None and not value >= least:
            raise InputError(f"--{name} {value}: must be {least} or more")
    if options.every_seconds is not None and not options.every_seconds > 0:
        raise InputError(f"--every_seconds {options.every_seconds}: must be more than 0")
    if not 0 <= options.track_confidence <= 1:
        raise InputError(f"--track_confidence {options.track_confidence}: must be from 0 to 1")
