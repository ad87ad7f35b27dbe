"""Train a network on arrays of faces and export it as one ONNX file.

:func:`train` runs a whole training (:mod:`.training_run`). The networks are in :mod:`.network`, the
LightningModule in :mod:`.task`, batches in :mod:`.batches`, augmentation in :mod:`.augmentation`.
:mod:`.checkpoint` writes and reads checkpoints, :mod:`.callbacks` keeps the best one and stops in
time, :mod:`.history` plots the curves, :mod:`.export` writes ONNX.
"""

from emotion_detection.training.run_folder import read_resumed_config
from emotion_detection.training.training_run import Run, train

__all__ = ["Run", "read_resumed_config", "train"]
