"""Emotion detection: reads expressions from faces."""

from typing import TYPE_CHECKING

from emotion_detection.privacy import disable_telemetry

# before any module of the package can import onnxruntime, in every process that uses one
disable_telemetry()

if TYPE_CHECKING:
    from emotion_detection.inference import EmotionDetector

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """Import onnxruntime only for those who detect: training and ``--help`` do without.

        So it is with what reads the version: that would be most of what the package imports.
        """
        if name == "EmotionDetector":
            from emotion_detection.inference import EmotionDetector

            return EmotionDetector
        if name == "__version__":
            return _version()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("emotion-detection")
    except PackageNotFoundError:  # a source tree on the path, not installed
        return "0+unknown"


__all__ = ["EmotionDetector", "__version__"]
