"""Turn off the telemetry of the libraries that this package uses.

``docs/privacy.md`` lists every dependency and how it was checked.
"""

import os
import sys
import warnings

TELEMETRY_SETTINGS = {
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
}
"""Environment variables that turn telemetry off: of onnxruntime, Ray, huggingface_hub and the
optional loggers MLflow and W&B."""


def disable_telemetry() -> None:
    """Turn the telemetry of dependencies off, unless you have set their variables.

    Child processes inherit the settings. onnxruntime reads its variable once, while it is
    imported, so this must run before that import: the package calls it first of all.

    Warns:
        RuntimeWarning: onnxruntime was imported earlier, without its variable.
    """
    too_late = "onnxruntime" in sys.modules and "ORT_DISABLE_TELEMETRY" not in os.environ
    for name, value in TELEMETRY_SETTINGS.items():
        os.environ.setdefault(name, value)
    if too_late:
        warnings.warn(
            "onnxruntime was imported before emotion_detection, so its telemetry may be on in "
            "this process: import emotion_detection first, or set ORT_DISABLE_TELEMETRY=1 before "
            "Python starts",
            RuntimeWarning,
            stacklevel=3,
        )
