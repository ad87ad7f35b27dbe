"""Convert a result: to drawings, crops, data frames and notebook output."""

import base64
import html
import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError, LoadedImage, load_image
from emotion_detection.inference.align import MARGIN, compute_placement, cut_out
from emotion_detection.inference.annotate import annotate_image, save_image
from emotion_detection.results import Face, Result, list_columns

_SHOWN_SIDE = 800
"""Maximum longer side of an image in a notebook, in pixels."""


def load_origin(result: Result, image: object = None, color: str = "rgb") -> LoadedImage:
    """Load the image of a result.

    Args:
        result: the result.
        image: the image; None: the one that the result refers to.
        color: order of the channels of ``image``, if it is an array.

    Raises:
        InputError: there is no image, or it has another size.
        ImageError: the image cannot be read.
    """
    if image is not None:
        loaded = load_image(image, color=color)
    elif result._origin is not None:
        loaded = result._origin.load()
    else:
        raise InputError("this result refers to no image: pass it, as result.plot(image)")
    if (loaded.width, loaded.height) != (result.width, result.height):
        raise InputError(
            f"an image of {loaded.width} x {loaded.height} pixels: the result is of one of "
            f"{result.width} x {result.height}"
        )
    return loaded


def plot_result(
    result: Result, image: object = None, bars: bool = True, color: str = "rgb"
) -> tuple[Image.Image, LoadedImage]:
    """Return the image with the faces drawn into it, and the original image."""
    loaded = load_origin(result, image, color)
    return annotate_image(np.ascontiguousarray(loaded.pixels), result, bars), loaded


def annotate(
    image: object, result: Result, *, bars: bool = True, color: str = "rgb"
) -> Image.Image:
    """Draw a result on the image, and return the annotated image.

    >>> from emotion_detection import annotate
    >>> result = detector.detect("photo.jpg")
    >>> annotate("photo.jpg", result).size
    (512, 512)

    Args:
        image: the image that the result is of: a path, bytes, an open file, a PIL image, an array.
        result: the faces.
        bars: whether labels may show bars of the scores.
        color: order of the channels of an array, 'rgb' or 'bgr'.

    Returns:
        A PIL image, mode "RGB". Each face has a box in its emotion's colour and a label.

    Raises:
        InputError: the image has another size than the result.
        ImageError: it cannot be read.
    """
    return plot_result(result, image, bars, color)[0]


def save_result(result: Result, path: Path, image: object, bars: bool, color: str) -> Path:
    """Write the image with the faces drawn into it; see :meth:`.Result.save`."""
    origin = result._origin.image if result._origin is not None else None
    for given in (image, origin, result.source):
        # never replace the original photo with the annotated copy
        if not isinstance(given, str | os.PathLike) or not path.exists():
            continue
        if os.path.exists(given) and os.path.samefile(given, path):
            raise InputError(f"{path}: is the image itself; choose another name")
    drawn, loaded = plot_result(result, image, bars, color)
    save_image(drawn, path, loaded.icc_profile)
    return path


def crop_result(
    result: Result, image: object, margin: float, aligned: bool, color: str
) -> list[Image.Image]:
    """Crop the faces; see :meth:`.Result.crops`."""
    if not 0 <= margin < float("inf"):
        raise InputError(f"margin {margin}: must be 0 or more")
    if not result.faces:
        return []
    whole = Image.fromarray(np.ascontiguousarray(load_origin(result, image, color).pixels))
    return [_crop(whole, face, margin, aligned) for face in result.faces]


def _crop(whole: Image.Image, face: Face, margin: float, aligned: bool) -> Image.Image:
    if aligned and face.landmarks:
        side = 1 + 2 * margin
        size = max(1, round(max(face.box[2:]) * MARGIN * side))
        where = compute_placement(face.box, face.landmarks, size, MARGIN * side)
        return Image.fromarray(cut_out(np.asarray(whole), where, size, 3))
    x, y, width, height = face.box
    x, y = x - margin * width, y - margin * height
    width, height = width * (1 + 2 * margin), height * (1 + 2 * margin)
    left, top = min(max(0, round(x)), whole.width - 1), min(max(0, round(y)), whole.height - 1)
    right = max(left + 1, min(whole.width, round(x + width)))
    return whole.crop((left, top, right, max(top + 1, min(whole.height, round(y + height)))))


