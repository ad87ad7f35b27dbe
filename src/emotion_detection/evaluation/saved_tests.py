"""Write and read the files of a test.

``metrics.json`` has the metrics. ``predictions.parquet`` has one row per face with ``file``,
``label``, ``scores`` and ``intensity``; its metadata has ``labels``, the order of the scores. If
the data has them, there are also ``wanted_intensity``, the target, and ``vote_shares``, the
fractions of raters who chose each class.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.data import Faces
from emotion_detection.errors import InputError
from emotion_detection.evaluation.confusion_plot import draw_confusion
from emotion_detection.evaluation.plot_style import render_png
from emotion_detection.evaluation.predictions import Predicted
from emotion_detection.io.files import write_atomic
from emotion_detection.io.plain_values import parse_json, read_json
from emotion_detection.training_record import SYNTHETIC, SYNTHETIC_NOTE

METRICS, PREDICTIONS, CONFUSION = "metrics.json", "predictions.parquet", "confusion.png"
CORRUPTIONS = "corruptions.json"
_ROUNDING = 0.002
"""Maximum difference of accuracy between two tests of one model that rounding causes."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SavedTest:
    """A test, read from files.

    Args:
        folder: folder of the test.
        metrics: content of ``metrics.json``.
        files: name of each face in the data.
        names: class names.
        truth: int64 (N,), the true classes.
        scores: float32 (N, classes), rows sum to 1.
        intensity: float32 (N,); None if the model predicts none.
        wanted_intensity: target, float32 (N,), NaN where unknown, or None.
        vote_shares: fractions of raters, float32 (N, classes), or None.
        corruptions: content of ``corruptions.json``, or None.
    """

    folder: Path
    metrics: dict[str, Any]
    files: list[str]
    names: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    scores: Values
    intensity: Values | None
    wanted_intensity: Values | None
    vote_shares: Values | None
    corruptions: dict[str, Any] | None

    @property
    def called(self) -> npt.NDArray[np.int64]:
        """The class of each face's highest score, int64 (N,)."""
        called: npt.NDArray[np.int64] = self.scores.argmax(axis=1)
        return called

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each prediction is correct, bool (N,)."""
        return np.asarray(self.called == self.truth)


def read_views(metrics: Mapping[str, Any]) -> int:
    """Return a test's number of views per face; older tests only record whether it was two."""
    return int(metrics.get("views", 2 if metrics.get("tta") else 1))


def read_prior(metrics: Mapping[str, Any]) -> str:
    """Return the prior of a test's scores."""
    return str(metrics.get("prior", "natural"))


def is_plain(metrics: Mapping[str, Any]) -> bool:
    """Return True for a test of one view and the natural prior."""
    return read_views(metrics) == 1 and read_prior(metrics) == "natural"


def trained_faces_note(metrics: Mapping[str, Any]) -> str | None:
    """Return a warning if a test's faces are not new to the model, else None.

    Args:
        metrics: content of ``metrics.json``.
    """
    data, n = metrics["data"], metrics["n"]
    if "trained_on" in data and data["trained_on"] is None:
        return "it is unknown which of these faces the model was trained on"
    trained, validated = data.get("trained_on", 0), data.get("validated_on", 0)
    parts = []
    if trained:
        parts.append(f"trained on {_describe_part(trained, n)}")
    if validated:
        parts.append(f"chosen (best epoch, temperature) on {_describe_part(validated, n)}")
    if not parts:
        return None
    return f"the model was {' and '.join(parts)}: expect lower accuracy on new faces"


def _describe_part(count: int, n: int) -> str:
    return f"all {n:,} of these faces" if count == n else f"{count:,} of these {n:,} faces"


def synthetic_note(metrics: Mapping[str, Any]) -> str | None:
    """Return a warning if a test involves synthetic faces, else None.

    Args:
        metrics: content of ``metrics.json``.
    """
    if metrics["data"].get("label_set") == SYNTHETIC:
        return "these are synthetic faces: the metrics say nothing about real faces"
    return SYNTHETIC_NOTE if metrics.get("trained_on_synthetic") else None


def is_test(folder: Path) -> bool:
    """Return True if a folder has a test's files."""
    return (folder / METRICS).is_file() and (folder / PREDICTIONS).is_file()


def write_test(folder: Path, metrics: dict[str, Any], faces: Faces, predicted: Predicted) -> None:
    """Write a test's three files; ``metrics.json`` last, so that it never describes older ones.

    Raises:
        InputError: the files cannot be written.
    """
    import pyarrow.parquet as pq

    try:
        predictions = io.BytesIO()
        pq.write_table(_table(faces, predicted), predictions)
        drawn = render_png(draw_confusion(metrics["confusion"], predicted.names, _title(metrics)))
        # a test killed in between must not leave new predictions beside old metrics
        (folder / METRICS).unlink(missing_ok=True)
        write_atomic(folder / PREDICTIONS, predictions.getvalue())
        write_atomic(folder / CONFUSION, drawn)
        write_atomic(folder / METRICS, json.dumps(metrics, indent=2))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: the results cannot be written: {reason}") from None


