"""Record the training faces of a run, so that it is never tested on them.

``faces.npz`` in a run's folder holds the fingerprints (:mod:`emotion_detection.data.fingerprints`)
of all faces that the run was trained or validated on, and those of the runs that it started from
(``--init``) or learnt from (``--teacher``).
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.config import (
    ALL,
    SPLITS,
    DataConfig,
    TrainConfig,
    data_config_fields,
)
from emotion_detection.data import Dataset, Faces, load
from emotion_detection.data.download import ROWS
from emotion_detection.data.fingerprints import (
    Fingerprints,
    find_same_faces,
    join_fingerprints,
    read_fingerprints,
    write_fingerprints,
)
from emotion_detection.errors import InputError
from emotion_detection.io.hub_folder import WEIGHTS
from emotion_detection.training.checkpoint import read_checkpoint, run_checkpoint
from emotion_detection.training.initial_weights import find_hub_model
from emotion_detection.training.task import CHECKPOINT_KEY

FILE = "faces.npz"
TRAINED, VALIDATED = 0, 1
_NEW = 2
"""Role of a face that no model was trained or validated on."""
_OWN_ROLES = {"train": TRAINED, "validation": VALIDATED, "test": _NEW}
"""Role of the faces of each split of the training data."""

SPLIT_OPTIONS = (
    "split_seed",
    "validation_fraction",
    "test_fraction",
    "person",
    "folds",
    "fold",
)
"""Options that sampled splits depend on."""

_FER2013_TRAINING, _FER2013_VALIDATION = ROWS["Training"], ROWS["PublicTest"]
_FERPLUS_TRAINING = 27_000
"""Fewest training faces of a model of all of FER-2013: FER+ leaves some hundred out."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrainedFaces:
    """The faces of a training.

    Args:
        faces: their fingerprints.
        roles: uint8 (N,), :data:`TRAINED` or :data:`VALIDATED`.
    """

    faces: Fingerprints
    roles: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ModelTrainingFaces:
    """A model whose training faces are requested.

    Args:
        path: the checkpoint or ONNX file.
        data: what the model's own record holds of its data.
        option: how the user named it, for messages.
    """

    path: Path
    data: dict[str, Any]
    option: str


def keep_trained_faces(folder: Path, splits: dict[str, Faces], config: TrainConfig) -> None:
    """Write ``faces.npz`` into a run's folder, or check the one that is there.

    Args:
        folder: ``models/RUN``.
        splits: the faces of 'train' and 'validation'.
        config: the recipe, which names the runs that this one starts or learns from.

    Raises:
        InputError: the file cannot be written, or a resumed run would use other faces.
    """
    path = folder / FILE
    if path.exists():
        with contextlib.suppress(OSError, ValueError, KeyError):
            counts = read_fingerprints(path)[1]["counts"].tolist()
            if counts != [len(splits["train"]), len(splits["validation"])]:
                raise InputError(
                    f"--resume {folder}: it began with {counts[0]} training and {counts[1]} "
                    f"validation faces, and {len(splits['train'])} and "
                    f"{len(splits['validation'])} are there now; put the runs back that it started "
                    "from (--init, --teacher), or start a new run, with --init to keep the weights"
                )
            return
    known = (read_trained_faces(one.path) for one in open_sources(config.init, config.teacher))
    write_trained_faces(folder, splits, [faces for faces in known if faces is not None])


def write_trained_faces(
    folder: Path, splits: dict[str, Faces], sources: Iterable[TrainedFaces]
) -> None:
    """Write ``faces.npz`` into a run's folder.

    Args:
        folder: ``models/RUN``.
        splits: the faces of 'train' and 'validation'.
        sources: the faces of the runs that this one starts or learns from.

    Raises:
        InputError: it cannot be written.
    """
    own = [
        TrainedFaces(splits[name].fingerprints, np.full(len(splits[name]), role, np.uint8))
        for name, role in (("train", TRAINED), ("validation", VALIDATED))
    ]
    together = [*own, *sources]
    try:
        write_fingerprints(
            folder / FILE,
            join_fingerprints([part.faces for part in together]),
            roles=np.concatenate([part.roles for part in together]),
            counts=np.array([len(part.faces) for part in own]),
        )
    except OSError as error:
        raise InputError(f"{folder / FILE}: cannot be written: {error.strerror}") from None


