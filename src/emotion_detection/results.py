"""Results: the faces of an image or a video frame, and their conversion to JSON and tables."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, overload

from emotion_detection.other_libraries import (
    FACE_NAMES,
    RESULT_NAMES,
    answer_unknown_arguments,
    raise_unknown,
)

if TYPE_CHECKING:
    from PIL.Image import Image

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The five landmarks in order; left and right as the viewer sees them."""

CUT = "cut"
"""Flag of a face that is cut off by the image border."""

UNCERTAIN_FACE = "uncertain_face"
"""Flag of a detection that may be a false positive: the confidence is below ``certain``."""

UNSURE = "unsure"
"""Flag of a face whose highest score is below ``min_score``."""


@dataclass(frozen=True, repr=False)
class Face:
    """One face: box, landmarks and the scores of the expression.

    >>> face = detector.detect("photo.jpg")[0]
    >>> face
    Face(happiness 1.00, intensity 0.99, box=(182, 53, 88, 123))
    >>> face.emotion, round(face.score, 1), sorted(face.scores)[:3]
    ('happiness', 1.0, ['anger', 'contempt', 'disgust'])

    Args:
        box: x, y of the upper left corner, width and height, in pixels of the image.
        landmarks: x, y of each of :data:`LANDMARKS`, in pixels; empty for crops.
        confidence: confidence of the detection, 0 to 1; 1 for crops.
        scores: score of each emotion, summing to 1.
        intensity: 0 (neutral) to 1, or None if the model predicts none.
        flags: such as 'cut', 'uncertain_face' and 'unsure'.
        track: number of the person in a video, from 1; None in images.
        raw_scores: in videos the scores of this frame alone, where ``scores`` are smoothed over
            time; None in images.
        raw_intensity: in videos the intensity of this frame alone; None in images.

    Raises:
        ValueError: a value is out of the range given above.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float
    scores: dict[str, float]
    intensity: float | None = None
    flags: tuple[str, ...] = ()
    track: int | None = None
    raw_scores: dict[str, float] | None = None
    raw_intensity: float | None = None

    def __post_init__(self) -> None:
        if len(self.box) != 4 or not all(map(isfinite, self.box)) or min(self.box[2:]) <= 0:
            raise ValueError(f"box {self.box}: x, y, and a width and height above 0")
        if len(self.landmarks) not in (0, len(LANDMARKS)):
            raise ValueError(f"{len(self.landmarks)} landmarks: {len(LANDMARKS)}, or none")
        if not all(len(point) == 2 for point in self.landmarks):
            raise ValueError(f"landmarks {self.landmarks}: each must be x, y")
        if not all(isfinite(value) for point in self.landmarks for value in point):
            raise ValueError(f"landmarks {self.landmarks}: must be finite")
        shares = {"confidence": self.confidence, **self.scores}
        shares |= {} if self.intensity is None else {"intensity": self.intensity}
        for name, value in shares.items():
            if not -1e-4 <= value <= 1 + 1e-4:
                raise ValueError(f"{name} {value}: from 0 to 1")
        if not self.scores or abs(sum(self.scores.values()) - 1) > 1e-3:
            raise ValueError(f"scores {self.scores}: must sum to 1")
        if self.track is not None and self.track < 0:
            raise ValueError(f"track {self.track}: 0 or more, or None")

    @property
    def emotion(self) -> str:
        """The emotion with the highest score; of equal ones the first."""
        return max(self.scores, key=lambda name: self.scores[name])

    if not TYPE_CHECKING:  # else unknown attributes would pass for known ones

        def __getattr__(self, name: str) -> NoReturn:
            raise_unknown(self, name, FACE_NAMES)

    @property
    def is_uncertain(self) -> bool:
        """Whether this may be a false positive, which is listed but not counted in summaries."""
        return UNCERTAIN_FACE in self.flags

    @property
    def score(self) -> float:
        """The score of :attr:`emotion`."""
        return self.scores[self.emotion]

    def __repr__(self) -> str:
        strength = "" if self.intensity is None else f", intensity {self.intensity:.2f}"
        track = "" if self.track is None else f", track {self.track}"
        flags = f", {' '.join(self.flags)}" if self.flags else ""
        box = ", ".join(f"{value:.0f}" for value in self.box)
        return f"Face({self.emotion} {self.score:.2f}{strength}, box=({box}){track}{flags})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON.

        >>> detector.detect("photo.jpg")[0].as_dict()["emotion"]
        'happiness'
        """
        points = dict(zip(LANDMARKS, map(_rounded, self.landmarks), strict=False))
        values = {
            "box": _rounded(self.box),
            "landmarks": points,
            "confidence": _share(self.confidence),
            "emotion": self.emotion,
            "scores": {name: _share(value) for name, value in self.scores.items()},
            "intensity": None if self.intensity is None else _share(self.intensity),
            "flags": list(self.flags),
        }
        if self.track is not None:
            values["track"] = self.track
        if self.raw_scores is not None:
            scores, intensity = self.raw_scores, self.raw_intensity
            values["raw"] = {
                "emotion": max(scores, key=lambda name: scores[name]),
                "scores": {name: _share(value) for name, value in scores.items()},
                "intensity": None if intensity is None else _share(intensity),
            }
        return values


