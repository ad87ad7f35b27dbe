"""Classify a few images; the same in every process, on any machine."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from emotion_detection.batch.input_files import Entry, lies_in
from emotion_detection.errors import InputError, shorten
from emotion_detection.images.opening import (
    DEFAULT_MAX_PIXELS,
    ImageError,
    LoadedImage,
    crop_to_square,
    load_image,
)
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.detection import DetectedImage
from emotion_detection.inference.devices import AUTO
from emotion_detection.inference.face_detector import CERTAIN, DetectedFace
from emotion_detection.inference.table_files import Record, make_error_record
from emotion_detection.postprocessing import Prior
from emotion_detection.results import Result

TOGETHER, LOOKED_AT = 64, 8
"""Crops, and images, per block; an image takes longer, since faces must be detected."""
HELD_PIXELS = 1_000_000
"""Decoded images of a block that are held for drawing, until they have more pixels in all. Small
ones are classified together, and a large one is drawn before the next is decoded."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings that an image's record depends on.

    Args:
        model: the ONNX file; or, until :func:`identify_model`, a model as for
            :class:`EmotionDetector`.
        sha256: SHA-256 of the file, which every process checks; empty until
            :func:`identify_model`.
        labels: name of the label set; None: the model's main one.
        detection_size: as for :class:`EmotionDetector`.
        min_confidence: as for :class:`EmotionDetector`.
        min_face_size: as for :class:`EmotionDetector`.
        min_score: as for :class:`EmotionDetector`.
        certain: as for :class:`EmotionDetector`.
        max_pixels: as for :class:`EmotionDetector`.
        views: as for :class:`EmotionDetector`.
        prior: as for :class:`EmotionDetector`.
        device: as for :class:`EmotionDetector`.
        crops: the images are face crops: detect nothing.
        folder: base folder of relative names.
        annotate: folder for annotated images, or None.
        root: folder above all images; below ``annotate`` they lie as they do below this.
    """

    model: str
    sha256: str
    labels: str | None
    detection_size: int
    min_confidence: float
    min_face_size: float
    min_score: float = 0.0
    certain: float = CERTAIN
    max_pixels: int = DEFAULT_MAX_PIXELS
    views: int | None = None
    prior: Prior = "natural"
    device: str = AUTO
    crops: bool = False
    folder: str = "."
    annotate: str | None = None
    root: str = "."

    def path(self, source: str) -> Path:
        """Return an image's absolute path, whatever the working folder of the process."""
        return Path(self.folder, source)


_opened: dict[tuple[Settings, int | None], EmotionDetector] = {}
"""The detector of this process: at most one, since each takes memory."""


def identify_model(settings: Settings) -> Settings:
    """Return settings with the absolute path and the SHA-256 of their model.

    The model is read once: :func:`open_detector` returns the detector that is opened here.

    Raises:
        InputError: the model does not exist, or a setting is not allowed.
    """
    detector = _new_detector(settings, None)
    path = os.path.abspath(detector.model.path)
    settings = dataclasses.replace(settings, model=path, sha256=detector.model.sha256)
    _keep_detector(settings, None, detector)
    return settings


def open_detector(settings: Settings, threads: int | None = None) -> EmotionDetector:
    """Return this process's detector, created once.

    Raises:
        InputError: the model does not exist, or is another one.
    """
    if (settings, threads) not in _opened:
        detector = _new_detector(settings, threads)
        if detector.model.sha256 != settings.sha256:
            raise InputError(
                f"{settings.model}: is another model here than where the work was started"
            )
        _keep_detector(settings, threads, detector)
    return _opened[settings, threads]


def _keep_detector(settings: Settings, threads: int | None, detector: EmotionDetector) -> None:
    _opened.clear()
    _opened[settings, threads] = detector


def _new_detector(settings: Settings, threads: int | None) -> EmotionDetector:
    return EmotionDetector(
        settings.model,
        threads=threads,
        labels=settings.labels,
        detection_size=settings.detection_size,
        min_confidence=settings.min_confidence,
        min_face_size=settings.min_face_size,
        min_score=settings.min_score,
        certain=settings.certain,
        max_pixels=settings.max_pixels,
        views=settings.views,
        prior=settings.prior,
        device=settings.device,
    )


def read(
    entries: Sequence[Entry], settings: Settings, detector: EmotionDetector
) -> Iterator[Record]:
    """Classify images.

    Args:
        entries: images, and files that are known to be unreadable; no videos.
        settings: the settings.
        detector: :func:`open_detector` these settings.

    Yields:
        A record for each, in order; an error record if an unexpected error occurs.

    Raises:
        InputError: annotated images cannot be written, or must not be.
    """
    together = TOGETHER if settings.crops else LOOKED_AT
    for start in range(0, len(entries), together):
        yield from _surely(entries[start : start + together], settings, detector)


def describe_unforeseen_error(error: Exception) -> str:
    """Return the text of an unexpected error."""
    return " ".join(f"unforeseen {type(error).__name__}: {error}".split())


def _surely(some: Sequence[Entry], settings: Settings, detector: EmotionDetector) -> list[Record]:
    """Return the records; if one of several images fails, classify them one by one."""
    try:
        return _records(some, settings, detector)
    except InputError:
        raise
    except Exception as error:
        if len(some) == 1:
            return [make_error_record(some[0].source, describe_unforeseen_error(error))]
    return [record for entry in some for record in _surely([entry], settings, detector)]