def _title(metrics: dict[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    return (
        f"{metrics['split']} accuracy {metrics['accuracy']:.4f}\n"
        f"(95 % interval {low:.4f}-{high:.4f}, n={metrics['n']:,})"
    )


def _table(faces: Faces, predicted: Predicted) -> Any:
    import pyarrow as pa

    names, intensity = predicted.names, predicted.intensity
    nothing = pa.nulls(len(predicted.truth), pa.float32())
    columns = {
        "file": pa.array([make_valid_utf8(name) for name in faces.names], pa.string()),
        "label": pa.array([names[label] for label in predicted.truth], pa.string()),
        "scores": pa.array(list(predicted.scores), pa.list_(pa.float32())),
        "intensity": nothing if intensity is None else pa.array(intensity),
    }
    if faces.intensity is not None:
        columns["wanted_intensity"] = pa.array(faces.intensity, from_pandas=True)
    if faces.shares is not None and faces.shares.shape == predicted.scores.shape:
        columns["vote_shares"] = pa.array(list(faces.shares), pa.list_(pa.float32()))
    return pa.table(columns).replace_schema_metadata({"labels": json.dumps(list(names))})


def make_valid_utf8(name: str) -> str:
    """Return a file's name as valid UTF-8: Linux allows names that are not."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def read_test(folder: Path) -> SavedTest:
    """Read a test's files.

    Raises:
        InputError: a file is missing, or not from a test.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    metrics = _json(folder / METRICS)
    path = folder / PREDICTIONS
    try:
        table = pq.read_table(path).combine_chunks()
        names = tuple(parse_json(table.schema.metadata[b"labels"]))
        place = {name: number for number, name in enumerate(names)}
        written = SavedTest(
            folder=folder,
            metrics=metrics,
            files=table["file"].to_pylist(),
            names=names,
            truth=np.array([place[label] for label in table["label"].to_pylist()], np.int64),
            scores=_matrix(table, "scores", len(names)),
            intensity=_column(table, "intensity"),
            wanted_intensity=_column(table, "wanted_intensity"),
            vote_shares=_matrix(table, "vote_shares", len(names))
            if "vote_shares" in table.column_names
            else None,
            corruptions=read_corruptions(folder, metrics),
        )
        known = {"accuracy", "accuracy_ci95", "n", "per_class", "confusion", "data", "split"}
        if lacking := sorted(known - set(metrics)):
            raise InputError(f"{folder / METRICS}: lacks {', '.join(lacking)}: no test wrote it")
        _check_metrics(metrics, len(names))
        if not len(written.truth) or metrics["n"] != len(written.truth):
            raise InputError(f"{path}: has {len(written.truth)} faces, {METRICS} {metrics['n']}")
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: is not what a test writes: {reason}") from None
    return written


def _check_metrics(metrics: dict[str, Any], classes: int) -> None:
    """Check the types of the metrics that reports use.

    Raises:
        ValueError: a metric has another type.
    """
    low, high = map(float, metrics["accuracy_ci95"])
    numbers = [metrics["accuracy"], metrics["n"], low, high]
    numbers += [cell for row in metrics["confusion"] for cell in row]
    data, model, per_class = metrics["data"], metrics.get("model"), metrics["per_class"]
    models = model if isinstance(model, list) else [model]
    words = [metrics["split"], data["source"], data["label_set"], *models]
    rows = len(metrics["confusion"])
    well = all(isinstance(word, str) for word in words) and rows == classes
    well &= all(isinstance(one, int | float) for one in numbers) and isinstance(per_class, dict)
    if not well or len(numbers) != 4 + classes * classes:
        raise ValueError("its metrics are not of the kinds that a test writes")


def read_corruptions(folder: Path, metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Return the content of a test's ``corruptions.json``, or None.

    A file of an earlier model in the same folder, with another accuracy, is ignored.

    Args:
        folder: folder of the test.
        metrics: content of ``metrics.json``.

    Raises:
        InputError: the file cannot be read.
    """
    if not (folder / CORRUPTIONS).is_file():
        return None
    found = _json(folder / CORRUPTIONS)
    try:
        return found if is_of_test(found, metrics) else None
    except (KeyError, TypeError):
        raise InputError(f"{folder / CORRUPTIONS}: is not what a test writes") from None


def is_of_test(found: Mapping[str, Any], metrics: Mapping[str, Any]) -> bool:
    """Return True if a test under corruption is of the same model and faces as a plain test.

    Args:
        found: content of ``corruptions.json``.
        metrics: content of the plain test's ``metrics.json``.

    Raises:
        KeyError: the content is not from a test; or TypeError.
    """
    clean = found["clean"]
    same: bool = clean["n"] == metrics["n"]
    same &= abs(clean["accuracy"] - metrics["accuracy"]) <= _ROUNDING
    same &= read_views(found) == read_views(metrics) and read_prior(found) == read_prior(metrics)
    names = ("model", "split", "data")
    return same and all(found.get(name) == metrics.get(name) for name in names)


def _json(path: Path) -> dict[str, Any]:
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return values


def _column(table: Any, name: str) -> Values | None:
    """Return a column of numbers, NaN where null; None where it is missing or empty."""
    if name not in table.column_names or table[name].null_count == len(table):
        return None
    column: Values = table[name].to_numpy().astype(np.float32)
    return column


def _matrix(table: Any, name: str, width: int) -> Values:
    """Return a column of lists, all of one length."""
    flat = table[name].combine_chunks().flatten()
    matrix: Values = flat.to_numpy(zero_copy_only=False).astype(np.float32)
    return matrix.reshape(len(table), width)
