"""Read and check model folders in the format of the Hugging Face hub.

- ``config.json``: facts on the model; the values are those of :class:`HubConfig`.
- ``model.onnx``: the model, as :class:`emotion_detection.EmotionDetector` runs it.
- ``model.safetensors``: the same weights, to start a training from.
- ``README.md``: the model card.

A folder may come from a stranger. Only plain data is read from it, and all of it is checked:
``config.json`` is parsed as JSON, the values are validated, and the files must match the recorded
sizes and SHA-256. Nothing in the folder is executed.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotion_detection.errors import InputError
from emotion_detection.io.files import LoadedFile
from emotion_detection.io.plain_values import parse_json
from emotion_detection.training_record import is_training_data

CONFIG, ONNX, WEIGHTS, CARD = "config.json", "model.onnx", "model.safetensors", "README.md"
"""Names of the files of a model folder."""

MODEL_TYPE = "emotion-detection"
"""Value of ``model_type`` in ``config.json``, by which a model folder is recognised."""

FORMAT = 1
"""Version of the format of ``config.json``."""

LARGEST_CONFIG, MOST_CLASSES, MOST_LABEL_SETS = 1_000_000, 10_000, 100

_POINTER = b"version https://git-lfs.github.com/spec/"
_SHA256 = re.compile("[0-9a-f]{64}")
_HINT = "copy or download the folder again"


@dataclass(frozen=True)
class HubConfig:
    """The contents of ``config.json``, validated.

    Args:
        network: name of the network.
        label_sets: class names of each label set, in the order of the scores; the model's own
            label set first.
        size: height and width of a face in pixels.
        channels: 1 for grey, 3 for RGB.
        dropout: dropout probability of the network.
        has_intensity: whether the model predicts an intensity.
        training_data: record of the training data.
        files: name of each file to its SHA-256 and its size in bytes.
        version: version of the package that wrote it.
    """

    network: str
    label_sets: dict[str, tuple[str, ...]]
    size: int
    channels: int
    dropout: float
    has_intensity: bool
    training_data: dict[str, Any] = field(default_factory=dict)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    version: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for ``config.json``, with the hub's names of fields."""
        labels = next(iter(self.label_sets.values()))
        return {
            "model_type": MODEL_TYPE,
            "format": FORMAT,
            "version": self.version,
            "architectures": [self.network],
            "image_size": self.size,
            "num_channels": self.channels,
            "id2label": {str(number): name for number, name in enumerate(labels)},
            "label2id": {name: number for number, name in enumerate(labels)},
            "label_sets": {name: list(own) for name, own in self.label_sets.items()},
            "classifier_dropout": self.dropout,
            "intensity": self.has_intensity,
            "training_data": self.training_data,
            "files": {
                name: {"sha256": sha256, "bytes": size}
                for name, (sha256, size) in self.files.items()
            },
        }

    def check_content(self, file: LoadedFile) -> None:
        """Check that a file of the folder matches the config's record.

        Args:
            file: the file.

        Raises:
            InputError: the file is incomplete, damaged, or another one.
        """
        path, content, digest = file
        if content.startswith(_POINTER):
            raise InputError(
                f"{path}: a pointer of Git LFS, not the file: run 'git lfs pull' in {path.parent}"
            )
        known = self.files.get(path.name)
        if known is None:
            raise InputError(f"{path.parent / CONFIG}: its files lack {path.name}; {_HINT}")
        sha256, size = known
        if len(content) != size:
            raise InputError(
                f"{path}: {len(content):,} bytes, {CONFIG} says {size:,}: incomplete, or of "
                f"another model; {_HINT}"
            )
        if digest != sha256:
            raise InputError(
                f"{path}: its SHA-256 is not the one in {CONFIG}: damaged, or of another model; "
                f"{_HINT}"
            )


def describe_file(content: bytes) -> tuple[str, int]:
    """Return the SHA-256 in hexadecimal and the size in bytes of a file's content.

    >>> describe_file(b"")[1]
    0
    """
    return hashlib.sha256(content).hexdigest(), len(content)


