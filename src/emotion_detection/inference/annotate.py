"""Draw results into the image: boxes, emotions with score and intensity, score bars."""

import errno
import io
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.label_places import Area, LabelLayout, Placement, place_labels
from emotion_detection.io.files import write_atomic
from emotion_detection.palette import Colour, list_emotion_colours
from emotion_detection.results import UNSURE, Face, Result

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Suffixes of image files that can be written."""

_PLATE = (22, 24, 28)
_TRACK = (74, 78, 86)
_WHITE = (255, 255, 255)
_OPACITY = 215
_BARS = 3
"""Number of score bars in a label."""
_SMALLEST_WITH_BARS, _SMALLEST_TEXT = 11, 9
_FINE = 3
"""Labels are rendered this many times larger and then reduced, so that small letters stay
legible."""
_OF_THE_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EISDIR}
"""System errors that concern this file name alone: other files can still be written."""
_HIDDEN = 0.06
"""Fraction of a face that a label may cover. It is above 0, since a face may fill the image."""


def annotate_image(
    rgb: npt.NDArray[np.uint8],
    result: Result,
    bars: bool = True,
    layout: LabelLayout | None = None,
) -> Image.Image:
    """Draw a result on the image, and return the annotated image.

    Each face gets a box in its emotion's colour and a label: the emotion with its score, and, where
    there is room for it without hiding other faces, bars of the highest scores and of the
    intensity. Labels stay within the image and, where there is room, do not overlap. Where there
    are several faces, labels begin with the number of the face or, in a video, of the person.
    Uncertain detections (flag 'uncertain_face') get a thin box and the label "face?".

    Args:
        rgb: uint8 (H, W, 3), the image.
        result: the faces of this image.
        bars: whether labels may show bars.
        layout: layout of the previous frames, so that labels stay in place; None: a single image.

    Returns:
        The image, mode "RGB", of the same size.

    Raises:
        ValueError: the image is of another size than the result.
    """
    if rgb.shape != (result.height, result.width, 3):
        raise ValueError(
            f"an image of shape {rgb.shape}: the result is of ({result.height}, {result.width}, 3)"
        )
    image = Image.fromarray(rgb)
    draw_result(image, result, bars, layout)
    return image


def draw_result(
    image: Image.Image, result: Result, bars: bool = True, layout: LabelLayout | None = None
) -> None:
    """Draw a result on its image, as :func:`annotate_image` does on a copy.

    Args:
        image: mode "RGB", of the result's size; changed in place.
        result: as for :func:`annotate_image`.
        bars: as for :func:`annotate_image`.
        layout: as for :func:`annotate_image`.
    """
    if not result.faces:
        return
    colours = list_emotion_colours(result.faces[0].scores)
    boxes = [Area.of(face) for face in result.faces]
    labels, places = _best_layout(image.size, result.faces, boxes, colours, bars, layout)
    width = _line_width(image.size)
    draw = ImageDraw.Draw(image)
    for face, box in zip(result.faces, boxes, strict=True):
        line = max(1, width // 3) if face.is_uncertain else width
        _draw_box(draw, box, colours[face.emotion], line)
    for label, place in zip(labels, places, strict=True):
        image.paste(label.convert("RGB"), place, label.getchannel("A"))


@lru_cache(maxsize=32)
def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font in a size in pixels."""
    return ImageFont.load_default(size)


def _line_width(size: tuple[int, int]) -> int:
    return 1 + round(math.sqrt(size[0] * size[1]) / 400)


def _layouts(
    size: tuple[int, int], boxes: Sequence[Area], bars: bool
) -> Iterator[tuple[bool, int]]:
    """Yield (has bars, text size in pixels) of label styles, from most to least detailed."""
    by_image = math.sqrt(size[0] * size[1]) / 40
    by_face = float(np.median([box.right - box.left for box in boxes])) / 4.5
    best = min(max(min(by_image, by_face), by_image / 2, _SMALLEST_WITH_BARS), size[1] / 8, 64)
    sizes = [round(best * share) for share in (1, 0.8, 0.65)]
    if bars:
        yield from ((True, text) for text in sizes if text >= _SMALLEST_WITH_BARS)
    yield from ((False, max(text, _SMALLEST_TEXT)) for text in sizes)


def _best_layout(
    size: tuple[int, int],
    faces: Sequence[Face],
    boxes: Sequence[Area],
    colours: dict[str, Colour],
    bars: bool,
    layout: LabelLayout | None = None,
) -> tuple[list[Image.Image], list[tuple[int, int]]]:
    """Return the labels and their placement; all labels of an image have one style."""
    numbers = _numbers(faces)

    def lay(
        look: tuple[bool, int], kept: Sequence[int | None]
    ) -> tuple[list[Image.Image], Placement]:
        labels = [
            _label(face, number, colours, look[1], look[0], size[0])
            for face, number in zip(faces, numbers, strict=True)
        ]
        return labels, place_labels(size, boxes, [label.size for label in labels], kept)

    looks = list(_layouts(size, boxes, bars))
    layout = layout or LabelLayout()
    labels, placement = layout.choose(looks, lay, [face.track for face in faces], _HIDDEN)
    return labels, placement.corners


