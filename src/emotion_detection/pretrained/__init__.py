"""The shipped model: its files and its record.

The files beside this module are:

- ``model.onnx``: the network that :class:`emotion_detection.EmotionDetector` runs by default;
- ``weights.safetensors``: the same weights, to start a training from;
- ``record.json``: facts on both, and how they were trained;
- ``card.md``: the model card, generated from the record by ``benchmarks/release/model_card.py``;
- ``robustness.json``: tests on corrupted faces, written by the same command.

The record:

- ``name``, ``version``: of the model.
- ``files``: for ``model.onnx`` and ``weights.safetensors`` their ``sha256`` (lower-case hex) and
  ``bytes``.
- ``labels``: for each set of labels that it scores (``ferplus``, ``fer2013``) the emotions in the
  order of the scores; the model's own set first.
- ``input``: layout, dtype, channels, height, width and color of a face, as in the ONNX file.
- ``parameters``, ``multiply_adds``: trained parameters, and multiplications for one face.
- ``training``: ``command``, ``config``, ``data_hash``, ``code_version``, ``seconds``, ``hardware``.
- ``figures``: a list of measured metrics, each with data, labels, split, number of faces and
  interval.
- ``licence``, ``rights``, ``intended_use``, ``limits``: text; what the model may be used for, the
  state of the rights in the training faces, and the limits of the model.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from emotion_detection.errors import REINSTALL, InputError
from emotion_detection.io.files import LoadedFile, load_file

MODEL = "model.onnx"
WEIGHTS = "weights.safetensors"
RECORD = "record.json"
CARD = "card.md"
ROBUSTNESS = "robustness.json"


def find_model() -> Path:
    """Return the path of the shipped ONNX file after verifying its checksum.

    Raises:
        InputError: the file or the record is missing or damaged.
    """
    return read_model().path


def read_model() -> LoadedFile:
    """Return the shipped ONNX file after verifying its checksum.

    Raises:
        InputError: the file or the record is missing or damaged.
    """
    return _checked(MODEL)


def is_shipped(path: Path) -> bool:
    """Return True for the path of the shipped ONNX file."""
    return path == _folder() / MODEL


def find_weights() -> Path:
    """Return the path of the shipped weights after verifying their checksum.

    Raises:
        InputError: the file or the record is missing or damaged.
    """
    return read_weights().path


def read_weights() -> LoadedFile:
    """Return the shipped weights after verifying their checksum.

    Raises:
        InputError: the file or the record is missing or damaged.
    """
    return _checked(WEIGHTS)


def read_record() -> dict[str, Any]:
    """Return the record of the shipped model; its fields are those of this module's docstring.

    Raises:
        InputError: it is missing or damaged.
    """
    path = _folder() / RECORD
    content = _read(path).content
    try:
        values = json.loads(content)
    except ValueError:
        raise InputError(f"{path}: damaged; {REINSTALL}") from None
    if not isinstance(values, dict) or not isinstance(values.get("files"), dict):
        raise InputError(f"{path}: damaged; {REINSTALL}")
    return values


def read_robustness(label_set: str) -> dict[str, Any] | None:
    """Return the shipped model's test on corrupted faces.

    Args:
        label_set: name of the label set of the test.

    Returns:
        The content of ``corruptions.json`` of that test; None if there is no test by these labels,
        or the file is of an earlier model.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = _folder() / ROBUSTNESS
    try:
        values = json.loads(_read(path).content)
        found = values["tests"].get(label_set)
        same: bool = values["model_sha256"] == read_record()["files"][MODEL]["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged; {REINSTALL}") from None
    return found if same and isinstance(found, dict) else None


def read_card() -> str:
    """Return the shipped model's card, Markdown.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return _read(_folder() / CARD).content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{_folder() / CARD}: damaged; {REINSTALL}") from None


def _folder() -> Path:
    return Path(str(resources.files(__name__)))


def _checked(name: str) -> LoadedFile:
    expected = read_record()["files"].get(name)
    file = _read(_folder() / name)
    if not isinstance(expected, dict) or file.sha256 != expected.get("sha256"):
        raise InputError(f"{file.path}: damaged, it is not the file that was shipped; {REINSTALL}")
    return file


def _read(path: Path) -> LoadedFile:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing, a part of the shipped model; {REINSTALL}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}; {REINSTALL}"
        ) from None
