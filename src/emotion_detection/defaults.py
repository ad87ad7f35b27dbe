"""Default values of detection, tracking and decoding, which the help of the commands shows.

This module imports nothing, so that ``--help`` needs neither NumPy nor onnxruntime.
"""

DETECTION_SIZE = 640
"""Longer side in pixels that images are resized to for detection."""
MIN_CONFIDENCE = 0.3
"""Minimum confidence of a detection; small boxes need more (:mod:`.inference.second_pass`)."""
CERTAIN = 0.5
"""Detections with a lower confidence are flagged as uncertain."""
MIN_FACE_SIZE = 24.0
"""Longer side in pixels of the smallest face that is classified."""

SMOOTHING = 0.5
"""Time constant in seconds of the smoothing of scores in videos."""
START_CONFIDENCE = 0.5
"""Confidence of a detection that starts a track immediately."""
MIN_TRACK_TIME = 0.2
"""Minimum duration of a track in seconds."""

MAX_PIXELS = 25_000_000
"""Maximum pixels of images in requests to the server and of training faces. Detection runs on
larger images at a reduced size."""
DEFAULT_MAX_PIXELS = 250_000_000
"""Maximum pixels of a user's own images: phones take up to 200 megapixels."""
