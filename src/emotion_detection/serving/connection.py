"""Enforce clients' deadlines on uvicorn's connections, with either HTTP parser."""

import asyncio
from typing import Any

from emotion_detection.serving.error_responses import make_plain_answer
from emotion_detection.serving.server_settings import Settings


class Connection:
    """The connection of a request, as seen by the application."""

    __slots__ = ("gone",)

    def __init__(self) -> None:
        self.gone = False
        """Whether the client has disconnected."""


STATE = "emotion_connection"
"""Name of the :class:`Connection` in a request's state."""


def make_protocol(base: type[Any], settings: Settings) -> type[asyncio.Protocol]:
    """Return a protocol class for uvicorn.

    The class closes connections whose request headers take longer than ``body_timeout``, or whose
    client does not receive the answer in this time. It rejects connections beyond
    ``max_connections``. Errors are problem+json, like all others.

    Args:
        base: uvicorn's class, for h11 or httptools.
        settings: the limits.
    """

    class Timed(base):  # type: ignore[misc]
        app_state: dict[str, Any]

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._about = Connection()
            self._deadline: asyncio.TimerHandle | None = None
            self.app_state = {**self.app_state, STATE: self._about}

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                transport.write(
                    make_plain_answer(503, "too many connections; try again", {"Retry-After": "1"})
                )
                transport.close()
                return
            self._limit()

        def connection_lost(self, exc: Exception | None) -> None:
            self._about.gone = True
            self._unlimit()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._unlimit()  # from here on the application counts the request
            elif self._deadline is None and not self.transport.is_closing():
                self._limit()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            # the rest of an answer waits for the client, up to this timeout
            self._limit()

        def send_400_response(self, msg: str) -> None:
            self.transport.write(make_plain_answer(400, "no valid HTTP request"))
            self.transport.close()

        def _limit(self) -> None:
            self._unlimit()
            self._deadline = self.loop.call_later(settings.body_timeout, self.transport.abort)

        def _unlimit(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Timed
