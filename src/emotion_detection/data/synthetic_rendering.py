"""Render synthetic faces from a person, muscle movements, pose, light and occlusion.

Lengths are in half image widths (the image spans -1..1), x to the right and y down.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_Array = npt.NDArray[np.floating[Any]]

# Effect of one fully contracted unit. Lengths as above (down is positive), except "lip_thickness"
# (a fraction of the resting thickness) and the lines and folds (darkness, 0..1). fmt: off
_DISPLACEMENTS: dict[str, dict[str, float]] = {
    "AU1": {"brow_inner": -0.14, "brow_outer": 0.02, "forehead_lines": 0.14},
    "AU2": {"brow_inner": -0.02, "brow_outer": -0.15, "forehead_lines": 0.14},
    "AU4": {"brow_inner": 0.11, "brow_outer": 0.02, "brow_medial": 0.06, "frown_lines": 0.5},
    "AU5": {"upper_lid": 0.055, "lower_lid": 0.01},
    "AU6": {"upper_lid": -0.015, "lower_lid": -0.03, "cheek_raise": 0.08, "eye_lines": 0.4},
    "AU7": {"upper_lid": -0.02, "lower_lid": -0.025},
    "AU9": {
        "brow_inner": 0.07,
        "brow_outer": 0.02,
        "brow_medial": 0.02,
        "upper_lid": -0.02,
        "lower_lid": -0.02,
        "cheek_raise": 0.05,
        "nose_raise": 0.06,
        "upper_lip_raise": 0.06,
        "nose_lines": 0.5,
        "cheek_folds": 0.32,
    },
    "AU12": {
        "mouth_width": 0.10,
        "mouth_corner": -0.14,
        "lip_thickness": -0.25,
        "cheek_raise": 0.03,
        "cheek_folds": 0.32,
    },
    "AU15": {"mouth_width": 0.02, "mouth_corner": 0.12, "upper_lid": -0.012, "cheek_folds": 0.10},
    "AU16": {"lower_lip_drop": 0.06},
    "AU20": {
        "mouth_width": 0.11,
        "mouth_corner": 0.04,
        "lower_lip_drop": 0.06,
        "lip_thickness": -0.3,
    },
    "AU23": {"mouth_width": -0.07, "lip_thickness": -0.6},
    "AU26": {
        "mouth_width": -0.06,
        "lower_lip_drop": 0.20,
        "upper_lip_raise": 0.03,
        "jaw_drop": 0.12,
    },
}
# fmt: on
ACTION_UNITS = tuple(_DISPLACEMENTS)


def render_faces(parameters: Mapping[str, Floats], size: int = 48) -> Floats:
    """Render faces from parameters, without the camera's noise.

    Args:
        parameters: The names of `SyntheticFaces.parameters`, each (N,) float32.
        size: Width and height in pixels.

    Returns:
        (N, size, size) float32 grey levels, about 0..1 (not clipped).
    """
    shaped = {name: np.asarray(v, np.float32)[:, None, None] for name, v in parameters.items()}
    p = SimpleNamespace(**shaped, pixel=2.0 / size)
    for unit, effects in _DISPLACEMENTS.items():
        for feature, weight in effects.items():
            setattr(p, feature, getattr(p, feature, 0) + shaped[unit] * weight)
    axis = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    column, row = axis[None, None, :], axis[None, :, None]
    right, down = (column - p.shift_x) / p.scale, (row - p.shift_y) / p.scale
    x, y = _rotate(right, down, p.tilt)
    # A turned head: the features slide over it, and the side turned away is foreshortened.
    turned = x - 0.22 * p.yaw
    turned = turned * (1 + 0.35 * p.yaw * turned)

    image: Floats = p.background + 0.12 * p.light_x * column + np.zeros_like(x)
    _draw_head(image, p, x, y)
    _draw_cheeks_and_nose(image, p, turned, y)
    _draw_mouth(image, p, turned, y)
    _draw_eyes(image, p, turned, y)
    image *= 1 + p.light_x * column + p.light_y * row
    _draw_occlusion(image, p, x, y)
    image = 0.5 + (image * p.gain - 0.5) * p.contrast
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    wide = 0.25 * wide[:, :-2] + 0.5 * wide[:, 1:-1] + 0.25 * wide[:, 2:]
    wide = 0.25 * wide[:, :, :-2] + 0.5 * wide[:, :, 1:-1] + 0.25 * wide[:, :, 2:]
    image += p.blur * (wide - image)
    return image


def _rotate(x: _Array, y: _Array, degrees: _Array) -> tuple[_Array, _Array]:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return cos * x + sin * y, cos * y - sin * x


def _length(x: _Array, y: _Array) -> _Array:
    return np.sqrt(x * x + y * y)  # several times faster than np.hypot


def _near(distance: _Array, width: float) -> _Array:
    """Soft spot or line: 1 where the distance is 0, falling off as a Gaussian of that width."""
    scaled = distance * (1 / width)
    return np.exp(-scaled * scaled)


def _shade(image: _Array, mask: _Array, amount: float | _Array) -> None:
    image *= 1 - amount * mask


def _paint(image: _Array, distance: _Array, soft: float, tone: float | _Array) -> None:
    """Fills where a distance is negative, with an edge `soft` wide against jagged pixels."""
    image += np.clip(0.5 - distance * (1 / soft), 0, 1) * (tone - image)


def _ellipse(x: _Array, y: _Array, width: float | _Array, height: float | _Array) -> _Array:
    """Approximate signed distance to an ellipse around the origin, negative inside."""
    distance: _Array = (_length(x / width, y / height) - 1) * np.minimum(width, height)
    return distance


def _draw_head(image: _Array, p: SimpleNamespace, x: _Array, y: _Array) -> None:
    side, hair = np.abs(x), p.hair * p.skin
    strands = 1 + 0.10 * np.cos(22 * x + 9 * y * x)
    # Long hair hangs behind; without it, a length of 0 puts the distance outside everywhere.
    back = np.maximum(_ellipse(x, y + 0.1, p.head_width + 0.2, 1.0), y + 1 - 2 * p.hair_length)
    _paint(image, back + 9.0 * (p.hair_length == 0), p.pixel, hair * 0.85 * strands)
    _paint(image, np.maximum(side - 0.36, 0.4 - y), p.pixel, p.skin * 0.66)
    _paint(image, _ellipse(x, y - 1.45, 1.0, 0.52), p.pixel, p.shirt)
    ear = _ellipse(side - p.head_width, y - 0.02, 0.10, 0.19)
    _paint(image, ear, p.pixel, p.skin * 0.82)
    jaw = p.head_width * (1 - p.jaw_taper * np.clip(y, 0, 1))
    radius = _length(x / jaw, y / (p.head_height + np.where(y > 0, p.jaw_drop, np.float32(0))))
    skull = (radius - 1) * 0.7
    _paint(image, skull, p.pixel, p.skin * (1.06 - 0.30 * radius * radius))
    beard = np.maximum(skull + 0.01, 0.38 - y - 0.75 * x * x)
    _paint(image, beard + 9.0 * (p.beard == 0), 0.14, image + p.beard * (hair * strands - image))
    crown = _ellipse(x, y, p.head_width + 0.05, p.head_height + 0.08)
    hairline = (y - p.hairline - 0.5 * x * x - 1.5 * (x * x) ** 2 - p.parting * x) * 0.7
    _paint(image, np.maximum(crown, hairline), p.pixel, hair * strands * (1 - 0.25 * y))


def _draw_cheeks_and_nose(image: _Array, p: SimpleNamespace, x: _Array, y: _Array) -> None:
    side = np.abs(x)
    # Raised cheeks catch the light, and fold between the nose and the corner of the mouth.
    bulge = _near(_length(side - 0.36, (y - 0.22 + p.cheek_raise) * 1.3), 0.16)
    _shade(image, bulge, -0.04 - 1.4 * p.cheek_raise)
    fold = side - 0.15 - 0.7 * (y - 0.16) - 0.8 * p.mouth_width
    _shade(image, _near(fold, 0.035) * _near(y - 0.30, 0.15), 0.06 + p.cheek_folds)
    tip = p.nose_length - 0.14 - p.nose_raise
    nose_x = np.abs(x - 0.2 * p.yaw * np.clip(y + 0.15, 0, 0.35))  # it sticks out: slides more
    ridge = np.clip(0.5 - np.maximum(-0.12 - y, y - tip) * 10, 0, 1)
    flank = nose_x - 0.05 - (p.nose_width - 0.03) * np.clip((y + 0.15) / (tip + 0.15), 0, 1)
    _shade(image, _near(nose_x, 0.035) * ridge, -0.12)
    _shade(image, _near(flank, 0.03) * ridge, 0.16)
    _shade(image, _near(_length(nose_x - 0.6 * p.nose_width, (y - tip - 0.03) * 1.4), 0.042), 0.6)
    _shade(image, _near(_length(nose_x * 0.55, y - tip - 0.05), 0.045), 0.30)
    wrinkles = 0.5 + 0.5 * np.cos((y + 0.6 * side) * 75)
    _shade(image, _near(_length(x, y + 0.12), 0.11) * wrinkles, p.nose_lines)
    _shade(image, _near(side - 0.05, 0.022) * _near(y + 0.34, 0.10), p.frown_lines)
    furrows = np.clip(np.cos((y + 0.55 - 0.1 * x * x) * 62), 0, 1)
    _shade(image, _near(_length(x * 0.3, y + 0.55), 0.095) * furrows, p.forehead_lines)


def _draw_mouth(image: _Array, p: SimpleNamespace, x: _Array, y: _Array) -> None:
    half = np.maximum(p.mouth_size + p.mouth_width, 0.10)
    s = x / half  # -1 at one corner of the mouth, 1 at the other
    bow = np.clip(1 - s * s, 0, 1)
    ends = (np.abs(s) - 1) * half
    # Corners and centre move against each other around a mean height.
    bend = (p.mouth_corner + p.mouth_curve) * (np.minimum(s * s, 1.3) - 0.35)
    rel = y - p.mouth_height - bend - p.smile_skew * s
    smile = np.clip(p.AU12 - 0.35, 0, 1) * p.toothy_smile
    up = p.upper_lip_raise * np.sqrt(bow) + 0.05 * smile * bow
    down = p.lower_lip_drop * np.sqrt(bow) + (p.lips_part + 0.17 * smile) * bow
    lips = p.lip_fullness * np.clip(1 + p.lip_thickness, 0.25, 1.2) * bow
    outer = np.maximum(-rel - up - lips * (1 - 0.35 * _near(s, 0.16)), rel - down - 1.25 * lips)
    tone = p.skin * np.where(rel > 0, np.float32(0.74), np.float32(0.64))
    _paint(image, np.maximum(outer, ends), p.pixel, tone)
    gap = np.maximum(np.maximum(-rel - up, rel - down), ends)
    _paint(image, gap, p.pixel, 0.10 * p.skin)
    teeth = np.minimum(rel + up - 0.065, down - 0.055 * p.AU16 - rel)
    _paint(image, np.maximum(gap + 0.012, teeth), p.pixel, 0.88)
    closed = _near(rel, 0.022) * np.clip(0.7 - ends * (0.5 / p.pixel), 0, 1)
    _shade(image, closed * np.exp(-25 * (up + down)), 0.60)
    _shade(image, _near(_length(np.abs(x) - half, rel), 0.035), 0.20)
    _shade(image, _near(_length(x * 0.5, rel - down - 1.25 * lips - 0.06), 0.05), 0.16)


def _draw_eyes(image: _Array, p: SimpleNamespace, x: _Array, y: _Array) -> None:
    side = np.abs(x) - p.eye_spacing  # for both eyes: 0 in the centre, outwards positive
    t = side / p.eye_width
    bow, ends = np.clip(1 - t * t, 0, 1), (np.abs(t) - 1) * p.eye_width
    dy = y + 0.14 - p.eye_slant * t
    _shade(image, _near(_length(side, 1.4 * (y + 0.17)), 0.22), 0.14)
    # A raised inner brow pulls the inner part of the lid along.
    lid = np.maximum(p.eye_opening + p.upper_lid + 0.15 * p.brow_inner * t, 0.008)
    upper, lower = dy + lid * bow, dy - np.maximum(0.65 * p.eye_opening + p.lower_lid, 0.004) * bow
    eye = np.maximum(np.maximum(-upper, lower), ends)
    _paint(image, eye, p.pixel, 0.42 + 0.55 * p.skin)
    iris = _length(side - p.gaze * np.sign(x), dy + 0.012)
    _paint(image, np.maximum(iris - 0.066, eye), p.pixel, p.iris)
    _paint(image, np.maximum(iris - 0.030, eye), p.pixel, 0.03)
    lash = np.clip(0.5 - ends / p.pixel, 0, 1)
    _shade(image, _near(upper, 0.026) * lash, 0.68)
    _shade(image, _near(lower - 0.008, 0.020) * lash, 0.28)
    _shade(image, _near(lower - 0.07, 0.025) * bow, 0.05 + 0.5 * p.eye_lines)
    rays = np.clip(np.cos(dy * 60 + 0.4), 0, 1)
    _shade(image, _near(_length((t - 1.45) / 3.3, dy), 0.09) * rays, p.eye_lines)
    b = (side - 0.02 + p.brow_medial) / (p.eye_width + 0.05)  # -1 inner, 1 outer end of the brow
    height = -0.14 - p.brow_height - p.brow_arch * (1 - b * b) + p.brow_slant * b
    height = height + p.brow_inner * (1 - b) / 2 + p.brow_outer * (1 + b) / 2
    brow = np.maximum(np.abs(y - height) - p.brow_thickness * (1 - 0.3 * b), (np.abs(b) - 1) * 0.2)
    _paint(image, brow, 1.5 * p.pixel, p.hair * p.skin * 0.7)
    frame = np.abs(_length((side - 0.01) / 1.15, y + 0.12) - 0.20)
    bridge = np.maximum(np.abs(y + 0.17), np.abs(x) - 0.09)
    _shade(image, _near(np.minimum(frame, bridge), 0.028), 0.85 * p.glasses)


def _draw_occlusion(image: _Array, p: SimpleNamespace, x: _Array, y: _Array) -> None:
    """A bar with rounded end and ridges, like fingers, that covers a part from one side."""
    along, across = _rotate(x - p.occlusion_x, y - p.occlusion_y, p.occlusion_angle)
    tip = -along - np.sqrt(np.maximum(p.occlusion**2 - across * across, 0))
    bar = np.maximum(np.abs(across) - p.occlusion, tip) + 9.0 * (p.occlusion == 0)
    _paint(image, bar, p.pixel, p.occlusion_tone * (0.85 + 0.15 * np.cos(across * 40)))
