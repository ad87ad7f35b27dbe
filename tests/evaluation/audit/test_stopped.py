"""What a stopped audit says: its own command goes on, not a fold's training."""

import os
import signal
import sys

import pytest

from emotion_detection.evaluation.audit.folds import GO_ON
from emotion_detection.training.callbacks import KeepBest


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_the_same_command_goes_on(in_folds, tmp_path, monkeypatch, capsys, name, epoch):
    def stop(self, trainer, *_):
        if trainer.current_epoch == epoch:
            os.kill(os.getpid(), getattr(signal, name))

    monkeypatch.setattr(KeepBest, "on_train_epoch_start", stop, raising=False)
    with pytest.raises(SystemExit if name == "SIGTERM" else KeyboardInterrupt):
        in_folds(tmp_path)
    said = capsys.readouterr().err
    assert said.rstrip().splitlines()[-1] == GO_ON
    assert "train.py" not in said
    assert ("stopped by SIGTERM after step" in said) == (name == "SIGTERM")
