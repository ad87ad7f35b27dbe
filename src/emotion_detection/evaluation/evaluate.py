"""Test models on labelled faces, from files to metrics (``emotion test``)."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from emotion_detection import pretrained
from emotion_detection.config import ALL, DataConfig, data_config_fields, find_labels_option
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.data.duplicates import NEAR, find_duplicates
from emotion_detection.data.ferplus import RATERS
from emotion_detection.errors import InputError
from emotion_detection.evaluation.groups import write_datasets
from emotion_detection.evaluation.model_loading import Model, find_newest_run, open_model
from emotion_detection.evaluation.predictions import Predicted, predict
from emotion_detection.evaluation.saved_tests import write_test
from emotion_detection.io.hub_download import find_cached_name
from emotion_detection.labels import class_key
from emotion_detection.metrics.agreement import compute_intensity_metrics, compute_vote_metrics
from emotion_detection.metrics.calibration import compute_calibration_metrics
from emotion_detection.metrics.classification import (
    compute_class_means,
    compute_classification_metrics,
    count_confusions,
)
from emotion_detection.metrics.statistics import compute_accuracy_interval
from emotion_detection.postprocessing import Prior, check_prior
from emotion_detection.training.provenance import describe_code
from emotion_detection.training.run_paths import locate_recorded
from emotion_detection.training.trained_faces import (
    ModelTrainingFaces,
    count_trained,
    is_unchanged,
    leave_out_trained,
    read_known_hashes,
)
from emotion_detection.training_record import is_synthetic
from emotion_detection.views import check_views

BEST = ("best", "model")
"""Names, without suffix, of a run's files of its best epoch."""


@dataclass(frozen=True)
class Test:
    """The result of a test.

    Args:
        folder: folder of ``metrics.json``, ``predictions.parquet`` and ``confusion.png``.
        metrics: content of ``metrics.json``; empty in all processes but the first.
    """

    folder: Path
    metrics: dict[str, Any]


@dataclass(frozen=True)
class EvaluationPlan:
    """A planned test: models and data are open, nothing is scored yet.

    Args:
        models: opened models.
        config: the data settings.
        dataset: the data.
        split: 'test', 'validation', 'train' or 'all'.
        views: number of views per face whose scores are averaged.
        prior: class frequencies that the scores assume.
        folder: folder for the results.
        command: command that repeats this test.
        classes: the class names to test on; None: the data's or the models' own.
        trained: the models, with the records of their training faces.
    """

    models: list[Model]
    config: DataConfig
    dataset: Dataset
    split: str
    views: int
    prior: Prior
    folder: Path
    command: str
    classes: tuple[str, ...] | None = None
    trained: Sequence[ModelTrainingFaces] = ()

    @property
    def untested(self) -> int:
        """Number of faces outside the tested split, if the splits were drawn for this test."""
        is_own = _trained_on(self.models[0], self.dataset)
        if is_own or not self.dataset.drawn or self.split == ALL:
            return 0
        return sum(self.dataset.sizes.values()) - self.dataset.sizes[self.split]


def evaluate(
    models: Sequence[str | Path] = (),
    data: str | None = None,
    labels: str | None = None,
    split: str = "test",
    tta: bool = False,
    out: str | Path | None = None,
    changes: dict[str, Any] | None = None,
    runs: str | Path = "models",
    views: int | None = None,
    prior: Prior = "natural",
) -> Test:
    """Test models on labelled faces; the scores of several are averaged.

    Args:
        models: run folders, checkpoints or ONNX files; none: the newest run.
        data: source of the faces; None: the one that the first model was trained on.
        labels: 'original', 'fer2013' or 'ferplus'; None: those that the first model was trained on.
        split: 'test', 'validation' or 'train'; or 'all', for every face of the data.
        tta: flip test-time augmentation: the same as two views.
        out: folder for the results; None: in the first model's folder.
        changes: further fields of :class:`~emotion_detection.config.DataConfig` to change.
        runs: folder that is searched for the newest run.
        views: number of views per face whose scores are averaged: 1, 2 or 4; None: 1, or 2 with
            ``tta``.
        prior: 'natural', or 'balanced' for equal class frequencies.

            Faces that a model was trained or validated on are left out of 'test' and 'validation',
            also under other paths (:mod:`emotion_detection.training.trained_faces`), and counted in
            the metrics of 'train' and 'all' (``data.trained_on``).

    Raises:
        InputError: the model, data or split does not exist, models and data have no class in
            common, or the models were trained on all faces.
    """
    return run(ask(models, data, labels, split, tta, out, changes, runs, views, prior))


