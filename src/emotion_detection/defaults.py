"""Default values of detection, tracking and decoding, which the help of the commands shows.

This module imports nothing, so that ``--help`` needs neither NumPy nor onnxruntime.
"""

WORKING_SIZE = 640
"""Pixels of the longer side in the first look."""
THRESHOLD = 0.3
"""Least confidence of a face; small boxes need more (:mod:`.inference.closer_look`)."""
CERTAIN = 0.5
"""Faces with less confidence are flagged as uncertain."""
SMALLEST = 24.0
"""Pixels of the longer side of the smallest face that is classified."""

SMOOTHING = 0.5
"""Seconds: time constant of the smoothing of scores in videos."""
START_CONFIDENCE = 0.5
"""Confidence of a face that begins a track by itself."""
MIN_TRACK_TIME = 0.2
"""Seconds that a track must last."""

MAX_PIXELS = 25_000_000
"""Of images from strangers (the server's limit) and of faces to train on. Images with more are
detected in at reduced size."""
DEFAULT_MAX_PIXELS = 250_000_000
"""Of a user's own images: phones take up to 200 megapixels."""
