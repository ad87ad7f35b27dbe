"""The engine of a Ray cluster (extra ``ray``): the same tasks, on many machines.

Every node must have this package and see the images and the model under the same names; the
records come back to the process that asked, which alone writes the shards.
"""

import dataclasses
import importlib
import logging
import socket
import sys
from typing import Any

from emotion_detection.batch.classify import Settings, open_detector, read
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.local_engine import WORKERS_PER_GPU, Done, Pull, Task, WorkerExit
from emotion_detection.errors import InputError, missing_package
from emotion_detection.inference.devices import CPU_NAME, parse_device
from emotion_detection.inference.table_files import line

AHEAD = 2
"""Tasks a core that are handed to Ray: each core finds its next one waiting."""

PATIENCE = 10.0
"""Seconds in which a cluster's head must answer."""

_MEND = "('ray start --head' starts one)"

TRIES = 3
"""Number of retries by Ray if a node dies."""


def run_on_ray(pull: Pull, settings: Settings, address: str | None) -> Done:
    """Run the tasks on an existing cluster.

    If the settings name a GPU, each task requests a fraction of one from Ray. 'auto' is the CPU
    here, since Ray hides the GPUs from tasks that do not request one.

    Args:
        pull: gives the next task.
        settings: how images are read.
        address: of the cluster's head as HOST:PORT; None: the one that this machine belongs to.

    Raises:
        InputError: Ray is not installed, there is no such cluster, or a node says what is wrong.
    """
    ray = _connected(address)
    settings = dataclasses.replace(settings, device=_device(ray, settings.device))
    needs = choose_task_resources(settings.device)
    do = ray.remote(max_retries=TRIES, **needs)(_do)
    held: dict[Any, Task] = {}
    devices: set[str] = set()
    try:
        while True:
            # asked each time: nodes come and go
            most = max(1, AHEAD * count_tasks(ray.cluster_resources(), needs))
            while len(held) < most and (task := pull()) is not None:
                held[do.remote(task.entries, settings)] = task
            if not held:
                return
            ready, _ = ray.wait(list(held), num_returns=1)
            for reference in ready:
                yield held.pop(reference), _answer(ray, reference, devices)
    finally:
        if settings.device != CPU_NAME and CPU_NAME in devices:
            print(
                f"emotion: device {settings.device!r} is missing on some nodes, which ran on the "
                "CPU: onnxruntime there needs its package for it",
                file=sys.stderr,
            )
        ray.shutdown()


def choose_task_resources(device: str) -> dict[str, float]:
    """Return the resources of a task: a core, and a fraction of a GPU if it runs on one."""
    chosen = parse_device(device)
    on_gpu = chosen is not None and chosen.is_gpu
    return {"num_cpus": 1} | ({"num_gpus": 1 / WORKERS_PER_GPU} if on_gpu else {})


def count_tasks(cluster: dict[str, float], needs: dict[str, float]) -> int:
    """Return the number of tasks that a cluster can run in parallel.

    Args:
        cluster: its resources, as Ray names them.
        needs: of :func:`choose_task_resources`.
    """
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    return int(min(cluster.get(names[need], 1) / amount for need, amount in needs.items()))


def _device(ray: Any, device: str) -> str:
    """Return what tasks run on; a GPU that no node has would be waited for forever."""
    if "num_gpus" not in choose_task_resources(device):
        return CPU_NAME if parse_device(device) is None else device
    if ray.cluster_resources().get("GPU", 0) > 0:
        return device
    print(
        f"emotion: device {device!r} is not available: running on the CPU. No node of the Ray "
        "cluster has a GPU",
        file=sys.stderr,
    )
    return CPU_NAME


def _do(entries: tuple[Entry, ...], settings: Settings) -> tuple[list[str], str | None, str]:
    try:
        detector = open_detector(settings, threads=1)
        lines = [line(record) for record in read(entries, settings, detector)]
        return lines, None, detector.device
    except InputError as error:
        return [], str(error), ""


def _answer(ray: Any, reference: Any, devices: set[str]) -> list[str] | WorkerExit:
    """Return the records, or a death where the task's workers died again and again.

    Args:
        ray: the module.
        reference: to the task's result.
        devices: takes what the task ran on.
    """
    try:
        lines, refusal, device = ray.get(reference)
        devices.add(device)
    except ray.exceptions.RayTaskError as error:  # raised by our own code, not by a death
        raise RuntimeError(f"on a Ray node: {error}") from None
    except ray.exceptions.RayError:
        return WorkerExit()
    if refusal is not None:
        raise InputError(f"on a Ray node: {refusal}")
    return list(lines)


def _connected(address: str | None) -> Any:
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError:
        raise missing_package("--engine ray", "ray", "ray") from None
    if address is not None:
        _check_listens(address)
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:160]
        raise InputError(f"{_no_cluster(address)}: {reason} {_MEND}") from None
    return ray


def _check_listens(address: str) -> None:
    """Check within seconds that the cluster answers; Ray itself tries for many minutes."""
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
