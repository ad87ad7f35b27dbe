"""Process a list of files: directly, or by shards on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from emotion_detection.batch.classify import Settings, open_detector, read
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job import (
    Engine,
    count_planned,
    find_missing_videos,
    iterate_shards,
    run,
)
from emotion_detection.batch.job_folder import Shard, Work
from emotion_detection.batch.output import Output
from emotion_detection.inference.table_files import Record, line, open_table

AT_ONCE = 8
"""Images that are processed before their lines are shown."""

Video = Callable[[Entry, Callable[[Record], object]], None]
"""Reads a video in this process, and hands each record on."""


def predict_at_once(
    entries: Sequence[Entry], settings: Settings, video: Video, show: Output
) -> None:
    """Process a few files in this process, and show the records in order.

    Args:
        entries: the files.
        settings: how.
        video: reads videos.
        show: is given the records.
    """
    detector = open_detector(settings)
    # a video has a bar of its own
    count = 0 if any(entry.is_video for entry in entries) else len(entries)
    left = list(entries)
    with show.bar(count) as advance:
        while left:
            if left[0].is_video:
                video(left.pop(0), show.add)
                continue
            some = left[:AT_ONCE]
            some = some[: next((i for i, entry in enumerate(some) if entry.is_video), len(some))]
            del left[: len(some)]
            for record in read(some, settings, detector):
                show.add(record)
            advance(len(some))


def predict_in_order(work: Work, engine: Engine, video: Video, show: Output) -> None:
    """Process many files, and show the records in order, without storing them.

    A video is read when it is its turn; meanwhile no more images are handed out.

    Args:
        work: in a folder that is thrown away.
        engine: has images read.
        video: reads videos.
        show: is given the records.
    """
    shards = work.shards()
    following = next(shards, None)

    def show_done() -> None:
        nonlocal following
        while following is not None:
            if following.is_video:
                video(following.entries[0], show.add)
            elif work.is_done(following):
                for record, text in work.records(following):
                    show.add(record, text)
                work.forget(following)
            else:
                return
            following = next(shards, None)

    # a video has a bar of its own
    count = 0 if any(find_missing_videos(work)) else count_planned(work)[0]
    with show.bar(count) as advance:
        show_done()
        for done in run(work, engine):
            advance(done)
            show_done()


def predict_shard(
    work: Work, engine: Engine, video: Video, show: Output, part: tuple[int, int]
) -> tuple[int, int]:
    """Process the missing shards of a part of a job, and store them on disk.

    Args:
        work: the work.
        engine: has images read.
        video: reads videos.
        show: has the bar.
        part: number of the part, from 1, and number of parts.

    Returns:
        Number of files in the part, without videos, and number of files that were done before.
    """
    count, earlier = count_planned(work, part)
    with show.bar(count, earlier) as advance:
        for done in run(work, engine, part):
            advance(done)
    for shard in find_missing_videos(work, part):
        _do_video(work, shard, video)
    return count, earlier


def predict_all(
    work: Work, engine: Engine, video: Video, show: Output, out: Path, labels: Sequence[str]
) -> None:
    """Process the missing shards of a job, write the table, and delete the job folder.

    A core is free for the table then: after the last image all but one would wait for it.

    Args:
        work: the work.
        engine: has images read.
        video: reads videos.
        show: has the bar, and is given the records.
        out: the table, written atomically.
        labels: the model's emotions.

    Raises:
        InputError: a shard cannot be read or written, or the table cannot be written.
    """
    shards = iterate_shards(work)
    following = next(shards, None)
    with open_table(out, labels, work.table) as growing:

        def grow() -> None:
            nonlocal following
            while following is not None and work.is_done(following):
                for record, text in work.records(following):
                    growing.add(record, text)
                    show.add(record, text)
                following = next(shards, None)

        count, earlier = count_planned(work)
        with show.bar(count, earlier) as advance:
            grow()
            for done in run(work, engine):
                advance(done)
                grow()
        for shard in find_missing_videos(work):
            _do_video(work, shard, video)
        grow()
    work.remove()


def _do_video(work: Work, shard: Shard, video: Video) -> None:
    with work.writing(shard) as write:
        video(shard.entries[0], lambda record: write(line(record)))
