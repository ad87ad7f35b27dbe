"""Run ``emotion predict`` on parsed options (:mod:`.predict`)."""

import importlib.util
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from emotion_detection import __version__
from emotion_detection.batch.classify import Settings, identify_model, open_detector
from emotion_detection.batch.dispatch import (
    predict_all,
    predict_at_once,
    predict_in_order,
    predict_shard,
)
from emotion_detection.batch.input_files import (
    Entry,
    common_folder,
    expand_patterns,
    list_entries,
    make_annotate,
    split_inputs,
)
from emotion_detection.batch.job import Engine
from emotion_detection.batch.job_folder import SMALLEST_SHARD, open_work
from emotion_detection.batch.local_engine import count_workers, run_here, run_pool, start_workers
from emotion_detection.batch.output import Output
from emotion_detection.batch.ray_engine import run_on_ray
from emotion_detection.commands.device_option import (
    check_device,
    report_device,
    settle_device,
)
from emotion_detection.commands.predict_video import read_video
from emotion_detection.errors import InputError, missing_package, shorten
from emotion_detection.images.opening import IMAGE_SUFFIXES
from emotion_detection.inference.devices import CPU_NAME
from emotion_detection.inference.model import PRETRAINED
from emotion_detection.inference.table_files import check_suffix
from emotion_detection.inference.tracking import TrackSettings
from emotion_detection.inference.video import is_video
from emotion_detection.inference.video_detect import VideoOptions
from emotion_detection.inference.video_live import find_live_source
from emotion_detection.io.lock import hold_lock
from emotion_detection.postprocessing import check_prior
from emotion_detection.training_record import SYNTHETIC_NOTE

FEW = 64
"""Fewer files than this are processed in this process, since workers take longer to start."""

_REASONS = 5
"""Maximum number of inputs whose errors are listed if there is nothing to read."""


def predict(options: Namespace) -> int:
    """Predict by the options; return 0, or 3 if some files could not be read."""
    options.inputs = list(expand_patterns(options.inputs))
    shard = _checked(options)
    try:
        return _predicted(options, shard)
    except BrokenPipeError:
        # the reader has closed the pipe, so nothing may be flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # exit code of a process that SIGPIPE ends


def _checked(parsed: Namespace) -> tuple[int, int] | None:
    """Check files and folders, create the folder of --annotate, and return the shard."""
    check_device(parsed.device)
    if parsed.out is not None:
        check_suffix(Path(parsed.out))
        if os.path.realpath(parsed.out) in map(os.path.realpath, parsed.inputs):
            raise InputError(f"--out {parsed.out}: is one of the inputs")
    live = [name for name in parsed.inputs if find_live_source(name) is not None]
    files = [name for name in parsed.inputs if name not in live]
    videos = [name for name in files if is_video(name) and not os.path.isdir(name)]
    if parsed.persons is not None:
        _check_persons(parsed, [*videos, *live])
    if parsed.videos or videos or live:
        _check_videos(parsed)
    shard = None if parsed.shard is None else _shard(parsed)
    if parsed.annotate is not None:
        _check_annotate(parsed.annotate)
        make_annotate(parsed.annotate, files)
    return shard


def _shard(parsed: Namespace) -> tuple[int, int]:
    number, _, shards = parsed.shard.partition("/")
    if not (number.isdecimal() and shards.isdecimal() and 1 <= int(number) <= int(shards)):
        raise InputError(f"--shard {parsed.shard}: must be I/N with I from 1 to N, as 3/8")
    if parsed.out is None:
        raise InputError(
            "--shard: needs --out: the shards' results are collected beside that table"
        )
    return int(number), int(shards)


def _check_annotate(folder: str) -> None:
    """Reject the name of an image or a video: --annotate needs a folder."""
    path = Path(folder)
    if path.is_dir() or (path.suffix.lower() not in IMAGE_SUFFIXES and not is_video(folder)):
        return
    raise InputError(f"--annotate {folder}: names a folder, in which copies keep their names")


def _check_videos(parsed: Namespace) -> None:
    if parsed.crops:
        raise InputError("--crops: takes images of single faces, no videos")
    if importlib.util.find_spec("av") is None:
        raise missing_package("a video", "av", "video")


