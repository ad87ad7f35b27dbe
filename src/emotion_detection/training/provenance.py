"""Provenance of a run: seed, data, code, packages, machine, command."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from emotion_detection import __version__
from emotion_detection.config import TrainConfig
from emotion_detection.data import Dataset
from emotion_detection.io.processes import describe_processor

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "kornia",
    "numpy",
    "pillow",
    "pyarrow",
    "onnx",
    "onnxruntime",
)


def collect_provenance(config: TrainConfig, dataset: Dataset) -> dict[str, Any]:
    """Return the facts to reproduce a run, as plain values."""
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "folder": str(Path.cwd()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.seed,
        "data": dataset.record(),
        "code": describe_code(),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": {
            "system": platform.platform(),
            "processor": describe_processor(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def describe_code() -> dict[str, Any]:
    """Return the package's version, its commit, and whether files were changed since."""
    return {"version": __version__, **_git()}


def _git() -> dict[str, Any]:
    """Return the commit that this code is from, and whether the package was changed since."""

    def git(*words: str) -> str:
        folder = Path(__file__).parent
        answer = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        )
        return answer.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # an installed copy is in no repository
        return {
            "commit": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--", "..")),
        }
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "changed": None}