def make_frame(result: Result, full: bool = False) -> Any:
    """Return a pandas ``DataFrame``; see :meth:`.Result.to_frame`."""
    try:
        import pandas
    except ImportError:
        raise InputError("to_frame() needs pandas: pip install pandas") from None
    labels = tuple(result.faces[0].scores) if result.faces else ()
    if full:
        return pandas.DataFrame(result.rows(), columns=list_columns(labels))
    is_frame = result.frame is not None
    names = [
        *("file", "frame", "time", "track") * is_frame,
        *("file", "face") * (not is_frame),
        *("emotion", "score", "intensity", "x", "y", "width", "height"),
        *("confidence", "uncertain_face", "flags"),
        *(f"score_{name}" for name in labels),
    ]
    rows = [{**row, "score": row[f"score_{row['emotion']}"]} for row in result.rows()]
    return pandas.DataFrame(rows, columns=names)


def make_detections(result: Result) -> Any:
    """Return ``supervision.Detections``; see :meth:`.Result.to_supervision`."""
    try:
        with warnings.catch_warnings():  # its advice to install OpenCV
            warnings.simplefilter("ignore")
            import supervision
    except ImportError:
        raise InputError("to_supervision() needs supervision: pip install supervision") from None
    faces = result.faces
    if not faces:
        return supervision.Detections.empty()
    labels = list(faces[0].scores)
    boxes = np.array([face.box for face in faces], np.float32)
    boxes[:, 2:] += boxes[:, :2]
    data: dict[str, Any] = {
        "class_name": np.array([face.emotion for face in faces]),
        "score": np.array([face.score for face in faces], np.float32),
    }
    if all(face.intensity is not None for face in faces):
        data["intensity"] = np.array([face.intensity for face in faces], np.float32)
    tracks = [face.track for face in faces]
    return supervision.Detections(
        xyxy=boxes,
        confidence=np.array([face.confidence for face in faces], np.float32),
        class_id=np.array([labels.index(face.emotion) for face in faces]),
        tracker_id=None if None in tracks else np.array(tracks),
        data=data,
    )


def encode_shown(image: Image.Image, kind: str = "PNG") -> bytes:
    """Return an image for a notebook, reduced if it is large."""
    shown = image.copy()
    shown.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    out = io.BytesIO()
    shown.save(out, kind)
    return out.getvalue()


def draw_shown(result: Result, kind: str = "PNG") -> bytes | None:
    """Return the annotated image for a notebook; None if the image is gone."""
    try:
        return encode_shown(plot_result(result)[0], kind)
    except (InputError, ImageError, OSError):  # a notebook shows the table alone
        return None


def write_html(result: Result) -> str:
    """Return the annotated image and a table of the faces, for notebooks."""
    image = draw_shown(result, "JPEG")  # JPEG, because the image is stored in the notebook's file
    parts = [f"<p>{html.escape(repr(result))}</p>"]
    if image is not None:
        data = base64.b64encode(image).decode("ascii")
        parts.append(f'<img alt="annotated image" src="data:image/jpeg;base64,{data}">')
    if result.faces:
        cells = "".join(map(_html_row, range(1, len(result) + 1), result.faces))
        names = ("face", "emotion", "score", "intensity", "confidence", "flags")
        head = "".join(f"<th>{name}</th>" for name in names)
        parts.append(f"<table><tr>{head}</tr>{cells}</table>")
    return "".join(parts)


def _html_row(place: int, face: Face) -> str:
    intensity = "" if face.intensity is None else f"{face.intensity:.2f}"
    number = place if face.track is None else face.track
    values = (number, face.emotion, f"{face.score:.2f}", intensity, f"{face.confidence:.2f}")
    cells = (*values, " ".join(face.flags))
    return f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>"
