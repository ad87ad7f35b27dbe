"""Open and run an ONNX file of this project, and check its metadata."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emotion_detection import pretrained
from emotion_detection.errors import InputError, shorten
from emotion_detection.inference.devices import CPU, Device, open_session
from emotion_detection.inference.external_data import has_external_data
from emotion_detection.io.files import LoadedFile, get_path_kind, load_file
from emotion_detection.io.hub_download import find_hub_folder
from emotion_detection.io.hub_folder import CONFIG, ONNX, HubConfig, read_hub_config
from emotion_detection.io.plain_values import parse_json
from emotion_detection.labels import compose_name
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training_record import is_synthetic

LARGEST_SIZE = 1024
_ROUNDING = 1e-3
"""Tolerance of scores: below 0, above 1, and from a sum of 1."""

PRETRAINED = "pretrained"
"""Name of the shipped model, here and on the command line."""


class ModelInput(NamedTuple):
    """The input of a model: size and channels of a face.

    Args:
        size: height and width in pixels.
        channels: 1 for grey, 3 for RGB.
    """

    size: int
    channels: int


@dataclass(frozen=True)
class Model:
    """An opened ONNX file; thread-safe.

    Args:
        path: the file.
        sha256: SHA-256 of the file in hexadecimal.
        input: size and channels of a face.
        label_sets: name of each label set to the labels in the order of the scores; the model's
            main set first.
        has_intensity: whether the model predicts the intensity.
        readouts: postprocessing of the scores of each label set.
        session: onnxruntime's session.
        is_synthetic: whether the model was trained on synthetic faces only.
    """

    path: Path
    sha256: str
    input: ModelInput
    label_sets: dict[str, tuple[str, ...]]
    has_intensity: bool
    readouts: dict[str, Postprocessing]
    session: Any
    is_synthetic: bool = False

    @property
    def own(self) -> str:
        """Name of the model's main label set, which the output ``scores`` belongs to."""
        return next(iter(self.label_sets))

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata in the ONNX file; most values are JSON."""
        return dict(self.session.get_modelmeta().custom_metadata_map)

    def scores_name(self, label_set: str) -> str:
        """Return the name of the output with the scores of a label set."""
        return "scores" if label_set == self.own else f"scores_{label_set}"

    def run(
        self, faces: npt.NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[npt.NDArray[np.float32]]:
        """Run the network on faces uint8 (N, C, H, W) of the model's size; N at least 1.

        Raises:
            InputError: the outputs are not probabilities.
        """
        results: list[npt.NDArray[np.float32]] = self.session.run(list(outputs), {"faces": faces})
        for name, values in zip(outputs, results, strict=True):
            self._check_output(name, values, len(faces))
        return results

    def _check_output(self, name: str, values: npt.NDArray[np.float32], count: int) -> None:
        """Reject outputs that are not probabilities, as a foreign graph may compute.

        Raises:
            InputError: values are not finite, below 0 or above 1, or scores do not sum to 1.
        """
        # written so that NaN fails
        well = len(values) == count and bool(
            ((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all()
        )
        if well and name.startswith("scores"):
            well = bool((np.abs(values.sum(axis=1) - 1) <= _ROUNDING).all())
        if not well:
            raise InputError(
                f"{self.path}: this model's {name} are no probabilities: each must be between 0 "
                f"and 1{', and those of a face must sum to 1' if name != 'intensity' else ''}"
            )


def read_model_file(model: str | Path | None) -> LoadedFile:
    """Read the ONNX file of a model that is named by a user, once.

    Args:
        model: as for :func:`find_model_file`.

    Raises:
        InputError: as :func:`find_model_file`, or the file is missing or cannot be read.
    """
    if _names_shipped(model):
        return pretrained.read_model()
    return _read(find_model_file(model))


def _names_shipped(model: object) -> bool:
    return model is None or str(model) == PRETRAINED


def find_model_file(model: str | Path | None) -> Path:
    """Return the path of the ONNX file of a model that is named by a user.

    Args:
        model: a run's folder, a model folder of the Hugging Face hub or its address
            (``hf://user/name``), an ONNX file, or None or 'pretrained' for the shipped one.

    Raises:
        InputError: the name is another URL, a checkpoint, or a folder without an ONNX file; or the
            model cannot be downloaded.
    """
    if _names_shipped(model):
        return pretrained.find_model()
    if not isinstance(model, str | os.PathLike):
        raise InputError(
            f"model {shorten(repr(model))}: must be a run's folder, an ONNX file, or {PRETRAINED!r}"
        )
    if (folder := find_hub_folder(model, (ONNX,))) is not None:
        return folder / ONNX
    if "://" in str(model):
        raise InputError(
            f"{model}: models are read from disk, or from the Hugging Face hub as hf://USER/NAME; "
            "download it first"
        )
    path = Path(model)
    if path.suffix == ".ckpt":
        raise InputError(f"{path}: a checkpoint: 'emotion export {path}' makes its ONNX file")
    if get_path_kind(path) == "folder":
        if not (path / "model.onnx").is_file():
            raise InputError(
                f"{path}: there is no model.onnx in this folder: 'emotion export {path}' makes "
                "the one of a run"
            )
        return path / "model.onnx"
    return path


def open_onnx(file: Path | LoadedFile, threads: int | None = None, device: Device = CPU) -> Model:
    """Open an ONNX file that this project exported.

    Args:
        file: the file, or its path, from which it is read once. The only other file that is read
            is the config.json of a model folder of the hub, which must match.
        threads: threads of onnxruntime per run; None: onnxruntime's default.
        device: device to run on.

    Raises:
        InputError: the file is missing, damaged, not exported by this project, or keeps data in
            another file.
    """
    file = _read(file) if isinstance(file, Path) else file
    path, content, _ = file
    config = read_hub_config(path.parent) if path.name == ONNX else None
    if config is not None:
        config.check_content(file)
    try:
        outside = has_external_data(content)
        if not outside:
            session = open_session(content, device, threads)
    except Exception as error:  # onnxruntime raises exceptions of its own
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:160]
        raise InputError(f"{path}: cannot be read as an ONNX model: {reason}") from None
    if outside:
        raise InputError(
            f"{path}: its weights lie in another file; one self-contained file is needed"
        )
    try:
        model = _declared(file, session)
    except KeyError as error:
        raise InputError(
            f"{path}: its metadata lacks {error}: not exported by this project"
        ) from None
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: its metadata cannot be understood: {' '.join(str(error).split())[:160]}"
        ) from None
    _check_graph(model)
    if config is not None:
        _check_config(model, config)
    return model


def _check_config(model: Model, config: HubConfig) -> None:
    """Reject a model that does not match the config.json beside it."""
    declared = {
        "image_size": (config.size, model.input.size),
        "num_channels": (config.channels, model.input.channels),
        "intensity": (config.has_intensity, model.has_intensity),
        "label_sets": (list(config.label_sets.items()), list(model.label_sets.items())),
    }
    wrong = [name for name, (told, own) in declared.items() if told != own]
    if wrong:
        raise InputError(
            f"{model.path.parent / CONFIG}: {wrong[0]} is not that of {model.path.name}; copy or "
            "download the folder again"
        )


def _read(path: Path) -> LoadedFile:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such run folder or ONNX file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _declared(file: LoadedFile, session: Any) -> Model:
    metadata = session.get_modelmeta().custom_metadata_map
    labels, declared = parse_json(metadata["labels"]), parse_json(metadata["input"])
    also = parse_json(metadata.get("also", "{}"))
    # files of version 0.1 do not name their set of labels
    own = parse_json(metadata.get("label_set", '"own"'))
    height, width, channels = declared["height"], declared["width"], declared["channels"]
    if type(height) is not int or height != width or not 1 <= height <= LARGEST_SIZE:
        raise ValueError(f"faces of {height!r} x {width!r}: not square, up to {LARGEST_SIZE}")
    if (
        channels not in (1, 3)
        or not isinstance(own, str)
        or not isinstance(also, dict)
        or own in also
    ):
        raise ValueError(f"channels {channels!r}, label_set {own!r}, also {also!r}")
    for names in (labels, *also.values()):
        if not names or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise ValueError(f"labels {names!r}")
        if len(set(map(compose_name, names))) < len(names):
            raise ValueError(f"labels {names!r}: two of one name")
    label_sets = {
        name: tuple(map(compose_name, names)) for name, names in {own: labels, **also}.items()
    }
    return Model(
        path=file.path,
        sha256=file.sha256,
        input=ModelInput(height, channels),
        label_sets=label_sets,
        readouts=_readouts(metadata, label_sets),
        has_intensity=any(output.name == "intensity" for output in session.get_outputs()),
        session=session,
        is_synthetic=is_synthetic(parse_json(metadata.get("training_data", "{}"))),
    )


def _readouts(
    metadata: dict[str, str], label_sets: dict[str, tuple[str, ...]]
) -> dict[str, Postprocessing]:
    """Return the postprocessing of each label set; files of older versions lack it."""
    declared = parse_json(metadata.get("readouts", "{}"))
    if not isinstance(declared, dict) or not declared.keys() <= label_sets.keys():
        raise ValueError(f"readouts {str(declared)[:80]}")
    return {
        name: Postprocessing.from_dict(declared[name], len(labels))
        if name in declared
        else Postprocessing()
        for name, labels in label_sets.items()
    }


def _check_graph(model: Model) -> None:
    """Reject a graph whose input or outputs do not match the metadata."""
    size, channels = model.input
    wanted = {"faces": ("tensor(uint8)", [channels, size, size])} | {
        model.scores_name(name): ("tensor(float)", [len(labels)])
        for name, labels in model.label_sets.items()
    }
    if model.has_intensity:
        wanted["intensity"] = ("tensor(float)", [])
    inputs, outputs = model.session.get_inputs(), model.session.get_outputs()
    # the first dimension, the number of faces, must be open
    found = {
        value.name: (value.type, value.shape[1:])
        for value in (*inputs, *outputs)
        if value.shape and not isinstance(value.shape[0], int)
    }
    wrong = [name for name, kind in wanted.items() if found.get(name) != kind]
    wrong += [value.name for value in inputs if value.name != "faces"]
    if wrong:
        raise InputError(
            f"{model.path}: {', '.join(map(repr, wrong))} of its graph: not there, or not of the "
            "type and shape that its metadata says: not exported by this project"
        )
