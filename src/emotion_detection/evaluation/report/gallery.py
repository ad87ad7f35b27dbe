"""Galleries of notable faces: confident errors and uncertain predictions."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emotion_detection.evaluation.report import markup

FaceImageReader = Callable[[int], npt.NDArray[np.uint8] | None]
Face = Mapping[str, Any]

TALLEST = 96
"""Maximum size of a face in the page in pixels; larger ones are reduced."""


def render_gallery(faces: Sequence[Face], image: FaceImageReader) -> str:
    """Return faces with their labels and predictions.

    Args:
        faces: ``row``, ``file``, ``label``, ``called``, ``scores`` and ``votes`` of each; if two
            models are compared also ``second``, the same of the other model.
        image: row -> pixels uint8 (C, H, W), or None.
    """
    items = (f"<li>{_image(image(face['row']))}{_said(face)}</li>" for face in faces)
    return f'<ul class="gallery">{"".join(items)}</ul>'


def _image(pixels: npt.NDArray[np.uint8] | None) -> str:
    if pixels is None:
        return '<span class="blank" aria-hidden="true">no image</span>'
    # the text beside the image is the alternative
    return f'<img src="{markup.data_uri(_png(pixels))}" alt="" width="96" height="96">'


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    grey = len(pixels) == 1
    face = Image.fromarray(pixels[0] if grey else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    face.thumbnail((TALLEST, TALLEST))
    out = io.BytesIO()
    face.save(out, "PNG", optimize=True)
    return out.getvalue()


def _said(face: Face) -> str:
    scores = face["scores"]
    parts = [
        f"predicted <b>{markup.text(face['called'])}</b> {scores[face['called']]:.0%}"
        f'<span class="bar" style="width:{100 * scores[face["called"]]:.0f}%"></span>',
        f"label <b>{markup.text(face['label'])}</b> {scores[face['label']]:.0%}"
        if face["label"] != face["called"]
        else "as labelled",
    ]
    if (other := face.get("second")) is not None:
        called = other["called"]
        said = f"{markup.text(called)} {other['scores'][called]:.0%}"
        parts.append(f"<div>second: {said}</div>")
    if face["votes"]:
        votes = sorted(face["votes"].items(), key=lambda vote: -vote[1])
        told = ", ".join(f"{markup.text(name)} {one:.0%}" for name, one in votes)
        parts.append(f"<small>votes: {told}</small>")
    parts.append(f"<small>{markup.text(face['file'])}</small>")
    return "".join(part if part.startswith("<") else f"<div>{part}</div>" for part in parts)
