"""Export a network as one self-contained ONNX file, and compare it with torch.

The faces for the comparison are kept with the run, so that a later export needs no data.
"""

import contextlib
import io
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from emotion_detection import __version__
from emotion_detection.data.synthetic import draw_blocks
from emotion_detection.errors import TrainingError
from emotion_detection.io.files import write_atomic
from emotion_detection.io.plain_values import read_json
from emotion_detection.training.checkpoint import LoadedCheckpoint
from emotion_detection.training.network import ModelSpec
from emotion_detection.training.network_scores import DeployedNetwork

SAMPLE = 256
"""Most validation faces that an exported file is compared on."""

_FILE = "sample.npy"
_MOST_BYTES = 2_000_000
_LEAST = 8
_SYNTHETIC = 64

Images = npt.NDArray[np.uint8]


def choose_sample_rows(count: int, most: int = SAMPLE) -> npt.NDArray[np.int64]:
    """Return the rows of a sample, int64 (at most ``most``,), evenly over ``count`` rows."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def keep_sample(run: Path, sample: Images) -> None:
    """Save a sample of at most about 2 MB in the run's folder.

    Args:
        run: ``models/RUN``.
        sample: faces of the validation split, uint8 (N, C, H, W).

    Raises:
        OSError: it cannot be written.
    """
    most = max(_LEAST, _MOST_BYTES // sample[0].size)
    content = io.BytesIO()
    np.save(content, sample[choose_sample_rows(len(sample), most)])
    write_atomic(run / _FILE, content.getvalue())


def find_sample(run: Path, spec: ModelSpec) -> tuple[Images, str]:
    """Return faces for the comparison, and their origin: the run's sample, else synthetic.

    Args:
        run: folder of the checkpoint.
        spec: of the model; a sample of another shape is not taken.

    Returns:
        uint8 (N, C, H, W), and 'validation' or 'synthetic'.
    """
    shape = (spec.channels, spec.size, spec.size)
    try:
        sample = np.load(run / _FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # an older run, a checkpoint alone, a broken file
        sample = np.zeros(0)
    if sample.dtype == np.uint8 and sample.shape[1:] == shape and len(sample):
        return sample, "validation"
    grey = np.concatenate([block.faces for block in draw_blocks(_SYNTHETIC, 0, spec.size)])
    return np.repeat(grey[:, np.newaxis], spec.channels, axis=1), "synthetic"


LARGEST_DIFFERENCE = 1e-4
"""Maximum difference between the outputs of the ONNX file and torch, on any face of the sample."""

OPSET = 18

KEPT_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "n", "ece", "nll", "split")
"""Metrics on validation that the file's metadata hold."""


def export_onnx(
    trained: LoadedCheckpoint,
    path: Path,
    sample: npt.NDArray[np.uint8],
    metrics: dict[str, Any] | None = None,
) -> float:
    """Write a model as ONNX: ``faces`` uint8 (N, C, H, W) -> ``scores`` float32 (N, classes).

    Where the model has them also ``intensity`` float32 (N,), and ``scores_SET`` for each further
    label set. Scaling, temperature and softmax are in the graph; labels, input, temperature,
    training data, metrics and version are in the file's metadata. Nothing lies outside the file.

    Args:
        trained: the model, with its temperatures.
        path: the file; replaced only when the new one agrees with torch.
        sample: faces of the validation split, uint8 (N, C, H, W), to compare on.
        metrics: the model's metrics, for the metadata.

    Returns:
        Largest difference of any output between onnxruntime and torch.

    Raises:
        TrainingError: they differ too much, or the file cannot be written.
    """
    model = DeployedNetwork(
        trained.network, trained.spec, trained.temperatures, trained.readouts
    ).eval()
    part = path.with_name(f".{path.name}.part")
    try:
        with _quiet():
            program = torch.onnx.export(
                model,
                (torch.zeros(2, *sample.shape[1:], dtype=torch.uint8),),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["faces"],
                output_names=model.names,
                dynamic_shapes={"faces": {0: torch.export.Dim("N")}},
                verbose=False,
            )
        assert program is not None
        _forget_places(program)
        program.model.metadata_props.update(_metadata(trained, metrics or {}))
        program.save(str(part), external_data=False)
        difference = _difference(model, part, sample)
        if not difference <= LARGEST_DIFFERENCE:
            raise TrainingError(
                f"{path}: not written: onnxruntime and torch differ by {difference:.2g} on "
                f"{len(sample)} validation faces; at most {LARGEST_DIFFERENCE} is allowed"
            )
        os.replace(part, path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written: {error.strerror or error}") from None
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(f"{path}: torch cannot export this network: {reason}") from None
    finally:
        with contextlib.suppress(OSError):  # otherwise it would hide the error
            part.unlink(missing_ok=True)
    return difference


def read_validation_metrics(checkpoint: Path) -> dict[str, Any]:
    """Return a run's metrics on validation, for the ONNX file.

    Args:
        checkpoint: the run's best checkpoint.

    Returns:
        :data:`KEPT_METRICS`; nothing where metrics.json is not of this checkpoint.
    """
    try:
        values = read_json(checkpoint.parent / "metrics.json")
        if Path(values["model"]).name != checkpoint.name:
            return {}
        return {name: values[name] for name in KEPT_METRICS}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _forget_places(program: torch.onnx.ONNXProgram) -> None:
    """Remove the exporter's stack traces, which contain paths of this machine."""
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*program.model.graph.inputs, *program.model.graph.initializers.values()):
        value.metadata_props.clear()


def _metadata(trained: LoadedCheckpoint, metrics: dict[str, Any]) -> dict[str, str]:
    spec = trained.spec
    values = {
        "labels": list(spec.labels),
        "input": spec.input,
        "temperature": trained.temperatures.get(spec.label_set, 1.0),
        "label_set": spec.label_set,
        "also": {name: list(labels) for name, labels in spec.also.items()},
        "temperatures": trained.temperatures,
        "readouts": {name: one.as_dict() for name, one in trained.readouts.items()},
        "training_data": trained.record.get("data", {}),
        "metrics": metrics,
        "network": spec.network,
        "parameters": sum(p.numel() for p in trained.network.parameters()),
    }
    return {**{k: json.dumps(v) for k, v in values.items()}, "version": __version__}


def _difference(model: DeployedNetwork, path: Path, sample: npt.NDArray[np.uint8]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    faces = np.array(sample)
    with torch.inference_mode():
        ours = model(torch.from_numpy(faces))
    theirs = session.run(model.names, {"faces": faces})
    return max(
        float(np.abs(one.numpy() - other).max()) for one, other in zip(ours, theirs, strict=True)
    )


@contextlib.contextmanager
def _quiet() -> Any:
    """Suppress the exporter's progress output; errors are raised."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