def _records(some: Sequence[Entry], settings: Settings, detector: EmotionDetector) -> list[Record]:
    sources = [entry.source for entry in some if entry.error is None]
    if settings.annotate is not None:
        many = _annotated
    else:
        many = _crops if settings.crops else _photographs
    answers = iter(many(sources, settings, detector))
    records = []
    for entry in some:
        answer = next(answers) if entry.error is None else entry.error
        if isinstance(answer, Result):
            records.append(answer.as_dict())
        else:
            records.append(make_error_record(entry.source, answer))
    return records


def _photographs(
    sources: Sequence[str], settings: Settings, detector: EmotionDetector
) -> list[Result | str]:
    paths = [settings.path(source) for source in sources]
    answers = detector.detect_many(paths)
    return [
        _describe_error(answer, path)
        if isinstance(answer, ImageError)
        else dataclasses.replace(answer, source=source)
        for source, path, answer in zip(sources, paths, answers, strict=True)
    ]


def _describe_error(error: ImageError, path: Path) -> str:
    """Return the reason without the path, which the record has apart."""
    return str(error).removeprefix(f"{shorten(str(path))}: ")


def _crops(
    sources: Sequence[str], settings: Settings, detector: EmotionDetector
) -> list[Result | str]:
    looked = [_whole(source, settings, detector) for source in sources]
    results = iter(detector.read([one for one in looked if isinstance(one, DetectedImage)]))
    return [next(results) if isinstance(one, DetectedImage) else one for one in looked]


def _whole(source: str, settings: Settings, detector: EmotionDetector) -> DetectedImage | str:
    """Treat the complete image as one face; return an error if it cannot be read."""
    try:
        loaded = load_image(settings.path(source), settings.max_pixels)
    except ImageError as error:
        return str(error)
    size, channels = detector.input
    face = crop_to_square(Image.fromarray(loaded.pixels), size, channels)
    width, height = loaded.width, loaded.height
    return DetectedImage(
        about=Result(width, height, source=source, notes=loaded.notes),
        faces=(DetectedFace((0.0, 0.0, float(width), float(height)), (), 1.0),),
        crops=face if channels == 1 else face.transpose(1, 2, 0)[None],
        loaded=loaded if settings.annotate is not None else None,
    )


def _annotated(
    sources: Sequence[str], settings: Settings, detector: EmotionDetector
) -> list[Result | str]:
    """Classify and draw images, each decoded once; a large one is not held for the others."""
    if settings.crops:
        looked: Iterator[DetectedImage | str] = (
            _whole(source, settings, detector) for source in sources
        )
    else:
        paths = [settings.path(source) for source in sources]
        looked = map(_or_reason, detector.look_many(paths, keep_pixels=True), paths)
    answers: list[Result | str] = []
    held: list[DetectedImage | str] = []
    for end in range(1, len(sources) + 1):
        # in no variable of its own, which would hold it while the next one is decoded
        held.append(next(looked))
        if end == len(sources) or _count_pixels(held) > HELD_PIXELS:
            answers += _classify_and_draw(held, sources[len(answers) : end], settings, detector)
            held.clear()
    return answers


def _or_reason(seen: DetectedImage | ImageError, path: Path) -> DetectedImage | str:
    return _describe_error(seen, path) if isinstance(seen, ImageError) else seen


def _count_pixels(held: Sequence[DetectedImage | str]) -> int:
    images = (one.about for one in held if isinstance(one, DetectedImage))
    return sum(about.width * about.height for about in images)


def _classify_and_draw(
    held: Sequence[DetectedImage | str],
    sources: Sequence[str],
    settings: Settings,
    detector: EmotionDetector,
) -> Iterator[Result | str]:
    results = iter(detector.read([one for one in held if isinstance(one, DetectedImage)]))
    for one, source in zip(held, sources, strict=True):
        if isinstance(one, str):
            yield one
            continue
        result = dataclasses.replace(next(results), source=source)
        assert one.loaded is not None  # since --annotate was given
        yield _draw(result, one.loaded, source, settings)


def _draw(result: Result, loaded: LoadedImage, source: str, settings: Settings) -> Result | str:
    """Write the annotated image; return an error if it cannot be drawn or written."""
    from emotion_detection.inference.annotate import SUFFIXES, draw_result, save_image

    try:
        image = loaded.to_image()
    except ImageError as error:
        return str(error)
    draw_result(image, result)
    out = place_below_annotate(source, settings)
    if out.suffix.lower() not in SUFFIXES:
        out = out.with_name(f"{out.name}.annotated.png")
    check_target(out, source, settings)
    try:
        save_image(image, out, loaded.icc_profile)
    except ImageError as error:
        return f"--annotate {error}"
    except InputError as error:
        raise InputError(f"--annotate {error}") from None
    return result


def check_target(out: Path, source: str, settings: Settings) -> None:
    """Check that writing below ``annotate`` replaces no input file.

    Those lie outside of it (:func:`.input_files.split_inputs`), so a link out of it must not be
    followed.

    Raises:
        InputError: there is such a link, or the file itself is there.
    """
    path = settings.path(source)
    itself = os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path)
    if itself or not lies_in(out, settings.path(str(settings.annotate))):
        raise InputError(
            f"--annotate {out}: would replace {path if itself else 'what a link leads to'}; "
            "name another folder"
        )


def place_below_annotate(source: str, settings: Settings) -> Path:
    """Return the path of a file's output below ``annotate``.

    No two files have the same place: they lie there as they do below ``root``.
    """
    path = os.path.abspath(settings.path(source))
    try:
        inside = os.path.relpath(path, settings.root)
    except ValueError:  # another drive
        inside = os.pardir
    if inside.startswith(os.pardir):
        folder, name = os.path.split(path)
        inside = os.path.join(hashlib.sha256(os.fsencode(folder)).hexdigest()[:12], name)
    return Path(settings.folder, str(settings.annotate), inside)
