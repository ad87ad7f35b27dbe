"""``emotion explain``: draw which regions of a face drove the prediction, as one PNG."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.commands.shared_options import MODEL_HELP, add_detection_options
from emotion_detection.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from emotion_detection.inference import EmotionDetector


def run(words: list[str]) -> int:
    """Run ``emotion explain``; print the predictions, and the file last."""
    parsed = parse(_parser(), words)
    import numpy as np

    from emotion_detection.inference import EmotionDetector
    from emotion_detection.inference.annotate import save_image
    from emotion_detection.inference.explain import (
        METHODS,
        draw_heat_map,
        explain_crop,
        stack_crops,
    )
    from emotion_detection.io.progress import show_progress
    from emotion_detection.training_record import SYNTHETIC_NOTE

    if not parsed.image:
        raise InputError("IMAGE is empty: name a photo")
    image = Path(parsed.image)
    out = Path(parsed.out or f"{image.stem}-explained.png")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the name must end in .png")
    if parsed.method not in METHODS:
        raise InputError(f"--method {parsed.method}: must be {' or '.join(METHODS)}")
    if parsed.seed < 0:
        raise InputError(f"--seed {parsed.seed}: must be 0 or more")
    detector = EmotionDetector(
        parsed.model,
        labels=parsed.labels,
        detection_size=parsed.detection_size,
        min_confidence=parsed.min_confidence,
        min_face_size=parsed.min_face_size,
    )
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    wanted = _column(parsed.emotion, detector.labels)
    crops, names = (_crop if parsed.crops else _found)(detector, parsed.image)
    scores = detector.classify(crops)
    columns = scores.argmax(axis=1) if wanted is None else np.full(len(scores), wanted)
    images, said = [], []
    for name, crop, row, column in show_progress(
        zip(names, crops, scores, map(int, columns), strict=True), "explaining faces", len(crops)
    ):
        heat = explain_crop(detector.classify, crop, column, parsed.method, parsed.seed)
        said.append(f"{name}: {detector.labels[column]} {row[column]:.0%}")
        images.append(draw_heat_map(crop, heat, said[-1]))
    save_image(stack_crops(images), out)
    for line in said:
        print(line)
    print(f"wrote {out}: each face, and beside it in colour what drove its score ({parsed.method})")
    return 0


def _parser() -> ArgumentParser:
    parser = new_parser(
        "explain", "Show which regions of a face drove the prediction.", "[OPTIONS] IMAGE"
    )
    add = parser.add_argument
    add("image", type=str, metavar="IMAGE", help="photo, or a face crop with --crops")
    add("--model", type=str, metavar="RUN", help=MODEL_HELP)
    add("--labels", type=str, help="label set of the model to explain; default: its first")
    add("--crops", action="store_true", help="the image is a face crop: detect nothing")
    add("--emotion", type=str, help="emotion to explain; default: the predicted one of each face")
    add("--out", type=str, metavar="FILE", help="the PNG; default: IMAGE's name + -explained.png")
    add(
        "--method",
        type=str,
        default="rise",
        help="rise or occlusion (faster, coarser); default: rise",
    )
    add("--seed", type=int, default=0, metavar="N", help="seed of the random masks of rise")
    add_detection_options(parser)
    return parser


def _column(emotion: str | None, labels: tuple[str, ...]) -> int | None:
    if emotion is None:
        return None
    from emotion_detection.labels import canonical_name

    name = emotion if emotion in labels else canonical_name(emotion)
    if name not in labels:
        raise InputError(f"--emotion {emotion}: must be one of {', '.join(labels)}")
    return labels.index(name)


def _crop(detector: "EmotionDetector", image: str) -> tuple["npt.NDArray[np.uint8]", list[str]]:
    import numpy as np

    from emotion_detection.images.opening import ImageError, image_to_array
    from emotion_detection.inference.crop_inputs import faces

    try:
        pixels, _ = image_to_array(image)
    except ImageError as error:
        raise InputError(f"{image}: {error}") from None
    (crop,) = faces(pixels[None], *detector.input)
    whole = crop[0] if len(crop) == 1 else np.ascontiguousarray(crop.transpose(1, 2, 0))
    return whole[None], ["face"]


def _found(detector: "EmotionDetector", image: str) -> tuple["npt.NDArray[np.uint8]", list[str]]:
    seen = detector.look(image)
    if not seen.faces:
        small = f" ({seen.about.skipped} too small were left out)" if seen.about.skipped else ""
        raise InputError(
            f"{image}: no face was found{small}; --crops says that the whole image is one"
        )
    if len(seen.faces) == 1:
        return seen.crops, ["face"]
    return seen.crops, [f"face {number}" for number in range(1, len(seen.faces) + 1)]
