"""Draw the samples that the page offers: python web/samples.py.

The faces are drawn by the project itself, and the photo is in the public domain: the portrait of
the astronaut Eileen Collins by NASA (https://www.nasa.gov/multimedia/guidelines), which
scikit-image carries. All are committed as small files, so that building the page needs no Python.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from emotion_detection.data.synthetic import make_synthetic_faces

PLACE = Path(__file__).parent / "public" / "samples"
SIZE = 200
FACES = {"happiness": 17, "sadness": 32, "surprise": 12, "neutral": 34}
"""What is drawn, and which of the drawn faces it is: ones that people and the model name alike,
and that the model names with nearly the same score alone and among others."""

CROWD = (199, 153, 46, 234, 12, 195, 38, 60, 13, 229, 73, 167)
COLUMNS = 4
TINTS = ((1.06, 0.93, 0.82), (1.04, 0.88, 0.74), (1.0, 0.84, 0.7), (1.08, 0.97, 0.9))
"""Factors of red, green and blue: a drawn face is grey."""

Pixels = npt.NDArray[np.uint8]


def tint(face: Pixels, number: int) -> Image.Image:
    """Return a grey drawing in the colours of skin."""
    colours = face[..., None] * np.array(TINTS[number % len(TINTS)])
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def paste_side_by_side(faces: list[Image.Image]) -> Image.Image:
    """Return drawn faces in a row."""
    gap = SIZE // 5
    sheet = Image.new("RGB", (len(faces) * (SIZE + gap) + gap, SIZE + 2 * gap), (196, 190, 182))
    for column, face in enumerate(faces):
        sheet.paste(face, (gap + column * (SIZE + gap), gap))
    return sheet


def draw_grid(faces: list[Image.Image]) -> Image.Image:
    """Return drawn faces in a grid, as in a video call."""
    gap = 10
    rows = len(faces) // COLUMNS
    grid = Image.new("RGB", (COLUMNS * (SIZE + gap) + gap, rows * (SIZE + gap) + gap), (32, 34, 40))
    mask = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, SIZE - 1, SIZE - 1), 14, fill=255)
    for place, face in enumerate(faces):
        row, column = divmod(place, COLUMNS)
        grid.paste(face, (gap + column * (SIZE + gap), gap + row * (SIZE + gap)), mask)
    return grid


def main() -> None:
    """Write the samples; the photo only where scikit-image is installed."""
    drawn = make_synthetic_faces(max((*FACES.values(), *CROWD)) + 1, size=SIZE).faces
    PLACE.mkdir(parents=True, exist_ok=True)
    faces = [tint(drawn[place], number) for number, place in enumerate(FACES.values())]
    for name, face in zip(FACES, faces, strict=True):
        face.save(PLACE / f"{name}.png", optimize=True)
    paste_side_by_side(faces).save(PLACE / "together.png", optimize=True)
    group = draw_grid([tint(drawn[place], number) for number, place in enumerate(CROWD)])
    group.save(PLACE / "group.jpg", quality=88)
    try:
        from skimage.data import astronaut
    except ImportError:
        print("astronaut.jpg stays as it is: it comes with scikit-image")
    else:
        photo = Image.fromarray(astronaut()).crop((60, 0, 410, 350))
        photo.save(PLACE / "astronaut.jpg", quality=88)


if __name__ == "__main__":
    main()
