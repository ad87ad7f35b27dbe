"""The tests of a report: read existing ones, run missing ones."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection import pretrained
from emotion_detection.config import DataConfig, config_to_dict, data_config_fields
from emotion_detection.data import Faces, load
from emotion_detection.errors import InputError
from emotion_detection.evaluation.evaluate import (
    BEST,
    EvaluationPlan,
    ask,
    find_tests_folder,
    is_shipped,
)
from emotion_detection.evaluation.evaluate import run as run_test
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.evaluation.saved_tests import (
    METRICS,
    SavedTest,
    is_of_test,
    is_test,
    make_valid_utf8,
    read_prior,
    read_test,
    read_views,
    synthetic_note,
    trained_faces_note,
)
from emotion_detection.io.plain_values import read_yaml


@dataclass(frozen=True)
class ReportRequest:
    """Request for the tests of a report.

    Args:
        data: source of the faces; None: the model's training data.
        labels: 'original', 'fer2013' or 'ferplus'; None: the labels of the training.
        split: 'test', 'validation', 'train' or 'all'.
        changes: further fields of :class:`~emotion_detection.config.DataConfig` to change.
        classes: the class names to test on; None: the data's or the model's own.
        options: the data settings; None: those of the model's training.
        unseen_by: further models; faces that these were trained on are left out too.
    """

    data: str | None = None
    labels: str | None = None
    split: str = "test"
    changes: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    options: dict[str, Any] | None = None
    unseen_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class TestedModel:
    """A model's test and related facts.

    Args:
        name: the user's name of the model.
        test: the test's files.
        faces: the tested faces; None: they cannot be opened.
        rows: int64 (N,), the index of each tested face in ``faces``.
        curves: the training's rows, one per epoch, or None.
        validation: the model's test on the validation split, or None.
        notes: remarks on the origin of the test.
        options: the settings of the tested data, without the network's input; None: unknown.
    """

    name: str
    test: SavedTest
    faces: Faces | None
    rows: npt.NDArray[np.int64]
    curves: list[dict[str, float | None]] | None
    validation: SavedTest | None
    notes: tuple[str, ...]
    options: dict[str, Any] | None = None

    @property
    def validation_place(self) -> Path:
        """Folder of the model's test on the validation split."""
        return _beside(self.test)

    @property
    def elsewhere(self) -> bool:
        """Whether the test is in another folder than the default one."""
        first = _models(self.test)[0]
        usual = "-test" in self.test.folder.name
        return not usual or find_tests_folder(first).resolve() != self.test.folder.parent.resolve()

    def image(self, row: int) -> npt.NDArray[np.uint8] | None:
        """Return the pixels of a tested face, uint8 (C, H, W), or None."""
        if self.faces is None:
            return None
        return np.array(self.faces.draw(self.rows[row : row + 1])[0])


def open_tests(places: Sequence[str], request: ReportRequest) -> list[TestedModel]:
    """Return the tests of several models on the same faces and classes.

    By default the first model's data and classes are used; the other models' classes are mapped to
    them by name.

    Args:
        places: as for :func:`open_test`.
        request: the requested tests.

    Raises:
        InputError: as for :func:`open_test`.
    """
    models = [place for place in places if not is_test(Path(place))]

    def unseen(place: str) -> tuple[str, ...]:
        return tuple(model for model in models if model != place)

    first = open_test(places[0], replace(request, unseen_by=unseen(places[0])))
    others = request
    if first.options is not None:
        others = replace(
            request, options=first.options, changes={}, classes=tuple(first.test.names)
        )
    rest = (open_test(place, replace(others, unseen_by=unseen(place))) for place in places[1:])
    return [first, *rest]


