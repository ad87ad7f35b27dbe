"""Images and face crops -> emotions, by onnxruntime alone.

:mod:`.detector` is what users hold; :mod:`.crops` brings crops to a model's input; :mod:`.model`
opens an ONNX file, once :mod:`.external` has found that it is whole; :mod:`.devices` chooses what
networks run on.
"""

from emotion_detection.inference.detector import EmotionDetector

__all__ = ["EmotionDetector"]