def read_hub_config(folder: Path) -> HubConfig | None:
    """Read the ``config.json`` of a model folder.

    Args:
        folder: any folder.

    Returns:
        The config, or None if there is no ``config.json``, or it is of another kind of model.

    Raises:
        InputError: the config cannot be read, or a value is missing or not allowed.
    """
    path = folder / CONFIG
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if content.startswith(_POINTER):
        raise InputError(
            f"{path}: a pointer of Git LFS, not the file: run 'git lfs pull' in {folder}"
        )
    if len(content) > LARGEST_CONFIG:
        raise InputError(f"{path}: {len(content):,} bytes: too large for a config of a model")
    try:
        values = parse_json(content)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as JSON: {reason[:160]}; {_HINT}") from None
    if not isinstance(values, dict) or values.get("model_type") != MODEL_TYPE:
        return None
    try:
        return _config_of(values)
    except KeyError as error:
        raise InputError(f"{path}: lacks {error}; {_HINT}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; {_HINT}") from None


def check_complete(folder: Path, names: tuple[str, ...]) -> None:
    """Check that files of a model folder exist.

    Raises:
        InputError: a file is missing.
    """
    for name in names:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: {name} is missing: this model folder is incomplete; {_HINT}"
            )


def _config_of(values: dict[str, Any]) -> HubConfig:
    """Validate the values of a config.

    Raises:
        KeyError: a value is missing.
        ValueError: a value is not allowed; the message names the allowed ones.
    """
    if values["format"] != FORMAT:
        raise ValueError(
            f"format {_short(values['format'])}: this version reads {FORMAT}; install a newer "
            "version of emotion-detection"
        )
    label_sets = _label_sets(values["label_sets"])
    first = next(iter(label_sets.values()))
    if values["id2label"] != {str(number): name for number, name in enumerate(first)}:
        raise ValueError("id2label: must be the labels of the first of label_sets, from '0' on")
    size, channels = values["image_size"], values["num_channels"]
    dropout, intensity = values["classifier_dropout"], values["intensity"]
    if type(size) is not int or not 16 <= size <= 1024:
        raise ValueError(f"image_size {_short(size)}: must be a whole number from 16 to 1024")
    if type(channels) is not int or channels not in (1, 3):
        raise ValueError(f"num_channels {_short(channels)}: must be 1 or 3")
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise ValueError(f"classifier_dropout {_short(dropout)}: must be from 0 to below 1")
    if type(intensity) is not bool:
        raise ValueError(f"intensity {_short(intensity)}: must be true or false")
    names = values["architectures"]
    if not isinstance(names, list) or len(names) != 1 or not _is_word(names[0]):
        raise ValueError(f"architectures {_short(names)}: must be the name of one network")
    if not is_training_data(values["training_data"]):
        raise ValueError("training_data: is not what a training records")
    return HubConfig(
        network=names[0],
        label_sets=label_sets,
        size=size,
        channels=channels,
        dropout=float(dropout),
        has_intensity=intensity,
        training_data=values["training_data"],
        files=_files(values["files"]),
        version=str(values.get("version", ""))[:80],
    )


def _label_sets(values: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(values, dict) or not 1 <= len(values) <= MOST_LABEL_SETS:
        raise ValueError("label_sets: must map names to lists of class names")
    for name, labels in values.items():
        well = isinstance(labels, list) and len(labels) > 0 and all(map(_is_word, labels))
        if not well or not _is_word(name) or len(set(labels)) < len(labels):
            raise ValueError(
                f"label_sets {_short(name)}: must be a list of class names, each of them once"
            )
    if sum(map(len, values.values())) > MOST_CLASSES:
        raise ValueError(f"label_sets: more than {MOST_CLASSES:,} classes")
    return {name: tuple(labels) for name, labels in values.items()}


def _files(values: Any) -> dict[str, tuple[str, int]]:
    if not isinstance(values, dict):
        raise ValueError("files: must map names to their sha256 and bytes")
    found = {}
    for name, known in values.items():
        parts = known if isinstance(known, dict) else {}
        sha256, size = parts.get("sha256"), parts.get("bytes")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256) or type(size) is not int:
            raise ValueError(
                f"files {_short(name)}: must hold sha256, 64 hexadecimal digits, and bytes, a "
                "whole number"
            )
        found[name] = (sha256, size)
    return found


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _short(value: Any) -> str:
    return " ".join(repr(value).split())[:60]
