"""Model + faces -> figures.

:mod:`.models` opens a run, a checkpoint or an ONNX file; :mod:`.evaluate` tests it;
:mod:`.figures` draws.
"""

from emotion_detection.evaluation.evaluate import Test, evaluate

__all__ = ["Test", "evaluate"]
