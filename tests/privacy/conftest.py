"""Tracing what processes, and their children, send over the network."""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Trace = Callable[..., list[str]]

_STUB = Path(__file__).with_name("network_stub.c")
_STRACE = ("strace", "-f", "-qq", "-s", "120", "-e", "trace=connect,sendto,sendmsg,sendmmsg")
_ADDRESS = re.compile(
    r"sin6?_port=htons\((?P<port>\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"(?P<host>[^\"]+)\""
)
_STUB_ADDRESS = re.compile(r"\[(?P<host>[^\]]+)\]:(?P<port>\d+)")


def _beyond_loopback(line: str) -> bool:
    """Return True for a connection to another machine, or to any name server."""
    if line.startswith("lookup "):
        return line.split()[1] != "localhost"
    found = _ADDRESS.search(line) or _STUB_ADDRESS.search(line)
    if found is None:
        return False
    # a name server on this machine asks others in turn
    return found["port"] == "53" or not ipaddress.ip_address(found["host"]).is_loopback


def _build_stub(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "network_stub.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(_STUB), "-ldl"]
    built = subprocess.run(command, capture_output=True)
    return library if built.returncode == 0 else None


def _has_strace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*_STRACE, "true"], capture_output=True).returncode == 0


@pytest.fixture(scope="session", params=["strace", "stub"])
def trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """``trace(command, seconds, home)``: what a command says to other machines, line by line.

    strace sees every system call; the preloaded stub, for machines without strace, sees calls
    through the C library. The stub is used only where strace is not.
    """
    folder = tmp_path_factory.mktemp("trace")
    has_strace = _has_strace()
    if request.param == "strace":
        if not has_strace:
            pytest.skip("strace is not installed, or this machine forbids tracing")
    elif has_strace:
        pytest.skip("strace is there, which sees more")
    stub = _build_stub(folder) if request.param == "stub" else None
    if request.param == "stub" and stub is None:
        pytest.skip("neither strace nor a C compiler for the preloaded stub: nothing was traced")

    def run(command: list[str], seconds: float, home: Path) -> list[str]:
        """Run to the end; fail where the command fails or takes longer than ``seconds``."""
        written = folder / f"{len(list(folder.iterdir()))}.trace"
        written.touch()
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI", "TF_BUILD"}
            and not name.startswith(("HF_", "RAY_", "GITHUB_"))
        } | {"HOME": str(home)}
        if stub is not None:
            environment |= {"LD_PRELOAD": str(stub), "NETWORK_TRACE": str(written)}
        else:
            command = [*_STRACE, "-o", str(written), *command]
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=seconds
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [line for line in written.read_text().splitlines() if _beyond_loopback(line)]

    return run