def read_trained_faces(path: Path) -> TrainedFaces | None:
    """Return the faces that a checkpoint or ONNX file was trained on; None: there is no record.

    Raises:
        InputError: the record is broken.
    """
    place = path.parent / FILE
    try:
        faces, arrays = read_fingerprints(place)
        return TrainedFaces(faces, arrays["roles"].astype(np.uint8))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{place}: cannot be read: {reason}; copy it from the run again") from None


def open_sources(init: str | None, teachers: Sequence[str]) -> list[ModelTrainingFaces]:
    """Return the runs that a training starts or learns from, but for the shipped model.

    Raises:
        InputError: a checkpoint cannot be read.
    """
    named = [("--init", init)] if init else []
    named += [("--teacher", place) for place in teachers]
    opened = []
    for option, place in named:
        if place and place != "pretrained":
            if (known := find_hub_model(place)) is not None:
                folder, config = known
                data = config.training_data
                opened.append(ModelTrainingFaces(folder / WEIGHTS, data, f"{option} {place}"))
                continue
            path = run_checkpoint(place)
            if not path.exists():
                continue  # a run that is resumed needs it no more; any other says so later
            record = read_checkpoint(path)[CHECKPOINT_KEY]["record"]
            opened.append(ModelTrainingFaces(path, record.get("data", {}), f"{option} {place}"))
    return opened


def leave_out_trained(
    dataset: Dataset, split: str, models: Sequence[ModelTrainingFaces], config: DataConfig
) -> Dataset:
    """Return a dataset without the faces of a split that models were trained on.

    For 'test' faces are left out that a model was trained or validated on, for 'validation' those
    that it was trained on. Where the data is what the model was trained on, with the same splits,
    nothing is left out: copies that the data itself has in two splits are its own.

    Args:
        dataset: the data.
        split: 'test' or 'validation'; nothing is left out of 'train' and 'all'.
        models: the models.
        config: how the data was read.

    Raises:
        InputError: no face would be left, or an earlier version kept no record of the faces and
            the data has changed since.
    """
    if split in ("train", ALL) or not dataset.sizes[split]:
        return dataset
    trained: Mask = np.zeros(dataset.sizes[split], np.bool_)
    prints: Fingerprints | None = None
    for model in models:
        if is_unchanged(model.data, dataset, config):
            continue
        prints = prints or dataset.split(split).fingerprints
        known = read_trained_faces(model.path)
        if known is not None:
            rows = known.roles == TRAINED if split == "validation" else known.roles >= 0
            trained |= find_same_faces(prints, known.faces.keep(rows)) >= 0
        elif _is_fer2013(model.data):
            trained |= _find_fer2013(prints, split)
        else:
            _refuse_unknown(model, dataset)
    if not trained.any():
        return dataset
    names = " and ".join(model.option for model in models)
    if trained.all():
        raise InputError(
            f"{dataset.source}: {names} was trained or validated on all {len(trained)} faces of "
            f"the {split} split: add faces that it has not seen"
        )
    first = dataset.split(split).names[int(trained.argmax())]
    print(
        f"note: {int(trained.sum())} of {len(trained)} faces of the {split} split are left out, "
        f"since {names} was trained or validated on them; the first: {first}",
        file=sys.stderr,
    )
    return dataset.leave_out(split, trained)


