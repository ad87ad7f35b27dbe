"""Emotion detection: reads expressions from faces."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("emotion-detection")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
