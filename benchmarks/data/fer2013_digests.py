"""Write the digests that identify FER-2013's faces, from FER-2013 itself.

    python -m benchmarks.data.fer2013_digests --data PATH [--out FILE]

PATH is all of FER-2013 in a shape that keeps the faces' numbers (Kaggle's CSV, or Parquet with its
file names). FILE gets 8 bytes a face, in the order of Kaggle's file: 287,096 bytes.
"""

import sys
from pathlib import Path

from benchmarks.common import Parser, report_errors
from emotion_detection.config import DataConfig
from emotion_detection.data import SPLITS, load
from emotion_detection.data import fer2013_faces as known
from emotion_detection.data.source import place_in_fer2013
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic

TABLE = Path(known.__file__).with_name("fer2013_digests.bin")


def collect_digests(config: DataConfig) -> bytes:
    """Return the digests of all faces of FER-2013, in the order of their numbers.

    Raises:
        InputError: the data is not all of FER-2013, or does not keep the faces' numbers.
    """
    dataset = load(config)
    digests: dict[int, bytes] = {}
    for split in (name for name in SPLITS if dataset.sizes[name]):
        faces = dataset.split(split)
        for name, image in zip(faces.names, faces.images, strict=True):
            place = place_in_fer2013(name.rpartition("/")[2])
            if place is not None:
                digests[place[1]] = known.shorten_digest(image[0])
    if sorted(digests) != list(range(known.COUNT)):
        raise InputError(f"{config.data}: {len(digests)} numbered faces, not {known.COUNT}")
    return b"".join(digests[number] for number in range(known.COUNT))


@report_errors
def main(words: list[str] | None = None) -> int:
    """Write the table."""
    parser = Parser(__doc__, __file__)
    parser.add_data()
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args(words)
    content = collect_digests(DataConfig(data=options.data, cache=options.cache))
    write_atomic(options.out, content)
    print(f"{options.out}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
