"""Worker threads with a bounded queue, and the state of a server: readiness and shutdown."""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue

from emotion_detection.inference import EmotionDetector
from emotion_detection.serving.error_responses import (
    Problem,
    describe_failure,
    make_client_left_problem,
)
from emotion_detection.serving.image_jobs import Answer, Job, JobRunner, log_failure
from emotion_detection.serving.prometheus_metrics import ServerMetrics
from emotion_detection.serving.request_body import Intake
from emotion_detection.serving.server_settings import Settings

_LOG = logging.getLogger(__name__)

_REPLACED = 5
"""Number of lost workers after which the process has to exit."""
_HUNG = 2.0
"""Multiple of the answer's timeout after which a worker counts as hung."""
_LONGEST_WAIT = 30
"""Maximum Retry-After in seconds."""


class Workers:
    """A pool of threads with a bounded queue.

    Each worker takes one job, or several that can be batched, and answers them. A worker that dies
    or hangs is replaced; a hung thread is abandoned.

    Args:
        read: returns an answer or an error for each of some jobs; called in the workers.
        settings: the limits.
        metrics: the metrics of the server.
        lost: called once, from any thread, when too many workers died or hung.
    """

    def __init__(
        self,
        read: Callable[[list[Job]], list[Answer | Problem]],
        settings: Settings,
        metrics: ServerMetrics,
        lost: Callable[[], None],
    ) -> None:
        self._read, self._settings, self._figures = read, settings, metrics
        self._lost = lost
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._left, self._closed = _REPLACED, False
        self._seconds = 0.01  # moving average of the seconds per job

    def start(self) -> None:
        """Start the threads."""
        for _ in range(self._settings.workers):
            self._add()

    def close(self) -> None:
        """End the threads once the queue is empty, and start none again."""
        with self._lock:
            self._closed = True
            for _ in self._workers:
                self._queue.put(None)

    @property
    def alive(self) -> bool:
        """Whether the pool has its full number of workers."""
        return self._left >= 0

    def reject_if_full(self) -> None:
        """Reject a request if the queue is full, or too long for an answer in time.

        Raises:
            Problem: 503, with the estimated seconds until the queue is empty.
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
            Problem: 503 if the queue is full, 504 after the timeout, or the problem of the job.
        """
        self.reject_if_full()
        job.future = asyncio.get_running_loop().create_future()
        job.queued = time.perf_counter()
        self._queue.put(job)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await job.future
        except TimeoutError:
            # a running job cannot be stopped; a queued one will be skipped
            raise Problem(
                504, f"no answer within {self._settings.timeout:g} s", reason="timeout"
            ) from None

    def watch(self) -> None:
        """Count waiting requests, and replace hung workers; to be called regularly."""
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
        """Return the next batches of jobs; None: the thread should end.

        The jobs of one list are processed in one batch.
        """
        job = self._queue.get()
        if job is None:
            return None
        jobs = [job]
        # only a part of the queue, so that other workers do not idle
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
        """Answer jobs, except those whose clients no longer wait."""
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
            # even if the worker dies, so that no client waits in vain
            self._tell(wanted, answers)
            took = (time.perf_counter() - start) / len(wanted)
            self._seconds += 0.1 * (took - self._seconds)

    def _tell(self, jobs: list[Job], answers: Sequence[Answer | Problem]) -> None:
        """Pass answers to the event loop."""
        if jobs:
            with contextlib.suppress(RuntimeError):  # the loop was closed: no client waits
                jobs[0].future.get_loop().call_soon_threadsafe(_settle, jobs, answers)

    def died(self, worker: "_Worker") -> None:
        """Replace a worker whose thread ends."""
        _LOG.error("a worker died; another one takes its place")
        self._replace(worker)


class _Worker(threading.Thread):
    """A thread that processes jobs until the pool is closed."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(name="emotion-worker", daemon=True)
        self._pool = workers
        self.since: float | None = None
        """Start time of the current jobs."""

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
    """Set the results of waiting requests, in the event loop."""
    for job, answer in zip(jobs, answers, strict=True):
        if job.future.done():
            continue
        if isinstance(answer, Problem):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)


_EVERY = 0.5
"""Seconds between checks of the workers."""


class Service:
    """Everything behind the routes.

    Args:
        detector: detects and classifies faces.
        settings: the limits.
    """

    def __init__(self, detector: EmotionDetector, settings: Settings) -> None:
        self.settings = settings
        self.figures = ServerMetrics()
        self.intake = Intake(settings, self.figures)
        self.draining = False
        """Whether shutdown has begun."""
        self.accepted = self.finished = 0
        """Number of requests since the start."""
        self.failed = False
        self._warm = False
        self._leave: Callable[[], None] = lambda: None
        self._reader = JobRunner(detector, settings, self.figures)
        self.workers = Workers(self._reader.answers, settings, self.figures, self._must_leave)

    def on_leave(self, leave: Callable[[], None]) -> None:
        """Set the function that is called, from any thread, when the process has to exit."""
        self._leave = leave

    @property
    def live(self) -> bool:
        """Whether the server can still answer."""
        return not self.failed

    @property
    def ready(self) -> bool:
        """Whether the server accepts requests: warm, and not shutting down."""
        return self._warm and self.live and not self.draining

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Warm up and run the workers while a block runs.

        Requests that arrive during the warm-up wait in the queue.
        """
        tasks = [asyncio.create_task(self._warm_up()), asyncio.create_task(self._watch())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.workers.close()

    async def _warm_up(self) -> None:
        try:
            await asyncio.to_thread(self._reader.warm)
        except Exception as error:
            log_failure(error)
            self._must_leave()
            return
        self.workers.start()
        self._warm = True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self.workers.watch()

    def _must_leave(self) -> None:
        self.failed = True
        self._leave()
