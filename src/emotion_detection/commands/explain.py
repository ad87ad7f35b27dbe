"""``emotion explain``: which regions of a face drove the answer -> one PNG."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.commands.parsing import new_parser, parse
from emotion_detection.emotions import canonical
from emotion_detection.errors import InputError
from emotion_detection.images import PictureError, picture_array
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.annotate import save_picture
from emotion_detection.inference.crops import faces
from emotion_detection.inference.explain import METHODS, explain, heat_map_picture, stacked
from emotion_detection.inference.face_detector import SMALLEST, THRESHOLD, WORKING_SIZE
from emotion_detection.progress import progress
from emotion_detection.training_record import SYNTHETIC_NOTE


def run(words: list[str]) -> int:
    """Explain as the words say; print what was explained, and the file last."""
    parser = new_parser("explain", "Show which regions of a face drove the answer.")
    parser.add_argument("picture", type=str, help="photograph, or a crop of a face with --crops")
    parser.add_argument(
        "--model", type=str, help="run folder or ONNX file; default: the model of the package"
    )
    parser.add_argument("--labels", type=str, help="which of the model's sets of labels to score")
    parser.add_argument(
        "--crops", action="store_true", help="the picture is a crop of a face: detect nothing"
    )
    parser.add_argument(
        "--emotion", type=str, help="emotion to explain; default: each face's highest"
    )
    parser.add_argument("--out", type=str, help="the PNG; default: PICTURE's name + -explained.png")
    parser.add_argument(
        "--method", type=str, default="rise", help="rise (default) or occlusion (quicker, rougher)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random masks of rise")
    for name, kind, default, told in (
        ("smallest", float, SMALLEST, "smallest face in pixels"),
        ("threshold", float, THRESHOLD, "least confidence of a face, 0 to 1"),
        ("working_size", int, WORKING_SIZE, "longer side in pixels to detect faces at"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{told}, as for predict")
    parsed = parse(parser, words)
    picture = Path(parsed.picture)
    out = Path(parsed.out or f"{picture.stem}-explained.png")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the name must end in .png")
    if parsed.method not in METHODS:
        raise InputError(f"--method {parsed.method}: must be {' or '.join(METHODS)}")
    if parsed.seed < 0:
        raise InputError(f"--seed {parsed.seed}: must be 0 or more")
    detector = EmotionDetector(
        parsed.model,
        labels=parsed.labels,
        working_size=parsed.working_size,
        threshold=parsed.threshold,
        smallest=parsed.smallest,
    )
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    wanted = _column(parsed.emotion, detector.labels)
    crops, names = (_crop if parsed.crops else _found)(detector, parsed.picture)
    scores = detector.classify(crops)
    columns = scores.argmax(axis=1) if wanted is None else np.full(len(scores), wanted)
    pictures, said = [], []
    for name, crop, row, column in progress(
        zip(names, crops, scores, map(int, columns), strict=True), "explaining faces", len(crops)
    ):
        heat = explain(detector.classify, crop, column, parsed.method, parsed.seed)
        said.append(f"{name}: {detector.labels[column]} {row[column]:.0%}")
        pictures.append(heat_map_picture(crop, heat, said[-1]))
    save_picture(stacked(pictures), out)
    for line in said:
        print(line)
    print(f"wrote {out}: each face, and beside it in colour what drove its score ({parsed.method})")
    return 0


def _column(emotion: str | None, labels: tuple[str, ...]) -> int | None:
    if emotion is None:
        return None
    name = emotion if emotion in labels else canonical(emotion)
    if name not in labels:
        raise InputError(f"--emotion {emotion}: must be one of {', '.join(labels)}")
    return labels.index(name)


def _crop(detector: EmotionDetector, picture: str) -> tuple[npt.NDArray[np.uint8], list[str]]:
    try:
        pixels, _ = picture_array(picture)
    except PictureError as error:
        raise InputError(f"{picture}: {error}") from None
    (crop,) = faces(pixels[None], *detector.input)
    whole = crop[0] if len(crop) == 1 else np.ascontiguousarray(crop.transpose(1, 2, 0))
    return whole[None], ["face"]


def _found(detector: EmotionDetector, picture: str) -> tuple[npt.NDArray[np.uint8], list[str]]:
    seen = detector.look(picture)
    if not seen.faces:
        small = f" ({seen.about.skipped} too small were left out)" if seen.about.skipped else ""
        raise InputError(
            f"{picture}: no face was found{small}; --crops says that the whole picture is one"
        )
    if len(seen.faces) == 1:
        return seen.crops, ["face"]
    return seen.crops, [f"face {number}" for number in range(1, len(seen.faces) + 1)]
