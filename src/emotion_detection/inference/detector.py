"""The class that users hold: crops in, emotions out."""

import numbers
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection import pretrained
from emotion_detection.errors import InputError
from emotion_detection.inference.crops import checked, faces
from emotion_detection.inference.model import Model, ModelInput, open_onnx

BATCH = 256
"""Crops a run: bounds memory, whatever the number of crops."""

PRETRAINED = "pretrained"
"""The word for the shipped model, here as on the command line."""


class EmotionDetector:
    """Reads emotions from faces.

    Any number of threads may use one detector at once; the same crops give the same scores.

    ``EmotionDetector().classify(crops)`` scores crops by the shipped model.

    Args:
        model: a run's folder (its ``model.onnx``) or an ONNX file that this project exported;
            None or 'pretrained': the shipped model.
        threads: threads that one call may use; None: what onnxruntime finds best.
        labels: which of the model's sets of labels to score, as 'ferplus' or 'fer2013'; None:
            its own, the first of :attr:`label_sets`.

    Raises:
        InputError: there is no such model, it is damaged or not this project's, or it has not
            these labels.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threads: int | None = None,
        labels: str | None = None,
    ) -> None:
        if threads is not None and (not isinstance(threads, numbers.Integral) or threads < 1):
            raise InputError(f"threads {threads!r}: must be a whole number from 1, or None")
        self._model: Model = open_onnx(_file(model), None if threads is None else int(threads))
        if labels is not None and labels not in self._model.label_sets:
            raise InputError(
                f"labels {labels!r}: {self._model.path} scores {', '.join(self._model.label_sets)}"
            )
        self._label_set = self._model.own if labels is None else labels

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""
        return self._model.label_sets[self._label_set]

    @property
    def label_set(self) -> str:
        """Name of the set of labels that is scored."""
        return self._label_set

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """All sets of labels that this model can score, its own first."""
        return dict(self._model.label_sets)

    @property
    def input(self) -> ModelInput:
        """The faces that the model takes: size and channels. Crops are brought to it."""
        return self._model.input

    @property
    def has_intensity(self) -> bool:
        """Whether the model tells the intensity of an expression."""
        return self._model.has_intensity

    def classify(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score the emotions of face crops.

        Args:
            crops: uint8 (N, H, W) grey or (N, H, W, 3) RGB, of any size; N may be 0.

        Returns:
            float32 (N, len(labels)); rows sum to 1.

        Raises:
            InputError: crops of another type or shape.
        """
        return self._run(crops, self._model.scores_name(self._label_set), (len(self.labels),))

    def intensity(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Tell how strong the expressions of face crops are.

        Args:
            crops: as for :meth:`classify`.

        Returns:
            float32 (N,), 0 (neutral) to 1.

        Raises:
            InputError: crops of another type or shape, or a model without intensity.
        """
        if not self.has_intensity:
            raise InputError(
                f"{self._model.path}: this model gives no intensity: the data that it was "
                "trained on has none"
            )
        return self._run(crops, "intensity", ())

    def _run(
        self, crops: npt.NDArray[np.uint8], output: str, of_each: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        crops = checked(crops)
        result = np.empty((len(crops), *of_each), np.float32)
        for start in range(0, len(crops), BATCH):
            rows = slice(start, start + BATCH)
            (result[rows],) = self._model.run(faces(crops[rows], *self.input), [output])
        return result

    def __repr__(self) -> str:
        return f"EmotionDetector({str(self._model.path)!r}, labels={self._label_set!r})"


def _file(model: str | Path | None) -> Path:
    """Return the ONNX file of what a user named as a model."""
    if model is None or str(model) == PRETRAINED:
        return pretrained.model_path()
    if "://" in str(model):
        raise InputError(f"{model}: models are read from disk alone; download it first")
    path = Path(model)
    if path.suffix == ".ckpt":
        raise InputError(f"{path}: a checkpoint: 'emotion export {path}' makes its ONNX file")
    if path.is_dir():
        if not (path / "model.onnx").is_file():
            raise InputError(
                f"{path}: there is no model.onnx in this folder: 'emotion export {path}' makes "
                "the one of a run"
            )
        return path / "model.onnx"
    return path
