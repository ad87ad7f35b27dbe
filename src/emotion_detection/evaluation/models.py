"""Opening what is to be tested: a run's folder, a checkpoint, or an ONNX file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from emotion_detection.errors import InputError
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.network import parameter_count
from emotion_detection.training.scoring import BATCH, network_scores

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A model, whichever file it came from.

    Args:
        path: the checkpoint or ONNX file.
        labels: class names, in the order of the scores.
        channels: 1 for grey, 3 for RGB.
        size: height and width of a face in pixels.
        parameters: number of trained parameters.
        training_data: what is known of the faces it was trained on.
        scores: uint8 (N, C, H, W) -> float32 (N, classes), rows sum to 1.
    """

    path: Path
    labels: tuple[str, ...]
    channels: int
    size: int
    parameters: int
    training_data: dict[str, Any]
    scores: Callable[[Images], Scores]


def newest_run(models: Path) -> Path:
    """Return the run that ended last, or, where none has ended, the newest with a checkpoint.

    Raises:
        InputError: there is no run.
    """
    runs = [path.parent for path in models.glob("*/best.ckpt")]
    found = [run / "metrics.json" for run in runs if (run / "metrics.json").is_file()]
    found = found or [run / "best.ckpt" for run in runs]
    if not found:
        raise InputError(f"{models}: there is no run to test yet: 'python train.py' makes one")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def open_model(place: str | Path) -> Model:
    """Open a run's folder (its best checkpoint), a checkpoint or an ONNX file.

    Raises:
        InputError: none of these is there, or it is not this project's.
    """
    if str(place) == "pretrained":
        raise InputError(
            "--model pretrained: this version comes with no model; name a run's folder"
        )
    if "://" in str(place):
        raise InputError(f"--model {place}: models are read from disk alone; download it first")
    path = Path(place)
    if path.is_dir():
        inside = [path / name for name in ("best.ckpt", "model.onnx") if (path / name).is_file()]
        if not inside:
            raise InputError(f"--model {path}: neither best.ckpt nor model.onnx is in this folder")
        path = inside[0]
    if not path.is_file():
        raise InputError(f"--model {path}: no such run, checkpoint or ONNX file")
    return _onnx_model(path) if path.suffix == ".onnx" else _checkpoint_model(path)


def _checkpoint_model(path: Path) -> Model:
    trained = load_trained(path)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Model(
        path=path,
        labels=trained.spec.labels,
        channels=trained.spec.channels,
        size=trained.spec.size,
        parameters=parameter_count(trained.network),
        training_data=trained.record.get("data", {}),
        scores=lambda images: network_scores(trained.network, images, device),
    )


def _onnx_model(path: Path) -> Model:
    import onnxruntime

    _refuse_external_data(path)
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
        declared = json.loads(metadata["input"])
        model = Model(
            path=path,
            labels=tuple(json.loads(metadata["labels"])),
            channels=declared["channels"],
            size=declared["height"],
            parameters=json.loads(metadata["parameters"]),
            training_data=json.loads(metadata["training_data"]),
            scores=lambda images: _session_scores(session, images),
        )
    except KeyError as error:
        raise InputError(
            f"{path}: its metadata lacks {error}: not exported by this project"
        ) from None
    except Exception as error:  # onnxruntime raises kinds of its own
        reason = str(error).splitlines()[0][:160]
        raise InputError(f"{path}: cannot be read as an ONNX model: {reason}") from None
    return model


def _refuse_external_data(path: Path) -> None:
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # a broken protobuf
        raise InputError(f"{path}: cannot be read as an ONNX model: {str(error)[:120]}") from None
    if any(uses_external_data(tensor) for tensor in _tensors(graph)):
        raise InputError(
            f"{path}: its weights lie in another file; one self-contained file is needed"
        )


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all tensors of an ONNX graph, also those inside its nodes and their own graphs."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def _session_scores(session: Any, images: Images) -> Scores:
    parts = [
        session.run(["scores"], {"faces": np.array(images[start : start + BATCH])})[0]
        for start in range(0, len(images), BATCH)
    ]
    return cast(Scores, np.concatenate(parts))