@dataclass(frozen=True, repr=False)
class Result:
    """The faces of one image, or of one frame of a video: a sequence of :class:`Face`.

    >>> result = detector.detect("photo.jpg")
    >>> result
    Result('photo.jpg', 512x512, 1 face: happiness)
    >>> len(result), result[0].emotion, [face.emotion for face in result]
    (1, 'happiness', ['happiness'])

    :meth:`plot`, :meth:`save` and :meth:`crops` use the image that the result refers to. A file is
    read again; an array or a PIL image must not have been changed meanwhile. Results of a
    generator's images (except paths), of video files, and results that you make yourself refer to
    no image: pass ``image=`` then.

    Args:
        width: width of the upright image in pixels.
        height: height of the upright image in pixels.
        faces: the detected faces, from left to right.
        skipped: number of detected faces below the minimum size.
        source: the image file, or None.
        notes: remarks on this image, for example that only the first frame was read.
        frame: number of the frame in a video, from 0.
        time: time of the frame in the video, in seconds.
    """

    width: int
    height: int
    faces: tuple[Face, ...] = ()
    skipped: int = 0
    source: str | None = None
    notes: tuple[str, ...] = field(default=())
    frame: int | None = None
    time: float | None = None
    _origin: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"an image of {self.width} x {self.height} pixels")
        if self.skipped < 0:
            raise ValueError(f"skipped {self.skipped}: 0 or more")
        if self.frame is not None and self.frame < 0:
            raise ValueError(f"frame {self.frame}: 0 or more, or None")
        if self.time is not None and not (isfinite(self.time) and self.time >= 0):
            raise ValueError(f"time {self.time}: 0 or more seconds, or None")
        if len({tuple(face.scores) for face in self.faces}) > 1:
            raise ValueError("faces with scores of different emotions")

    if not TYPE_CHECKING:  # else unknown attributes would pass for known ones

        def __getattr__(self, name: str) -> NoReturn:
            raise_unknown(self, name, RESULT_NAMES)

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    @overload
    def __getitem__(self, place: int) -> Face: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Face, ...]: ...
    def __getitem__(self, place: int | slice) -> Face | tuple[Face, ...]:
        if isinstance(place, str):
            raise TypeError(
                f"result[{place!r}]: a result is a sequence of faces, as result[0].emotion; "
                "result.as_dict() has names"
            )
        return self.faces[place]

    def __repr__(self) -> str:
        about = [repr(self.source)] if self.source is not None else []
        about += [f"frame {self.frame}"] if self.frame is not None else []
        count = len(self.faces)
        faces = f"{count} face{'' if count == 1 else 's'}" if count else "no faces"
        named = Counter(face.emotion for face in self.faces).most_common()
        if named:
            listed = (f"{name} {many}" if count > 1 else name for name, many in named)
            faces += f": {', '.join(listed)}"
        return f"Result({', '.join([*about, f'{self.width}x{self.height}', faces])})"

    def _repr_png_(self) -> bytes | None:
        """Return the annotated image for notebooks; None if it cannot be drawn."""
        from emotion_detection.inference.result_output import draw_shown

        return draw_shown(self)

    def _repr_html_(self) -> str:
        """Return the annotated image and a table of the faces for notebooks."""
        from emotion_detection.inference.result_output import write_html

        return write_html(self)

    def with_unsure(self, min_score: float) -> "Result":
        """Return a copy in which faces below a minimum score are flagged 'unsure'.

        >>> detector.detect("photo.jpg").with_unsure(1.0)[0].flags
        ('unsure',)
        """

        def flagged(face: Face) -> Face:
            flags = tuple(flag for flag in face.flags if flag != UNSURE)
            return replace(face, flags=(*flags, UNSURE) if face.score < min_score else flags)

        return replace(self, faces=tuple(map(flagged, self.faces))) if min_score else self

    @answer_unknown_arguments
    def plot(self, image: object = None, *, bars: bool = True, color: str = "rgb") -> "Image":
        """Draw the faces and their emotions on the image, and return it.

        >>> result = detector.detect("photo.jpg")
        >>> result.plot().size
        (512, 512)

        Args:
            image: the image, if the result refers to none; as for ``detect``.
            bars: whether labels may show bars of the scores.
            color: order of the channels of ``image``, if it is an array: 'rgb' or 'bgr'.

        Returns:
            A PIL image, mode "RGB"; ``.show()`` opens a window.

        Raises:
            InputError: there is no image, or it has another size.
            ImageError: the image cannot be read.
        """
        from emotion_detection.inference.result_output import plot_result

        return plot_result(self, image, bars, color)[0]

    @answer_unknown_arguments
    def save(
        self, path: str | Path, image: object = None, *, bars: bool = True, color: str = "rgb"
    ) -> Path:
        """Write the annotated image to a file, atomically.

        >>> detector.detect("photo.jpg").save("annotated.jpg").name
        'annotated.jpg'

        Args:
            path: ends in .jpg, .jpeg, .png or .webp; parent directories are created.
            image: as for :meth:`plot`.
            bars: as for :meth:`plot`.
            color: as for :meth:`plot`.

        Returns:
            The path.

        Raises:
            InputError: the file cannot be written or is the image itself; or as for :meth:`plot`.
        """
        from emotion_detection.inference.result_output import save_result

        return save_result(self, Path(path), image, bars, color)

    @answer_unknown_arguments
    def crops(
        self,
        image: object = None,
        *,
        margin: float = 0.0,
        aligned: bool = False,
        color: str = "rgb",
    ) -> "list[Image]":
        """Crop the faces from the image.

        >>> result = detector.detect("photo.jpg")
        >>> [crop.size for crop in result.crops()]
        [(88, 122)]
        >>> detector.classify(result.crops(aligned=True)).shape
        (1, 8)

        Args:
            image: as for :meth:`plot`.
            margin: margin on each side, as a fraction of the box's width and height.
            aligned: return square, upright crops, as the model's input.
            color: as for :meth:`plot`.

        Returns:
            PIL images, mode "RGB", in the order of the faces.

        Raises:
            InputError: the margin is below 0; or as for :meth:`plot`.
        """
        from emotion_detection.inference.result_output import crop_result

        return crop_result(self, image, margin, aligned, color)

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per face, with the columns and values of the CSV table.

        >>> detector.detect("photo.jpg").rows()[0]["emotion"]
        'happiness'
        """
        names = list_columns(self.faces[0].scores if self.faces else ())
        found = list_rows(self.as_dict()) if self.faces else []
        return [{name: row.get(name) for name in names} for row in found]

    @answer_unknown_arguments
    def to_frame(self, *, full: bool = False) -> Any:
        """Return a pandas ``DataFrame`` with one row per face; needs pandas.

        The columns are ``file``, ``face`` (in a video ``frame``, ``time`` and ``track``),
        ``emotion``, ``score``, ``intensity``, the box (``x``, ``y``, ``width``, ``height``),
        ``confidence``, ``uncertain_face``, ``flags``, and ``score_...`` of each emotion.

        >>> detector.detect("photo.jpg").to_frame().iloc[:, 1:4]
           face    emotion  score
        0     1  happiness    1.0

        Combine several results with ``pandas.concat``.

        Args:
            full: return the columns of the CSV table, as :meth:`rows` does, which include the
                landmarks, notes, and the raw scores of a video.

        Raises:
            InputError: pandas is not installed.
        """
        from emotion_detection.inference.result_output import make_frame

        return make_frame(self, full)

    def to_supervision(self) -> Any:
        """Return ``supervision.Detections``; needs supervision.

        ``confidence`` is that of the detection, ``class_id`` the index of the emotion, and
        ``tracker_id`` the person's number in a video. ``data`` has ``class_name`` (the emotion),
        ``score`` and, if the model predicts it, ``intensity``.

        >>> detections = detector.detect("photo.jpg").to_supervision()
        >>> detections["class_name"].tolist()
        ['happiness']

        Raises:
            InputError: supervision is not installed.
        """
        from emotion_detection.inference.result_output import make_detections

        return make_detections(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON.

        >>> sorted(detector.detect("photo.jpg").as_dict())
        ['faces', 'height', 'notes', 'skipped', 'source', 'width']
        """
        moment = {"frame": self.frame, "time": self.time}
        return {
            "source": self.source,
            **({} if self.frame is None else moment),
            "width": self.width,
            "height": self.height,
            "faces": [face.as_dict() for face in self.faces],
            "skipped": self.skipped,
            "notes": list(self.notes),
        }


