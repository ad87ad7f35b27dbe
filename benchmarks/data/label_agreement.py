"""How often FER-2013's own labels and FER+'s majority name the same emotion for the same face.

python -m benchmarks.data.label_agreement --data DATA [--out docs/results/agreement.json]
"""

import sys
from typing import Any

import numpy as np

from benchmarks.common import Parser, name_command, report_errors, write_json
from emotion_detection.config import DataConfig
from emotion_detection.data import SPLITS, join_splits, load
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


@report_errors
def main(words: list[str] | None = None) -> int:
    """Compare, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data()
    parser.add_out()
    options = parser.parse_args(words)
    found = agreement(options.data, options.cache)
    for split, row in found.items():
        print(f"{split:10} {row['agree']:.4f} of {row['with_majority']:,} faces with a majority")
    if options.out:
        record = {
            "command": f"{name_command(__file__)} --data DATA",
            "splits": found,
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
