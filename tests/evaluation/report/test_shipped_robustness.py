"""The report of the shipped model has the robustness table that comes with the package."""

from types import SimpleNamespace
from typing import Any

import pytest

from emotion_detection import pretrained
from emotion_detection.evaluation.report.test_runs import _shipped_corruptions
from emotion_detection.evaluation.saved_tests import synthetic_note
from emotion_detection.training_record import SYNTHETIC_NOTE


@pytest.fixture
def metrics() -> dict[str, Any]:
    """Metrics of a plain test of the shipped model on the faces that were corrupted."""
    found = pretrained.read_robustness("ferplus")
    assert found is not None
    return {
        "model": pretrained.find_model().as_posix(),
        "data": {**found["data"], "source": "elsewhere/fer2013"},
        "split": "test",
        "accuracy": found["clean"]["accuracy"],
        "n": found["clean"]["n"],
    }


def shipped(metrics: dict[str, Any]) -> dict[str, Any] | None:
    test: Any = SimpleNamespace(metrics=metrics)
    return _shipped_corruptions(test)


def test_it_is_that_of_the_package(metrics: dict[str, Any]) -> None:
    assert shipped(metrics) == pretrained.read_robustness("ferplus")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "models/run/best.ckpt"},
        {"model": ["models/a/best.ckpt", "models/b/best.ckpt"]},
        {"data": {"label_set": "ferplus", "hash": "other"}},
        {"data": {"label_set": "own", "hash": "other"}},
        {"split": "validation"},
        {"accuracy": 0.5},
        {"views": 4},
    ],
)
def test_other_tests_have_none(metrics: dict[str, Any], change: dict[str, Any]) -> None:
    assert shipped(metrics | change) is None


def test_a_table_of_an_earlier_model_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    record = pretrained.read_record()
    record["files"]["model.onnx"]["sha256"] = "0" * 64
    monkeypatch.setattr(pretrained, "read_record", lambda: record)
    assert pretrained.read_robustness("ferplus") is None


def test_tests_of_synthetic_faces_have_a_note() -> None:
    real, demo = {"data": {"label_set": "fer2013"}}, {"data": {"label_set": "demo"}}
    assert synthetic_note(real) is None
    assert synthetic_note({**real, "trained_on_synthetic": True}) == SYNTHETIC_NOTE
    assert "nothing about real faces" in str(synthetic_note(demo))
