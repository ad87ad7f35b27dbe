"""Check a model's record of the training data.

The record may come from a stranger, so all fields are checked before use.
"""

import functools
from dataclasses import fields
from typing import Any

SYNTHETIC = "demo"
"""Name of the label set of synthetic faces."""

SYNTHETIC_NOTE = (
    "this model was trained on synthetic faces only: its predictions for real faces mean nothing"
)
"""Warning with every prediction of a model that was trained on synthetic faces."""


def is_training_data(data: Any) -> bool:
    """Return True if a record of training data has fields of the expected types."""
    if not isinstance(data, dict):
        return False
    parts = [data.get(name, {}) for name in ("options", "sizes", "also")]
    if not all(isinstance(part, dict) for part in parts):
        return False
    others = parts[2].values()
    return all(_is_option(name, value) for name, value in parts[0].items()) and all(
        isinstance(one, dict) and isinstance(one.get("hash"), str) for one in others
    )


def is_synthetic(data: Any) -> bool:
    """Return True for a record of training data that names synthetic faces.

    >>> is_synthetic({"label_set": "demo"}), is_synthetic({"label_set": "fer2013"})
    (True, False)
    """
    return isinstance(data, dict) and data.get("label_set") == SYNTHETIC


def _is_option(name: str, value: Any) -> bool:
    """Return True if a value has the type of the field; unknown fields are dropped later."""
    default = _get_defaults().get(name)
    if isinstance(default, str):
        return isinstance(value, str)
    return not isinstance(default, int | float) or isinstance(value, int | float)


@functools.cache
def _get_defaults() -> dict[str, Any]:
    # imported here, so that a process that only detects starts without the options of training
    from emotion_detection.config import DataConfig

    return {field.name: field.default for field in fields(DataConfig)}
