"""Process the jobs of a worker: decode, detect, classify and encode the answers."""

import asyncio
import dataclasses
import io
import json
import logging
import traceback
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from emotion_detection.images.file_types import describe_content
from emotion_detection.images.headers import prepare
from emotion_detection.images.opening import LoadedImage, crop_to_square, load_image
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.annotate import annotate_image
from emotion_detection.inference.detection import DetectedImage
from emotion_detection.inference.face_detector import DetectedFace
from emotion_detection.results import Result
from emotion_detection.serving.connection import Connection
from emotion_detection.serving.error_responses import Problem, describe_failure
from emotion_detection.serving.prometheus_metrics import ServerMetrics
from emotion_detection.serving.request_body import Part, parse_parts
from emotion_detection.serving.server_settings import Settings, give_memory_back

_LOG = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP")
"""Formats that a server opens: few, since images come from strangers."""
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")

JSON = "application/json"

LARGE = 16_000_000
"""Bytes of pixels above which memory is returned to the system after the answer."""


@dataclasses.dataclass(eq=False, slots=True)
class Job:
    """A request with images.

    Args:
        body: the complete body.
        boundary: boundary of a multipart body; empty: the body is one image.
        crops: the images are face crops: detect nothing.
        annotate: media type of the requested annotated image, or None for JSON.
        connection: connection of the answer.
        future: future of the answer; set by the queue.
        queued: time of queueing, by :func:`time.perf_counter`; set by the queue.
    """

    body: bytes
    boundary: bytes
    crops: bool
    annotate: str | None
    connection: Connection
    large: bool = dataclasses.field(default=False, init=False)
    """Whether an image took so much memory that it is returned to the system immediately."""
    future: "asyncio.Future[Answer]" = dataclasses.field(init=False)
    queued: float = dataclasses.field(init=False)


class Answer(NamedTuple):
    """The body of an answer.

    Args:
        content: the bytes.
        media_type: media type of the bytes.
    """

    content: bytes
    media_type: str


class _DetectedJob(NamedTuple):
    name: str | None
    loaded: LoadedImage
    seen: DetectedImage


class JobRunner:
    """Process jobs; thread-safe.

    Args:
        detector: detects and classifies faces.
        settings: the limits.
        metrics: the metrics of the server.
    """

    def __init__(
        self, detector: EmotionDetector, settings: Settings, metrics: ServerMetrics
    ) -> None:
        self._detector, self._settings, self._figures = detector, settings, metrics

    def warm(self) -> None:
        """Run the networks once on an image and a crop, so that they are opened and warm."""
        size, channels = self._detector.input
        shape = (1, size, size) if channels == 1 else (1, size, size, 3)
        self._detector.look(np.full((480, 640, 3), 128, np.uint8))
        self._detector.read([_as_whole(np.full((48, 48, 3), 128, np.uint8), size, channels)])
        self._detector.classify(np.full(shape, 128, np.uint8))

    def answers(self, jobs: list[Job]) -> list[Answer | Problem]:
        """Answer several jobs; all faces are classified in one batch."""
        answers = self._answers(jobs)
        if any(job.large for job in jobs):
            give_memory_back()
        return answers

    def _answers(self, jobs: list[Job]) -> list[Answer | Problem]:
        looked = [self._safely(self._looked, job) for job in jobs]
        images = [
            one
            for found in looked
            if not isinstance(found, Problem)
            for one in found
            if isinstance(one, _DetectedJob)
        ]
        start = perf_counter()
        results = self._safely(self._detector.read, [one.seen for one in images])
        if isinstance(results, Problem):
            if len(jobs) == 1:
                return [results]
            return [answer for job in jobs for answer in self._answers([job])]
        if images:
            took = (perf_counter() - start) / len(jobs)
            for _ in jobs:
                self._figures.took("classify", took)
        self._figures.images.inc(len(images))
        certain = (not face.is_uncertain for result in results for face in result.faces)
        self._figures.faces.inc(sum(certain))
        left = iter(zip(images, results, strict=True))
        answers: list[Answer | Problem] = []
        for job, found in zip(jobs, looked, strict=True):
            if isinstance(found, Problem):
                answers.append(found)
                continue
            own = [one if isinstance(one, dict) else next(left) for one in found]
            answers.append(self._safely(self._encoded, job, own))
        return answers

    def _safely(self, do: Any, *what: Any) -> Any:
        """Return a function's result, or a problem if it raises."""
        try:
            return do(*what)
        except Problem as problem:
            return problem
        except Exception as error:
            log_failure(error)
            return describe_failure()

    def _looked(self, job: Job) -> list[_DetectedJob | dict[str, Any]]:
        """Return a job's images with detected faces; unreadable ones of several become errors."""
        if not job.boundary:
            return [self._look(Part(job.body), job)]
        found = parse_parts(job.body, job.boundary, self._settings.max_pictures)
        if len(found) == 1:
            return [self._look(found[0], job)]
        if job.annotate:
            raise Problem(400, "annotate: one image in a request, not several")
        looked: list[_DetectedJob | dict[str, Any]] = []
        for part in found:
            try:
                looked.append(self._look(part, job))
            except Problem as problem:
                self._figures.failed(problem.reason)
                looked.append({"source": part.name, "error": problem.detail})
        return looked

    def _look(self, part: Part, job: Job) -> _DetectedJob:
        with self._figures.stage("decode"):
            try:
                content = prepare(part.content)  # before the image is opened
                check_image(content, self._settings.max_pixels)
                loaded = load_image(content, self._settings.max_pixels)
            except ValueError as error:
                raise Problem(422, f"the image cannot be read: {error}", reason="picture") from None
        job.large |= loaded.pixels.size > LARGE
        if job.crops:
            seen = _as_whole(loaded.pixels, *self._detector.input)
        else:
            with self._figures.stage("detect"):
                seen = self._detector.look(loaded.pixels)
        about = dataclasses.replace(seen.about, source=part.name, notes=loaded.notes)
        return _DetectedJob(part.name, loaded, seen._replace(about=about))

    def _encoded(
        self, job: Job, found: list[dict[str, Any] | tuple[_DetectedJob, Result]]
    ) -> Answer:
        with self._figures.stage("encode"):
            if job.annotate and not isinstance(found[0], dict):
                return _drawn(*found[0], job.annotate)
            values = [one if isinstance(one, dict) else one[1].as_dict() for one in found]
            answer = values[0] if len(values) == 1 else {"results": values}
            return Answer(json.dumps(answer).encode(), JSON)


