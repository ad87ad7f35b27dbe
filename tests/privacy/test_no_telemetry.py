"""Nothing is sent to other machines: system calls of whole commands, children included."""

import ast
import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emotion_detection
from emotion_detection.privacy import TELEMETRY_SETTINGS

PACKAGE = Path(emotion_detection.__file__).parent
ROOT = Path(__file__).resolve().parents[2]

Trace = Callable[..., list[str]]

# a name server and a machine of the range for documentation: UDP, so that nothing is sent
NAMED = """
import socket
for host, port in (("127.0.0.1", 53), ("192.0.2.1", 9), ("127.0.0.1", 9)):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((host, port))
"""

CLASSIFY = """
import sys, time
import numpy as np
from emotion_detection import EmotionDetector
EmotionDetector(threads=1).classify(np.zeros((1, 48, 48), np.uint8))
time.sleep(float(sys.argv[1]))
"""

# each command in a process of its own, which stays until the end: telemetry is sent late
WHOLE_CHAIN = """
import subprocess, sys, time, urllib.request
end = time.monotonic() + float(sys.argv[1])
MAIN = '''
import sys, time
from emotion_detection.cli import main
if __name__ == "__main__":
    for words in sys.argv[2].split(";"):
        code = main(words.split())
        if code:
            sys.exit(code)
    time.sleep(max(0.0, float(sys.argv[1]) - time.monotonic()))
'''
open("main.py", "w").write(MAIN)
train = (
    "train --data faces --size 16 --epochs 1 --name run --trainer.accelerator cpu;"
    "test --model models/run --data faces;"
    "report models/run --data faces --out report;"
    "export models/run --out copy.onnx;"
    "export models/run --hub hub;"
    "data audit faces --folds 2 --size 16 --epochs 1 --trainer.accelerator cpu --out audit"
)
predict = "predict faces --crops --workers 2 --out faces.csv"
running = [
    subprocess.Popen([sys.executable, "main.py", str(end), words]) for words in (train, predict)
]
server = subprocess.Popen(
    [sys.executable, "-m", "emotion_detection", "serve", "--port", "0", "--workers", "1"],
    stdout=subprocess.PIPE, text=True,
)
url = ""
while "API:" not in url:
    url = server.stdout.readline()
url = url.split()[1].removesuffix(",")
body = open("one.png", "rb").read()
for route in ("classify", "predict"):
    asked = urllib.request.Request(
        url.replace("predict", route), body, {"content-type": "image/png"}
    )
    for attempt in range(100):
        try:
            assert urllib.request.urlopen(asked, timeout=60).status == 200
            break
        except urllib.error.HTTPError:
            time.sleep(0.2)
    else:
        sys.exit("the server gave no answer")
codes = [process.wait() for process in running]
time.sleep(max(0.0, end - time.monotonic()))
server.terminate()
sys.exit(max([*codes, server.wait()]))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_the_trace_sees_name_servers_and_other_machines_alone(trace: Trace, home: Path) -> None:
    found = trace([sys.executable, "-c", NAMED], 30, home)
    assert len(found) == 2
    assert "53" in found[0]
    assert "192.0.2.1" in found[1]


@pytest.mark.slow
def test_a_process_that_classifies_asks_no_other_machine(trace: Trace, home: Path) -> None:
    # without its variable, onnxruntime asks for its telemetry host within ten seconds
    assert trace([sys.executable, "-c", CLASSIFY, "14"], 60, home) == []
    # and, at its import, writes an identifier of this device and a file of events
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_the_whole_chain_asks_no_other_machine(
    trace: Trace, home: Path, tiny_faces: Any, png: Any
) -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed: pip install '.[audit]'")
    for row, face in enumerate(tiny_faces(120, size=24)):
        folder = home / "faces" / ("train", "validation", "test")[row % 3] / "ab"[row // 3 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row:03d}.png").write_bytes(png(face))
    (home / "one.png").write_bytes(png(np.full((48, 48), 90, np.uint8)))
    script = home / "chain.py"
    script.write_text(WHOLE_CHAIN)
    assert trace([sys.executable, str(script), "90"], 500, home) == []
    made = ("faces.csv", "report/report.html", "copy.onnx", "hub/README.md", "audit/audit.csv")
    assert [name for name in made if not (home / name).is_file()] == []
    left = {path.name for path in home.iterdir()}
    assert not {".cache", ".config", ".local"} & left or not list(home.rglob("*icrosoft*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_ray_engine_asks_its_cluster_alone(
    trace: Trace, home: Path, tiny_faces: Any, png: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    (home / "faces").mkdir()
    for row, face in enumerate(tiny_faces(6, size=24)):
        (home / "faces" / f"{row}.png").write_bytes(png(face))
    # the cluster is the user's own, so it is not traced
    cluster = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1}
    )
    host = cluster.address.rpartition(":")[0]
    try:
        words = ["predict", "faces", "--crops", "--out", "faces.csv", "--engine", "ray"]
        command = [sys.executable, "-m", "emotion_detection", *words, "--address", cluster.address]
        found = trace(command, 300, home)
    finally:
        with contextlib.suppress(Exception):
            cluster.shutdown()
    assert [line for line in found if host not in line] == []
    assert (home / "faces.csv").read_text().count("\n") == 7


@pytest.mark.parametrize("name", sorted(TELEMETRY_SETTINGS))
def test_a_variable_that_the_user_has_set_is_kept(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in TELEMETRY_SETTINGS:
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, "mine")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    emotion_detection.privacy.disable_telemetry()
    found = {one: os.environ[one] for one in TELEMETRY_SETTINGS}
    assert found == {**TELEMETRY_SETTINGS, name: "mine"}


@pytest.mark.parametrize(
    ("before", "times"),
    [("import onnxruntime", 1), ("", 0), ("import os; os.environ['ORT_DISABLE_TELEMETRY']='1'", 0)],
)
def test_onnxruntime_imported_earlier_is_reported_once(before: str, times: int, home: Path) -> None:
    # the variable is set for this import too, or the test itself would send something
    stand_in = "import sys, types; sys.modules['onnxruntime'] = types.ModuleType('onnxruntime')"
    first = stand_in if before == "import onnxruntime" else before
    code = f"{first}\nimport emotion_detection, emotion_detection.cli, emotion_detection.results"
    environment = {"PYTHONPATH": str(PACKAGE.parent), "PATH": "", "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr.count("onnxruntime was imported before emotion_detection") == times
    assert done.stderr.count("ORT_DISABLE_TELEMETRY=1") == times


def _imports_at_the_top(path: Path) -> list[str]:
    """Return the modules that a file imports while it is imported."""
    names: list[str] = []
    todo: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    for node in todo:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)
    return names


def test_no_script_imports_onnxruntime_before_the_package() -> None:
    scripts = [*ROOT.glob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert len(scripts) > 20
    early = [
        path.name
        for path in scripts
        if any(name.partition(".")[0] == "onnxruntime" for name in _imports_at_the_top(path))
    ]
    assert early == []
