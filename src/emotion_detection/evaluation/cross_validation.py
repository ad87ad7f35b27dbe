"""Cross-validation: train on all folds but one, test on that one, for each fold in turn.

The runs are ``models/NAME/fold-1`` and so on. The same command resumes a stopped cross-validation:
finished folds are kept, and the stopped one resumes from the last checkpoint.
"""

import dataclasses
import json
import statistics
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from emotion_detection.config import TrainConfig, config_to_dict, data_config_fields
from emotion_detection.errors import InputError
from emotion_detection.evaluation.evaluate import evaluate
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.evaluation.saved_tests import METRICS
from emotion_detection.io.files import write_atomic
from emotion_detection.training import read_resumed_config, train

RESULT = "folds.json"
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")
GO_ON = "the same command, with --name, resumes the cross-validation"
_MOVABLE = {"data", "cache", "name", "models", "logs", "trainer"}
"""Fields that may differ between two starts of the same cross-validation."""


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """A finished cross-validation.

    Args:
        folder: folder of the runs and of ``folds.json``.
        record: content of ``folds.json``: metrics of each fold, means and standard deviations.
    """

    folder: Path
    record: dict[str, Any]


def cross_validate(config: TrainConfig) -> CrossValidation:
    """Train and test a run for each fold that is not finished.

    Args:
        config: the recipe; ``folds`` says how many, ``fold`` must be None.

    Raises:
        InputError: data or settings are not valid, or the folder has another cross-validation.
        TrainingError: a training cannot continue.
    """
    if config.folds is None or config.fold is not None:
        raise InputError("--folds: give the number of folds, and no --fold")
    for option in ("devices", "num_nodes"):
        # each process would run all folds
        if str(value := config.trainer.get(option, 1)) not in ("1", "auto", "[0]"):
            raise InputError(
                f"--trainer.{option} {value}: must be 1 with --folds: its runs follow one another; "
                "to use several, train each fold by itself with --fold"
            )
    name = config.name or f"{config.preset}-folds-{datetime.now():%Y%m%d-%H%M%S}"
    folder = Path(config.models) / name
    folds = []
    for fold in range(1, config.folds + 1):
        print(f"fold {fold} of {config.folds}", file=sys.stderr, flush=True)
        own = dataclasses.replace(
            config,
            fold=fold,
            name=f"fold-{fold}",
            models=str(folder),
            logs=str(Path(config.logs) / name),
        )
        try:
            folds.append(_run_fold(own))
        except (KeyboardInterrupt, SystemExit):
            print(GO_ON if config.name else f"{GO_ON} {name}", file=sys.stderr, flush=True)
            raise
    record = summarize_folds(folds) | {"config": config_to_dict(config)}
    try:
        write_atomic(folder / RESULT, json.dumps(record, indent=2))
    except OSError as error:
        raise InputError(f"{folder / RESULT}: cannot be written: {error.strerror}") from None
    return CrossValidation(folder, record)


def _run_fold(config: TrainConfig) -> dict[str, Any]:
    """Train or resume a fold's run, and return the metrics on the fold."""
    folder = Path(config.models, config.name or "")
    begun = (folder / "config.yaml").exists()
    if begun:
        before = read_resumed_config(folder)
        ours, theirs = (
            config_to_dict(one) | data_config_fields(config_to_dict(one))
            for one in (config, before)
        )
        differ = [k for k in ours if k not in _MOVABLE and ours[k] != theirs[k]]
        if differ:
            raise InputError(
                f"{folder.parent}: another cross-validation is there (--{differ[0]} differs): "
                "choose another --name, or remove it"
            )
        config = dataclasses.replace(before, data=config.data, cache=config.cache)
    run = train(config, resume=folder if begun else None, hint=False)
    # earlier versions named the folder 'fer2013-test' whatever the data was
    names = (_label_set(run.folder), "fer2013")
    folders = [run.folder / "test" / f"{name}-test" for name in names]
    for folder in folders:
        if done := _read(folder / METRICS, run.folder / "best.ckpt"):
            return done
    return evaluate([run.folder], out=folders[0]).metrics


def _label_set(run: Path) -> str:
    """Return the name of the label set that a run was trained on."""
    return str(open_model(run).training_data["label_set"])


def _read(path: Path, model: Path) -> dict[str, Any] | None:
    """Return a fold's metrics if its test exists and is not older than the model."""
    try:
        if path.stat().st_mtime < model.stat().st_mtime:
            return None
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return metrics


def summarize_folds(folds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean and the sample standard deviation of each measure over the folds.

    Args:
        folds: each fold's ``metrics.json``.

    Returns:
        ``folds``: the measures and the number of faces of each; ``mean`` and ``std``: over the
        folds, each fold counted once; ``n``: number of tested faces in all folds together.
    """
    rows = [{name: fold[name] for name in (*MEASURES, "n")} for fold in folds]
    columns = {name: [row[name] for row in rows] for name in MEASURES}
    return {
        "mean": {name: statistics.fmean(values) for name, values in columns.items()},
        "std": {name: statistics.stdev(values) for name, values in columns.items()},
        "n": sum(row["n"] for row in rows),
        "folds": rows,
    }
