"""Engines of one machine: this process alone, or one process per core.

An engine is a function ``engine(pull, settings) -> iterator``. It calls ``pull()`` for a task
whenever it can start one (None: no task now). It yields each task with the records as lines of
JSON, or with the death of its worker. It ends when ``pull()`` returns None and no task is running.

The death of a worker is described with its likely cause.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Self, cast

from emotion_detection.batch.classify import Settings, open_detector, read
from emotion_detection.batch.input_files import Entry
from emotion_detection.errors import InputError
from emotion_detection.inference.devices import choose_device
from emotion_detection.inference.table_files import line
from emotion_detection.io.processes import count_cpus, exit_with_parent


class WorkerExit(NamedTuple):
    """The end of a process with a running task.

    Args:
        exit_code: as :attr:`multiprocessing.Process.exitcode` says it: that of the process, or the
            signal's number below 0; None where it is not known, as on another machine.
    """

    exit_code: int | None = None

    @property
    def is_start_failure(self) -> bool:
        """Whether it ended by itself, with an error, as a process does that cannot start."""
        return self.exit_code is not None and self.exit_code >= 0

    def __str__(self) -> str:
        """Return it in words, as "killed (SIGKILL)"."""
        if self.exit_code is None:
            return "for an unknown reason"
        if self.exit_code >= 0:
            return f"with exit code {self.exit_code}"
        try:
            name = signal.Signals(-self.exit_code).name
        except ValueError:
            name = f"signal {-self.exit_code}"
        meaning = {
            "SIGKILL": "killed, perhaps since memory ran out",
            "SIGSEGV": "a crash, as in a decoder",
            "SIGBUS": "a crash, as in a decoder",
            "SIGILL": "a crash: the processor lacks an instruction",
            "SIGABRT": "a crash, perhaps since memory ran out",
        }
        return f"by {name} ({meaning[name]})" if name in meaning else f"by {name}"


def explain_deaths(deaths: Sequence[WorkerExit]) -> str:
    """Return in one line what many deaths in a row mean, and what to do about them.

    Args:
        deaths: all in a row, at least one.
    """
    ways = ", ".join(dict.fromkeys(map(str, deaths)))
    told = f"{len(deaths)} workers ended one after another, {ways}"
    if all(death.is_start_failure for death in deaths):
        return (
            f"{told}, before they did anything: what they print above says why. In a program that "
            "is frozen (PyInstaller), call multiprocessing.freeze_support() before anything else; "
            "in a script, keep what it does below if __name__ == '__main__'"
        )
    if any(death.exit_code == -9 for death in deaths):
        return f"{told}: is there too little memory? Fewer of them need less: --workers"
    return f"{told}: it is no single image's fault; --workers 1 may show more"


WORKERS_PER_GPU = 4
"""Default number of processes that share a GPU: each uses about 0.5 GB of it, and decodes images on
one core."""

_LAST_BREATH = 10.0
"""Seconds that a process whose pipe is closed may take to end."""


class Task(NamedTuple):
    """Files for one worker, all of one shard.

    Args:
        shard: its number.
        start: place of the first file in the shard.
        entries: the files.
    """

    shard: int
    start: int
    entries: tuple[Entry, ...]


Pull = Callable[[], Task | None]
Done = Generator[tuple[Task, list[str] | WorkerExit], None, None]


def count_workers(device: str) -> int:
    """Return how many processes read many files, unless another number is asked for.

    Args:
        device: that they run on.
    """
    cpus = count_cpus()
    return min(cpus, WORKERS_PER_GPU) if choose_device(device)[0].is_gpu else cpus


def run_here(pull: Pull, settings: Settings) -> Done:
    """Run the tasks in this process, for few images."""
    detector = open_detector(settings)
    while (task := pull()) is not None:
        yield task, [line(record) for record in read(task.entries, settings, detector)]


@contextmanager
def start_workers(settings: Settings, count: int) -> Iterator["list[Worker]"]:
    """Start processes before there is a task for them; they end with the block.

    It takes them as long to import and to open the model as the list of many files takes to make.

    Args:
        settings: how images are read.
        count: of processes.
    """
    workers: list[Worker] = []
    try:
        while len(workers) < count:
            workers.append(Worker(settings))
        yield workers
    finally:
        for worker in workers:
            worker.end()


def run_pool(
    pull: Pull, settings: Settings, workers: int, waiting: Sequence["Worker"] = ()
) -> Done:
    """Run the tasks in processes of one thread each, which share nothing.

    A process that dies takes down neither the others nor their tasks; another one is started.

    Args:
        pull: gives the next task.
        settings: how images are read.
        workers: processes.
        waiting: those of them that are started; the others are, once there is a task.

    Raises:
        InputError: what a process says is wrong with the model or the place to write to.
    """
    idle: list[Worker] = list(waiting)
    busy: dict[Connection, tuple[Worker, Task]] = {}
    started: set[Worker] = set(waiting)
    try:
        while True:
            while len(busy) < workers and (task := pull()) is not None:
                worker = idle.pop() if idle else Worker(settings)
                started.add(worker)
                busy[worker.connection] = worker.given(task), task
            if not busy:
                return
            for connection in cast(list[Connection], wait(list(busy))):
                worker, task = busy.pop(connection)
                lines = worker.answer()
                if isinstance(lines, WorkerExit):
                    started.remove(worker)
                # its next task is on its way before the records of this one are written
                elif (following := pull()) is not None:
                    busy[connection] = worker.given(following), following
                else:
                    idle.append(worker)
                yield task, lines
    finally:
        for worker in started:
            worker.end()


class Worker:
    """A worker process, seen from the parent.

    Args:
        settings: how images are read.
    """

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(other, settings), daemon=True
        )
        self._process.start()
        other.close()  # so that its death is the end of the pipe

    def given(self, task: Task) -> Self:
        """Send a task and return the worker."""
        with suppress(OSError):  # it died: its answer will say so
            self.connection.send(task.entries)
        return self

    def answer(self) -> list[str] | WorkerExit:
        """Return the records, or how the process died."""
        try:
            lines, refusal, failure = self.connection.recv()
        except (EOFError, OSError):
            return self._death()
        if refusal is not None:
            raise InputError(refusal)
        if failure is not None:
            raise RuntimeError(f"in a worker process:\n{failure}")
        return list(lines)

    def _death(self) -> WorkerExit:
        self._process.join(_LAST_BREATH)  # its pipe closes a moment before it ends
        code = self._process.exitcode
        self.end()
        return WorkerExit(code)

    def end(self) -> None:
        """End the process."""
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _serve(connection: Connection, settings: Settings) -> None:
    """Run tasks until the other end of the pipe is closed, also by a crash."""
    exit_with_parent()  # also amid a task, which may take a minute
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that was started
    with suppress(Exception):  # the first task will say so
        open_detector(settings, threads=1)
    while True:
        try:
            entries: tuple[Entry, ...] = connection.recv()
        except (EOFError, OSError):
            return
        lines, refusal, failure = list[str](), None, None
        try:
            detector = open_detector(settings, threads=1)
            lines = [line(record) for record in read(entries, settings, detector)]
        except InputError as error:
            refusal = str(error)
        except Exception:
            failure = traceback.format_exc()
        try:
            connection.send((lines, refusal, failure))
        except OSError:
            return
