"""Predict each face by a network that was trained without it and its duplicates.

Faces are assigned to folds evenly by class, near-duplicates
(:mod:`emotion_detection.data.duplicates`) together. For each fold, a network is trained on the
other folds, by ``training.train`` with the fold's names as the ``exclude`` file, and then predicts
the fold. Finished folds are kept; a killed one resumes from the last checkpoint.

A prediction is the scores of a held-out face, and its distance to the training faces.
"""

import csv
import dataclasses
import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emotion_detection.config import TrainConfig, config_to_dict
from emotion_detection.data import Dataset
from emotion_detection.data.exclude import read_excluded_names
from emotion_detection.errors import InputError
from emotion_detection.evaluation.audit.audited_faces import (
    AuditedFaces,
    Numbers,
    Values,
    assign_folds,
)
from emotion_detection.io.files import escape_cell, write_atomic
from emotion_detection.training import read_resumed_config, train
from emotion_detection.training.checkpoint import LoadedCheckpoint, load_trained
from emotion_detection.training.network_scores import compute_outputs

NEIGHBOURS = 10
"""Number of nearest training faces whose mean distance is the outlier score."""

_BLOCK = 2048

Images = npt.NDArray[np.uint8]


def predict_held_out(
    trained: LoadedCheckpoint, held_out: Images, seen: Images
) -> tuple[Values, Values]:
    """Predict the scores and distances of held-out faces.

    Args:
        trained: the network.
        held_out: uint8 (N, C, H, W), the held-out faces.
        seen: uint8 (M, C, H, W), the training faces.

    Returns:
        Scores float32 (N, classes) of the first label set, after temperature, with flip TTA; and
        the distance float32 (N,) to the nearest training faces, 0 to 2
        (:func:`measure_neighbour_distances`).
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    own, scores = _features(trained, held_out, device)
    _, mirrored = _features(trained, held_out[..., ::-1], device)
    known, _ = _features(trained, seen, device)
    trained.network.to("cpu")
    return (scores + mirrored) * np.float32(0.5), measure_neighbour_distances(own, known)


def _features(trained: LoadedCheckpoint, images: Images, device: str) -> tuple[Values, Values]:
    """Return the normalized input of the network's last layer, and the scores."""
    head = trained.network.get_submodule("head")
    caught: list[Tensor] = []

    def catch(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0].detach().float().flatten(1).cpu())

    hook = head.register_forward_pre_hook(catch)
    try:
        outputs = compute_outputs(
            trained.network, trained.spec, images, trained.temperatures, device
        )
    finally:
        hook.remove()
    features = torch.nn.functional.normalize(torch.cat(caught), dim=1)
    return features.numpy(), outputs["scores"]


def measure_neighbour_distances(
    faces: Values, known: Values, neighbours: int = NEIGHBOURS
) -> Values:
    """Return the mean distance of each face to the nearest known faces.

    This is the measure of Kuan and Mueller 2022 ("Back to the Basics: Revisiting
    Out-of-Distribution Detection Baselines"). cleanlab's ``OutOfDistribution`` score decreases with
    this distance.

    Args:
        faces: features float32 (N, D), rows of length 1 (or 0, which have the largest distance).
        known: features float32 (M, D) of the faces to compare with.
        neighbours: number of nearest faces; all where there are fewer.

    Returns:
        float32 (N,), mean cosine distance, 0 to 2.
    """
    nearest = min(neighbours, len(known))
    distances = np.empty(len(faces), np.float32)
    for start in range(0, len(faces), _BLOCK):
        likeness = faces[start : start + _BLOCK] @ known.T
        top = np.partition(likeness, len(known) - nearest, axis=1)[:, len(known) - nearest :]
        distances[start : start + _BLOCK] = 1 - top.mean(axis=1)
    return distances.clip(0, 2)


FOLDS = "folds"
GO_ON = "the same 'emotion data audit' command resumes where this one was stopped"
_HELD_OUT = "held-out.npz"
_MOVABLE = {"data", "cache", "cache_limit", "name", "models", "logs", "exclude", "trainer"}
"""Fields that may differ between two starts of the same audit; the data's hash may not."""


@dataclass(frozen=True)
class OutOfFold:
    """The out-of-fold predictions.

    Args:
        folds: int64 (N,), fold of each face.
        scores: float32 (N, classes), rows sum to 1, after temperature.
        distances: float32 (N,), 0 to 2: mean cosine distance of the network's last features to
            those of the nearest training faces (:mod:`.folds`).
    """

    folds: Numbers
    scores: Values
    distances: Values