def _numbers(faces: Sequence[Face]) -> list[int | None]:
    """Return the number that each label begins with, the same as in the tables."""
    if len(faces) == 1 and faces[0].track is None:
        return [None]
    return [place if face.track is None else face.track for place, face in enumerate(faces, 1)]


def _draw_box(draw: ImageDraw.ImageDraw, box: Area, colour: Colour, width: int) -> None:
    radius = min(box.right - box.left, box.bottom - box.top, 48 * width) / 12
    # dark lines on both sides keep the box visible on a background of its own colour
    edge = max(1, width // 2)
    for grow, line, ink in ((edge, width + 2 * edge, _PLATE), (0, width, colour)):
        area = (box.left - grow, box.top - grow, box.right + grow, box.bottom + grow)
        draw.rounded_rectangle(area, radius + grow, outline=ink, width=line)


def _label(
    face: Face,
    number: int | None,
    colours: dict[str, Colour],
    text: int,
    bars: bool,
    room: int,
) -> Image.Image:
    """Draw a face's label, mode "RGBA", at most ``room`` pixels wide."""
    head = f"{UNSURE}: {face.emotion}?" if UNSURE in face.flags else face.emotion
    head = "face?" if face.is_uncertain else f"{head} {face.score:.0%}"
    bars = bars and not face.is_uncertain
    head = head if number is None else f"#{number} {head}"
    shown = sorted(face.scores, key=lambda name: -face.scores[name])[:_BARS] if bars else []
    rows = [(name, face.scores[name], colours[name]) for name in shown]
    if bars and face.intensity is not None:
        rows.append(("intensity", face.intensity, _WHITE))
    text *= _FINE
    small, pad = round(text * 0.82), text // 4
    names = max((_width(name, small) for name, _, _ in rows), default=-pad)
    inside = max(_width(head, text), names + pad + round(3.2 * text) if rows else 0)
    wide = _whole(min(inside + 2 * pad, max(room, 1) * _FINE))
    line, step = _whole(text * 1.35), round(small * 1.3)
    gauge = 0 if bars or face.intensity is None else _whole(text / 5)
    label = Image.new(
        "RGBA",
        (wide, _whole(line + gauge + len(rows) * step + (pad if rows else 0))),
        (*_PLATE, _OPACITY),
    )
    draw = ImageDraw.Draw(label)
    ground = colours[face.emotion]
    draw.rectangle((0, 0, wide, line - 1), fill=ground)
    _write(draw, (pad, line / 2), head, text, _ink(ground))
    if gauge and face.intensity is not None:
        _bar(draw, (0, line, wide, line + gauge), face.intensity, _WHITE)
    for number, (name, share, ink) in enumerate(rows):
        middle = line + pad / 2 + (number + 0.5) * step
        _write(draw, (pad, middle), name, small, _WHITE)
        high = small * 0.28
        _bar(draw, (2 * pad + names, middle - high, wide - pad, middle + high), share, ink)
    return label.reduce(_FINE)


def _whole(length: float) -> int:
    """Round a length so that it is a whole number of pixels after the label is reduced."""
    return max(1, round(length / _FINE)) * _FINE


def _bar(
    draw: ImageDraw.ImageDraw,
    area: tuple[float, float, float, float],
    share: float,
    ink: Colour,
) -> None:
    left, top, right, bottom = area
    if right > left:
        draw.rectangle((left, top, right - 1, bottom - 1), fill=_TRACK)
        if share * (right - left) >= 1:
            draw.rectangle((left, top, left + share * (right - left) - 1, bottom - 1), fill=ink)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, ink: Colour
) -> None:
    draw.text(place, text, font=load_font(size), fill=ink, anchor="lm")


def _width(text: str, size: int) -> int:
    return round(load_font(size).getlength(text)) + 1


def _ink(ground: Colour) -> Colour:
    """Return black or white, whichever has the higher contrast (relative luminance, WCAG 2)."""
    linear = [
        (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)
        for v in (level / 255 for level in ground)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else _WHITE


def save_image(image: Image.Image, path: Path, icc_profile: bytes | None = None) -> None:
    """Write an image atomically, in the format of the file's suffix.

    Args:
        image: mode "L" or "RGB".
        path: ends in .jpg, .jpeg, .png or .webp; parent directories are created.
        icc_profile: colour profile to embed in the file.

    Raises:
        ImageError: this image cannot be written, since it is too large for the format or the file
            name is not valid; other images can be.
        InputError: another suffix, or nothing can be written there.
    """
    check_name(path)
    out, kind = io.BytesIO(), Image.registered_extensions()[path.suffix.lower()]
    try:
        image.save(out, kind, quality=92, icc_profile=icc_profile)
    except (OSError, ValueError) as error:
        reason = f"{image.width} x {image.height} pixels cannot be written as {kind}: {error}"
        raise ImageError(f"{path}: {reason}") from None
    try:
        write_atomic(path, out.getvalue())
    except OSError as error:
        refusal = ImageError if error.errno in _OF_THE_NAME else InputError
        raise refusal(f"{path}: cannot be written: {error.strerror or error}") from None


def check_name(path: Path) -> None:
    """Raise :class:`InputError` unless an image can be written under this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: the name of an image must end in {', '.join(SUFFIXES)}")
