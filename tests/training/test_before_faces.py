"""What is wrong with a training is said before its faces are read."""

from pathlib import Path
from typing import Any

import pytest
import torch

from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import train


@pytest.fixture(autouse=True)
def _no_faces_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read(config: TrainConfig) -> None:
        pytest.fail("faces are read")

    monkeypatch.setattr("emotion_detection.training.training_run.prepare", read)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "taken").mkdir(parents=True)
    (tmp_path / "models" / "taken" / "config.yaml").touch()
    (tmp_path / "file").touch()


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"name": "taken"}, r"--name taken: models/taken exists; choose another name, or resume"),
        ({"init": "none"}, "--init none: no such run or checkpoint"),
        ({"teacher": ["pretrained", "none"]}, "--teacher none: no such run or checkpoint"),
        ({"exclude": "none.csv"}, "none.csv"),
        ({"models": "file/x"}, "--models file/x: .*file is a file"),
        ({"logs": "file"}, "--logs file: .*file is a file"),
        ({"trainer": {"devices": 4000, "accelerator": "cpu"}}, "--trainer.devices 4000: "),
        ({"trainer": {"strategy": "fsdp"}}, "--trainer"),
        ({"network": "resnet18", "pretrained": "none.pth"}, "--pretrained none.pth: no such file"),
        ({"network": "resnet18", "pretrained": "models"}, "--pretrained models: a folder; it"),
    ],
)
def test_it_is_refused(fields: dict[str, Any], line: str) -> None:
    before = sorted(Path().rglob("*"))
    with pytest.raises(InputError, match=line) as caught:
        train(TrainConfig(data="demo", **fields))
    assert "\n" not in str(caught.value)
    assert sorted(Path().rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("trainer", [{"accelerator": "gpu"}, {"accelerator": "gpu", "devices": 2}])
def test_a_missing_gpu_is_refused(trainer: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"Lightning's Trainer refuses: .*(GPU|CUDA|gpu)"):
        train(TrainConfig(data="demo", trainer=trainer))