def open_test(place: str, request: ReportRequest) -> TestedModel:
    """Return a model's test: read a matching one, or run it.

    Args:
        place: run folder, checkpoint, ONNX file, 'pretrained', or the folder of a test.
        request: the requested test.

    Raises:
        InputError: the model or test does not exist, and the test cannot be run.
    """
    if is_test(Path(place)):
        return _of_folder(place, request)
    try:
        asked = ask(
            [place],
            request.data,
            request.labels,
            request.split,
            changes=request.changes,
            classes=request.classes,
            options=request.options,
            unseen_by=request.unseen_by,
        )
    except InputError as error:
        # missing data that was named is a user error, which metrics of other data would hide
        found = None if request.data else _earlier(place, request)
        if found is None:
            raise
        test = read_test(found)
        by = test.metrics["data"].get("label_set")
        note = f"It cannot be tested again ({error}); the metrics are those of an earlier test, "
        return _known(place, test, None, (f"{note}{found}, by the labels {by}.",))
    if _matches(asked):
        note = f"The test was there already ({asked.folder}): nothing was tested again."
    else:
        print(f"no test of {place} in {asked.folder} yet: testing", file=sys.stderr, flush=True)
        if not run_test(asked).metrics:
            raise InputError("a report is made by one process: run it without torchrun")
        note = f"Tested for this report; the files are in {asked.folder}."
    notes: tuple[str, ...] = (note,)
    if count := asked.dataset.left_out.get(request.split):
        notes += (f"{count} faces are left out that a model was trained or validated on.",)
    known = _known(place, read_test(asked.folder), asked.dataset.split(request.split), notes)
    options = data_config_fields(config_to_dict(asked.config)) | {"data": asked.dataset.source}
    for own in ("size", "channels"):
        del options[own]
    return replace(known, options=options)


def _of_folder(place: str, request: ReportRequest) -> TestedModel:
    test = read_test(Path(place))
    known = {"labels": test.metrics["data"].get("label_set"), "split": test.metrics["split"]}
    for option, asked_for in (("labels", request.labels), ("split", request.split)):
        if (option, asked_for) == ("labels", "original") and known["labels"] != "ferplus":
            continue
        if asked_for not in (None, known[option]) and (option, asked_for) != ("split", "test"):
            raise InputError(f"--{option} {asked_for}: {place} holds a test of {known[option]}")
    try:
        faces, note = _faces(test, request), f"The metrics are those of the test in {place}."
    except InputError as error:
        faces, note = None, f"The faces are not shown: {error}"
    return _known(place, test, faces, (note,))


def _faces(test: SavedTest, request: ReportRequest) -> Faces:
    data, split = test.metrics["data"], test.metrics["split"]
    labels = "ferplus" if data["label_set"] == "ferplus" else "original"
    source, model = request.data or data["source"], _models(test)[0]
    place = "pretrained" if is_shipped(model) else model
    try:
        dataset = ask([place], source, labels, split, changes=request.changes).dataset
    except InputError:  # without the model: the faces by the default settings
        dataset = load(DataConfig(**{"data": source, "labels": labels, **request.changes}))
    # faces of FER-2013 are named by their row, whatever their content
    if data.get("hash", dataset.hash) != dataset.hash:
        raise InputError(f"{dataset.source} holds others than were tested")
    return dataset.split(split)


def _matches(asked: EvaluationPlan) -> bool:
    """Return True if the files of this test exist and are not older than the model."""
    if not is_test(asked.folder):
        return False
    metrics = read_test(asked.folder).metrics
    (model,) = asked.models
    left_out = asked.dataset.left_out.get(asked.split)
    same = {
        "left out": metrics["data"].get("left_out_trained_on") == left_out,
        "classes": asked.classes is None or list(asked.classes) == metrics["labels"],
        "model": model.path.as_posix() == metrics["model"],
        "data": metrics["data"].get("hash") == asked.dataset.hash,
        "labels": metrics["data"].get("label_set") == asked.dataset.label_set,
        "split": metrics["split"] == asked.split,
        # tests of earlier versions do not say how many faces were trained on
        "trained": asked.split == "test" or "trained_on" in metrics["data"],
        "views": read_views(metrics) == asked.views,
        "prior": read_prior(metrics) == asked.prior,
    }
    return all(same.values()) and _no_older(asked.folder, model.path)


def _no_older(folder: Path, model: Path) -> bool:
    """Return True if a test was written after the model."""
    return (folder / METRICS).stat().st_mtime >= model.stat().st_mtime