def ask(
    models: Sequence[str | Path] = (),
    data: str | None = None,
    labels: str | None = None,
    split: str = "test",
    tta: bool = False,
    out: str | Path | None = None,
    changes: dict[str, Any] | None = None,
    runs: str | Path = "models",
    views: int | None = None,
    prior: Prior = "natural",
    classes: tuple[str, ...] | None = None,
    options: dict[str, Any] | None = None,
    unseen_by: Sequence[str] = (),
    option: str = "",
) -> EvaluationPlan:
    """Open models and data for a test.

    Args:
        models: as for :func:`evaluate`, as are the arguments that follow.
        data: source of the faces.
        labels: label set.
        split: split.
        tta: flip test-time augmentation.
        out: folder for the results.
        changes: further fields of the data's config to change.
        runs: folder that is searched for the newest run.
        views: number of views per face.
        prior: class frequencies that the scores assume.
        classes: the class names to test on; None: the data's or the models' own.
        options: the data settings; None: those of the first model's training.
        unseen_by: further models; faces that these were trained on are left out too.
        option: the option that names the models, such as '--model', for messages; empty for none.

    Raises:
        InputError: as for :func:`evaluate`.
    """
    places = list(models or [find_newest_run(Path(runs))])
    opened = [open_model(place, option) for place in places]
    given = {"data": data, "labels": labels} | (changes or {})
    given = {k: v for k, v in given.items() if v is not None}
    config = _data_config(opened[0], (options or {}) | given, whole=options is not None)
    try:
        dataset = load(config)
    except InputError as error:
        said = str(error).removeprefix("--labels ferplus: ")
        if labels or said == str(error):
            raise
        raise InputError(
            f"--data {config.data}: {places[0]} goes by the labels of FER+, and {said}; to go by "
            "the data's own labels add --labels original"
        ) from None
    if tta and views not in (None, 2):
        raise InputError(f"--tta and --views {views}: --tta means two views; give one of them")
    shown = check_views((2 if tta else 1) if views is None else views)
    how = name_way(shown, check_prior(prior))
    trained = [
        ModelTrainingFaces(model.path, model.training_data, str(place))
        for model, place in zip(opened, places, strict=True)
    ]
    dataset = leave_out_trained(dataset, split, trained, config)
    folder = Path(out) if out else _default_folder(opened, config, dataset, split, how, classes)
    others = [
        ModelTrainingFaces(model.path, model.training_data, str(place))
        for place in unseen_by
        for model in [open_model(place)]
    ]
    before = dataset.left_out
    dataset = leave_out_trained(dataset, split, others, config)
    if not out and dataset.left_out != before:
        # do not overwrite the metrics on all faces that are new to the first model
        folder = folder.with_name(f"{folder.name}-unseen-by-{len(others) + len(opened)}")
    command = ["emotion", "test", "--model", *map(str, places), "--data", dataset.source]
    command += ["--labels", find_labels_option(dataset.label_set), "--split", split]
    command += [] if shown == 1 else ["--tta"] if shown == 2 else ["--views", str(shown)]
    command += [] if prior == "natural" else ["--prior", prior]
    return EvaluationPlan(
        models=opened,
        config=config,
        dataset=dataset,
        split=split,
        views=shown,
        prior=prior,
        folder=folder,
        command=shlex.join(command),
        classes=classes,
        trained=trained,
    )


def name_way(views: int, prior: Prior) -> str:
    """Return the suffix of a test's folder for views and prior."""
    shown = {1: "", 2: "-tta"}.get(views, f"-views{views}")
    return shown + ("" if prior == "natural" else f"-{prior}")


def run(asked: EvaluationPlan) -> Test:
    """Score the faces, compute the metrics and write the files of a test.

    Raises:
        InputError: models and data have no class in common, or the files cannot be written.
    """
    start = time.perf_counter()
    opened, dataset, split = asked.models, asked.dataset, asked.split
    faces = dataset.split(split)
    views, prior = asked.views, asked.prior
    predicted = predict(opened, asked.config, dataset, split, views, prior, asked.classes)
    if predicted is None:  # another process has all of it
        return Test(Path(), {})
    metrics = compute_classification_metrics(predicted.scores, predicted.truth, predicted.names)
    metrics |= _record(asked) | {
        "temperature": predicted.temperatures,
        **({"bias": predicted.biases} if any(predicted.biases) else {}),
        "before_temperature": compute_calibration_metrics(predicted.before, predicted.truth),
    }
    metrics |= _followed(dataset, faces, predicted)
    if split not in ("train", ALL) and dataset.sizes["train"] and _trained_on(opened[0], dataset):
        metrics["without_duplicates"] = _without_duplicates(
            _training_faces(opened[0], dataset, asked.config), faces, predicted
        )
    metrics |= {
        "command": asked.command,
        "code": describe_code(),
        "seconds": round(time.perf_counter() - start, 1),
    }
    write_test(asked.folder, metrics, faces, predicted)
    write_datasets(asked.folder, faces.names, dataset.source)
    return Test(asked.folder, metrics)


def _followed(dataset: Dataset, faces: Faces, predicted: Predicted) -> dict[str, Any]:
    """Return the agreement of intensity and scores with the raters, if the data has votes."""
    raters = RATERS if dataset.label_set == "ferplus" else None
    found: dict[str, Any] = {}
    if predicted.intensity is not None and faces.intensity is not None:
        found["intensity"] = compute_intensity_metrics(predicted.intensity, faces.intensity, raters)
    if raters and faces.shares is not None and tuple(predicted.names) == dataset.labels:
        found["vote_shares"] = compute_vote_metrics(
            predicted.scores, faces.shares, predicted.names, raters
        )
    return found


