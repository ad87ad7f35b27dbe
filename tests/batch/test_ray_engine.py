"""A Ray cluster of three nodes on this machine, one of which is killed in the middle."""

import importlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from emotion_detection.batch.classify import Settings
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job import count_planned, run
from emotion_detection.batch.job_folder import open_work
from emotion_detection.batch.local_engine import Pull, Task, run_here
from emotion_detection.batch.ray_engine import run_on_ray
from emotion_detection.cli import main
from emotion_detection.errors import InputError

pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

Make = Callable[..., Settings]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1}
    )
    yield made
    with suppress(Exception):
        made.shutdown()


def test_every_file_has_one_record_when_a_node_is_killed(
    cluster: Any, settings: Make, crops: list[str], write_crops: Any, tmp_path: Path
) -> None:
    victim = cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    names = write_crops(tmp_path / "faces", 600)
    names[100] = str(tmp_path / "gone.png")
    work = open_work(tmp_path / "work", map(Entry, names), {})

    def engine(pull: Pull) -> Any:
        return run_on_ray(pull, settings(folder=os.getcwd()), cluster.address)

    total = 0
    for steps, done in enumerate(run(work, engine)):
        total += done
        if steps == 2:
            cluster.remove_node(victim, allow_graceful=False)
    assert total == len(names)
    assert count_planned(work) == (600, 600)
    records = [record for shard in work.shards() for record, _ in work.records(shard)]
    assert [record["source"] for record in records] == names
    assert [record["source"] for record in records if "error" in record] == [names[100]]


@pytest.mark.release
def test_what_a_node_refuses_is_reported(cluster: Any, settings: Make, crops: list[str]) -> None:
    tasks = iter([Task(0, 0, (Entry(crops[0]),))])
    with pytest.raises(InputError, match=r"on a Ray node: .* is another model here"):
        list(run_on_ray(lambda: next(tasks, None), settings(sha256="0" * 64), cluster.address))


@pytest.mark.release
def test_records_are_those_of_one_process(cluster: Any, settings: Make, crops: list[str]) -> None:
    task = Task(0, 0, tuple(map(Entry, crops)))
    ours, theirs = iter([task]), iter([task])
    ((_, lines),) = run_on_ray(lambda: next(ours, None), settings(), cluster.address)
    ((_, others),) = run_here(lambda: next(theirs, None), settings())
    assert lines is not None
    assert others is not None
    for one, other in zip(map(json.loads, lines), map(json.loads, others), strict=True):
        assert one["source"] == other["source"]
        scores = other["faces"][0]["scores"]
        assert one["faces"][0]["scores"] == pytest.approx(scores, abs=2e-4)


@pytest.mark.release
def test_the_command_writes_the_same_table(
    cluster: Any, crops: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = str(Path(crops[0]).parent), str(tmp_path / "a.jsonl")
    words = ["predict", folder, "--crops", "--out", out, "--engine", "ray"]
    assert main([*words, "--address", cluster.address]) == 0
    assert "40 faces in 40 images" in capsys.readouterr().out
    records = [json.loads(text) for text in Path(out).read_text().splitlines()]
    assert [record["source"] for record in records] == crops
    assert not Path(f"{out}.parts").exists()


def test_without_a_cluster_it_is_reported_in_one_line(settings: Make) -> None:
    with pytest.raises(InputError, match=r"no cluster at 127\.0\.0\.1:9: ") as refusal:
        list(run_on_ray(lambda: None, settings(), "127.0.0.1:9"))
    assert "\n" not in str(refusal.value)
    assert "ray start --head" in str(refusal.value)


@pytest.mark.parametrize("address", ["", "host", "host:", ":6379", "host:port", "host:99999"])
def test_what_is_no_address_is_refused(settings: Make, address: str) -> None:
    with pytest.raises(InputError, match="must be HOST:PORT"):
        list(run_on_ray(lambda: None, settings(), address))
