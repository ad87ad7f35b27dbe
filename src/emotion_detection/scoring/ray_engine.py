"""The engine of a Ray cluster (extra ``ray``): the same tasks, on many machines.

Every node must have this package and see the pictures and the model under the same names; the
records come back to the process that asked, which alone writes the shards.
"""

import importlib
import logging
import socket
from typing import Any

from emotion_detection.errors import InputError, missing
from emotion_detection.inference.tables import line
from emotion_detection.scoring.deaths import Death
from emotion_detection.scoring.entries import Entry
from emotion_detection.scoring.local import Done, Pull, Task
from emotion_detection.scoring.reading import Settings, detector_of, read

AHEAD = 2
"""Tasks a core that are handed to Ray: each core finds its next one waiting."""

PATIENCE = 10.0
"""Seconds in which a cluster's head must answer."""

_MEND = "('ray start --head' starts one)"

TRIES = 3
"""How often Ray itself gives a task to another node when one dies."""


def on_ray(pull: Pull, settings: Settings, address: str | None) -> Done:
    """Do the tasks on a cluster that is there.

    Args:
        pull: gives the next task.
        settings: how pictures are read.
        address: of the cluster's head as HOST:PORT; None: the one that this machine belongs to.

    Raises:
        InputError: Ray is not installed, there is no such cluster, or a node says what is wrong.
    """
    ray = _connected(address)
    do = ray.remote(num_cpus=1, max_retries=TRIES)(_do)
    held: dict[Any, Task] = {}
    try:
        while True:
            # asked each time: nodes come and go
            most = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))
            while len(held) < most and (task := pull()) is not None:
                held[do.remote(task.entries, settings)] = task
            if not held:
                return
            ready, _ = ray.wait(list(held), num_returns=1)
            for reference in ready:
                yield held.pop(reference), _answer(ray, reference)
    finally:
        ray.shutdown()


def _do(entries: tuple[Entry, ...], settings: Settings) -> tuple[list[str], str | None]:
    try:
        detector = detector_of(settings, threads=1)
        return [line(record) for record in read(entries, settings, detector)], None
    except InputError as error:
        return [], str(error)


def _answer(ray: Any, reference: Any) -> list[str] | Death:
    """Return the records, or a death where the task's workers died again and again."""
    try:
        lines, refusal = ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # raised by our own code, not by a death
        raise RuntimeError(f"on a Ray node: {error}") from None
    except ray.exceptions.RayError:
        return Death()
    if refusal is not None:
        raise InputError(f"on a Ray node: {refusal}")
    return list(lines)


def _connected(address: str | None) -> Any:
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError:
        raise missing("--engine ray", "ray", "ray") from None
    if address is not None:
        _check_listens(address)
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:160]
        raise InputError(f"{_no_cluster(address)}: {reason} {_MEND}") from None
    return ray


def _check_listens(address: str) -> None:
    """Find out in seconds whether anyone is there; Ray itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal() and int(port) < 1 << 16):
        raise InputError(f"--address {address}: must be HOST:PORT, as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{_no_cluster(address)}: {reason} {_MEND}") from None


def _no_cluster(address: str | None) -> str:
    return f"--engine ray: no cluster at {address or 'this machine'}"