def _earlier(place: str, request: ReportRequest) -> Path | None:
    """Return an earlier test of a model whose data no longer exists."""
    path = Path("models/pretrained" if place == "pretrained" else place)
    tests = (path.parent if path.is_file() else path) / "test"
    of = f"-of-{path.stem}" if path.is_file() and path.stem not in BEST else ""
    folders = [tests / f"{name}-{request.split}{of}" for name in _labels(place, request.labels)]
    return next((folder for folder in folders if is_test(folder)), None)


def _labels(place: str, labels: str | None) -> list[str]:
    """Return the label sets in the possible names of a test's folder, the model's own first.

    Args:
        place: the model.
        labels: value of ``--labels``; None: any.
    """
    if labels in ("fer2013", "ferplus"):
        return [labels]
    try:
        own = open_model(place).training_data["label_set"]
    except (InputError, KeyError, TypeError):
        own = "ferplus"
    # earlier versions named the folder 'fer2013' whatever the data was
    names = ["ferplus", "fer2013", "own", "demo"][labels == "original" :]
    return sorted(names, key=lambda name: name != own)


def _known(place: str, test: SavedTest, faces: Faces | None, notes: tuple[str, ...]) -> TestedModel:
    rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
    if faces is not None:
        names = {make_valid_utf8(name): row for row, name in enumerate(faces.names)}
        if len(names) == len(faces) and all(name in names for name in test.files):
            rows = np.array([names[name] for name in test.files], np.int64)
        else:
            faces = None
            notes += ("The faces are not shown: the data holds others than were tested.",)
    curves = _curves(test.metrics["model"])
    for note in (trained_faces_note(test.metrics), synthetic_note(test.metrics)):
        if note is not None:
            notes += (f"{note[0].upper()}{note[1:]}.",)
    if test.corruptions is None and (shipped := _shipped_corruptions(test)) is not None:
        test = replace(test, corruptions=shipped)
        notes += (
            f"Corrupted images: measured before this model was shipped, by {shipped['command']}.",
        )
    return TestedModel(place, test, faces, rows, curves, _on_validation(test), notes)


def _shipped_corruptions(test: SavedTest) -> dict[str, Any] | None:
    """Return the shipped model's packaged test on corrupted faces, if it is of these faces."""
    (model, *more), data = _models(test), test.metrics["data"]
    if more or not is_shipped(model):
        return None
    found = pretrained.read_robustness(data["label_set"])
    known = found is not None and found["data"].get("hash") == data.get("hash")
    if found is None or not known:
        return None
    own = {**found, "model": test.metrics["model"], "data": data}
    return found if is_of_test(own, test.metrics) else None


def _on_validation(test: SavedTest) -> SavedTest | None:
    """Return the same model's test on validation, for choosing thresholds, or None."""
    folder = _beside(test)
    if test.metrics["split"] != "test" or not is_test(folder):
        return None
    other = read_test(folder)
    known = ("model", "parameters", "temperature", "tta", "views", "prior")
    same = [
        (*map(one.metrics.get, known), one.metrics["data"].get("hash"), one.names)
        for one in (test, other)
    ]
    if same[0] != same[1] or other.metrics["split"] != "validation":
        return None
    # a retrained model may have replaced the old one
    there = [model for model in _models(test) if model.is_file()]
    return other if all(_no_older(folder, model) for model in there) else None


def _models(test: SavedTest) -> list[Path]:
    model = test.metrics["model"]
    return [Path(one) for one in ([model] if isinstance(model, str) else model)]


def _beside(test: SavedTest) -> Path:
    """Return the folder of the validation test beside a test's folder."""
    name = test.folder.name
    other = name.replace("-test", "-validation", 1) if "-test" in name else f"{name}-validation"
    return test.folder.parent / other


def _curves(model: str | Sequence[str]) -> list[dict[str, float | None]] | None:
    """Return the training curves of a run, from the place in the run's records."""
    import csv

    if not isinstance(model, str):
        return None
    folder = Path(model).parent
    try:
        config = read_yaml(folder / "config.yaml", "the run's")
        with (Path(config["logs"]) / folder.name / "metrics.csv").open(newline="") as file:
            rows = [
                {name: float(value) if value else None for name, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return rows or None
