"""Evaluate a model on labelled faces.

:mod:`.model_loading` opens a run, a checkpoint or an ONNX file; :mod:`.evaluate` tests it;
:mod:`.saved_tests` writes and reads the files of a test; :mod:`.confusion_plot` draws the confusion
matrix. The metrics themselves are in :mod:`emotion_detection.metrics`.
"""

from emotion_detection.evaluation.evaluate import Test, evaluate

__all__ = ["Test", "evaluate"]
