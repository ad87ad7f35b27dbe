"""The server under load and abuse: rates and latencies, overload, slow clients, damaged bodies.

    python -m benchmarks.serving.load_and_abuse [--only PART ...] [--share 1.0] \
        [--out docs/results/serving.json]

Everything runs on one machine: the server (``emotion serve``, one process), and the client, which
takes its share of the same cores. Clients are closed loops: each asks again when it is answered. A
crop is a drawn face, 48 x 48 as PNG; a photograph has 1920 x 1080 pixels and three drawn faces, as
JPEG. Parts that are not asked for stay in the file as they were.

- **crops**, **photographs**: requests/s and latencies at 1, 16, 64 and 256 clients; the queue takes
  300, so that none is turned away.
- **predict**: whole pictures beside ``emotion predict`` on the same cores, in turn; what each takes
  to start is left out (a larger number less a smaller one).
- **together**: crops of several requests read in one go, at most 8, or one by one, in turn.
- **overload**: 256 clients at the default queue of 64; those turned away come back at once, or
  after the second that ``Retry-After`` asks for.
- **slow**: 200 clients that send a byte now and then, beside 16 that ask for crops.
- **damaged**: 10,000 bodies, damaged in many ways. **memory**: over 50,000 requests.
- **stop**: SIGTERM amid 64 clients, five times: what was accepted, and what was answered.
"""

import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import (
    Parser,
    describe_hardware,
    get_load,
    name_command,
    read_result,
    report_errors,
    write_json,
)
from benchmarks.serving import abuse_parts as abuse
from benchmarks.serving import load_parts as parts

PARTS: dict[str, Callable[[parts.Pictures, float], Any]] = {
    "crops": parts.crops,
    "photographs": parts.photographs,
    "predict": parts.beside_predict,
    "together": parts.together,
    "overload": abuse.overload,
    "slow": abuse.slow,
    "damaged": abuse.damaged,
    "memory": abuse.memory,
    "stop": abuse.stop,
}


def machine() -> dict[str, Any]:
    """Return what the figures depend on beside the code."""
    from importlib.metadata import PackageNotFoundError, version

    packages: dict[str, str | None] = {}
    for name in ("onnxruntime", "fastapi", "uvicorn", "h11", "httptools", "uvloop"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "hardware": describe_hardware(),
        "python": platform.python_version(),
        "packages": packages,
    }


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--share", type=float, default=1.0, help="of all numbers and seconds")
    parser.add_out("serving.json")
    options = parser.parse_args(words)
    if not 0 < options.share <= 1:
        parser.error(f"--share {options.share}: must be above 0, to 1")
    command = name_command(__file__)
    command += f" --share {options.share:g}" if options.share < 1 else ""
    old = read_result(options.out)
    with tempfile.TemporaryDirectory(prefix="emotion-benchmark-") as folder:
        pictures = parts.Pictures(Path(folder))
        for name in options.only:
            print(f"== {name}", flush=True)
            load = get_load()
            figures = PARTS[name](pictures, options.share)
            old[name] = {"command": command, "load_before": load, "figures": figures}
            # after each part: what is measured is not lost
            result = {**machine(), **{part: old[part] for part in PARTS if part in old}}
            write_json(options.out, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
