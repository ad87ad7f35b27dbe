"""Describe how a worker process ended, and the likely cause."""

import signal
from collections.abc import Sequence
from typing import NamedTuple


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
