"""``emotion predict``: photographs, folders and videos -> the expressions of the faces in them."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from emotion_detection import __version__
from emotion_detection.commands.parsing import PRIOR_HELP, VIEWS_HELP, new_parser, parse
from emotion_detection.commands.predict_video import read_video
from emotion_detection.cpus import count_cpus
from emotion_detection.errors import InputError, missing, shorten
from emotion_detection.images import DEFAULT_MAX_PIXELS
from emotion_detection.inference.face_detector import (
    CERTAIN,
    SMALLEST,
    THRESHOLD,
    WORKING_SIZE,
)
from emotion_detection.inference.model import model_file
from emotion_detection.inference.tables import check_suffix
from emotion_detection.inference.tracking import (
    MIN_TRACK_TIME,
    SMOOTHING,
    START_CONFIDENCE,
    TrackSettings,
)
from emotion_detection.inference.video import is_video
from emotion_detection.inference.video_detect import VideoOptions
from emotion_detection.inference.video_live import find_live_source
from emotion_detection.readout import check_prior
from emotion_detection.scoring.entries import (
    Entry,
    apart,
    common_folder,
    entries,
    expand_patterns,
    make_annotate,
)
from emotion_detection.scoring.local import here, pool, waiting
from emotion_detection.scoring.lock import held
from emotion_detection.scoring.prediction import (
    do_part,
    do_whole,
    predict_at_once,
    predict_in_order,
)
from emotion_detection.scoring.ray_engine import on_ray
from emotion_detection.scoring.reading import Settings, detector_of, sha256_of
from emotion_detection.scoring.run import Engine
from emotion_detection.scoring.show import Show
from emotion_detection.scoring.work import SMALLEST_SHARD, open_work
from emotion_detection.training_record import SYNTHETIC_NOTE

FEW = 64
"""Files fewer than this are read in this process: others would take longer to start."""

_REASONS = 5
"""Why there is nothing to read is said of so many inputs."""

_ENGINES = ("local", "ray")

_OLD_NAMES = {"--every": "--frame_stride", "--smooth": "--smoothing"}


def run(words: list[str]) -> int:
    """Read what the words say; return 0, or 3 where some files could not be read."""
    parser = _parser()
    options = parse(parser, _inputs_last(parser, _renamed(words)))
    options.inputs = list(expand_patterns(options.inputs))
    part = _checked(options)
    try:
        return _predicted(options, part)
    except BrokenPipeError:
        # who reads the output has seen enough; nothing is left to be flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as of a process that SIGPIPE ends


def _parser() -> ArgumentParser:
    parser = new_parser("predict", "Read the expressions of faces in pictures and videos.")

    def add(option: str, metavar: str, said: str, kind: type = str, default: Any = None) -> None:
        parser.add_argument(f"--{option}", type=kind, metavar=metavar, default=default, help=said)

    inputs = (
        "photographs, folders of them (at any depth), videos, cameras (0), streams (rtsp://...)"
    )
    parser.add_argument("inputs", type=str, nargs="*", metavar="INPUT", help=inputs)
    add("model", "RUN", "run folder or ONNX file; default: the shipped model")
    add("labels", "NAME", "set of labels, as ferplus or fer2013; default: the model's own")
    add("out", "FILE", "table to write: FILE.csv, FILE.jsonl or FILE.parquet")
    add("annotate", "DIR", "folder for the pictures with what was found drawn on them")
    for name, said in (
        ("crops", "the pictures are crops of faces: detect nothing"),
        ("json", "print JSON lines also on a terminal"),
        ("videos", "read the videos in folders, too"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=said)
    add("smallest", "PIXELS", "smallest face", float, SMALLEST)
    add("least_score", "SHARE", "faces with less are called unsure, 0 to 1; 0: none", float, 0.0)
    add("threshold", "SHARE", "least confidence of a face, 0 to 1", float, THRESHOLD)
    certain = "faces with less confidence are flagged as uncertain, and not counted"
    add("certain", "SHARE", certain, float, CERTAIN)
    add("working_size", "PIXELS", "longer side of the first look for faces", int, WORKING_SIZE)
    add("max_pixels", "N", "images with more are refused", int, DEFAULT_MAX_PIXELS)
    add("views", "N", VIEWS_HELP, int)
    add("prior", "PRIOR", PRIOR_HELP, str, "natural")
    add("frame_stride", "N", "of a video, use every Nth frame", int, 1)
    add("every_seconds", "SECONDS", "of a video, use one frame in each interval this long", float)
    add("smoothing", "SECONDS", "of a video, time that scores are smoothed over", float, SMOOTHING)
    told = "of a video, leave out persons seen for a shorter time"
    add("min_track_time", "SECONDS", told, float, MIN_TRACK_TIME)
    told = "of a video, confidence of a face that counts as a person at once"
    add("track_confidence", "SHARE", told, float, START_CONFIDENCE)
    add("persons", "FILE", "of videos, table of persons to write: .csv, .jsonl or .parquet")
    add("engine", "ENGINE", "who reads many files: local or ray", str, "local")
    add("address", "HOST:PORT", "of the Ray cluster; default: this machine's")
    add("workers", "N", "processes of the local engine; default: one a core", int)
    add("part", "I/N", "do only the Ith of N shares, and write no table yet")
    return parser


def _renamed(words: Sequence[str]) -> list[str]:
    """Return the words with old names of options replaced; each is told on standard error."""
    renamed, is_option = [], True
    for word in words:
        is_option = is_option and word != "--"
        name, equals, value = word.partition("=")
        if is_option and (new := _OLD_NAMES.get(name)):
            print(f"emotion: {name} is now called {new}", file=sys.stderr)
            word = f"{new}{equals}{value}"
        renamed.append(word)
    return renamed


def _inputs_last(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """Return the words with all inputs at the end, so that they may stand between options."""
    alone = {o for a in parser._actions if a.nargs == 0 for o in a.option_strings}
    options, inputs, left = list[str](), list[str](), list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            inputs += left
            break
        if not word.startswith("-") or word == "-":
            inputs.append(word)
            continue
        options.append(word)
        if word not in alone and "=" not in word and left:
            options.append(left.pop(0))
    return [*options, "--", *inputs]


def _checked(parsed: Namespace) -> tuple[int, int] | None:
    """Check the options that need no file; return the part, if one is asked for."""
    if not parsed.inputs:
        raise InputError("predict: nothing to read: name photographs, folders or videos")
    if parsed.engine not in _ENGINES:
        raise InputError(f"--engine {parsed.engine}: must be {' or '.join(_ENGINES)}")
    if parsed.address is not None and parsed.engine != "ray":
        raise InputError("--address: is of a Ray cluster; add --engine ray")
    least_values = (("workers", 1), ("frame_stride", 1), ("smoothing", 0), ("min_track_time", 0))
    for name, least in least_values:
        value = getattr(parsed, name)
        if value is not None and not value >= least:
            raise InputError(f"--{name} {value}: must be {least} or more")
    if parsed.every_seconds is not None and not parsed.every_seconds > 0:
        raise InputError(f"--every_seconds {parsed.every_seconds}: must be more than 0")
    if not 0 <= parsed.track_confidence <= 1:
        raise InputError(f"--track_confidence {parsed.track_confidence}: must be from 0 to 1")
    if parsed.out is not None:
        check_suffix(Path(parsed.out))
        if os.path.realpath(parsed.out) in map(os.path.realpath, parsed.inputs):
            raise InputError(f"--out {parsed.out}: is one of the inputs")
    live = [name for name in parsed.inputs if find_live_source(name) is not None]
    files = [name for name in parsed.inputs if name not in live]
    videos = [name for name in files if is_video(name) and not os.path.isdir(name)]
    if parsed.persons is not None:
        _check_persons(parsed, [*videos, *live])
    if parsed.annotate is not None:
        make_annotate(parsed.annotate, files)
    if parsed.videos or videos or live:
        _check_videos(parsed)
    if parsed.part is None:
        return None
    number, _, parts = parsed.part.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise InputError(f"--part {parsed.part}: must be I/N with I from 1 to N, as 3/8")
    if parsed.out is None:
        raise InputError("--part: needs --out: the parts' results meet beside that table")
    return int(number), int(parts)


def _check_videos(parsed: Namespace) -> None:
    if parsed.crops:
        raise InputError("--crops: takes pictures of single faces, no videos")
    if importlib.util.find_spec("av") is None:
        raise missing("a video", "av", "video")


def _check_persons(parsed: Namespace, videos: Sequence[str]) -> None:
    check_suffix(Path(parsed.persons))
    if not videos:
        raise InputError("--persons: is a table of the persons in videos; name a video")
    if parsed.part is not None:
        raise InputError("--persons: needs all of a video; leave it out with --part")
    others = [*parsed.inputs, *([parsed.out] if parsed.out else [])]
    if os.path.realpath(parsed.persons) in map(os.path.realpath, others):
        raise InputError(f"--persons {parsed.persons}: is one of the inputs, or --out")


def _settings(options: Namespace) -> Settings:
    model = model_file(options.model)
    return Settings(
        model=os.path.abspath(model) if os.path.exists(model) else options.model,
        # of what is no file the detector will say what is wrong
        sha256=sha256_of(model) if os.path.isfile(model) else "",
        labels=options.labels,
        working_size=options.working_size,
        threshold=options.threshold,
        smallest=options.smallest,
        least_score=options.least_score,
        views=options.views,
        prior=check_prior(options.prior),
        certain=options.certain,
        max_pixels=options.max_pixels,
        crops=options.crops,
        folder=os.getcwd(),
        annotate=options.annotate and os.path.abspath(options.annotate),
        root=common_folder([n for n in options.inputs if find_live_source(n) is None] or ["."]),
    )


def _predicted(options: Namespace, part: tuple[int, int] | None) -> int:
    settings = _settings(options)
    detector = detector_of(settings)
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    show = Show(options.json, options.out is not None, options.smallest)
    files = apart(entries(options.inputs, show.tally.left_out, options.videos), options.annotate)
    first = list(islice(files, FEW))
    while all(entry.error is not None for entry in first):
        if (following := next(files, None)) is None:
            nothing = f"{shorten(', '.join(options.inputs))}: nothing to read in it"
            raise InputError(_nothing(first) or nothing)
        first.append(following)
    where = f"annotated copies in {options.annotate}" if options.annotate else ""

    def end(wrote: str | None = None) -> int:
        written = [f"wrote {name}" for name in (wrote, options.persons) if name]
        if options.persons is not None:
            show.end_videos()
            show.persons.write(Path(options.persons), detector.labels)
        return show.end("\n".join(filter(None, [where, *written])))

    video = partial(
        read_video, settings=settings, options=_video_options(options), console=show.console
    )
    if options.out is None and len(first) < FEW and options.engine == "local":
        predict_at_once(first, settings, video, show)
        return end()
    with ExitStack() as stack:
        if options.out is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="emotion-"))
        else:
            # beside the table itself: a link to it may lie on another disk
            linked = os.path.islink(options.out)
            folder = f"{os.path.realpath(options.out) if linked else options.out}.parts"
            stack.enter_context(held(Path(folder), alone=part is None))
        engine = _engine(options, settings, len(first), stack)
        work = open_work(Path(folder), chain(first, files), _about(options, settings))
        if options.out is None:
            predict_in_order(work, engine, video, show)
            return end()
        try:
            if part is None:
                do_whole(work, engine, video, show, Path(options.out), detector.labels)
                return end(options.out)
            count, earlier = do_part(work, engine, video, show, part)
        except KeyboardInterrupt:
            print(
                f"emotion: {folder} keeps what is done; the same command goes on", file=sys.stderr
            )
            raise
    print(
        f"part {options.part}: {count:,} pictures done, {earlier:,} of them before; "
        f"the same command without --part writes {options.out}"
    )
    return 0


def _video_options(options: Namespace) -> VideoOptions:
    tracking = TrackSettings(
        options.smoothing,
        start_confidence=options.track_confidence,
        min_track_time=options.min_track_time,
    )
    return VideoOptions(options.frame_stride, options.every_seconds, tracking)


def _nothing(files: Sequence[Entry]) -> str:
    """Return why there is nothing to read, in one line."""
    reasons = [f"{shorten(entry.source)}: {entry.error}" for entry in files[:_REASONS]]
    if len(files) > _REASONS:
        reasons.append(f"... and {len(files) - _REASONS} more")
    return "; ".join(reasons)


def _engine(options: Namespace, settings: Settings, count: int, stack: ExitStack) -> Engine:
    """Return the engine for some files, of which at least ``count`` are known already."""
    if options.engine == "ray":
        return partial(on_ray, settings=settings, address=options.address)
    if count < FEW:
        return partial(here, settings=settings)
    workers = options.workers or count_cpus()
    ready = stack.enter_context(waiting(settings, min(workers, count // SMALLEST_SHARD)))
    return partial(pool, settings=settings, workers=workers, waiting=ready)


def _about(options: Namespace, settings: Settings) -> dict[str, Any]:
    """Return all that a record depends on beside its file."""
    relative = not all(map(os.path.isabs, options.inputs))
    return {
        "version": __version__,
        "model": settings.sha256,
        "labels": detector_of(settings).label_set,
        **{
            f"--{name}": getattr(options, name)
            for name in (
                *("crops", "smallest", "least_score", "certain", "max_pixels", "videos"),
                *("views", "prior"),
                *("threshold", "working_size", "frame_stride", "every_seconds"),
                *("smoothing", "min_track_time", "track_confidence"),
            )
        },
        "--annotate": settings.annotate,
        "folder": settings.folder if relative else None,
    }
