"""``python -m emotion_detection`` is the ``emotion`` command."""

import sys

from emotion_detection.cli import main

if __name__ == "__main__":
    sys.exit(main())
