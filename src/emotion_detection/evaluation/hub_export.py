"""``emotion export --hub``: a run, or the shipped model, as a model folder of the Hugging Face hub.

:mod:`emotion_detection.io.hub_folder` describes the folder.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save

from emotion_detection import __version__, pretrained
from emotion_detection.errors import InputError
from emotion_detection.evaluation.card import render_card
from emotion_detection.evaluation.card_facts import check_run, run_facts
from emotion_detection.inference.model import PRETRAINED, open_onnx
from emotion_detection.io.files import write_atomic
from emotion_detection.io.hub_folder import (
    CARD,
    CONFIG,
    ONNX,
    WEIGHTS,
    HubConfig,
    describe_file,
    read_hub_config,
)
from emotion_detection.io.plain_values import parse_json
from emotion_detection.training.checkpoint import LoadedCheckpoint, load_trained
from emotion_detection.training.export import export_onnx, find_sample, read_validation_metrics
from emotion_detection.training.initial_weights import load_initial_weights
from emotion_detection.training.network import ModelSpec
from emotion_detection.training_record import is_training_data

NEW_CARD = "README.new.md"
"""Name of the card if there is a README.md that was written or edited by hand."""

_USE = """
## Use

```sh
pip install '.[hub]'        # in a checkout of the project
emotion predict photo.jpg --model hf://USER/NAME
emotion train --data faces/ --init hf://USER/NAME
```

```python
from emotion_detection import EmotionDetector

detector = EmotionDetector("hf://USER/NAME")  # or the path of this folder
result = detector.detect("photo.jpg")
```

USER/NAME is the name of this model on the hub.
"""


class _Exported(NamedTuple):
    """A model to export.

    Args:
        onnx: content of the ONNX file.
        weights: content of the safetensors file.
        spec: specification of the network.
        data: record of the training data.
        card: the model card.
    """

    onnx: bytes
    weights: bytes
    spec: ModelSpec
    data: dict[str, Any]
    card: str


def export_hub(model: str, folder: Path) -> list[Path]:
    """Write a model folder for the hub.

    Other files of the folder stay. ``config.json`` is written first and records size and SHA-256 of
    the others, so an interrupted export is recognised, and can be repeated.

    Args:
        model: a run's folder, its best checkpoint, or 'pretrained'.
        folder: a new one, or one without the files of a model; an earlier export is replaced. A
            README.md that was written or edited by hand stays, and the card is written beside it.

    Returns:
        The files that were written.

    Raises:
        InputError: the run does not exist, the folder has foreign files of a model, or cannot be
            written.
        TrainingError: the outputs of the ONNX file differ from torch's.
    """
    before = _check_folder(folder)
    exported = _shipped() if model == PRETRAINED else _run(Path(model))
    files = {
        ONNX: exported.onnx,
        WEIGHTS: exported.weights,
        CARD: exported.card.encode("utf-8"),
    }
    config = _config(exported, files)
    try:
        if _is_by_hand(folder / CARD, before):
            files[NEW_CARD] = files.pop(CARD)
        write_atomic(folder / CONFIG, json.dumps(config.as_dict(), indent=2) + "\n")
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise InputError(f"--hub {folder}: cannot be written: {error.strerror or error}") from None
    return [folder / name for name in (CONFIG, *files)]


def _check_folder(folder: Path) -> HubConfig | None:
    """Return the config of an earlier export, or None.

    Raises:
        InputError: the path is not a folder, or has a file of a model that is not from an export.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--hub {folder}: is a file; a folder is needed")
    before = read_hub_config(folder)
    foreign = [name for name in (CONFIG, ONNX, WEIGHTS) if (folder / name).exists()]
    if before is None and foreign:
        raise InputError(
            f"--hub {folder}: {foreign[0]} is there already, and of no earlier export; name "
            "another folder"
        )
    return before


def _is_by_hand(path: Path, before: HubConfig | None) -> bool:
    """Return True if the README.md is not the card of the earlier export."""
    if not path.is_file():
        return False
    return before is None or before.files.get(path.name) != describe_file(path.read_bytes())


def _shipped() -> _Exported:
    onnx = pretrained.read_model()
    data = parse_json(open_onnx(onnx, 1).metadata["training_data"])
    _, spec = load_initial_weights(PRETRAINED, "--hub")
    weights = pretrained.read_weights()
    return _Exported(onnx.content, weights.content, spec, data, pretrained.read_card() + _USE)


def _run(place: Path) -> _Exported:
    """Return the export of a run's best epoch."""
    if place.is_file() and place.name != "best.ckpt":
        raise InputError(f"--hub: {place}: name the run's folder; its best checkpoint is exported")
    run = place.parent if place.is_file() else place
    check_run(run, "--hub")
    trained = load_trained(run)
    data = trained.record.get("data", {})
    if not is_training_data(data):
        raise InputError(f"{trained.path}: its record of the training data is damaged")
    state = trained.network.state_dict().items()
    # each with memory of its own: safetensors refuses tensors that share it
    tensors = {name: value.detach().clone().contiguous() for name, value in state}
    metadata = {"format": "pt", "spec": json.dumps(trained.spec.as_dict())}
    text = render_card(run_facts(run, untested=True)) + _USE
    return _Exported(_onnx(trained), save(tensors, metadata), trained.spec, data, text)


def _onnx(trained: LoadedCheckpoint) -> bytes:
    sample, _ = find_sample(trained.path.parent, trained.spec)
    with tempfile.TemporaryDirectory(prefix="emotion-") as folder:
        path = Path(folder, ONNX)
        export_onnx(trained, path, sample, read_validation_metrics(trained.path))
        return path.read_bytes()


def _config(exported: _Exported, files: dict[str, bytes]) -> HubConfig:
    spec = exported.spec
    return HubConfig(
        network=spec.network,
        label_sets=spec.label_sets,
        size=spec.size,
        channels=spec.channels,
        dropout=spec.dropout,
        has_intensity=spec.intensity,
        training_data=exported.data,
        files={name: describe_file(content) for name, content in files.items()},
        version=__version__,
    )
