"""How often FER-2013's own labels and FER+'s majority name the same emotion for the same face.

python -m benchmarks.data.label_agreement --data DATA [--out docs/results/agreement.json]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from emotion_detection.config import DataConfig
from emotion_detection.data import SPLITS, join_splits, load
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic
from emotion_detection.labels import FER2013, FERPLUS


def agreement(data: str, cache: str) -> dict[str, Any]:
    """Compare the two label sets on the faces that have both.

    Args:
        data: FER-2013 with the votes beside it.
        cache: folder of the decoded faces.

    Returns:
        For each split: faces, those with a majority, the share of these where both agree.
    """
    own = load(DataConfig(data=data, cache=cache))
    voted = load(DataConfig(data=data, cache=cache, labels="ferplus", votes="majority"))
    found = {}
    for split in SPLITS:
        faces = join_splits(voted.split(split), own.split(split), "fer2013")
        known = faces.labels >= 0
        ours = np.array(FER2013)[faces.also["fer2013"][known]]
        theirs = np.array(FERPLUS)[faces.labels[known]]
        found[split] = {
            "faces": len(faces),
            "with_majority": int(known.sum()),
            "agree": float((ours == theirs).mean()),
        }
    return found


def main() -> int:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--cache", default=DataConfig.cache)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    try:
        found = agreement(options.data, options.cache)
    except InputError as error:
        print(f"agreement: {error}", file=sys.stderr)
        return 2
    for split, row in found.items():
        print(f"{split:10} {row['agree']:.4f} of {row['with_majority']:,} faces with a majority")
    if options.out:
        record = {
            "command": "python -m benchmarks.data.label_agreement --data DATA",
            "splits": found,
        }
        write_atomic(options.out, json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
