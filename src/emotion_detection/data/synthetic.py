"""Generate synthetic faces, so that everything runs without a dataset and offline.

A face is a parametric drawing: a person, the muscle movements of an emotion, a pose, a light and
sometimes an occlusion. Emotions move the face as the Facial Action Coding System describes them.
People can recognize a strong one; a weak one is truly ambiguous.

The source ``demo``. Format: none on disk; 6,000 faces, seed 0. Classes: FER-2013's seven, in equal
numbers, with a true intensity (0 for neutral, 0.2 to 1 for the others). Split: by person, 4,500
train, 750 validation, 750 test. Licence: MIT, as the project. Citation: none; metrics on synthetic
faces say nothing about people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emotion_detection.data import synthetic as drawn
from emotion_detection.data import synthetic_rendering as drawing
from emotion_detection.data.source import Face, Source
from emotion_detection.data.synthetic_rendering import ACTION_UNITS, Floats, render_faces
from emotion_detection.labels import FER2013

# Action units (AU) of each emotion at full intensity, 0..1. Source of the units: Ekman & Friesen
# (1978), Facial Action Coding System; of the combinations: the prototypes in the Facial Action
# Coding System Investigator's Guide (Ekman, Friesen & Hager 2002). The strengths are ours.
EMOTION_ACTION_UNITS: dict[str, dict[str, float]] = {
    "anger": {"AU4": 1.0, "AU5": 0.5, "AU7": 0.8, "AU23": 1.0},
    "disgust": {"AU9": 1.0, "AU15": 0.6, "AU16": 0.6},
    "fear": {"AU1": 0.9, "AU2": 0.5, "AU4": 0.5, "AU5": 0.9, "AU7": 0.3, "AU20": 1.0, "AU26": 0.3},
    "happiness": {"AU6": 0.9, "AU12": 1.0},
    "sadness": {"AU1": 1.0, "AU4": 0.4, "AU15": 1.0},
    "surprise": {"AU1": 1.0, "AU2": 1.0, "AU5": 0.8, "AU26": 1.0},
    "neutral": {},
}
# fmt: off name: (low, high, probability): uniform between low and high with that probability,
# otherwise 0. Tones (skin, iris, background) are grey levels 0..1; "hair" is a fraction of the
# skin's; "tilt" and "occlusion_angle" are degrees; "yaw" is the sine of the turn to the side;
# "noise" is a standard deviation; "lips_part" is speech, which belongs to no emotion; the rest are
# lengths and fractions.
_PERSON: dict[str, tuple[float, float, float]] = {
    "skin": (0.48, 0.90, 1.0),
    "hair": (0.12, 0.60, 1.0),
    "hair_length": (0.35, 1.0, 0.45),
    "hairline": (-0.76, -0.58, 1.0),
    "parting": (-0.15, 0.15, 1.0),
    "head_width": (0.60, 0.74, 1.0),
    "head_height": (0.82, 0.94, 1.0),
    "jaw_taper": (0.08, 0.30, 1.0),
    "eye_spacing": (0.27, 0.34, 1.0),
    "eye_width": (0.13, 0.17, 1.0),
    "eye_opening": (0.050, 0.080, 1.0),
    "eye_slant": (-0.02, 0.02, 1.0),
    "iris": (0.08, 0.40, 1.0),
    "brow_height": (0.19, 0.26, 1.0),
    "brow_thickness": (0.022, 0.048, 1.0),
    "brow_slant": (-0.02, 0.02, 1.0),
    "brow_arch": (0.01, 0.05, 1.0),
    "nose_length": (0.30, 0.40, 1.0),
    "nose_width": (0.08, 0.12, 1.0),
    "mouth_height": (0.47, 0.55, 1.0),
    "mouth_size": (0.21, 0.28, 1.0),
    "mouth_curve": (-0.03, 0.01, 1.0),
    "lip_fullness": (0.035, 0.075, 1.0),
    "toothy_smile": (0.3, 1.0, 0.65),
    "beard": (0.3, 0.85, 0.22),
    "glasses": (0.6, 1.0, 0.22),
    "shirt": (0.05, 0.90, 1.0),
}
_PICTURE: dict[str, tuple[float, float, float]] = {
    "tilt": (-15.0, 15.0, 1.0),
    "yaw": (-0.4, 0.4, 1.0),
    "scale": (0.88, 1.08, 1.0),
    "shift_x": (-0.09, 0.09, 1.0),
    "shift_y": (-0.09, 0.07, 1.0),
    "gaze": (-0.035, 0.035, 1.0),
    "lips_part": (0.01, 0.05, 0.15),
    "smile_skew": (-0.02, 0.02, 1.0),
    "light_x": (-0.40, 0.40, 1.0),
    "light_y": (-0.25, 0.20, 1.0),
    "gain": (0.85, 1.10, 1.0),
    "contrast": (0.80, 1.15, 1.0),
    "background": (0.05, 0.90, 1.0),
    "blur": (0.1, 0.9, 0.4),
    "noise": (0.005, 0.035, 1.0),
    "occlusion": (0.12, 0.24, 0.12),
    "occlusion_x": (-0.75, 0.75, 1.0),
    "occlusion_y": (-0.40, 0.80, 1.0),
    "occlusion_angle": (-90.0, 90.0, 1.0),
    "occlusion_tone": (0.05, 0.75, 1.0),
}
# fmt: on

PER_PERSON = 10  # consecutive faces of one person
_BLOCK = 10 * PER_PERSON  # faces rendered per block: small enough for the processor's cache
_STRENGTH_JITTER = 0.20  # how unlike one another two people's (and two images') movements are
_IDLE_MOVEMENT = 0.03  # movements that no emotion caused, in all faces


@dataclass(frozen=True)
class SyntheticFaces:
    """Synthetic grey faces and their parameters.

    Attributes:
        faces: (N, size, size) uint8, grey.
        labels: (N,) int64, index into `labels.FER2013`.
        intensity: (N,) float32, 0 for neutral and 0.2..1 for every other emotion.
        identity: (N,) int64, the person; ten consecutive faces are one person.
        parameters: name to (N,) float32: person, pose, light, occlusion and the action units
            ("AU1".."AU26", 0 relaxed, about 1 fully contracted). `render_faces` takes these.
    """

    faces: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    intensity: Floats
    identity: npt.NDArray[np.int64]
    parameters: dict[str, Floats]


def make_synthetic_faces(count: int = 6000, seed: int = 0, size: int = 48) -> SyntheticFaces:
    """Generate faces of random people; the same arguments give the same bytes.

    Face i does not depend on the count. Labels cycle through `labels.FER2013`; every ten
    faces are a new person, so a caller can split by identity.

    Args:
        count: Number of faces, at least 1.
        seed: Seed of the random numbers, at least 0.
        size: Width and height in pixels, at least 16.

    Raises:
        ValueError: If an argument is below its minimum.
    """
    for name, value, minimum in (("count", count, 1), ("seed", seed, 0), ("size", size, 16)):
        if value < minimum:
            raise ValueError(f"{name} must be at least {minimum}, got {value}")
    blocks = list(draw_blocks(count, seed, size))
    return SyntheticFaces(
        faces=np.concatenate([block.faces for block in blocks]),
        labels=np.concatenate([block.labels for block in blocks]),
        intensity=np.concatenate([block.intensity for block in blocks]),
        identity=np.concatenate([block.identity for block in blocks]),
        parameters={
            name: np.concatenate([block.parameters[name] for block in blocks])
            for name in blocks[0].parameters
        },
    )


def draw_blocks(count: int, seed: int, size: int) -> Iterator[SyntheticFaces]:
    """Render the faces of :func:`make_synthetic_faces` a few at a time, to show progress."""
    for start in range(0, count, _BLOCK):
        # A generator for each block, its parameters always sampled for the full block, keeps face i
        # independent of the count. Rendering takes longest: only the faces asked for.
        rng = np.random.Generator(np.random.PCG64([seed, start // _BLOCK]))
        index = np.arange(start, start + _BLOCK, dtype=np.int64)
        wanted = slice(count - start)
        parameters = {
            name: values[wanted]
            for name, values in _sample_block(rng, index % len(FER2013)).items()
        }
        index = index[wanted]
        image = render_faces(parameters, size)
        grain = rng.standard_normal(image.shape, np.float32)  # sampled last, face by face
        image += grain * parameters["noise"][:, None, None]
        image = np.rint(np.clip(image, 0.0, 1.0) * 255.0)
        yield SyntheticFaces(
            faces=image.astype(np.uint8),
            labels=index % len(FER2013),
            intensity=parameters.pop("intensity"),
            identity=index // PER_PERSON,
            parameters=parameters,
        )


def make_action_units(labels: npt.ArrayLike, intensity: npt.ArrayLike) -> dict[str, Floats]:
    """Return the prototypical action units of emotions, without individual variation.

    Args:
        labels: (N,) integers, index into `labels.FER2013`.
        intensity: (N,) intensity of the emotion, 0..1.

    Returns:
        Name of the action unit to its (N,) float32 strengths, 0..1.
    """
    units = [[EMOTION_ACTION_UNITS[e].get(unit, 0.0) for e in FER2013] for unit in ACTION_UNITS]
    strengths = np.array(units)[:, np.asarray(labels)] * np.asarray(intensity)
    return dict(zip(ACTION_UNITS, strengths.astype(np.float32), strict=True))


def _sample_block(rng: np.random.Generator, labels: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """Sample all parameters, and "intensity", each (N,) float32, of one block of faces."""
    total, people = len(labels), len(labels) // PER_PERSON
    sampled: dict[str, Floats] = {}
    for ranges, rows in ((_PERSON, people), (_PICTURE, total)):
        for name, (low, high, probability) in ranges.items():
            values = rng.uniform(low, high, rows) * (rng.random(rows) < probability)
            sampled[name] = np.repeat(values, total // rows).astype(np.float32)
    intensity = rng.uniform(0.2, 1.0, total).astype(np.float32)
    intensity[labels == FER2013.index("neutral")] = 0.0
    for unit, strength in make_action_units(labels, intensity).items():
        person = np.repeat(rng.standard_normal(people), PER_PERSON)
        factor = 1.0 + _STRENGTH_JITTER * (person + rng.standard_normal(total))
        idle = _IDLE_MOVEMENT * np.abs(rng.standard_normal(total))
        sampled[unit] = (strength * np.clip(factor, 0.3, 1.6) + idle).astype(np.float32)
    return sampled | {"intensity": intensity}


COUNT = 6000
_SHARES = (("train", 0.75), ("validation", 0.875), ("test", 1.0))


def make_synthetic_source(size: int, count: int = COUNT) -> Source:
    """Return the synthetic faces as a data source.

    Args:
        size: height and width in pixels.
        count: number of faces.
    """
    return Source(
        kind=f"synthetic faces ({count}, {size} px)",
        files=(
            Path(drawn.__file__),
            Path(drawing.__file__),
        ),  # rendered anew after changes of the code
        labels=FER2013,
        read=lambda: _read(size, count),
        label_set="demo",
        count=count,
    )


def _read(size: int, count: int) -> Iterator[Face]:
    people = -(-count // drawn.PER_PERSON)
    number = 0
    for block in drawn.draw_blocks(count, 0, size):
        for place in range(len(block.labels)):
            share = (int(block.identity[place]) + 0.5) / people
            yield Face(
                name=f"demo_{number:05d}",
                content=block.faces[place],
                label=int(block.labels[place]),
                split=next(name for name, end in _SHARES if share < end),
                intensity=float(block.intensity[place]),
            )
            number += 1
