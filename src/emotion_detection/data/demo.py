"""``demo``: faces that the project draws itself, so that everything works with no dataset.

Format: none on disk; 6,000 faces, seed 0. Classes: FER-2013's seven, in equal numbers, with a
true intensity (0 for neutral, 0.2 to 1 for the others). Split: by drawn person, 4,500 train, 750
validation, 750 test. Licence: MIT, as the project. Citation: none; figures on drawn faces say
nothing about people.
"""

from collections.abc import Iterator

from emotion_detection.data.drawn import draw_faces
from emotion_detection.data.source import Face, Source
from emotion_detection.emotions import FER2013

COUNT = 6000
_SHARES = (("train", 0.75), ("validation", 0.875), ("test", 1.0))


def demo(size: int, count: int = COUNT) -> Source:
    """Return the drawn faces as a data source.

    Args:
        size: height and width in pixels.
        count: number of faces.
    """
    return Source(
        kind=f"drawn faces ({count}, {size} px)",
        files=(),
        labels=FER2013,
        read=lambda: _read(size, count),
        label_set="demo",
        count=count,
    )


def _read(size: int, count: int) -> Iterator[Face]:
    drawn = draw_faces(count, seed=0, size=size)
    people = int(drawn.identity.max()) + 1
    for number in range(count):
        share = (int(drawn.identity[number]) + 0.5) / people
        yield Face(
            name=f"demo_{number:05d}",
            content=drawn.faces[number],
            label=int(drawn.labels[number]),
            split=next(name for name, end in _SHARES if share < end),
            intensity=float(drawn.intensity[number]),
        )