def _check_persons(parsed: Namespace, videos: Sequence[str]) -> None:
    check_suffix(Path(parsed.persons))
    if not videos and not parsed.videos:
        raise InputError("--persons: is a table of the persons in videos; name a video")
    if parsed.shard is not None:
        raise InputError("--persons: needs all of a video; leave it out with --shard")
    others = [*parsed.inputs, *([parsed.out] if parsed.out else [])]
    if os.path.realpath(parsed.persons) in map(os.path.realpath, others):
        raise InputError(f"--persons {parsed.persons}: is one of the inputs, or --out")


def _settings(options: Namespace) -> Settings:
    return Settings(
        model=PRETRAINED if options.model is None else options.model,
        sha256="",
        labels=options.labels,
        detection_size=options.detection_size,
        min_confidence=options.min_confidence,
        min_face_size=options.min_face_size,
        min_score=options.min_score,
        views=options.views,
        prior=check_prior(options.prior),
        # in a Ray cluster, each node chooses its own
        device=CPU_NAME if options.engine == "ray" else settle_device(options.device),
        certain=options.certain,
        max_pixels=options.max_pixels,
        crops=options.crops,
        folder=os.getcwd(),
        annotate=options.annotate and os.path.abspath(options.annotate),
        root=common_folder([n for n in options.inputs if find_live_source(n) is None] or ["."]),
    )


def _predicted(options: Namespace, shard: tuple[int, int] | None) -> int:
    settings = identify_model(_settings(options))
    detector = open_detector(settings)
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    if options.engine == "local":
        report_device(detector.device, options.device)
    show = Output(options.json, options.out is not None, options.min_face_size)
    files = split_inputs(
        list_entries(options.inputs, show.tally.left_out, options.videos), options.annotate
    )
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
            stack.enter_context(hold_lock(Path(folder), alone=shard is None))
        engine = _engine(options, settings, len(first), stack)
        work = open_work(Path(folder), chain(first, files), _about(options, settings))
        if options.out is None:
            predict_in_order(work, engine, video, show)
            return end()
        try:
            if shard is None:
                predict_all(work, engine, video, show, Path(options.out), detector.labels)
                return end(options.out)
            count, earlier = predict_shard(work, engine, video, show, shard)
        except KeyboardInterrupt:
            print(
                f"emotion: {folder} keeps the finished part; the same command resumes",
                file=sys.stderr,
            )
            raise
    print(
        f"shard {options.shard}: {count:,} images done, {earlier:,} of them before; "
        f"the same command without --shard writes {options.out}"
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
    """Return in one line the reasons why there is nothing to read."""
    reasons = [f"{shorten(entry.source) or repr('')}: {entry.error}" for entry in files[:_REASONS]]
    if len(files) > _REASONS:
        reasons.append(f"... and {len(files) - _REASONS} more")
    return "; ".join(reasons)


def _engine(options: Namespace, settings: Settings, count: int, stack: ExitStack) -> Engine:
    """Return the engine for the files, of which at least ``count`` are known so far."""
    if options.engine == "ray":
        on_nodes = replace(settings, device=options.device)
        return partial(run_on_ray, settings=on_nodes, address=options.address)
    if count < FEW:
        return partial(run_here, settings=settings)
    workers = options.workers or count_workers(settings.device)
    ready = stack.enter_context(start_workers(settings, min(workers, count // SMALLEST_SHARD)))
    return partial(run_pool, settings=settings, workers=workers, waiting=ready)


def _about(options: Namespace, settings: Settings) -> dict[str, Any]:
    """Return all settings that a record depends on, beside the file."""
    relative = not all(map(os.path.isabs, options.inputs))
    return {
        "version": __version__,
        "model": settings.sha256,
        "labels": open_detector(settings).label_set,
        **{
            f"--{name}": getattr(options, name)
            for name in (
                *("crops", "min_face_size", "min_score", "certain", "max_pixels", "videos"),
                *("views", "prior"),
                *("min_confidence", "detection_size", "frame_stride", "every_seconds"),
                *("smoothing", "min_track_time", "track_confidence"),
            )
        },
        "--annotate": settings.annotate,
        "folder": settings.folder if relative else None,
    }
