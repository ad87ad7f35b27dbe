"""Loggers of Lightning by their names, for ``--logger``; their metrics have grouped names.

``metrics.csv`` of :class:`.history.History` does not depend on them: it is always written.
"""

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)

from emotion_detection.config import TrainConfig, config_to_dict
from emotion_detection.errors import InputError, missing_package

PROJECT = "emotion-detection"
"""Project of W&B and experiment of MLflow in which runs are logged."""

_PACKAGES = {"tensorboard": "train", "wandb": "wandb", "mlflow": "mlflow"}
"""Package of each logger that needs one, and the extra that installs it."""

_PATHS = ("data", "cache", "exclude", "init", "teacher", "models", "logs", "trainer", "pretrained")
"""Fields that may hold paths of this machine; they are not sent to W&B or MLflow."""


def group_names(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics with grouped names.

    >>> group_names({"train_loss": 1.5, "val_accuracy": 0.5, "learning_rate": 0.1})
    {'train/loss': 1.5, 'val/accuracy': 0.5, 'learning_rate': 0.1}
    """
    return {
        name.replace("_", "/", 1) if name.startswith(("train_", "val_")) else name: value
        for name, value in metrics.items()
    }


class GroupedTensorBoard(TensorBoardLogger):
    """Lightning's logger for TensorBoard, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


class GroupedWandb(WandbLogger):
    """Lightning's logger for Weights & Biases, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


class GroupedMLFlow(MLFlowLogger):
    """Lightning's logger for MLflow, with grouped names."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log metrics under grouped names."""
        super().log_metrics(group_names(metrics), step)


def check_loggers(names: Sequence[str]) -> None:
    """Check that the packages of loggers are installed.

    Raises:
        InputError: one is missing; says what installs it.
    """
    for name in names:
        if name in _PACKAGES and importlib.util.find_spec(name) is None:
            raise missing_package(f"--logger {name}", name, _PACKAGES[name])


def make_loggers(config: TrainConfig, logs: Path) -> list[Logger]:
    """Create the loggers of a run.

    Args:
        config: the recipe; its ``logger`` names them.
        logs: ``logs/RUN``. TensorBoard's files go there, CSV files into ``csv/version_N`` below it
            with a new number for each start, W&B's into ``wandb``, MLflow's into ``mlflow.db``
            beside it unless ``MLFLOW_TRACKING_URI`` names a server.

    Raises:
        InputError: a package is missing, or a logger cannot start, for example without a login.
    """
    check_loggers(config.logger)
    made = []
    for name in dict.fromkeys(config.logger):
        try:
            logger = _MAKERS[name](logs)
            if isinstance(logger, WandbLogger | MLFlowLogger):
                # connects now, so that errors show before the first epoch
                logger.log_hyperparams(
                    {k: v for k, v in config_to_dict(config).items() if k not in _PATHS}
                )
        except Exception as error:  # W&B and MLflow raise many kinds
            reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise InputError(f"--logger {name}: cannot start: {reason[:200]}") from None
        made.append(logger)
    return made


def _tensorboard(logs: Path) -> Logger:
    return GroupedTensorBoard(logs.parent, name="", version=logs.name)


def _csv(logs: Path) -> Logger:
    # a folder for each start: Lightning's logger deletes what an earlier one wrote
    return CSVLogger(logs, name="csv")


def _wandb(logs: Path) -> Logger:
    # a resumed run is a second run of W&B's in the same group
    return GroupedWandb(name=logs.name, group=logs.name, project=PROJECT, save_dir=logs)


def _mlflow(logs: Path) -> Logger:
    address, artifacts = choose_mlflow_store(logs.parent.absolute())
    return GroupedMLFlow(PROJECT, logs.name, tracking_uri=address, artifact_location=artifacts)


def choose_mlflow_store(folder: Path) -> tuple[str, str | None]:
    """Return where MLflow keeps runs and artifacts: the user's server, or a database here.

    A folder of files is no choice: MLflow refuses it since version 3.

    Args:
        folder: absolute, for the database ``mlflow.db``.

    Returns:
        The address of the store, and that of the artifacts; None: the server chooses.
    """
    own = os.environ.get("MLFLOW_TRACKING_URI")
    if own and own not in _CHOSEN:
        return own, None
    folder.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{folder / 'mlflow.db'}"
    _CHOSEN.add(address)
    return address, (folder / "mlruns").as_uri()


_CHOSEN = set[str]()
"""Databases of earlier runs of this process: MLflow leaves them in ``MLFLOW_TRACKING_URI``."""

_MAKERS: dict[str, Callable[[Path], Logger]] = {
    "tensorboard": _tensorboard,
    "csv": _csv,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
