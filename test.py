#!/usr/bin/env python3
"""Test the emotion detector: ``python test.py --help``."""

import sys

try:
    from emotion_detection.cli import main
except ModuleNotFoundError:
    print(
        "test.py: the package is not installed; first: pip install -e '.[train]'", file=sys.stderr
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
