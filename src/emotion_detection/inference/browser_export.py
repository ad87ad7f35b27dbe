"""Write the files for the web page: two ONNX files, and their metadata as JSON.

The page detects, crops and classifies faces as :mod:`.emotion_detector` does, with the same files.
onnxruntime-web does not expose a file's metadata, so :func:`describe_browser_model` returns it as
JSON.
"""

from pathlib import Path
from typing import Any

from emotion_detection.images.modes import BACKGROUND
from emotion_detection.images.opening import MAX_PIXELS
from emotion_detection.inference.align import MARGIN
from emotion_detection.inference.emotion_detector import EmotionDetector
from emotion_detection.inference.face_detector import read_network
from emotion_detection.inference.model import read_model_file
from emotion_detection.io.files import LoadedFile
from emotion_detection.palette import list_emotion_colours
from emotion_detection.results import LANDMARKS, list_columns
from emotion_detection.training_record import SYNTHETIC_NOTE
from emotion_detection.views import ZOOM

FINDER, MODEL, ABOUT = "centerface.onnx", "model.onnx", "model.json"
"""Names of the files in the folder ``models`` beside the page."""


def describe_browser_model(detector: EmotionDetector) -> dict[str, Any]:
    """Return the content of ``models/model.json`` as plain values.

    Args:
        detector: the model, with the label set to score and the settings.

    Returns:
        - ``label_set``: name of the scored label set, a key of ``label_sets``.
        - ``labels``: its emotions, in the order of the scores.
        - ``label_sets``: name to ``labels`` and ``output``, the graph's output with their scores.
        - ``input``: ``size`` and ``channels`` of a face.
        - ``intensity``: whether the graph has the output ``intensity``.
        - ``thresholds``: ``working_size``, ``confidence``, ``certain``, ``smallest`` and
          ``least_score`` of the detector's settings, and ``pixels``, the most that an image may
          have to be decoded at full size.
        - ``views``: number of views per face whose scores are averaged, and ``zoom``, the
          enlargement of the third and fourth view.
        - ``prior``: 'natural' or 'balanced'; ``readouts``: for each set of labels ``prior``,
          ``adjustment`` and ``temperatures`` of
          :class:`~emotion_detection.postprocessing.Postprocessing`.
        - ``margin``: side of a crop as a multiple of the longer side of the face's box
          (:mod:`.align`).
        - ``background``: grey level that transparent images are composited on.
        - ``colours``: label to red, green, blue.
        - ``landmarks``, ``columns``: names, as in tables of results.
        - ``notes``: warnings about the model; results with faces have them in their notes too.
    """
    own = next(iter(detector.label_sets))
    settings = detector.settings
    return {
        "label_set": detector.label_set,
        "labels": list(detector.labels),
        "label_sets": {
            name: {
                "labels": list(labels),
                "output": "scores" if name == own else f"scores_{name}",
            }
            for name, labels in detector.label_sets.items()
        },
        "input": dict(detector.input._asdict()),
        "intensity": detector.has_intensity,
        "thresholds": {
            "working_size": int(settings.detection_size),
            "confidence": float(settings.min_confidence),
            "certain": float(settings.certain),
            "smallest": float(settings.min_face_size),
            "least_score": float(settings.min_score),
            "pixels": MAX_PIXELS,
        },
        "views": detector.views,
        "zoom": ZOOM,
        "prior": detector.prior,
        "readouts": {name: one.as_dict() for name, one in detector.readouts.items()},
        "margin": MARGIN,
        "background": BACKGROUND,
        "colours": {name: list(rgb) for name, rgb in list_emotion_colours(detector.labels).items()},
        "landmarks": list(LANDMARKS),
        "columns": list_columns(detector.labels),
        "notes": [SYNTHETIC_NOTE] if detector.is_synthetic else [],
    }


def read_browser_files(model: str | Path | None = None) -> dict[str, LoadedFile]:
    """Read the ONNX files that the page loads, by their names in the folder ``models``.

    Args:
        model: as for :class:`.EmotionDetector`.

    Raises:
        InputError: there is no such model; the network that finds faces is missing or damaged.
    """
    return {FINDER: read_network(), MODEL: read_model_file(model)}