def _data_config(model: Model, given: dict[str, Any], whole: bool) -> DataConfig:
    trained_on = (
        {} if whole else locate_recorded(model.training_data.get("options", {}), model.path.parent)
    )
    known = {f.name for f in fields(DataConfig)}
    values = {k: v for k, v in data_config_fields(trained_on).items() if k in known}
    if given.get("data") not in (None, values.get("data")):
        # names of classes in other data are not those that were renamed or chosen here
        values |= {"classes": [], "rename": []}
    values |= given
    if "data" not in values:
        raise InputError(f"{model.path}: does not say what it was trained on; name it with --data")
    try:
        return DataConfig(**(values | {"size": model.size, "channels": model.channels}))
    except TypeError as error:
        raise InputError(f"{model.path}: its data settings cannot be understood: {error}") from None


def _record(asked: EvaluationPlan) -> dict[str, Any]:
    dataset, models = asked.dataset, asked.models
    paths = [model.path.as_posix() for model in models]
    data: dict[str, Any] = {
        "source": dataset.source,
        "label_set": dataset.label_set,
        "hash": dataset.hash,
    }
    if asked.split in dataset.left_out:
        # only where there are any, so that other records stay as they were
        data["left_out_trained_on"] = dataset.left_out[asked.split]
    if asked.split != "test":  # no face of a test split is left that a model was trained on
        data |= count_trained(dataset, asked.split, asked.trained, asked.config)
    synthetic = any(is_synthetic(model.training_data) for model in models)
    return {
        "data": data,
        # only where it is so, likewise
        **({"trained_on_synthetic": True} if synthetic else {}),
        "split": asked.split,
        "model": paths[0] if len(paths) == 1 else paths,
        "parameters": sum(model.parameters for model in models),
        "tta": asked.views > 1,
        "views": asked.views,
        "prior": asked.prior,
    }


def _training_faces(model: Model, dataset: Dataset, config: DataConfig) -> Faces:
    """Return a model's training faces, including those without a label of this set."""
    if dataset.label_set == "ferplus" and "fer2013" in model.label_sets:
        dataset = load(replace(config, labels="original"))
    return dataset.split("train")


def _without_duplicates(train: Faces, faces: Faces, predicted: Predicted) -> dict[str, Any]:
    """Return the metrics on the faces that resemble no training face."""
    exact, near = find_duplicates(faces.digests, faces.thumbnails, train.digests, train.thumbnails)
    called, truth = predicted.scores.argmax(axis=1)[~near], predicted.truth[~near]
    right = called == truth
    means: tuple[float | None, float | None] = None, None
    if len(right):
        means = compute_class_means(count_confusions(truth, called, len(predicted.names)))
    return {
        # not confirmed at full size: leaving out too many faces cannot inflate a metric
        "measure": f"correlation of 8 x 8 thumbnails with a training face of at least {NEAR}",
        "exact": int(exact.sum()),
        "exact_or_near": int(near.sum()),
        "n": len(right),
        "accuracy": float(right.mean()) if len(right) else None,
        "accuracy_ci95": list(compute_accuracy_interval(right)) if len(right) else None,
        "balanced_accuracy": means[0],
        "macro_f1": means[1],
    }


def _trained_on(model: Model, dataset: Dataset) -> bool:
    """Return True if a model was trained on this data's training split."""
    known = model.training_data
    source = known.get("options", {}).get("data")
    hashes = {known.get("hash"), *(other["hash"] for other in known.get("also", {}).values())}
    return dataset.hash in hashes or source == dataset.source


def _default_folder(
    models: list[Model],
    config: DataConfig,
    dataset: Dataset,
    split: str,
    how: str,
    classes: tuple[str, ...] | None,
) -> Path:
    name = f"{dataset.label_set}-{split}"
    # tests of other data, or not of the run's best epoch, must not overwrite the run's metrics
    if not _trained_on(models[0], dataset):
        name += f"-{Path(dataset.source).stem}"
    elif read_known_hashes(models[0].training_data) and not is_unchanged(
        models[0].training_data, dataset, config
    ):
        # do not overwrite the metrics on an earlier state of the data
        name += f"-{dataset.hash[:8]}"
    if classes and list(map(class_key, classes)) != list(map(class_key, models[0].labels)):
        name += f"-{len(classes)}-classes"
    if models[0].path.stem not in BEST:
        name += f"-of-{models[0].path.stem}"
    if len(models) > 1:
        name += f"-mean-of-{len(models)}"
    return find_tests_folder(models[0].path) / (name + how)


def find_tests_folder(model: Path) -> Path:
    """Return the default folder of a model's tests."""
    # nothing is written to the package of the shipped model, or to the hub's cache
    name = "pretrained" if is_shipped(model) else find_cached_name(model)
    return (model.parent if name is None else Path("models", name)) / "test"


def is_shipped(model: Path) -> bool:
    """Return True if a model's file equals the shipped model."""
    return model.parent.parts[-2:] == Path(pretrained.__file__).parent.parts[-2:]
