"""Arrays of faces -> checkpoint -> one ONNX file.

:func:`train` runs a whole training (:mod:`.run`). The networks are in :mod:`.network`, the
LightningModule in :mod:`.task`, batches in :mod:`.batches`, augmentation in :mod:`.augment`;
:mod:`.checkpoint` writes and reads checkpoints, :mod:`.callbacks` keeps the best and stops in
time, :mod:`.history` draws the curves, :mod:`.metrics` computes figures, :mod:`.export` writes
ONNX.
"""

from emotion_detection.training.folder import resumed_config
from emotion_detection.training.run import Run, train

__all__ = ["Run", "resumed_config", "train"]
