"""The state of a server: workers, readiness and shutdown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emotion_detection.inference import EmotionDetector
from emotion_detection.serving.image_jobs import JobRunner, log_failure
from emotion_detection.serving.request_body import Intake
from emotion_detection.serving.server_settings import Settings
from emotion_detection.serving.telemetry import ServerMetrics
from emotion_detection.serving.workers import Workers

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
