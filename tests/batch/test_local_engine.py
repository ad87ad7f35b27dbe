"""One process or many: the same records; a death costs nobody else."""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.batch.classify import Settings
from emotion_detection.batch.local_engine import (
    WorkerExit,
    run_here,
    run_pool,
    start_workers,
)
from emotion_detection.errors import InputError

Make = Callable[..., Settings]


def _records(lines: list[str] | None) -> list[dict[str, Any]]:
    assert lines is not None
    return [json.loads(text) for text in lines]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_a_pool_reads_what_one_process_reads(
    pull_tasks: Any, settings: Make, crops: list[str], workers: int
) -> None:
    options = settings()
    alone = {task.shard: _records(lines) for task, lines in run_here(pull_tasks(crops, 7), options)}
    many = {
        task.shard: _records(lines)
        for task, lines in run_pool(pull_tasks(crops, 7), options, workers)
    }
    assert sorted(many) == sorted(alone) == list(range(6))
    for shard, records in alone.items():
        for ours, theirs in zip(records, many[shard], strict=True):
            assert ours["source"] == theirs["source"]
            scores, others = ours["faces"][0]["scores"], theirs["faces"][0]["scores"]
            assert others == pytest.approx(scores, abs=2e-4)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")
def test_a_killed_worker_costs_its_task_alone(
    pull_tasks: Any, settings: Make, crops: list[str]
) -> None:
    def kill_the_first() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        os.kill(int(children[0].pid or 0), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    answers = list(run_pool(pull_tasks(crops, 10), settings(), 1))
    killer.join()
    assert [task.shard for task, lines in answers] == [0, 1, 2, 3]
    assert [isinstance(lines, WorkerExit) for task, lines in answers].count(True) == 1
    assert answers[0][1] == WorkerExit(-signal.SIGKILL)
    assert all(len(_records(lines)) == 10 for task, lines in answers[1:])
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_what_a_worker_refuses_is_reported(
    pull_tasks: Any, settings: Make, crops: list[str]
) -> None:
    with pytest.raises(InputError, match="is another model here"):
        list(run_pool(pull_tasks(crops, 10), settings(sha256="0" * 64), 1))
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_a_pool_that_nobody_listens_to_ends(
    pull_tasks: Any, settings: Make, crops: list[str]
) -> None:
    with closing(run_pool(pull_tasks(crops, 1), settings(), 2)) as answers:
        next(answers)
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


def test_nothing_to_do_starts_nothing(settings: Make) -> None:
    assert list(run_pool(lambda: None, settings(), 2)) == []
    assert list(run_here(lambda: None, settings())) == []


def test_annotated_images_cannot_be_written(
    pull_tasks: Any, settings: Make, crops: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    options = settings(annotate=str(tmp_path / "file" / "out"), root=str(Path(crops[0]).parent))
    with pytest.raises(InputError, match=r"--annotate .*: cannot be written"):
        list(run_here(pull_tasks(crops[:1], 1), options))


@pytest.mark.slow
def test_workers_that_wait_do_the_tasks_and_end(
    pull_tasks: Any, settings: Make, crops: list[str]
) -> None:
    with start_workers(settings(), 2) as ready:
        before = {child.pid for child in multiprocessing.active_children()}
        assert len(before) == 2
        answers = run_pool(pull_tasks(crops, 10), settings(), 2, ready)
        assert next(answers)[1] is not None
        assert {child.pid for child in multiprocessing.active_children()} == before
        answers.close()
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_workers_that_nobody_needs_end(settings: Make) -> None:
    with start_workers(settings(), 1):
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []
