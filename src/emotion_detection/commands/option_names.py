"""Translate option names of earlier versions and of other tools.

Exact equivalents are accepted, with a line on standard error. For similar options, the error
suggests the right name (:mod:`.option_suggestions`).
"""

import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence

from emotion_detection.config import OLD_FIELDS
from emotion_detection.errors import InputError

OLD_NAMES = {
    **OLD_FIELDS,
    "drain": "shutdown_delay",
    "every": "frame_stride",
    "grace": "shutdown_timeout",
    "least_score": "min_score",
    "max_held": "max_inflight_bytes",
    "part": "shard",
    "smallest": "min_face_size",
    "smooth": "smoothing",
    "threshold": "min_confidence",
    "together": "max_batch",
    "working_size": "detection_size",
}
"""Names of the previous version, which are accepted for one more."""

SAME = {
    "batch": ("batch_size",),
    "batchsize": ("batch_size",),
    "bs": ("batch_size",),
    "checkpoint": ("model",),
    "ckpt": ("model",),
    "conf": ("min_confidence",),
    "conf_thres": ("min_confidence",),
    "confidence": ("min_confidence",),
    "confidence_threshold": ("min_confidence",),
    "data_dir": ("data",),
    "dataset": ("data",),
    "epoch": ("epochs",),
    "image_size": ("detection_size", "size"),
    "img_size": ("detection_size", "size"),
    "imgsz": ("detection_size", "size"),
    "lr": ("learning_rate",),
    "lr0": ("learning_rate",),
    "max_epochs": ("epochs",),
    "model_path": ("model",),
    "n_epochs": ("epochs",),
    "num_epochs": ("epochs",),
    "optim": ("optimizer",),
    "random_seed": ("seed",),
    "run_name": ("name",),
    "vid_stride": ("frame_stride",),
    "wd": ("weight_decay",),
    "weights": ("model",),
}
"""Names in other tools -> equivalent options; the first that the command has is used."""

INPUTS = ("source", "input", "inputs", "image", "images", "img_path", "file", "path")
"""Names in other tools for arguments without an option, or for ``--data``."""


def understand(
    words: Sequence[str], options: Collection[str], takes_inputs: bool = False
) -> list[str]:
    """Return a command's words with the option names of this version.

    ``--min-score`` becomes ``--min_score``. Names of the previous version and of other tools are
    translated (:data:`OLD_NAMES`, :data:`SAME`). ``--device`` becomes fields of Lightning's Trainer
    if the command has these. Each replaced name is printed once, on standard error.

    Args:
        words: the words that follow the command.
        options: the command's options, with their dashes.
        takes_inputs: whether the command takes files without an option.

    Raises:
        InputError: the value of ``--device`` is not a device.
    """
    understood: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*understood, word, *rest]
        understood += _understood(word, rest, options, takes_inputs)
    return understood


def _understood(
    word: str, rest: Iterator[str], options: Collection[str], takes_inputs: bool
) -> list[str]:
    """Translate one word; the value of ``--device`` and the like is removed from the rest."""
    name, equals, value = word.partition("=")
    if equals and takes_inputs and _is_setting(name) and not os.path.exists(word):
        return _understood(f"--{word}", rest, options, takes_inputs)
    if not name.startswith("--") or name in options:
        return [word]
    plain = name.removeprefix("--").replace("-", "_")
    if f"--{plain}" in options:
        return [f"--{plain}{equals}{value}"]
    plain = plain.lower()
    if (new := f"--{OLD_NAMES.get(plain)}") in options:
        note(f"{name} is now called {new}")
        return [f"{new}{equals}{value}"]
    for same in SAME.get(plain, ()):
        if f"--{same}" in options:
            note(f"{name} is called --{same} here")
            return [f"--{same}{equals}{value}"]
    if plain in INPUTS and takes_inputs:
        note(f"{name} is not needed here: name the files alone")
        return [value] if equals else []
    if plain in INPUTS and "--data" in options:
        note(f"{name} is called --data here")
        return [f"--data{equals}{value}"]
    if plain == "device" and "--trainer.accelerator" in options:
        return _device(name, value if equals else next(rest, ""))
    if (field := f"--trainer.{plain}") in options:
        note(f"{name} is called {field} here")
        return [f"{field}{equals}{value}"]
    return [word]


def _is_setting(name: str) -> bool:
    """Return True for the KEY of another tool's ``KEY=VALUE``."""
    return name in SAME or name in INPUTS or name == "device"


def _device(name: str, value: str) -> list[str]:
    """Return the Trainer's fields for a device name of PyTorch or Ultralytics."""
    numbers = re.fullmatch(r"(?:(?:cuda|gpu):)?(\d+(?:,\d+)*)", value)
    if numbers:
        words = ["--trainer.accelerator=gpu", f"--trainer.devices=[{numbers[1]}]"]
    elif value in ("auto", "cpu", "cuda", "gpu", "mps"):
        words = [f"--trainer.accelerator={'gpu' if value == 'cuda' else value}"]
    else:
        known = "auto, cpu, cuda, mps, or a GPU's number as 0"
        meant = "did you mean mps? It " if value.lower() in ("coreml", "metal") else ""
        raise InputError(f"{name} {value}: {meant}must be {known}")
    note(f"{name} {value} is {' '.join(words).replace('=', ' ')} here")
    return words


def note(text: str) -> None:
    """Print a line on standard error that gives the present name of an option."""
    if os.environ.get("LOCAL_RANK", "0") == "0":  # with several processes, only the first prints
        print(f"emotion: {text}", file=sys.stderr)