def predict_out_of_fold(
    config: TrainConfig, dataset: Dataset, audited: AuditedFaces, count: int, out: Path
) -> OutOfFold:
    """Train a network for each fold, unless it exists, and predict the fold.

    Args:
        config: the recipe.
        dataset: the data, by the recipe's settings.
        audited: the audited faces.
        count: number of folds.
        out: folder of the audit; the trainings are kept in ``folds/`` below it.

    Raises:
        InputError: the folder has folds of another audit, or a class cannot be held out.
    """
    folds = assign_folds(audited.labels, audited.groups, count, config.seed)
    train_rows = np.array([split == "train" for split in audited.splits])
    _check_classes(dataset, audited, folds, train_rows)
    scores = np.zeros((len(audited), len(dataset.labels)), np.float32)
    distances = np.zeros(len(audited), np.float32)
    for fold in range(count):
        mine = folds == fold
        print(f"fold {fold + 1} of {count}: {int(mine.sum()):,} faces held out", file=sys.stderr)
        own = _fold_config(config, dataset, out, fold)
        _write_held_out(own, audited, mine)
        try:
            scores[mine], distances[mine] = _fold(
                own, audited, mine, train_rows & ~mine, len(dataset.labels)
            )
        except (KeyboardInterrupt, SystemExit):
            print(GO_ON, file=sys.stderr, flush=True)
            raise
    return OutOfFold(folds, scores, distances)


def _check_classes(
    dataset: Dataset, audited: AuditedFaces, folds: Numbers, train_rows: npt.NDArray[np.bool_]
) -> None:
    """Reject a class whose training faces are all in one fold: none would be left for training."""
    for label, name in enumerate(dataset.labels):
        own = folds[train_rows & (audited.labels == label)]
        if len(np.unique(own)) < 2:
            raise InputError(
                f"{dataset.source}: {name} has {len(own)} training faces without duplicates: "
                "at least 2 are needed to hold one of them out"
            )


def _fold_config(config: TrainConfig, dataset: Dataset, out: Path, fold: int) -> TrainConfig:
    folder = out / FOLDS
    return dataclasses.replace(
        config,
        data=dataset.source,
        name=f"fold-{fold + 1}",
        models=str(folder),
        logs=str(folder / "logs"),
        exclude=str(folder / f"fold-{fold + 1}.csv"),
    )


def _write_held_out(
    config: TrainConfig, audited: AuditedFaces, mine: npt.NDArray[np.bool_]
) -> None:
    """Write the exclude file of the fold's training, or check the existing one.

    Raises:
        InputError: the list there is another one, or cannot be written.
    """
    path = Path(config.exclude or "")
    names = {name for name, held in zip(audited.names, mine, strict=True) if held}
    if path.exists():
        if read_excluded_names(path) != names:
            raise _another(path.parent, "it holds out other faces")
        return
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file"])
    rows.writerows([escape_cell(name)] for name in sorted(names))
    try:
        write_atomic(path, text.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _another(folder: Path, why: str) -> InputError:
    return InputError(
        f"{folder}: the trainings of another audit are there ({why}): name another folder with "
        "--out, or remove this one"
    )


def _fold(
    config: TrainConfig,
    audited: AuditedFaces,
    mine: npt.NDArray[np.bool_],
    seen: npt.NDArray[np.bool_],
    classes: int,
) -> tuple[Values, Values]:
    """Return scores and distances of one fold's faces, from the fold's file if it is valid."""
    folder = Path(config.models, config.name or "")
    begun = (folder / "config.yaml").exists()
    if begun and (other := _differing(config, read_resumed_config(folder))):
        raise _another(folder.parent, f"--{other} is another one")
    kept = _read(folder / _HELD_OUT, int(mine.sum()), classes)
    if kept is not None:
        return kept
    whole = read_resumed_config(folder) if begun else config
    run = train(whole, resume=folder if begun else None, hint=False, export=False)
    held_out, known = (audited.images(rows) for rows in (mine, seen))
    scores, distances = predict_held_out(load_trained(run.folder), held_out, known)
    content = io.BytesIO()
    np.savez(content, scores=scores, distances=distances)
    try:
        write_atomic(folder / _HELD_OUT, content.getvalue())
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return scores, distances


def _differing(config: TrainConfig, begun: TrainConfig) -> str | None:
    """Return the first option that differs between two recipes and must not."""
    ours, theirs = config_to_dict(config), config_to_dict(begun)
    return next((k for k in ours if k not in _MOVABLE and ours[k] != theirs[k]), None)


def _read(path: Path, count: int, classes: int) -> tuple[Values, Values] | None:
    """Read the results of an earlier start, or return None if there is no valid file."""
    try:
        # read into memory first: numpy does not close a file that it cannot parse
        with np.load(io.BytesIO(path.read_bytes())) as file:
            scores, distances = file["scores"], file["distances"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    well = scores.shape == (count, classes) and distances.shape == (count,)
    well = well and scores.dtype == distances.dtype == np.float32
    return (scores, distances) if well and np.isfinite(scores).all() else None
