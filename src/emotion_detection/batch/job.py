"""Run an engine over the missing shards of a job."""

import collections
from collections.abc import Callable, Generator, Iterator

from emotion_detection.batch.job_folder import Shard, Work
from emotion_detection.batch.local_engine import Done, Pull, Task, WorkerExit, explain_deaths
from emotion_detection.errors import InputError
from emotion_detection.inference.table_files import line, make_error_record

Engine = Callable[[Pull], Done]
"""As :mod:`.local_engine` says, with all but ``pull`` given."""

DIED = "the process that read it died twice"

DEATHS = 20
"""Deaths in a row after which a single image cannot be the cause."""

FAILED_STARTS = 3
"""Workers in a row that fail before the first result, after which starting is given up."""


def iterate_shards(work: Work, part: tuple[int, int] = (1, 1)) -> Iterator[Shard]:
    """Yield the shards of a part of the job; each shard is in one part.

    Args:
        work: the work.
        part: number of the part, from 1, and how many there are.
    """
    number, parts = part
    return (shard for shard in work.shards() if shard.number % parts == number - 1)


def count_planned(work: Work, part: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """Return how many files that are no videos a part has, and how many of them are done."""
    count = done = 0
    for shard in iterate_shards(work, part):
        if not shard.is_video:
            count += shard.size
            done += shard.size if work.is_done(shard) else 0
    return count, done


def find_missing_videos(work: Work, part: tuple[int, int] = (1, 1)) -> Iterator[Shard]:
    """Yield the videos of a part that are not done; :func:`run` leaves them out."""
    return (
        shard for shard in iterate_shards(work, part) if shard.is_video and not work.is_done(shard)
    )


def run(work: Work, engine: Engine, part: tuple[int, int] = (1, 1)) -> Generator[int, None, None]:
    """Process the missing shards of images.

    A shard whose worker died is retried image by image. An image whose worker dies again gets an
    error record. No other image is lost.

    Args:
        work: the work.
        engine: has images read.
        part: number of the part, from 1, and number of parts.

    Yields:
        The number of newly finished files.

    Raises:
        InputError: a shard cannot be written, or workers die repeatedly.
    """
    progress = _Run(work, part)
    for task, lines in engine(progress.pull):
        yield progress.take(task, lines)


class _Run:
    def __init__(self, work: Work, part: tuple[int, int]) -> None:
        self._work = work
        self._shards = iterate_shards(work, part)
        self._again: collections.deque[Task] = collections.deque()
        self._open: dict[int, tuple[Shard, list[str | None]]] = {}
        self._deaths: list[WorkerExit] = []
        self._any_done = False

    def pull(self) -> Task | None:
        """Return the next task."""
        if self._again:
            return self._again.popleft()
        for shard in self._shards:
            if not shard.is_video and not self._work.is_done(shard):
                self._open[shard.number] = shard, [None] * shard.size
                return Task(shard.number, 0, shard.entries)
        return None

    def take(self, task: Task, lines: list[str] | WorkerExit) -> int:
        """Store the result of a task; return the number of files."""
        if isinstance(lines, WorkerExit):
            death = lines
            self._deaths.append(death)
            never = not self._any_done and all(one.is_start_failure for one in self._deaths)
            if len(self._deaths) >= (FAILED_STARTS if never else DEATHS):
                raise InputError(explain_deaths(self._deaths))
            if len(task.entries) > 1:
                alone = enumerate(task.entries)
                self._again += (Task(task.shard, place, (entry,)) for place, entry in alone)
                return 0
            lines = [
                line(make_error_record(task.entries[0].source, f"{DIED}, the last time {death}"))
            ]
        else:
            self._deaths, self._any_done = [], True
        shard, records = self._open[task.shard]
        records[task.start : task.start + len(lines)] = lines
        whole = [record for record in records if record is not None]
        if len(whole) == shard.size:
            with self._work.writing(shard) as write:
                write("".join(whole))
            del self._open[task.shard]
        return len(lines)
