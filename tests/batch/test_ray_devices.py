"""What tasks ask a Ray cluster for, by device; the cluster is played by this process."""

import json
import sys
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from emotion_detection.batch.classify import Settings
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.local_engine import Task
from emotion_detection.batch.ray_engine import run_on_ray


class Cluster:
    """The few functions of Ray that are used; a task is done when it is handed over."""

    exceptions = SimpleNamespace(RayTaskError=KeyError, RayError=LookupError)

    def __init__(self, **resources: float) -> None:
        self.resources = resources
        self.needs: dict[str, float] = {}
        self.answers: list[Any] = []

    def init(self, **_: Any) -> None: ...

    def shutdown(self) -> None: ...

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **needs: float) -> Callable[[Any], Any]:
        self.needs = needs

        def hand_over(do: Any, *args: Any) -> int:
            with warnings.catch_warnings():  # of another process, which nobody sees
                warnings.simplefilter("ignore")
                self.answers.append(do(*args))
            return len(self.answers) - 1

        return lambda do: SimpleNamespace(remote=lambda *args: hand_over(do, *args))

    def wait(self, references: list[int], num_returns: int) -> tuple[list[int], list[int]]:
        return references[:num_returns], references[num_returns:]

    def get(self, reference: int) -> Any:
        return self.answers[reference]


@pytest.fixture
def on_cluster(
    settings: Callable[..., Settings], crops: list[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """``on_cluster(device, **resources)``: the records, and what each task asks for."""
    # nodes whose onnxruntime has no GPU
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])

    def run(device: str, **resources: float) -> tuple[list[Any], dict[str, float]]:
        cluster = Cluster(**resources)
        monkeypatch.setitem(sys.modules, "ray", cluster)
        tasks = iter([Task(0, 0, (Entry(name),)) for name in crops[:3]])
        done = run_on_ray(lambda: next(tasks, None), settings(device=device), None)
        return [json.loads(line) for _, lines in done for line in lines], cluster.needs

    return run


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_tasks_on_the_cpu_ask_for_a_core(
    on_cluster: Any, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    records, needs = on_cluster(device, CPU=4.0, GPU=1.0)
    assert len(records) == 3
    assert needs == {"num_cpus": 1, "max_retries": 3}
    assert capsys.readouterr().err == ""


def test_tasks_on_a_gpu_ask_for_a_fraction_of_one(
    on_cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    records, needs = on_cluster("cuda", CPU=4.0, GPU=1.0)
    assert needs == {"num_cpus": 1, "num_gpus": 0.25, "max_retries": 3}
    said = "device 'cuda' is missing on some nodes, which ran on the CPU"
    assert capsys.readouterr().err.count(said) == 1
    assert records == on_cluster("cpu", CPU=4.0)[0]


def test_a_cluster_without_a_gpu_is_reported_in_one_line(
    on_cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    records, needs = on_cluster("cuda", CPU=4.0)
    assert len(records) == 3
    assert "num_gpus" not in needs
    assert capsys.readouterr().err == (
        "emotion: device 'cuda' is not available: running on the CPU. No node of the Ray cluster "
        "has a GPU\n"
    )
