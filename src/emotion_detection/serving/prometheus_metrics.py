"""Metrics of a server for Prometheus, without any content of images."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

STAGES = ("read", "wait", "decode", "detect", "classify", "encode")
"""Stages of a request: receive the body, wait for a worker, decode the image, detect and crop
faces, classify them, write the answer."""

ROUTES = (
    *("/v1/predict", "/v1/classify", "/v1/model", "/metrics", "/openapi.json"),
    *("/health/live", "/health/ready", "/health", "/docs"),
)
"""Paths with a label of their own; those of the page share one, as do all others."""

_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)


class ServerMetrics:
    """The metrics of a server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "emotion_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "emotion_request_seconds",
            "From a request's headers to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        stages = Histogram(
            "emotion_stage_seconds",
            "Time of a request's stages: " + ", ".join(STAGES),
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        # created once: labels() takes longer than observe()
        self._stages = {name: stages.labels(name) for name in STAGES}
        self._routes = {name: self._seconds.labels(name) for name in (*ROUTES, "page", "other")}
        self._shed = Counter(
            "emotion_shed",
            "Requests rejected with 503",
            ("reason",),
            registry=self._registry,
        )
        self._errors = Counter(
            "emotion_errors",
            "Requests and images that could not be read, and failures",
            ("reason",),
            registry=self._registry,
        )
        self._status: dict[tuple[str, str, int], Counter] = {}
        self.faces = Counter("emotion_faces", "Faces classified", registry=self._registry)
        self.images = Counter("emotion_pictures", "Images read", registry=self._registry)
        self.waiting = Gauge(
            "emotion_queue_length", "Requests that wait for a worker", registry=self._registry
        )
        self.held = Gauge("emotion_held_bytes", "Bodies in memory", registry=self._registry)
        self.working = Gauge("emotion_workers_busy", "Busy workers", registry=self._registry)
        self.replaced = Counter(
            "emotion_workers_replaced", "Workers that died or hung", registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; ``method`` and ``route`` must be of a few known ones."""
        key = (method, route, status)
        counter = self._status.get(key)
        if counter is None:
            counter = self._status[key] = self._requests.labels(method, route, str(status))
        counter.inc()
        self._routes[route].observe(seconds)

    def shed(self, reason: str) -> None:
        """Count a rejected request."""
        self._shed.labels(reason).inc()

    def failed(self, reason: str) -> None:
        """Count an error; ``reason`` must be of a few known ones."""
        self._errors.labels(reason).inc()

    def took(self, stage: str, seconds: float) -> None:
        """Record the time of a stage."""
        self._stages[stage].observe(seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record the time of a block, unless it raises."""
        start = perf_counter()
        yield
        self._stages[name].observe(perf_counter() - start)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
