"""The class that users hold: photographs or crops in, emotions out."""

import contextlib
import numbers
import os
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.cpus import count_cpus, is_limited
from emotion_detection.errors import InputError
from emotion_detection.images import DEFAULT_MAX_PIXELS, PictureError
from emotion_detection.inference.crops import checked, faces
from emotion_detection.inference.face_detector import (
    CERTAIN,
    SMALLEST,
    THRESHOLD,
    WORKING_SIZE,
    FaceDetector,
)
from emotion_detection.inference.looking import Picture, Seen, look
from emotion_detection.inference.model import Model, ModelInput, model_file, open_onnx
from emotion_detection.inference.settings import DetectorSettings
from emotion_detection.inference.tracking import (
    MIN_TRACK_TIME,
    SMOOTHING,
    START_CONFIDENCE,
    TrackSettings,
)
from emotion_detection.readout import Prior, Readout, check_prior, check_views, make_views
from emotion_detection.results import Result
from emotion_detection.training_record import SYNTHETIC_NOTE

BATCH = 256
"""Crops a run: bounds memory, whatever the number of crops."""

IMAGE_VIEWS, CROP_VIEWS = 4, 1
"""Views of a face unless another number is asked for: in images, whose faces must be found first,
and of crops."""

INTENSITY = "intensity"
"""Name of the model's output."""


P = TypeVar("P", bound=Picture)
N = TypeVar("N", int, float)


