"""Open a model to test: a run's folder, a checkpoint, or an ONNX file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.inference.model import open_onnx
from emotion_detection.io.files import LoadedFile
from emotion_detection.io.hub_download import find_hub_folder
from emotion_detection.io.hub_folder import ONNX
from emotion_detection.io.plain_values import parse_json
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training.checkpoint import LoadedCheckpoint, is_temperatures, load_trained
from emotion_detection.training.network import count_parameters
from emotion_detection.training.network_scores import BATCH, compute_outputs
from emotion_detection.training_record import is_training_data

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A model from any kind of file.

    Args:
        path: the checkpoint or ONNX file.
        label_sets: class names of each label set, in the order of the scores.
        channels: 1 for grey, 3 for RGB.
        size: height and width of a face in pixels.
        parameters: number of trained parameters.
        training_data: record of the training faces.
        temperatures: temperature of each label set.
        readouts: postprocessing of the scores of each label set.
        outputs: uint8 (N, C, H, W) -> ``scores`` float32 (N, classes), rows sum to 1; if the model
            has them, ``scores_SET`` of a further label set, and ``intensity`` float32 (N,).
    """

    path: Path
    label_sets: dict[str, tuple[str, ...]]
    channels: int
    size: int
    parameters: int
    training_data: dict[str, Any]
    temperatures: dict[str, float]
    readouts: dict[str, Postprocessing]
    outputs: Callable[[Images], dict[str, Scores]]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names of the first label set."""
        return next(iter(self.label_sets.values()))

    def label_set_for(self, wanted: str) -> str:
        """Return the preferred label set if the model has it, else the first one."""
        return wanted if wanted in self.label_sets else next(iter(self.label_sets))

    def output_name(self, label_set: str) -> str:
        """Return the name of a label set's scores among the outputs."""
        first = next(iter(self.label_sets))
        return "scores" if label_set == first else f"scores_{label_set}"


def find_newest_run(models: Path) -> Path:
    """Return the run that finished last, or else the newest one with a checkpoint.

    Raises:
        InputError: there is no run.
    """
    runs = [path.parent for path in models.glob("*/best.ckpt")]
    found = [run / "metrics.json" for run in runs if (run / "metrics.json").is_file()]
    found = found or [run / "best.ckpt" for run in runs]
    if not found:
        raise InputError(f"{models}: there is no run to test yet: 'python train.py' makes one")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def open_model(place: str | Path, option: str = "") -> Model:
    """Open a run's folder (its best checkpoint), a checkpoint, an ONNX file or a hub model.

    Args:
        place: the model, as the user named it.
        option: the option that names it, such as '--model', for messages; empty for none.

    Raises:
        InputError: the model does not exist, or is not from this project.
    """
    if str(place) == "pretrained":
        return _onnx_model(pretrained.read_model())
    if (folder := find_hub_folder(place, (ONNX,))) is not None:
        return _onnx_model(folder / ONNX)
    named = f"{option} {place or repr('')}".lstrip()
    if "://" in str(place):
        raise InputError(
            f"{named}: models are read from disk, or from the Hugging Face hub as "
            "hf://USER/NAME; download it first"
        )
    path = Path(place)
    if path.is_dir() and str(place):
        inside = [path / name for name in ("best.ckpt", "model.onnx") if (path / name).is_file()]
        if not inside:
            raise InputError(f"{named}: neither best.ckpt nor model.onnx is in this folder")
        path = inside[0]
    if not path.is_file():
        raise InputError(f"{named}: no such run, checkpoint or ONNX file")
    return _onnx_model(path) if path.suffix == ".onnx" else _checkpoint_model(path)


def _checkpoint_model(path: Path) -> Model:
    trained = load_trained(path)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Model(
        path=path,
        label_sets=trained.spec.label_sets,
        channels=trained.spec.channels,
        size=trained.spec.size,
        parameters=count_parameters(trained.network),
        training_data=_training_data(trained),
        temperatures=trained.temperatures,
        readouts=trained.readouts,
        outputs=lambda images: compute_outputs(
            *(trained.network, trained.spec, images, trained.temperatures, device),
            readouts=trained.readouts,
        ),
    )


def _training_data(trained: LoadedCheckpoint) -> dict[str, Any]:
    data: dict[str, Any] = trained.record.get("data", {})
    if not is_training_data(data):
        raise InputError(f"{trained.path}: its record of the training data is damaged")
    return data


def _onnx_model(file: Path | LoadedFile) -> Model:
    opened = open_onnx(file)
    path, metadata = opened.path, opened.metadata
    try:
        known = {name: parse_json(metadata[name]) for name in ("parameters", "training_data")}
        temperatures = parse_json(metadata.get("temperatures", "{}"))
        if type(known["parameters"]) is not int or not is_temperatures(temperatures):
            raise ValueError("parameters and temperatures must be numbers")
        if not is_training_data(known["training_data"]):
            raise ValueError("training_data does not hold what a training writes")
    except KeyError as error:
        raise InputError(
            f"{path}: its metadata lacks {error}: not exported by this project"
        ) from None
    except ValueError as error:
        raise InputError(f"{path}: its metadata cannot be understood: {error}") from None
    names = [opened.scores_name(name) for name in opened.label_sets]
    names += ["intensity"] * opened.has_intensity

    def outputs(images: Images) -> dict[str, Scores]:
        parts = [
            opened.run(np.array(images[start : start + BATCH]), names)
            for start in range(0, len(images), BATCH)
        ]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return dict(zip(names, columns, strict=True))

    return Model(
        path=path,
        label_sets=opened.label_sets,
        channels=opened.input.channels,
        size=opened.input.size,
        temperatures=temperatures,
        readouts=opened.readouts,
        outputs=outputs,
        **known,
    )
