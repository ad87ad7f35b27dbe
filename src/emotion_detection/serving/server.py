"""Run the application by uvicorn, with a graceful shutdown."""

import asyncio
import contextlib
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from emotion_detection.errors import InputError
from emotion_detection.inference import EmotionDetector
from emotion_detection.serving.app import create_app
from emotion_detection.serving.connection import make_protocol
from emotion_detection.serving.server_settings import Settings
from emotion_detection.serving.workers import Service

_LAST_REQUESTS = 1.0
"""Seconds that an idle connection stays open during shutdown, for a request in transit."""


class Server(uvicorn.Server):
    """uvicorn's server with a graceful shutdown.

    After SIGTERM or Ctrl-C the server reports that it is not ready and closes the port. It answers
    the accepted requests and those on open connections, each with ``Connection: close``, and exits.
    The signal is not raised again, as uvicorn would do, so the caller decides the exit code. A
    second Ctrl-C ends the server immediately.

    Args:
        config: uvicorn's config.
        service: the service behind the application.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @property
    def failed(self) -> bool:
        """Whether the server ended because of a failure."""
        return self._service.failed

    @property
    def accepted(self) -> int:
        """Number of requests whose headers were received."""
        return self._service.accepted

    @property
    def answered(self) -> int:
        """Number of requests whose answer was sent, or whose client had disconnected."""
        return self._service.finished

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals that stop the server while a block runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer all accepted requests, then exit."""
        self._service.draining = True
        loop = asyncio.get_running_loop()
        if not self._service.failed and self._service.settings.shutdown_delay:
            await self._unless_forced(loop.time() + self._service.settings.shutdown_delay)
        # in place: requests in progress hold the same list
        self.server_state.default_headers.append((b"connection", b"close"))
        for server in self.servers:
            server.close()
        await self._unless_forced(loop.time() + _LAST_REQUESTS, while_connected=True)
        await super().shutdown(sockets)

    async def _unless_forced(self, end: float, while_connected: bool = False) -> None:
        while asyncio.get_running_loop().time() < end and not self.force_exit:
            if while_connected and not self.server_state.connections:
                return
            await asyncio.sleep(0.02)


def bound(host: str, port: int) -> socket.socket:
    """Return a bound socket, so that a port in use is reported before the model is loaded.

    Raises:
        InputError: the port is in use, or the host is not an address of this machine.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror or error}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--host {host} --port {port}: {why}; --port names another") from None
    return listener


def make_server(detector: EmotionDetector, settings: Settings, page: Path | None = None) -> Server:
    """Return a server, ready to run.

    Args:
        detector: detects and classifies faces; with one thread, since each worker is a thread.
        settings: the limits.
        page: folder of the built page; None: that of the package.

    Raises:
        InputError: a file of the model or of the networks cannot be read.
    """
    service = Service(detector, settings)
    config = uvicorn.Config(
        create_app(service, detector, page),
        http=make_protocol(AutoHTTPProtocol, settings),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",  # this project logs failures by their place alone
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=round(settings.shutdown_timeout + 0.5),
    )
    server = Server(config, service)
    service.on_leave(lambda: setattr(server, "should_exit", True))
    return server


def quiet_pillow() -> None:
    """Suppress Pillow's warnings about odd metadata and sizes, which are checked anyway."""
    warnings.filterwarnings("ignore", module="PIL")
