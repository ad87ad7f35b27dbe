#!/usr/bin/env python3
"""Train the emotion detector: ``python train.py --help``."""

import sys

try:
    from emotion_detection.cli import main
except ModuleNotFoundError:
    print(
        "train.py: the package is not installed; first: pip install -e '.[train]'", file=sys.stderr
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
