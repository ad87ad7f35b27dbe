"""Every file has its record once, whoever dies."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job import DEATHS, DIED, count_planned, run
from emotion_detection.batch.job_folder import Work, open_work
from emotion_detection.batch.local_engine import Done, Pull, Task, WorkerExit
from emotion_detection.errors import InputError

EMPTY = {"faces": [], "notes": []}
"""Of the record of an image without a face."""


@pytest.fixture
def work(tmp_path: Path) -> Work:
    files = [Entry(f"{number}.jpg") for number in range(100)]
    return open_work(tmp_path / "work", files, {})


def _engine(dies: Callable[[Task], bool], ahead: int = 1) -> Callable[[Pull], Done]:
    """An engine that holds some tasks at once and answers the last first."""

    def go(pull: Pull) -> Iterator[tuple[Task, list[str] | WorkerExit]]:
        held: list[Task] = []
        while True:
            while len(held) < ahead and (task := pull()) is not None:
                held.append(task)
            if not held:
                return
            task = held.pop()
            lines = [json.dumps({"source": entry.source, **EMPTY}) + "\n" for entry in task.entries]
            yield task, WorkerExit(-9) if dies(task) else lines

    return go


def _records(work: Work) -> dict[str, str | None]:
    """Source to error of all records, once it is seen that none is there twice."""
    records = [record for shard in work.shards() for record, _ in work.records(shard)]
    assert [record["source"] for record in records] == [f"{number}.jpg" for number in range(100)]
    return {record["source"]: record.get("error") for record in records}


@pytest.mark.parametrize("ahead", [1, 2, 5, 50])
def test_all_shards_are_done_in_whatever_order(work: Work, ahead: int) -> None:
    assert sum(run(work, _engine(lambda task: False, ahead))) == 100
    assert set(_records(work).values()) == {None}
    assert count_planned(work) == (100, 100)


def test_only_what_is_missing_is_done(work: Work) -> None:
    with closing(run(work, _engine(lambda task: False))) as done:
        assert next(done) + next(done) == 32
    given: list[int] = []

    def noted(task: Task) -> bool:
        given.append(task.shard)
        return False

    assert sum(run(work, _engine(noted))) == 68
    assert given == [2, 3, 4, 5, 6]
    assert set(_records(work).values()) == {None}


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_shard_whose_worker_died_once_is_read_after_all(work: Work, ahead: int) -> None:
    assert sum(run(work, _engine(lambda task: len(task.entries) > 1, ahead))) == 100
    assert set(_records(work).values()) == {None}


@pytest.mark.parametrize("ahead", [1, 3])
def test_only_the_images_that_kill_have_an_error(work: Work, ahead: int) -> None:
    deadly = {"17.jpg", "18.jpg", "99.jpg"}
    done = run(work, _engine(lambda task: any(e.source in deadly for e in task.entries), ahead))
    assert sum(done) == 100
    assert {name for name, error in _records(work).items() if error is not None} == deadly
    assert all(str(_records(work)[name]).startswith(DIED) for name in deadly)


def test_when_all_die_it_stops(work: Work) -> None:
    tasks: list[Task] = []

    def dies(task: Task) -> bool:
        tasks.append(task)
        return True

    with pytest.raises(InputError, match=f"{DEATHS} workers ended one after another.*memory"):
        list(run(work, _engine(dies)))
    assert len(tasks) == DEATHS


def test_parts_do_their_own_and_the_rest_is_done_afterwards(work: Work) -> None:
    engine = _engine(lambda task: False)
    assert sum(run(work, engine, (2, 3))) == 32
    assert count_planned(work, (2, 3)) == (32, 32)
    assert count_planned(work, (1, 3)) == (36, 0)
    assert sum(run(work, engine, (1, 3))) == 36
    assert sum(run(work, engine)) == 32
    assert set(_records(work).values()) == {None}
