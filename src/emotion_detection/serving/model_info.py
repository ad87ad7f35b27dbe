"""The answer of ``GET /v1/model``."""

from importlib import resources
from pathlib import Path
from typing import Any

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.model import Model
from emotion_detection.io.plain_values import parse_json
from emotion_detection.serving.server_settings import Settings
from emotion_detection.training_record import SYNTHETIC_NOTE

_OF_THE_RECORD = ("name", "version", "parameters", "figures", "licence", "rights")
_OF_ITS_USE = ("intended_use", "limits")
_CARD = "card.md"


def describe_model(detector: EmotionDetector, settings: Settings) -> dict[str, Any]:
    """Return the answer of ``GET /v1/model``.

    Args:
        detector: the detector.
        settings: the limits, some of which clients should know.

    Raises:
        InputError: the model's metadata, or the shipped model's record, cannot be read.
    """
    shipped = pretrained.is_shipped(detector.model.path)
    own_limits = {"limits": SYNTHETIC_NOTE} if detector.is_synthetic else {}
    return {
        **(_of_record() if shipped else _of_metadata(detector.model)),
        **own_limits,
        "shipped": shipped,
        "sha256": detector.model.sha256,
        "label_set": detector.label_set,
        "labels": list(detector.labels),
        "label_sets": {name: list(labels) for name, labels in detector.label_sets.items()},
        "input": detector.input._asdict(),
        "intensity": detector.has_intensity,
        "card": _card() if shipped else None,
        "server": {
            name: getattr(settings, name) for name in ("max_bytes", "max_pixels", "max_pictures")
        },
    }


def _of_record() -> dict[str, Any]:
    record = pretrained.read_record()
    return {name: record.get(name) for name in (*_OF_THE_RECORD, *_OF_ITS_USE)}


def _of_metadata(model: Model) -> dict[str, Any]:
    """Return the metadata of an ONNX file of this project, with the fields of the record."""
    path, metadata = model.path, model.metadata
    try:
        metrics = parse_json(metadata.get("metrics", "{}"))
        if not isinstance(metrics, dict):
            raise ValueError("no object")
    except ValueError:
        raise InputError(f"{path}: its metadata cannot be understood: metrics") from None
    known = {"name": path.parent.name, "version": metadata.get("version"), "figures": [metrics]}
    return {**dict.fromkeys((*_OF_THE_RECORD, *_OF_ITS_USE)), **known}


def _card() -> str | None:
    card = Path(str(resources.files(pretrained))) / _CARD
    return card.read_text(encoding="utf-8") if card.is_file() else None
