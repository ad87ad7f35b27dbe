"""Predict emotions from images and face crops with onnxruntime alone.

:mod:`.detector` has the class that users work with. :mod:`.crops` converts crops to a model's
input. :mod:`.model` opens an ONNX file after :mod:`.model` has checked that the file is
self-contained. :mod:`.devices` chooses the execution provider.
"""

from emotion_detection.inference.detector import EmotionDetector

__all__ = ["EmotionDetector"]