def check_image(content: bytes, most: int) -> None:
    """Check an image's first bytes and header.

    Args:
        content: the bytes of the file.
        most: maximum number of pixels.

    Raises:
        Problem: 400 for an empty body, 415 for other formats than JPEG, PNG and WebP, 413 for too
            many pixels.
    """
    if not content:
        raise Problem(400, "an empty body: 0 bytes", reason="picture")
    if not content.startswith(_STARTS) and (content[:4], content[8:12]) != (b"RIFF", b"WEBP"):
        what = describe_content(content[:512])
        found = f"{what}: " if what else "its first bytes are others': "
        raise Problem(415, f"not a JPEG, PNG or WebP image: {found}the server reads these alone")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Problem(413, f"an image of more than {most:,} pixels", reason="pixels") from None
    except Exception:  # decoding will report the damage
        return
    if width * height > most:
        raise Problem(
            413, f"an image of {width} x {height}: more than {most:,} pixels", reason="pixels"
        )


def log_failure(error: BaseException) -> None:
    """Log the place of an error without the message, which may quote an image."""
    places = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{place.filename}:{place.lineno} {place.name}" for place in places)
    _LOG.error("%s at %s", type(error).__name__, where)


def _as_whole(pixels: npt.NDArray[np.uint8], size: int, channels: int) -> DetectedImage:
    """Treat the complete image as one face, as ``emotion predict --crops`` does."""
    face = crop_to_square(Image.fromarray(pixels), size, channels)
    height, width = pixels.shape[:2]
    return DetectedImage(
        about=Result(width, height),
        faces=(DetectedFace((0.0, 0.0, float(width), float(height)), (), 1.0),),
        crops=face if channels == 1 else face.transpose(1, 2, 0)[None],
    )


def _drawn(looked: _DetectedJob, result: Result, media_type: str) -> Answer:
    out = io.BytesIO()
    try:
        image = annotate_image(looked.loaded.pixels, result)
        kind, profile = media_type.removeprefix("image/"), looked.loaded.icc_profile
        image.save(out, kind, quality=92, icc_profile=profile)
    except (OSError, ValueError) as error:
        size = f"{result.width} x {result.height} pixels"
        raise Problem(422, f"{size} cannot be written as {media_type}: {error}") from None
    return Answer(out.getvalue(), media_type)
