""":class:`EmotionDetector`: detect faces in images and classify their expressions."""

import contextlib
import os
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, Unpack, overload

import numpy as np
import numpy.typing as npt

from emotion_detection.errors import InputError
from emotion_detection.images.opening import DEFAULT_MAX_PIXELS, ImageError
from emotion_detection.inference.crop_inputs import faces, load_crops
from emotion_detection.inference.detection import DetectedImage, ImageInput, detect_faces
from emotion_detection.inference.detector_settings import (
    DetectorSettings,
    OldNames,
    rename_settings,
)
from emotion_detection.inference.devices import AUTO, choose_device
from emotion_detection.inference.face_detector import (
    CERTAIN,
    DETECTION_SIZE,
    MIN_CONFIDENCE,
    MIN_FACE_SIZE,
    FaceDetector,
)
from emotion_detection.inference.image_batches import iterate_images, map_in_threads
from emotion_detection.inference.model import (
    PRETRAINED,
    Model,
    ModelInput,
    open_onnx,
    read_model_file,
)
from emotion_detection.inference.tracking import (
    MIN_TRACK_TIME,
    SMOOTHING,
    START_CONFIDENCE,
    TrackSettings,
)
from emotion_detection.io.processes import count_cpus, is_limited
from emotion_detection.other_libraries import (
    DETECTOR_NAMES,
    answer_unknown_arguments,
    raise_unknown,
)
from emotion_detection.postprocessing import Postprocessing, Prior, check_prior
from emotion_detection.results import Result
from emotion_detection.training_record import SYNTHETIC_NOTE
from emotion_detection.views import check_views, make_views

BATCH = 256
"""Crops per run of the network; bounds memory, whatever the number of crops."""

IMAGE_VIEWS, CROP_VIEWS = 4, 1
"""Default number of views per face: of images, where detection takes most of the time, and of
crops."""

INTENSITY = "intensity"
"""Name of the model's output."""

_DECODERS = 8
"""Images decoded in parallel while faces are detected on another device than the CPU, at most."""


_OPENED = ("_device", "_threads", "_model", "_label_set", "_readout", "_finder", "_lock")
"""Attributes that :meth:`EmotionDetector._open` sets."""

P = TypeVar("P", bound=ImageInput)
N = TypeVar("N", int, float)
Crops = npt.NDArray[Any] | ImageInput | Iterable[ImageInput]
"""Crops of faces: an array of them, one image, or any number of images."""


