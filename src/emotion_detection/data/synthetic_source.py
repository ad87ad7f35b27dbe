"""``demo``: synthetic faces, so that everything works without a dataset.

Format: none on disk; 6,000 faces, seed 0. Classes: FER-2013's seven, in equal numbers, with a true
intensity (0 for neutral, 0.2 to 1 for the others). Split: by person, 4,500 train, 750 validation,
750 test. Licence: MIT, as the project. Citation: none; metrics on synthetic faces say nothing about
people.
"""

from collections.abc import Iterator
from pathlib import Path

from emotion_detection.data import rendering as drawing
from emotion_detection.data import synthetic as drawn
from emotion_detection.data.source import Face, Source
from emotion_detection.labels import FER2013

COUNT = 6000
_SHARES = (("train", 0.75), ("validation", 0.875), ("test", 1.0))


def make_synthetic_source(size: int, count: int = COUNT) -> Source:
    """Return the synthetic faces as a data source.

    Args:
        size: height and width in pixels.
        count: number of faces.
    """
    return Source(
        kind=f"synthetic faces ({count}, {size} px)",
        files=(
            Path(drawn.__file__),
            Path(drawing.__file__),
        ),  # rendered anew after changes of the code
        labels=FER2013,
        read=lambda: _read(size, count),
        label_set="demo",
        count=count,
    )


def _read(size: int, count: int) -> Iterator[Face]:
    people = -(-count // drawn.PER_PERSON)
    number = 0
    for block in drawn.draw_blocks(count, 0, size):
        for place in range(len(block.labels)):
            share = (int(block.identity[place]) + 0.5) / people
            yield Face(
                name=f"demo_{number:05d}",
                content=block.faces[place],
                label=int(block.labels[place]),
                split=next(name for name, end in _SHARES if share < end),
                intensity=float(block.intensity[place]),
            )
            number += 1
