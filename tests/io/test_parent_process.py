"""A parent that is killed leaves no child behind, whatever the child is at."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")

# one task of minutes: without a watch on the parent, the worker would end it first
WORKER = """
import sys, time
from emotion_detection import pretrained
from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.local_engine import Task, Worker
from emotion_detection.batch.classify import Settings

if __name__ == "__main__":
    model = pretrained.read_model()
    worker = Worker(Settings(str(model.path), model.sha256, None, 640, 0.5, 24.0, crops=True))
    worker.given(Task(0, 0, (Entry(sys.argv[1]),) * 300_000))
    print(worker._process.pid, flush=True)
    time.sleep(600)
"""

# what Lightning and torchrun start: another process than their first
RANK = """
import os, subprocess, sys, time
CHILD = '''
import sys, time
from emotion_detection import cli
cli.importlib.import_module = lambda name: time.sleep(600)
cli.main(["train"])
'''
child = subprocess.Popen([sys.executable, "-c", CHILD], env={**os.environ, "LOCAL_RANK": "1"})
print(child.pid, flush=True)
time.sleep(600)
"""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # in a container without an init, what ended may stay as a zombie
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def _child_of(command: list[str]) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as said:
        return parent, int(said.readline())


@pytest.mark.parametrize("seconds", [0.0, 2.0], ids=["as it starts", "amid a task"])
def test_a_worker_ends_with_its_parent(tmp_path: Path, seconds: float) -> None:
    image, script = tmp_path / "face.png", tmp_path / "worker.py"
    Image.new("L", (48, 48), 90).save(image)
    script.write_text(WORKER)
    _assert_ends([sys.executable, str(script), str(image)], seconds)


def test_a_further_training_process_ends_with_its_parent() -> None:
    _assert_ends([sys.executable, "-c", RANK], 1.0)


def _assert_ends(command: list[str], seconds: float) -> None:
    parent, child = _child_of(command)
    time.sleep(seconds)
    assert _is_alive(child)
    parent.kill()
    parent.wait(10)
    end = time.monotonic() + 15
    while _is_alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    left = _is_alive(child)
    if left:
        os.kill(child, signal.SIGKILL)
    assert not left
