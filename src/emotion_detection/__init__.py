"""Emotion detection: detect faces in images and classify their expressions.

>>> from emotion_detection import EmotionDetector
>>> result = EmotionDetector().detect("photo.jpg")
>>> result
Result('photo.jpg', 512x512, 1 face: happiness)
"""

from typing import TYPE_CHECKING

from emotion_detection.privacy import disable_telemetry

# before any module of the package can import onnxruntime, in every process that uses one
disable_telemetry()

if TYPE_CHECKING:
    from emotion_detection.errors import ImageError, InputError
    from emotion_detection.inference import EmotionDetector
    from emotion_detection.inference.explain import Explanation, explain
    from emotion_detection.inference.result_output import annotate
    from emotion_detection.results import Face, Result

    __version__: str
else:
    # imported on first use: training and ``--help`` do not need onnxruntime
    _MODULES = {
        "EmotionDetector": "inference",
        "Explanation": "inference.explain",
        "Face": "results",
        "InputError": "errors",
        "ImageError": "errors",
        "Result": "results",
        "annotate": "inference.result_output",
        "explain": "inference.explain",
    }

    def __getattr__(name: str) -> object:
        """Import a public name on first use; reading the version is slow too."""
        if name == "__version__":
            value = _version()
        elif name == "PictureError":
            import warnings

            warnings.warn("PictureError is now called ImageError", FutureWarning, stacklevel=2)
            return __getattr__("ImageError")
        elif name in _MODULES:
            from importlib import import_module

            value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        else:
            from emotion_detection.other_libraries import PACKAGE_NAMES

            hint = f"; use {PACKAGE_NAMES[name]}" if name in PACKAGE_NAMES else ""
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names, for completion."""
        return sorted({*globals(), *__all__} - {"_MODULES", "TYPE_CHECKING"})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("emotion-detection")
    except PackageNotFoundError:  # a source tree on the path, not installed
        return "0+unknown"


__all__ = [
    "EmotionDetector",
    "Explanation",
    "Face",
    "ImageError",
    "InputError",
    "Result",
    "__version__",
    "annotate",
    "explain",
]
