"""Threads that read images, and the bounded queue before them."""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from emotion_detection.serving.image_jobs import Answer, Job
from emotion_detection.serving.problems import Problem, describe_failure, make_client_left_problem
from emotion_detection.serving.server_settings import Settings
from emotion_detection.serving.telemetry import ServerMetrics

_LOG = logging.getLogger(__name__)

_REPLACED = 5
"""Workers that may be lost before the process has to leave."""
_HUNG = 2.0
"""Of the time that an answer may take, after which a worker counts as hung."""
_LONGEST_WAIT = 30
"""Seconds that a client is told to wait at most."""


class Workers:
    """A pool of threads with a bounded queue.

    Every worker takes a job, or a few jobs that can be read together, and answers each. One that
    dies is replaced; one that hangs, too, and is left behind.

    Args:
        read: gives an answer, or what was wrong, to each of some jobs; called in the workers.
        settings: the limits.
        figures: what counts.
        lost: called once, from any thread, when too many workers died or hung.
    """

    def __init__(
        self,
        read: Callable[[list[Job]], list[Answer | Problem]],
        settings: Settings,
        figures: ServerMetrics,
        lost: Callable[[], None],
    ) -> None:
        self._read, self._settings, self._figures = read, settings, figures
        self._lost = lost
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._left, self._closed = _REPLACED, False
        self._seconds = 0.01  # that a job takes, about; the latest count most

    def start(self) -> None:
        """Start the threads."""
        for _ in range(self._settings.workers):
            self._add()

    def close(self) -> None:
        """Let the threads end once the queue is empty; none is started again."""
        with self._lock:
            self._closed = True
            for _ in self._workers:
                self._queue.put(None)

    @property
    def alive(self) -> bool:
        """Whether there are as many workers as there should be."""
        return self._left >= 0

    def check(self) -> None:
        """Turn a request away if the queue is full, or too long for an answer in time.

        Raises:
            Problem: 503, with the seconds after which it may have emptied.
        """
        waiting = self._queue.qsize()
        seconds = waiting * self._seconds / self._settings.workers
        if waiting >= self._settings.queue or seconds > self._settings.timeout:
            raise Problem(
                503,
                f"{waiting} requests are waiting already; try again",
                {"Retry-After": str(min(max(1, math.ceil(seconds)), _LONGEST_WAIT))},
                "queue",
            )

    async def answer(self, job: Job) -> Answer:
        """Queue a job and wait for its answer.

        Raises:
            Problem: 503, the queue is full; 504, it took too long; what was wrong with the job.
        """
        self.check()
        job.future = asyncio.get_running_loop().create_future()
        job.queued = time.perf_counter()
        self._queue.put(job)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await job.future
        except TimeoutError:
            # a worker that has begun cannot be stopped; one that has not will leave it out
            raise Problem(
                504, f"no answer within {self._settings.timeout:g} s", reason="timeout"
            ) from None

    def watch(self) -> None:
        """Count who waits, and replace workers that hang; to be called every so often."""
        now = time.perf_counter()
        with self._lock:
            workers = list(self._workers)
        self._figures.waiting.set(self._queue.qsize())
        self._figures.working.set(sum(worker.since is not None for worker in workers))
        for worker in workers:
            since = worker.since
            if since is not None and now - since > _HUNG * self._settings.timeout:
                _LOG.error("a worker hangs; another one takes its place")
                self._replace(worker)

    def _add(self) -> None:
        worker = _Worker(self)
        self._workers.add(worker)
        worker.start()

    def _replace(self, worker: "_Worker") -> None:
        with self._lock:
            if worker not in self._workers or self._closed:
                return
            self._workers.discard(worker)
            self._figures.replaced.inc()
            self._left -= 1
            if self._left >= 0:
                self._add()
        if self._left == -1:
            _LOG.error("too many workers were lost")
            self._lost()

    def take(self) -> list[list[Job]] | None:
        """Return what to do next, one after another; None: the thread shall end.

        Jobs in one list are to be read together.
        """
        job = self._queue.get()
        if job is None:
            return None
        jobs = [job]
        # a share of what waits: the other workers shall not idle meanwhile
        share = 1 + self._queue.qsize() // self._settings.workers
        while job.crops and len(jobs) < min(self._settings.max_batch, share):
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            if not more.crops:
                return [jobs, [more]]
            jobs.append(more)
        return [jobs]

    def do(self, jobs: list[Job]) -> None:
        """Answer jobs, those left out that nobody waits for any more."""
        start = time.perf_counter()
        left = [job for job in jobs if not job.future.done()]
        gone = [job for job in left if job.connection.gone]
        wanted = [job for job in left if job not in gone]
        self._tell(gone, [make_client_left_problem() for _ in gone])
        for job in wanted:
            self._figures.took("wait", start - job.queued)
        if not wanted:
            return
        answers: list[Answer | Problem] = [describe_failure()] * len(wanted)
        try:
            answers = self._read(wanted)
        finally:
            # also where the worker dies of it: nobody shall wait for nothing
            self._tell(wanted, answers)
            took = (time.perf_counter() - start) / len(wanted)
            self._seconds += 0.1 * (took - self._seconds)

    def _tell(self, jobs: list[Job], answers: Sequence[Answer | Problem]) -> None:
        """Hand answers to the event loop."""
        if jobs:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                jobs[0].future.get_loop().call_soon_threadsafe(_settle, jobs, answers)

    def died(self, worker: "_Worker") -> None:
        """Put another worker in the place of one whose thread ends."""
        _LOG.error("a worker died; another one takes its place")
        self._replace(worker)


class _Worker(threading.Thread):
    """A thread that does jobs until it is told to end."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(name="emotion-worker", daemon=True)
        self._pool = workers
        self.since: float | None = None
        """When the jobs at hand were begun."""

    def run(self) -> None:
        told = False
        try:
            while (lists := self._pool.take()) is not None:
                for jobs in lists:
                    self.since = time.perf_counter()
                    self._pool.do(jobs)
                    self.since = None
            told = True
        except BaseException as error:
            _LOG.error("a worker ended by %s", type(error).__name__)
        finally:
            if not told:
                self._pool.died(self)


def _settle(jobs: list[Job], answers: Sequence[Answer | Problem]) -> None:
    """Hand answers to those who wait; in the event loop."""
    for job, answer in zip(jobs, answers, strict=True):
        if job.future.done():
            continue
        if isinstance(answer, Problem):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)
