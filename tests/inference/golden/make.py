"""Writes align.json: an image, landmarks in it, and the crops that step by step must come out.

    python tests/inference/golden/make.py

Any implementation of ``emotion_detection.inference.align`` can be held against the file; bytes are
base64. Run it only when the recipe there is changed on purpose.
"""

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference.align import align

PLACE = Path(__file__).parent / "align.json"

CASES: dict[str, tuple[int, int, list[float], list[list[float]]]] = {
    "as large as the crop": (
        *(48, 1, [8, 15.5, 45, 48]),
        [[25, 30], [41, 32], [32, 41], [25, 48], [38, 49]],
    ),
    "small, enlarged": (
        *(48, 1, [67, 15.25, 12, 15.5]),
        [[70, 20.5], [76, 21], [73, 24.5], [70.5, 27], [75.5, 27.5]],
    ),
    "large, turned": (
        *(48, 1, [21, 8, 108, 120]),
        [[38, 60], [92, 35], [78, 68], [62, 95], [104, 78]],
    ),
    "upside down": (
        *(48, 1, [22, 2.5, 96, 90]),
        [[91.5, 71], [48, 68.5], [69, 47], [87, 27], [53, 25]],
    ),
    "beyond two edges": (
        *(48, 1, [80, -20, 72.5, 84]),
        [[98, 8], [131, 12], [118, 28], [99, 42], [127, 44]],
    ),
    "colour": (
        *(32, 3, [20, 12, 74, 77]),
        [[40, 35], [75, 38], [58, 57], [43, 72], [70, 75]],
    ),
    "both eyes in one point": (48, 1, [60, 30, 40, 31], [[80, 40]] * 5),
}


def image() -> np.ndarray:
    """Draw a face in colours, uint8 (100, 132, 3)."""
    face = Image.fromarray(make_synthetic_faces(1).faces[0]).resize(
        (100, 100), Image.Resampling.BICUBIC
    )
    grey = np.full((100, 132), 90.0)
    grey[:, 16:116] = np.asarray(face)
    row, column = np.mgrid[0:100, 0:132]
    tints = np.stack([column / 3 - 20, row / 3 - 15, 20 - column / 4], axis=2)
    return np.asarray((grey[..., None] + tints).clip(0, 255), np.uint8)


def main() -> None:
    """Write the file."""
    rgb = image()
    cases = [
        {
            "name": name,
            "size": size,
            "channels": channels,
            "box": box,
            "landmarks": landmarks,
            "crop": base64.b64encode(align(rgb, box, landmarks, size, channels).tobytes()).decode(),
        }
        for name, (size, channels, box, landmarks) in CASES.items()
    ]
    height, width, _ = rgb.shape
    pixels = base64.b64encode(rgb.tobytes()).decode()
    record = {"width": width, "height": height, "rgb": pixels, "cases": cases}
    PLACE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
