"""Predict emotions from images and face crops with onnxruntime alone.

:mod:`.detector` has the class that users work with; :mod:`.crops` brings crops to a model's input;
:mod:`.model` opens an ONNX file after :mod:`.external_data` has checked that it is complete;
:mod:`.devices` chooses what the networks run on.
"""

from emotion_detection.inference.detector import EmotionDetector

__all__ = ["EmotionDetector"]
