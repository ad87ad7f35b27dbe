"""How workers ended, in words."""

import signal
from pathlib import Path

import pytest

from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job import FAILED_STARTS, run
from emotion_detection.batch.job_folder import open_work
from emotion_detection.batch.local_engine import WorkerExit, explain_deaths
from emotion_detection.errors import InputError


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "with exit code 2"),
        (0, "with exit code 0"),
        (-int(signal.SIGKILL), "by SIGKILL (killed, perhaps since memory ran out)"),
        (-int(signal.SIGSEGV), "by SIGSEGV (a crash, as in a decoder)"),
        (-int(signal.SIGTERM), "by SIGTERM"),
        (-99, "by signal 99"),
        (None, "for an unknown reason"),
    ],
)
def test_a_death_in_words(code: int | None, words: str) -> None:
    assert str(WorkerExit(code)) == words


def test_workers_that_cannot_start_are_not_put_down_to_memory() -> None:
    told = explain_deaths([WorkerExit(2)] * 3)
    assert "with exit code 2" in told
    assert "freeze_support" in told
    assert "memory" not in told
    assert "too little memory" in explain_deaths([WorkerExit(-9)] * 20)
    crashed = explain_deaths([WorkerExit(-11)] * 20)
    assert "SIGSEGV" in crashed
    assert "too little memory" not in crashed


def test_where_no_worker_can_start_it_stops_soon(tmp_path: Path) -> None:
    work = open_work(tmp_path / "work", [Entry(f"{number}.jpg") for number in range(100)], {})
    died = 0

    def engine(pull):
        nonlocal died
        while (task := pull()) is not None:
            died += 1
            yield task, WorkerExit(2)

    with pytest.raises(InputError, match="freeze_support"):
        list(run(work, engine))
    assert died == FAILED_STARTS
