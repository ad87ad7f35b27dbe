"""Emotion detection: reads expressions from faces."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emotion_detection.inference import EmotionDetector
else:

    def __getattr__(name: str) -> object:
        """Import onnxruntime only for those who detect: training and ``--help`` do without."""
        if name == "EmotionDetector":
            from emotion_detection.inference import EmotionDetector

            return EmotionDetector
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


try:
    __version__ = version("emotion-detection")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

__all__ = ["EmotionDetector", "__version__"]