class EmotionDetector:
    """Detect faces and classify their expressions.

    >>> from emotion_detection import EmotionDetector
    >>> detector = EmotionDetector()
    >>> detector.detect("photo.jpg")
    Result('photo.jpg', 512x512, 1 face: happiness)
    >>> detector
    EmotionDetector('pretrained', labels='ferplus', device='cpu')

    A detector is thread-safe, and the same images give the same results.

    Args:
        model: a run's folder (its ``model.onnx``) or an ONNX file that this project exported; a
            model folder of the Hugging Face hub or its address, ``hf://user/name``, which is
            downloaded once (extra ``hub``); None or 'pretrained': the shipped model.
        threads: threads per call; None: onnxruntime's default, within the CPU limit of a container.
        labels: label set of the model to score, such as 'ferplus' or 'fer2013'; None: the first of
            :attr:`label_sets`.
        detection_size: longer side in pixels that images are resized to for detection, 32 to 8192.
            Small or uncertain faces are detected again at a larger size. A higher value finds
            smaller faces and takes longer.
        min_confidence: minimum confidence of a detection, above 0 and below 1; small faces need
            slightly more.
        min_face_size: faces whose longer side is less than this, in pixels of the image, are
            counted in ``Result.skipped`` and not classified.
        min_score: faces whose highest score is below this, 0 to 1, get the flag 'unsure'.
        certain: detections with a lower confidence, 0 to 1, get the flag 'uncertain_face'. They may
            be false positives and do not count in summaries.
        max_pixels: files and PIL images with more pixels are refused, before they are decoded.
        views: number of views per face whose scores are averaged: 1 (the face), 2 (with horizontal
            flip) or 4 (both also enlarged). More views are more accurate and take longer. None: 4
            for images, where detection takes most of the time, and 1 for crops.
        prior: 'natural': class frequencies as in the training faces; 'balanced': equal frequencies,
            which predicts rare classes more often at some cost in accuracy.
        device: 'auto' (the best that works here), 'cpu', 'cuda' (or 'cuda:1' for the second GPU;
            also 0 and 1), 'coreml', 'directml', 'openvino', or the name of a provider of
            onnxruntime. Where the device is missing, a warning is given and the CPU is used.
        **old_names: former names (``working_size``, ``threshold``, ``smallest``, ``least_score``)
            of the settings; each emits a ``DeprecationWarning``.

    A detector can be pickled. Unpickling opens the same model file again.

    Raises:
        InputError: the model does not exist, is damaged, was not exported by this project or lacks
            these labels; or a setting is out of range.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        threads: int | None = None,
        labels: str | None = None,
        *,
        detection_size: int = DETECTION_SIZE,
        min_confidence: float = MIN_CONFIDENCE,
        min_face_size: float = MIN_FACE_SIZE,
        min_score: float = 0.0,
        certain: float = CERTAIN,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        views: int | None = None,
        prior: Prior = "natural",
        device: str | int = AUTO,
        **old_names: Unpack[OldNames],
    ) -> None:
        settings = DetectorSettings(
            detection_size, min_confidence, min_face_size, min_score, certain, max_pixels
        )._replace(**rename_settings(dict(old_names)))
        settings.check(threads)
        self._settings = settings._replace(max_pixels=int(settings.max_pixels))
        self._views = None if views is None else check_views(views)
        self._prior = check_prior(prior)
        self._given = model, threads, labels
        # it may be unpickled in another working folder
        is_file = isinstance(model, str | os.PathLike) and os.path.exists(model)
        self._place = os.path.abspath(model) if model is not None and is_file else model
        self._device_given = device
        self._open(model)

    def _open(self, model: str | Path | None) -> None:
        """Open the model; the face detection network is opened at the first image."""
        _, threads, labels = self._given
        self._device, fallback = choose_device(self._device_given)
        if fallback is not None:
            warnings.warn(fallback, stacklevel=3)
        if threads is None and is_limited():  # onnxruntime sees all cores of the machine
            threads = count_cpus()
        self._threads = None if threads is None else int(threads)
        self._model: Model = open_onnx(read_model_file(model), self._threads, self._device)
        if labels is not None and labels not in tuple(self._model.label_sets):
            raise InputError(
                f"labels {labels!r}: {self._model.path} scores {', '.join(self._model.label_sets)}"
            )
        self._label_set = self._model.own if labels is None else labels
        self._readout = self._model.readouts[self._label_set]
        if self._prior == "balanced" and not self._readout.prior:
            raise InputError(
                f"prior 'balanced': {self._model.path} does not say how frequent its classes were "
                "in training: export it again"
            )
        self._finder: FaceDetector | None = None
        self._lock = threading.Lock()

    @property
    def model(self) -> Model:
        """The opened ONNX file: its path, SHA-256, metadata and session."""
        return self._model

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""
        return self._model.label_sets[self._label_set]

    @property
    def label_set(self) -> str:
        """Name of the label set that is scored."""
        return self._label_set

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """All label sets that this model can score, the main one first."""
        return dict(self._model.label_sets)

    @property
    def input(self) -> ModelInput:
        """Size and channels of the model's input. Crops are converted to it."""
        return self._model.input

    @property
    def settings(self) -> DetectorSettings:
        """The settings of face detection and of the flags."""
        return self._settings

    @property
    def views(self) -> int:
        """Number of views per face of an image whose scores are averaged."""
        return self._views or IMAGE_VIEWS

    @property
    def device(self) -> str:
        """Device that the networks run on, such as 'cpu', 'cuda' or 'cuda:1'."""
        return self._device.name

    @property
    def prior(self) -> Prior:
        """Class frequencies that the scores assume: 'natural' or 'balanced'."""
        return self._prior

    @property
    def is_synthetic(self) -> bool:
        """Whether the model was trained on synthetic faces only; results have a note then."""
        return self._model.is_synthetic

    @property
    def readouts(self) -> dict[str, Postprocessing]:
        """Postprocessing of the scores of each label set."""
        return dict(self._model.readouts)

    @property
    def has_intensity(self) -> bool:
        """Whether the model predicts the intensity of an expression."""
        return self._model.has_intensity

    @answer_unknown_arguments
    def classify(self, crops: Crops, *, color: str = "rgb") -> npt.NDArray[np.float32]:
        """Score the emotions of face crops.

        >>> crops = detector.detect("photo.jpg").crops(aligned=True)
        >>> scores = detector.classify(crops)
        >>> scores.shape, detector.labels[scores[0].argmax()]
        ((1, 8), 'happiness')

        Args:
            crops: an array uint8 (N, H, W) grey or (N, H, W, 3) RGB, of any size, N may be 0; or an
                image or a list of images, each as for :meth:`detect`. Arrays of other types and
                layouts are converted as for :meth:`detect`.
            color: order of the channels of arrays, 'rgb' or 'bgr'.

        Returns:
            float32 (N, len(labels)); rows sum to 1.

        Raises:
            InputError: crops of another type or shape.
            ImageError: one of several images cannot be read.
        """
        return self._run(self._load_crops(crops, color), self._views or CROP_VIEWS)[0]

    @answer_unknown_arguments
    def intensity(self, crops: Crops, *, color: str = "rgb") -> npt.NDArray[np.float32]:
        """Predict the intensity of the expressions of face crops.

        >>> crops = detector.detect("photo.jpg").crops(aligned=True)
        >>> bool(detector.intensity(crops)[0] > 0.5)
        True

        Args:
            crops: as for :meth:`classify`.
            color: as for :meth:`classify`.

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
        return self._run(self._load_crops(crops, color), self._views or CROP_VIEWS)[1]

    def _load_crops(self, crops: Crops, color: str) -> npt.NDArray[np.uint8]:
        return load_crops(crops, *self.input, self._settings.max_pixels, color)

    if not TYPE_CHECKING:  # otherwise type checkers would accept any attribute

        def __getattr__(self, name: str) -> NoReturn:
            raise_unknown(self, name, DETECTOR_NAMES)

        def __call__(self, *_: object, **__: object) -> NoReturn:
            """Raise an error that names the method to call."""
            raise TypeError("an EmotionDetector is not called; use detector.detect(image)")

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings; unpickling opens the networks again."""
        return {name: value for name, value in vars(self).items() if name not in _OPENED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open(self._place)

    @overload
    def detect(self, image: ImageInput, *, color: str = "rgb") -> Result: ...
    @overload
    def detect(self, image: list[P] | tuple[P, ...], *, color: str = "rgb") -> list[Result]: ...
    @answer_unknown_arguments
    def detect(
        self, image: ImageInput | list[P] | tuple[P, ...], *, color: str = "rgb"
    ) -> Result | list[Result]:
        """Detect the faces of one or several images and classify their expressions.

        >>> detector.detect("photo.jpg")
        Result('photo.jpg', 512x512, 1 face: happiness)
        >>> detector.detect(np.zeros((48, 64, 3), np.float32))
        Result(64x48, no faces)
        >>> bgr = np.asarray(Image.open("photo.jpg"))[..., ::-1]  # as cv2.imread returns it
        >>> detector.detect(bgr, color="bgr")
        Result(512x512, 1 face: happiness)

        Args:
            image: a path, a file's bytes, a file that is open for reading bytes, a PIL image of
                any mode, or an array or tensor (H, W), (H, W, C) or (C, H, W) with 1 to 4
                channels: uint8, uint16, or floats from 0 to 1; or a list of these.
            color: order of the channels of arrays: 'rgb', or 'bgr' for those of OpenCV
                (``cv2.imread``, ``VideoCapture.read``). It is ignored for files and PIL images.

        Returns:
            The result, or a list with one result per image.

        Raises:
            ImageError: an image cannot be read.
        """
        if isinstance(image, list | tuple):
            return self.read([self.look(one, color=color, keep=True) for one in image])
        return self.read([self.look(image, color=color, keep=True)])[0]

    @answer_unknown_arguments
    def detect_many(
        self, images: ImageInput | Iterable[ImageInput], *, color: str = "rgb"
    ) -> list[Result | ImageError]:
        """Detect faces in many images; unreadable ones yield errors in their places.

        >>> detector.detect_many(["photo.jpg", "nosuch.jpg"])
        [Result('photo.jpg', 512x512, 1 face: happiness), ImageError('nosuch.jpg: no such file')]

        Faces are detected image by image, and the faces of all images are classified in batches of
        256 views. On another device than the CPU, up to eight images are decoded in parallel. On
        the CPU, only one image is in memory at a time.

        Args:
            images: any number of images, each as for :meth:`detect`; a folder, for all images in it
                at any depth, sorted by name; or a single image.
            color: order of the channels of arrays.

        Raises:
            InputError: another type of input, or a folder without images.
        """
        # images of a generator may not all fit in memory: no result refers to them
        each = iterate_images(images)
        keep = isinstance(each, Sequence | np.ndarray)
        seen = list(self.look_many(each, color=color, keep=keep))
        results = iter(self.read([one for one in seen if isinstance(one, DetectedImage)]))
        return [next(results) if isinstance(one, DetectedImage) else one for one in seen]

    @answer_unknown_arguments
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

        Results of a file are delayed by a second or two of the video, since tracking and smoothing
        also use the frames that follow. Frames of a live source that arrive while another one is
        being processed are dropped.

        >>> for result in detector.detect_video("clip.mp4", every_seconds=0.2):
        ...     print(result.frame, [(face.track, face.emotion) for face in result])
        0 [(1, 'happiness')]
        2 [(1, 'happiness')]
        4 [(1, 'happiness')]

        Args:
            source: a video file; or a live source: the number of a camera, its device
                (``/dev/video0``), or the address of a stream (``rtsp://…``, ``http://…``).
            frame_stride: use every frame (1, the default), every second one (2), and so on.
            smoothing: time constant of the smoothing of scores in seconds, 0.5 by default; 0: none.
            every_seconds: use at most one of these frames per interval of this length.
            min_track_time: people who are visible for a shorter time, in seconds, are left out.
            track_confidence: confidence of a detection that starts a track immediately, 0 to 1.
                Less confident faces start one after several detections in a row.
            every: deprecated name of ``frame_stride``.
            smooth: deprecated name of ``smoothing``.

        Yields:
            One result per frame. Faces of one person have the same ``track``, a number from 1. The
            ``scores`` are smoothed; ``raw_scores`` are those of the frame alone.

        Raises:
            ImageError: the video or source does not exist, cannot be read, or breaks off.
            InputError: a setting is not allowed, or the extra is missing.
        """
        from emotion_detection.inference.video_detect import (
            VideoOptions,
            detect_file,
            detect_live,
        )
        from emotion_detection.inference.video_live import find_live_source, read_live_frames

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
            opened = read_live_frames(live, frame_stride, every_seconds)
            results = (result for _, result in detect_live(opened, self.detect, options))
        with contextlib.closing(results):
            for result in results:
                yield result.with_unsure(self._settings.min_score)

    @answer_unknown_arguments
    def look(
        self,
        image: ImageInput,
        *,
        color: str = "rgb",
        keep: bool = False,
        keep_pixels: bool = False,
    ) -> DetectedImage:
        """Detect and crop the faces of an image, without classifying them.

        >>> detector.look("photo.jpg").crops.shape
        (1, 48, 48)

        Args:
            image: as for :meth:`detect`.
            color: as for :meth:`detect`.
            keep: let the result refer to the image, so that it can be drawn.
            keep_pixels: keep the decoded image, so that it can be drawn without decoding it again.

        Raises:
            ImageError: the image cannot be read.
        """
        settings = self._settings
        with self._lock:  # opened at the first image: crops do not need it
            if self._finder is None:
                self._finder = FaceDetector(
                    *(settings.detection_size, settings.min_confidence, settings.min_face_size),
                    *(self._threads, self._device),
                )
        return detect_faces(
            *(image, self._finder, self.input, settings.max_pixels),
            *(color, settings.certain, self.views == 4),
            keep=keep,
            keep_pixels=keep_pixels,
        )

    def look_many(
        self,
        images: Iterable[ImageInput],
        *,
        color: str = "rgb",
        keep: bool = False,
        keep_pixels: bool = False,
    ) -> Iterator[DetectedImage | ImageError]:
        """Detect and crop the faces of images in order, as the iterator is advanced.

        On another device than the CPU, up to eight images are decoded in parallel; with
        ``keep_pixels``, these are held. On the CPU, only one image is in memory at a time.

        Args:
            images: the images.
            color: as for :meth:`detect`.
            keep: as for :meth:`look`.
            keep_pixels: as for :meth:`look`.

        Yields:
            What :meth:`look` returns, or the error of an image that cannot be read.

        >>> [seen.crops.shape for seen in detector.look_many(["photo.jpg", "photo.jpg"])]
        [(1, 48, 48), (1, 48, 48)]
        """

        def find(image: ImageInput) -> DetectedImage | ImageError:
            try:
                return self.look(image, color=color, keep=keep, keep_pixels=keep_pixels)
            except ImageError as error:
                return error

        if self._device.is_cpu:  # one image uses all cores already
            yield from map(find, images)
        else:
            yield from map_in_threads(find, images, min(_DECODERS, count_cpus()))

    def read(self, seen: list[DetectedImage]) -> list[Result]:
        """Classify the expressions of all faces of several images in one batch.

        >>> seen = [detector.look("photo.jpg")]
        >>> detector.read(seen)
        [Result('photo.jpg', 512x512, 1 face: happiness)]

        Args:
            seen: images with detected faces, from :meth:`look`.

        Returns:
            One result per image.
        """
        if not seen:
            return []
        crops = np.concatenate([one.crops for one in seen])
        # a crop in a file of its own has no surroundings to take an enlarged view from
        closer = [one.enlarged for one in seen if one.enlarged is not None]
        enlarged = np.concatenate(closer) if len(closer) == len(seen) else None
        views = self.views if enlarged is not None else self._views or CROP_VIEWS
        scores, *rest = self._run(crops, views, enlarged)
        results, start = [], 0
        for one in seen:
            rows = slice(start, start + len(one.faces))
            intensity = rest[0][rows] if rest else None
            result = one.result(self.labels, scores[rows], intensity)
            results.append(result.with_unsure(self._settings.min_score))
            start = rows.stop
        return [self._with_note(result) for result in results]

    def _with_note(self, result: Result) -> Result:
        """Add the model's warnings to the notes of a result with faces."""
        if not (self.is_synthetic and result.faces):
            return result
        return replace(result, notes=(*result.notes, SYNTHETIC_NOTE))

    def _run(
        self,
        crops: npt.NDArray[np.uint8],
        views: int,
        enlarged: npt.NDArray[np.uint8] | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Return scores, float32 (N, classes), and intensity (N,) if the model predicts it."""
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
        model, *_ = self._given
        name = PRETRAINED if model is None else str(model)
        return f"EmotionDetector({name!r}, labels={self._label_set!r}, device={self.device!r})"


def _renamed(old: str, value: N | None, new: str, given: N | None, default: N) -> N:
    """Return an argument that may have been passed by its old name."""
    if value is not None:
        warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=3)
    chosen = value if given is None else given
    return default if chosen is None else chosen