def count_trained(
    dataset: Dataset, split: str, models: Sequence[ModelTrainingFaces], config: DataConfig
) -> dict[str, int | None]:
    """Count the faces of a split that models were trained or validated on.

    Args:
        dataset: the data, after :func:`leave_out_trained`.
        split: 'train', 'validation', 'test' or 'all'.
        models: the models.
        config: how the data was read.

    Returns:
        ``trained_on`` and ``validated_on``: numbers of faces, each face counted once; None if an
        earlier version kept no record of the faces.

    Raises:
        InputError: the record of a model is broken.
    """
    parts = [name for name in SPLITS if dataset.sizes[name] and split in (name, ALL)]
    own = np.repeat([_OWN_ROLES[name] for name in parts], [dataset.sizes[name] for name in parts])
    roles = np.full(len(own), _NEW)
    prints: Fingerprints | None = None
    is_unknown = False
    for model in models:
        if is_unchanged(model.data, dataset, config):
            roles = np.minimum(roles, own)
            continue
        prints = prints or dataset.split(split).fingerprints
        known = read_trained_faces(model.path)
        if known is not None:
            for role in (VALIDATED, TRAINED):
                found = find_same_faces(prints, known.faces.keep(known.roles == role)) >= 0
                roles[found] = np.minimum(roles[found], role)
        elif _is_fer2013(model.data):
            roles[_find_fer2013(prints, "test")] = VALIDATED
            roles[_find_fer2013(prints, "validation")] = TRAINED
        else:
            is_unknown |= _may_be_trained_on(model, dataset)
    if is_unknown:
        return {"trained_on": None, "validated_on": None}
    return {
        "trained_on": int((roles == TRAINED).sum()),
        "validated_on": int((roles == VALIDATED).sum()),
    }


def is_unchanged(trained_on: dict[str, Any], dataset: Dataset, config: DataConfig) -> bool:
    """Return True if data has the same splits as a model's training data.

    It may be read for another input, or by another label set.

    Args:
        trained_on: what the model's record holds of its data.
        dataset: the data.
        config: how it was read.
    """
    hashes = read_known_hashes(trained_on)
    if dataset.hash in hashes:
        return True
    known = {field.name for field in fields(DataConfig)}
    options = {
        k: v for k, v in data_config_fields(trained_on.get("options", {})).items() if k in known
    }
    if not hashes or not options:
        return False
    now = data_config_fields(vars(config))
    if dataset.drawn and any(options.get(k, now[k]) != now[k] for k in SPLIT_OPTIONS):
        return False
    how = {k: v for k, v in options.items() if k not in ("data", "cache", "max_corrupt")}
    as_trained = replace(DataConfig(**{**now, **how}), data=dataset.source)
    if as_trained == DataConfig(**now):
        return False
    try:
        return load(as_trained).hash in hashes
    except InputError:  # this data cannot be read in that way
        return False


def read_known_hashes(trained_on: dict[str, Any]) -> set[str]:
    """Return the hashes of the data that a model was trained on, one for each label set."""
    also = trained_on.get("also", {}).values()
    found = {trained_on.get("hash"), *(other.get("hash") for other in also)}
    return {value for value in found if value}


def _is_fer2013(trained_on: dict[str, Any]) -> bool:
    """Return True if a model was trained on all of FER-2013, by its labels or FER+'s votes."""
    train = trained_on.get("sizes", {}).get("train", 0)
    return trained_on.get("label_set") in ("fer2013", "ferplus") and train >= _FERPLUS_TRAINING


def _find_fer2013(faces: Fingerprints, split: str) -> Mask:
    """Return which faces are those that models of FER-2013 are trained (and validated) on."""
    table = resources.files("emotion_detection.data") / "fer2013_digests.bin"
    if not table.is_file():
        return np.zeros(len(faces), np.bool_)
    rows = _FER2013_TRAINING if split == "validation" else _FER2013_TRAINING + _FER2013_VALIDATION
    short = np.frombuffer(table.read_bytes()[: 8 * rows], "V8")
    own = np.ascontiguousarray(faces.digests[:, :8]).view("V8").ravel()
    return np.isin(own, short)


def _refuse_unknown(model: ModelTrainingFaces, dataset: Dataset) -> None:
    """Reject data that a model without a record of faces may have been trained on."""
    if _may_be_trained_on(model, dataset):
        raise InputError(
            f"{model.option}: an earlier version trained it and kept no list of its faces, and "
            f"{dataset.source} has changed or is split differently since, so nobody can tell which "
            "of these faces it was trained on: train it again, or test it on other faces"
        )


def _may_be_trained_on(model: ModelTrainingFaces, dataset: Dataset) -> bool:
    """Return True if a model without a record of faces was trained on data at the same place."""
    source = model.data.get("options", {}).get("data")
    if not read_known_hashes(model.data) or source is None or dataset.label_set == "demo":
        return False
    return os.path.realpath(str(source)) == os.path.realpath(dataset.source)
