"""Predict emotions from images and face crops with onnxruntime alone.

:mod:`.emotion_detector` has the class that users work with. :mod:`.crop_inputs` converts crops to a
model's input. :mod:`.model` opens an ONNX file after it has checked that the file is
self-contained. :mod:`.devices` chooses the execution provider.
"""

from emotion_detection.inference.emotion_detector import EmotionDetector

__all__ = ["EmotionDetector"]
