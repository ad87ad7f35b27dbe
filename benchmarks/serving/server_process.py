"""``emotion serve`` as a process, for the benchmark."""

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from emotion_detection.errors import InputError


class Served:
    """A server in a process of its own.

    Args:
        port: that it listens at.
        process: it.
    """

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port, self.process = port, process
        self.asked = 0
        """Requests made here."""

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Connection": "close"})
        self.asked += 1
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def stop(self) -> tuple[int, int, int]:
        """Send SIGTERM; return the exit code, and requests taken and answered by its own count."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=90)
        taken, answered = re.findall(r"([\d,]+) requests? taken, ([\d,]+) answered", said)[0]
        code = self.process.returncode
        return code, int(taken.replace(",", "")), int(answered.replace(",", ""))

    def resident(self) -> int:
        """Return the bytes of memory that it occupies."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.partition("VmRSS:")[2].split()[0]) * 1024

    def cpu_seconds(self) -> float:
        """Return the seconds of CPU that it has used."""
        _, text = self.get("/metrics")
        return float(re.findall(r"^process_cpu_seconds_total (\S+)$", text, re.MULTILINE)[0])


@contextlib.contextmanager
def served(*words: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """Run a server until the block ends; it is warm when the block begins.

    Args:
        words: options of ``emotion serve``.
        env: all variables of its process; None: those of this one.
    """
    command = [sys.executable, "-m", "emotion_detection", "serve", "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)/v1/predict", process.stdout.readline())
        if found is None:
            raise InputError(f"{' '.join(command)}: did not start")
        server = Served(int(found[1]), process)
        while server.get("/health/ready")[0] != 200:
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.communicate()