def list_columns(labels: Iterable[str]) -> list[str]:
    """Return the columns of a table of results, for a model of these emotions."""
    labels = tuple(labels)
    return [
        *("file", "frame", "time", "faces", "skipped", "face", "track"),
        *("x", "y", "width", "height", "confidence", "uncertain_face"),
        *("emotion", "intensity"),
        *(f"score_{name}" for name in labels),
        *(f"{point}_{axis}" for point in LANDMARKS for axis in "xy"),
        *("raw_emotion", "raw_intensity"),
        *(f"raw_score_{name}" for name in labels),
        *("flags", "notes", "error"),
    ]


def list_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return flat table rows: one per face, or one without a face if there is none.

    The columns are those of :func:`list_columns`. The emotion is the record's, since rounded scores
    may have another maximum. Rounded scores need not sum to 1.

    Args:
        record: the values of :meth:`Result.as_dict`; or ``source`` and ``error`` of an unreadable
            file.
    """
    if "error" in record:
        return [{"file": record["source"], "faces": None, "error": record["error"]}]
    about = {"file": record["source"], **{name: record.get(name) for name in ("frame", "time")}}
    about |= {"faces": len(record["faces"]), "skipped": record["skipped"]}
    about |= {"notes": "; ".join(record["notes"]) or None, "error": None}
    return [{**about, **_row(place, face)} for place, face in enumerate(record["faces"], 1)] or [
        about
    ]


def _row(place: int, face: dict[str, Any]) -> dict[str, Any]:
    points = face["landmarks"].items()
    raw = face.get("raw") or {"scores": {}}
    return {
        "face": place,
        "track": face.get("track"),
        **dict(zip(("x", "y", "width", "height"), face["box"], strict=True)),
        "confidence": face["confidence"],
        "uncertain_face": int(UNCERTAIN_FACE in face["flags"]),
        **{name: face[name] for name in ("emotion", "intensity")},
        **{f"score_{name}": value for name, value in face["scores"].items()},
        **{
            f"{name}_{axis}": value
            for name, point in points
            for axis, value in zip("xy", point, strict=True)
        },
        **{f"raw_{name}": raw.get(name) for name in ("emotion", "intensity")},
        **{f"raw_score_{name}": value for name, value in raw["scores"].items()},
        "flags": " ".join(face["flags"]) or None,
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 2) for value in values]


def _share(value: float) -> float:
    # float32 values may be slightly out of range
    return round(min(max(0.0, float(value)), 1.0), 4)
