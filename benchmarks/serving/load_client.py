"""A client for load: so many connections, each asks again as soon as it is answered.

It is lean, since it shares the machine's cores with the server that is measured.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def post(path: str, content: bytes, content_type: str, more: str = "") -> bytes:
    """Return the bytes of a request that posts something."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\n{more}\r\n"
    )
    return head.encode() + content


@dataclass
class Outcome:
    """What became of requests.

    Args:
        answers: of each answered one: when it was sent, seconds, status.
        refused: connections that were not taken.
        unanswered: requests whose connection closed without a byte of an answer.
        cut: requests whose answer broke off.
        seconds: from the first request to the last answer.
    """

    answers: list[tuple[float, float, int]] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    cut: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Return rates and latencies: of those answered 200 apart from all others."""
        good = np.array([took for _, took, status in self.answers if status == 200])
        others = np.array([took for _, took, status in self.answers if status != 200])
        statuses = [status for _, _, status in self.answers]
        figures: dict[str, Any] = {
            "requests": len(self.answers),
            "statuses": {str(one): statuses.count(one) for one in sorted(set(statuses))},
            "seconds": round(self.seconds, 2),
            "per_second": round(len(good) / self.seconds, 1),
        }
        for name, values in (("", good), ("refused_", others)):
            for percent in (50, 95, 99) if len(values) else ():
                value = float(np.percentile(values, percent)) * 1000
                figures[f"{name}p{percent}_ms"] = round(value, 2)
        if self.refused or self.unanswered or self.cut:
            figures |= {"refused": self.refused, "unanswered": self.unanswered, "cut": self.cut}
        return figures


class _Connection(asyncio.Protocol):
    """Asks, reads the answer, asks again."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._got = bytearray()
        self._needed = 0
        self._sent = 0.0
        self._waiting = False
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        request = None if self._transport.is_closing() else self._load.next_request()
        if request is None:
            self._transport.close()
            return
        self._got.clear()
        self._needed = 0
        self._waiting = True
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._needed:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._got[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._needed = end + 4 + int(length)
        if len(self._got) >= self._needed:
            self._waiting = False
            took = time.perf_counter() - self._sent
            self._load.outcome.answers.append((self._sent, took, int(self._got[9:12])))
            if b"connection: close" in bytes(self._got[:400]).lower():
                return
            if self._load.pause and self._got[9:12] == b"503":
                asyncio.get_running_loop().call_later(self._load.pause, self._ask)
            else:
                self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            if self._got:
                self._load.outcome.cut += 1
            else:
                self._load.outcome.unanswered += 1
        self._load.closed()


class Load:
    """A closed loop of requests.

    Args:
        port: of the server on this machine.
        requests: what is sent, in turn.
        count: requests in all; None: until ``seconds`` are over.
        seconds: to go on for.
        again: connect again after a connection was closed.
        pause: seconds that a client waits after a 503.
    """

    def __init__(
        self,
        port: int,
        requests: list[bytes],
        count: int | None = None,
        seconds: float | None = None,
        again: bool = True,
        pause: float = 0.0,
    ) -> None:
        self.outcome = Outcome()
        self.pause = pause
        self._port, self._requests = port, requests
        self._count, self._seconds, self._again = count, seconds, again
        self._asked, self._end = 0, float("inf")
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0
        self._over = asyncio.Event()

    def next_request(self) -> bytes | None:
        """Return what to send next, or None at the end."""
        if time.perf_counter() >= self._end or self._asked == self._count:
            return None
        self._asked += 1
        return self._requests[self._asked % len(self._requests)]

    def closed(self) -> None:
        """Connect again, or note that all is over."""
        self._open -= 1
        ended = time.perf_counter() >= self._end or self._asked == self._count
        if self._again and not ended:
            self._connect()
        elif not self._open:
            self._over.set()

    def _connect(self) -> None:
        self._open += 1
        task = asyncio.get_running_loop().create_task(self._connected())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            self.outcome.refused += 1
            self._again = False  # the server has left
            self.closed()

    async def run(self, clients: int) -> Outcome:
        """Send the requests over so many connections at once, and return what became of them."""
        start = time.perf_counter()
        if self._seconds is not None:
            self._end = start + self._seconds
        for _ in range(clients):
            self._connect()
        await self._over.wait()
        self.outcome.seconds = time.perf_counter() - start
        return self.outcome


def run_load(port: int, requests: list[bytes], clients: int, **options: Any) -> Outcome:
    """Run a :class:`Load` by itself."""

    async def run() -> Outcome:
        return await Load(port, requests, **options).run(clients)

    return asyncio.run(run())
