"""Two audits do not train into one folder."""

import signal
import subprocess
import sys

import pytest

from emotion_detection.cli import main
from emotion_detection.errors import InputError
from emotion_detection.evaluation.audit.audit_run import lock_audit_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")

_HOLD = (
    "import sys; from pathlib import Path\n"
    "from emotion_detection.evaluation.audit.audit_run import lock_audit_folder\n"
    "with lock_audit_folder(Path(sys.argv[1])):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


def test_the_second_audit_says_so_and_changes_nothing(tiny_data, tmp_path, capsys):
    out = tmp_path / "audit"
    with lock_audit_folder(out):
        assert main(["data", "audit", str(tiny_data), "--out", str(out)]) == 2
        assert list(out.iterdir()) == []
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"emotion: --out {out}: another audit is at work there")
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_a_killed_audit_lets_go(tmp_path):
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another audit"), lock_audit_folder(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    with lock_audit_folder(tmp_path):
        (tmp_path / "audit.csv").touch()
    assert (tmp_path / "audit.csv").exists()


def test_a_folder_that_stays_empty_is_removed(tmp_path):
    with lock_audit_folder(tmp_path / "audit"):
        assert (tmp_path / "audit").is_dir()
    assert not (tmp_path / "audit").exists()
