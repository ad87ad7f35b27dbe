"""Testing on several processes: each face once, the same figures as with one."""

import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.predictions import gather_rows, own_rows
from emotion_detection.training import Run

ROOT = Path(__file__).resolve().parents[2]


def _process(patch: pytest.MonkeyPatch, rank: int, processes: int) -> None:
    patch.setenv("RANK", str(rank))
    patch.setenv("WORLD_SIZE", str(processes))


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 6, 50, 3589])
def test_each_row_is_scored_by_one_process(
    count: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for rank in range(processes):
        _process(monkeypatch, rank, processes)
        parts.append(own_rows(count))
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_has_all_rows_and_keeps_its_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    scores = np.eye(5, dtype=np.float32)
    assert own_rows(5).tolist() == [0, 1, 2, 3, 4]
    assert gather_rows(scores, 5) is scores


def test_a_process_without_a_face_has_no_scores(
    fer_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    # the package's own name for it is the function
    module = importlib.import_module("emotion_detection.evaluation.predictions")
    monkeypatch.setattr(module, "gather_rows", lambda scores, count: seen.append(scores))
    _process(monkeypatch, 59, 60)
    done = evaluate([fer_run.folder])
    assert seen[0].shape == (0, 7 + 7 + 1)  # scores, scores before temperature, intensity
    assert done.metrics == {}


def _in_two_processes(*words: str, folder: Path) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    done = subprocess.run(
        [sys.executable, *torchrun, str(ROOT / "test.py"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_write_the_figures_of_one(fer_run: Run, tmp_path: Path) -> None:
    one = evaluate([fer_run.folder], out=tmp_path / "one").metrics
    said = _in_two_processes(
        "--model", str(fer_run.folder), "--out", str(tmp_path / "two"), folder=tmp_path
    )
    two = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert said.count("test accuracy: ") == 1
    for name in ("accuracy", "accuracy_ci95", "confusion", "n", "per_class", "data", "model"):
        assert two[name] == one[name]
    for name in ("nll", "ece", "brier"):
        assert two[name] == pytest.approx(one[name], abs=1e-5)
    tables = [pq.read_table(tmp_path / name / "predictions.parquet") for name in ("one", "two")]
    assert tables[0]["file"].to_pylist() == tables[1]["file"].to_pylist()
    assert len(set(tables[1]["file"].to_pylist())) == 56
    scores = [np.array(table["scores"].to_pylist()) for table in tables]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-5)
