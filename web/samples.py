"""Draw the faces that the page offers to try it on: python web/samples.py.

They are drawn by the project itself and committed as small PNG files, so that building the page
needs no Python.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from emotion_detection.data.drawn import draw_faces

PLACE = Path(__file__).parent / "public" / "samples"
SIZE = 200
FACES = {"happiness": 24, "sadness": 60, "surprise": 54, "neutral": 34}
"""What is drawn, and which of the drawn faces it is: ones that people and the model name alike."""


def main() -> None:
    """Write a file a face, and one with all of them."""
    drawn = draw_faces(max(FACES.values()) + 1, size=SIZE).faces
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, place in FACES.items():
        Image.fromarray(drawn[place]).save(PLACE / f"{name}.png", optimize=True)
    gap = SIZE // 5
    together = np.full((SIZE + 2 * gap, len(FACES) * (SIZE + gap) + gap), 168, np.uint8)
    for column, place in enumerate(FACES.values()):
        left = gap + column * (SIZE + gap)
        together[gap : gap + SIZE, left : left + SIZE] = drawn[place]
    Image.fromarray(together).save(PLACE / "together.png", optimize=True)


if __name__ == "__main__":
    main()