class EmotionDetector:
    """Reads emotions from faces.

    Any number of threads may use one detector at once; the same pictures give the same results.

    ``EmotionDetector().detect("photo.jpg")`` finds the faces of a photograph and reads them by the
    shipped model; ``.classify(crops)`` takes crops of faces.

    Args:
        model: a run's folder (its ``model.onnx``) or an ONNX file that this project exported; a
            model folder of the Hugging Face hub or its address, ``hf://user/name``, which is
            downloaded once (extra ``hub``); None or 'pretrained': the shipped model.
        threads: threads that one call may use; None: what onnxruntime finds best, within the
            processor time that a container grants.
        labels: which of the model's sets of labels to score, as 'ferplus' or 'fer2013'; None:
            its own, the first of :attr:`label_sets`.
        working_size: pixels on the longer side of the picture in the first look for faces; where
            small or doubtful ones show, a closer look follows. More finds smaller faces and takes
            longer.
        threshold: least confidence of a face, 0 to 1; small ones need a little more.
        smallest: faces whose longer side is less than this, in pixels of the picture, are counted
            in ``Result.skipped`` and not read.
        least_score: faces whose highest score is below this, 0 to 1, get the flag 'unsure'.
        certain: faces with less confidence, 0 to 1, get the flag 'uncertain_face': they may be
            none, and do not count in summaries.
        max_pixels: files and PIL images with more pixels are refused, before they are decoded.
        views: views of each face whose scores are averaged: 1 (the face), 2 (and its mirror image)
            or 4 (and both enlarged): more is more accurate and takes longer. None: 4 for the faces
            of images, where finding them takes most of the time, and 1 for crops.
        prior: 'natural': classes are as frequent as among the training faces; 'balanced': all are
            equally frequent, which finds more of the rare ones at some cost in accuracy.

    A detector can be pickled: it is opened again, of the same file, where it is unpickled.

    Raises:
        InputError: there is no such model, it is damaged or not this project's, or it has not
            these labels; a setting is out of its range.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threads: int | None = None,
        labels: str | None = None,
        *,
        working_size: int = WORKING_SIZE,
        threshold: float = THRESHOLD,
        smallest: float = SMALLEST,
        least_score: float = 0.0,
        certain: float = CERTAIN,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        views: int | None = None,
        prior: Prior = "natural",
    ) -> None:
        if threads is not None and (not isinstance(threads, numbers.Integral) or threads < 1):
            raise InputError(f"threads {threads!r}: must be a whole number from 1, or None")
        if not 0 <= least_score <= 1:
            raise InputError(f"least_score {least_score}: must be between 0 and 1")
        if not 0 <= certain <= 1:
            raise InputError(f"certain {certain}: must be between 0 and 1")
        _check_max_pixels(max_pixels)
        self._settings = DetectorSettings(
            working_size, threshold, smallest, least_score, certain, int(max_pixels)
        )
        self._given = model, threads, labels
        if threads is None and is_limited():  # onnxruntime sees all cores of the machine
            threads = count_cpus()
        self._threads = threads
        self._model: Model = open_onnx(model_file(model), None if threads is None else int(threads))
        if labels is not None and labels not in self._model.label_sets:
            raise InputError(
                f"labels {labels!r}: {self._model.path} scores {', '.join(self._model.label_sets)}"
            )
        self._label_set = self._model.own if labels is None else labels
        self._views = None if views is None else check_views(views)
        self._prior = check_prior(prior)
        self._readout = self._model.readouts[self._label_set]
        if self._prior == "balanced" and not self._readout.prior:
            raise InputError(
                f"prior 'balanced': {self._model.path} does not say how frequent its classes were "
                "in training: export it again"
            )
        self._finder: FaceDetector | None = None
        self._lock = threading.Lock()

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""
        return self._model.label_sets[self._label_set]

    @property
    def label_set(self) -> str:
        """Name of the set of labels that is scored."""
        return self._label_set

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """All sets of labels that this model can score, its own first."""
        return dict(self._model.label_sets)

    @property
    def input(self) -> ModelInput:
        """The faces that the model takes: size and channels. Crops are brought to it."""
        return self._model.input

    @property
    def settings(self) -> DetectorSettings:
        """How it was told to find faces, and when to call one unsure."""
        return self._settings

    @property
    def views(self) -> int:
        """Views of each face of an image whose scores are averaged."""
        return self._views or IMAGE_VIEWS

    @property
    def prior(self) -> Prior:
        """Whose class frequencies the scores go by: 'natural' or 'balanced'."""
        return self._prior

    @property
    def is_synthetic(self) -> bool:
        """Whether the model was trained on synthetic faces only; the results' notes say so."""
        return self._model.is_synthetic

    @property
    def readouts(self) -> dict[str, Readout]:
        """How the scores of each set of labels are read."""
        return dict(self._model.readouts)

    @property
    def has_intensity(self) -> bool:
        """Whether the model tells the intensity of an expression."""
        return self._model.has_intensity

    def classify(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score the emotions of face crops.

        Args:
            crops: uint8 (N, H, W) grey or (N, H, W, 3) RGB, of any size; N may be 0.

        Returns:
            float32 (N, len(labels)); rows sum to 1.

        Raises:
            InputError: crops of another type or shape.
        """
        return self._run(checked(crops), self._views or CROP_VIEWS)[0]

    def intensity(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Tell how strong the expressions of face crops are.

        Args:
            crops: as for :meth:`classify`.

        Returns:
            float32 (N,), 0 (neutral) to 1.

        Raises:
            InputError: crops of another type or shape, or a model without intensity.
        """
        if not self.has_intensity:
            raise InputError(
                f"{self._model.path}: this model gives no intensity: the data that it was "
                "trained on has none"
            )
        return self._run(checked(crops), self._views or CROP_VIEWS)[1]

    def __reduce__(self) -> tuple[Any, ...]:
        how = {"views": self._views, "prior": self._prior}
        return _unpickle, (type(self), self._given, self._settings._asdict() | how)

    @overload
    def detect(self, picture: Picture, *, color: str = "rgb") -> Result: ...
    @overload
    def detect(self, picture: list[P] | tuple[P, ...], *, color: str = "rgb") -> list[Result]: ...
    def detect(
        self, picture: Picture | list[P] | tuple[P, ...], *, color: str = "rgb"
    ) -> Result | list[Result]:
        """Find the faces of a photograph, or of several, and read their expressions.

        >>> detector.detect(cv2.imread("photo.jpg"), color="bgr")  # doctest: +SKIP

        Args:
            picture: a path, a file's bytes, a PIL image, or an array, uint8 (H, W, 3) RGB or
                (H, W) grey; or a list of these.
            color: order of the channels of arrays: 'rgb', or 'bgr' for those of OpenCV
                (``cv2.imread``, ``VideoCapture.read``). Files and PIL images know their own.

        Returns:
            The result, or a list of one a picture.

        Raises:
            PictureError: a picture cannot be read.
        """
        if isinstance(picture, list | tuple):
            return self.read([self.look(one, color=color) for one in picture])
        return self.read([self.look(picture, color=color)])[0]

    def detect_many(
        self, pictures: Picture | Iterable[Picture], *, color: str = "rgb"
    ) -> list[Result | PictureError]:
        """Do as :meth:`detect`, with an error in the place of each picture that cannot be read.

        Of the pictures no more than one is in memory at a time; their faces are read in batches.

        Args:
            pictures: any number of pictures, each as for :meth:`detect`; or a single one.
            color: order of the channels of arrays.
        """
        seen: list[Seen | PictureError] = []
        for picture in _each(pictures):
            try:
                seen.append(self.look(picture, color=color))
            except PictureError as error:
                seen.append(error)
        results = iter(self.read([one for one in seen if isinstance(one, Seen)]))
        return [next(results) if isinstance(one, Seen) else one for one in seen]

    def detect_video(
        self,
        source: str | Path | int,
        frame_stride: int | None = None,
        smoothing: float | None = None,
        *,
        every_seconds: float | None = None,
        min_track_time: float = MIN_TRACK_TIME,
        track_confidence: float = START_CONFIDENCE,
        every: int | None = None,
        smooth: float | None = None,
    ) -> Iterator[Result]:
        """Detect the faces of a video, frame by frame; needs the extra ``video``.

        Results of a file come with a delay of a second or two of the video, since people are
        followed, and scores smoothed, by what comes before and after. Of a live source, frames that
        come while one is being processed are dropped.

        >>> for result in detector.detect_video("clip.mp4"):  # doctest: +SKIP
        ...     print(result.time, [(face.track, face.emotion) for face in result.faces])

        Args:
            source: a video file; or a live source: the number of a camera, its device
                (``/dev/video0``), or the address of a stream (``rtsp://…``, ``http://…``).
            frame_stride: use every frame (1, the default), every second one (2), and so on.
            smoothing: seconds over which scores are smoothed, 0.5 by default; 0: as observed.
            every_seconds: of the frames so chosen, use at most one in each interval of this length.
            min_track_time: people who are seen for a shorter time, in seconds, are left out.
            track_confidence: confidence of a face from which it counts as a person at once, 0 to 1.
                Less confident faces count once they are found several times in a row.
            every: deprecated name of ``frame_stride``.
            smooth: deprecated name of ``smoothing``.

        Yields:
            A result a frame. Faces of one person have the same ``track``, a number from 1; their
            ``scores`` are smoothed, their ``raw_scores`` are those of the frame alone.

        Raises:
            PictureError: there is no such video or source, it cannot be read, or it breaks off.
            InputError: a bad setting, or the extra is missing.
        """
        from emotion_detection.inference.video_detect import (
            VideoOptions,
            detect_file,
            detect_live,
        )
        from emotion_detection.inference.video_live import find_live_source, live_frames

        frame_stride = _renamed("every", every, "frame_stride", frame_stride, 1)
        smoothing = _renamed("smooth", smooth, "smoothing", smoothing, SMOOTHING)
        tracking = TrackSettings(
            smoothing, start_confidence=track_confidence, min_track_time=min_track_time
        )
        options = VideoOptions(frame_stride, every_seconds, tracking)
        live = find_live_source(source)
        if live is None:
            if not isinstance(source, str | Path):
                raise InputError(
                    f"a video of {type(source).__name__}: must be a path, a camera's number, or "
                    "the address of a stream"
                )
            results: Generator[Result, None, None] = detect_file(Path(source), self.detect, options)
        else:
            self.detect(np.zeros((64, 64, 3), np.uint8))  # the first takes longest
            opened = live_frames(live, frame_stride, every_seconds)
            results = (result for _, result in detect_live(opened, self.detect, options))
        with contextlib.closing(results):
            for result in results:
                yield result.with_unsure(self._settings.least_score)

    def look(self, picture: Picture, *, color: str = "rgb") -> Seen:
        """Find the faces of a picture and cut them out, without reading them.

        Args:
            picture: as for :meth:`detect`.
            color: likewise.

        Raises:
            PictureError: the picture cannot be read.
        """
        settings = self._settings
        with self._lock:  # made at the first picture: crops do without
            if self._finder is None:
                self._finder = FaceDetector(
                    settings.working_size, settings.threshold, settings.smallest, self._threads
                )
        return look(
            *(picture, self._finder, self.input, settings.max_pixels),
            *(color, settings.certain, self.views == 4),
        )

    def read(self, seen: list[Seen]) -> list[Result]:
        """Read the expressions of all faces of several pictures at once.

        Args:
            seen: pictures that :meth:`look` has looked at.

        Returns:
            The result of each.
        """
        if not seen:
            return []
        crops = np.concatenate([one.crops for one in seen])
        # a crop that is a file of its own has no image around it to cut a closer view from
        closer = [one.enlarged for one in seen if one.enlarged is not None]
        enlarged = np.concatenate(closer) if len(closer) == len(seen) else None
        views = self.views if enlarged is not None else self._views or CROP_VIEWS
        scores, *rest = self._run(crops, views, enlarged)
        results, start = [], 0
        for one in seen:
            rows = slice(start, start + len(one.faces))
            intensity = rest[0][rows] if rest else None
            result = one.result(self.labels, scores[rows], intensity)
            results.append(result.with_unsure(self._settings.least_score))
            start = rows.stop
        return [self._with_note(result) for result in results]

    def _with_note(self, result: Result) -> Result:
        """Add what a user must know of the model to the notes of a result with faces."""
        if not (self.is_synthetic and result.faces):
            return result
        return replace(result, notes=(*result.notes, SYNTHETIC_NOTE))

    def _run(
        self,
        crops: npt.NDArray[np.uint8],
        views: int,
        enlarged: npt.NDArray[np.uint8] | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Return scores float32 (N, classes) and, where the model has it, intensity (N,)."""
        outputs = [self._model.scores_name(self._label_set)] + [INTENSITY] * self.has_intensity
        shapes = [() if name == INTENSITY else (len(self.labels),) for name in outputs]
        results = [np.empty((len(crops), *shape), np.float32) for shape in shapes]
        step = BATCH // views
        for start in range(0, len(crops), step):
            rows = slice(start, start + step)
            close = None if enlarged is None else faces(enlarged[rows], *self.input)
            shown = make_views(faces(crops[rows], *self.input), views, close)
            parts = self._model.run(np.concatenate(shown), outputs)
            count = len(shown[0])
            split = [[part[i * count : (i + 1) * count] for i in range(views)] for part in parts]
            results[0][rows] = self._readout.combine(split[0], self._prior)
            for result, found in zip(results[1:], split[1:], strict=True):
                result[rows] = np.mean(found, axis=0, dtype=np.float32)
        return results

    def __repr__(self) -> str:
        return f"EmotionDetector({str(self._model.path)!r}, labels={self._label_set!r})"


def _unpickle(
    kind: type[EmotionDetector],
    given: tuple[str | Path | None, int | None, str | None],
    settings: dict[str, Any],
) -> EmotionDetector:
    return kind(*given, **settings)


def _each(pictures: Picture | Iterable[Picture]) -> Iterable[Picture]:
    """Return pictures, also of a single one: a name, too, could be gone through by letters."""
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    is_single = isinstance(pictures, kinds)
    if isinstance(pictures, np.ndarray):
        is_single = pictures.ndim == 2 or (pictures.ndim == 3 and pictures.shape[2] in (1, 3, 4))
    return [cast(Picture, pictures)] if is_single else cast(Iterable[Picture], pictures)


def _check_max_pixels(value: object) -> None:
    if not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"max_pixels {value!r}: must be a whole number from 1")


def _renamed(old: str, value: N | None, new: str, given: N | None, default: N) -> N:
    """Return an argument that may be given under its old name."""
    if value is not None:
        warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=3)
    chosen = value if given is None else given
    return default if chosen is None else chosen
