"""Bring tests under corruption together, and draw what the corruptions look like.

Figures are read from the ``corruptions.json`` that ``emotion test --corruptions`` wrote, none is
computed here. Tests of other names stay in ``--out``.

    python -m benchmarks.evaluation.collect_robustness FILE=NAME ... \
        [--out docs/results/robustness.json]
    python -m benchmarks.evaluation.collect_robustness --picture docs/images/corruptions.png
"""

import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    Parser,
    describe_machine,
    read_json,
    read_result,
    report_errors,
    write_json,
)
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.evaluation.corruptions import CORRUPTIONS, Corruption
from emotion_detection.evaluation.robustness import draw_examples
from emotion_detection.io.files import write_atomic

ROW = 3
"""Which drawn face of seed 0 is shown: a smile, upright, nothing in front of it."""

DROPPED = ("seconds", "model")


def collect(tests: list[str]) -> dict[str, Any]:
    """Read the figures of tests.

    Args:
        tests: each ``FILE=NAME``: a ``corruptions.json`` and what its model is called in tables.

    Returns:
        Plain values: scales of the strengths, the machine, the tests by name.

    Raises:
        InputError: a file is missing, or is of another set of corruptions.
    """
    found = {}
    for test in tests:
        place, _, name = test.partition("=")
        record = read_json(Path(place), "'emotion test --corruptions' writes it")
        if list(record.get("corruptions", ())) != list(CORRUPTIONS):
            raise InputError(f"{place}: is of another set of corruptions; test again")
        # where the data lay is nobody's business
        words = shlex.split(record["command"])
        words[words.index("--data") + 1] = "FER2013"
        record |= {"command": shlex.join(words), "data": {**record["data"], "source": "FER2013"}}
        found[name or place] = {k: v for k, v in record.items() if k not in DROPPED}
    return {
        "scales": {name: _scale(one) for name, one in CORRUPTIONS.items()},
        "machine": describe_machine(),
        "python": platform.python_version(),
        "tests": found,
    }


def _scale(corruption: Corruption) -> dict[str, Any]:
    """Return what the strengths are, in four decimals."""
    strengths = np.round(np.array(corruption.strengths, np.float64), 4).tolist()
    return {"what": corruption.scale, "strengths": strengths}


@report_errors
def main(words: list[str] | None = None) -> int:
    """Collect or draw, and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("tests", nargs="*", metavar="FILE=NAME")
    parser.add_out()
    parser.add_argument("--picture", type=Path, help="PNG file for a drawn face under each")
    options = parser.parse_args(words)
    if not options.tests and not options.picture:
        raise InputError("name files of tests, or --picture")
    result = collect(options.tests) if options.tests else None
    if result and options.out:
        result["tests"] = {**read_result(options.out).get("tests", {}), **result["tests"]}
        write_json(options.out, result)
    for name, test in result["tests"].items() if result else ():
        print(f"{name}: {test['clean']['accuracy']:.4f}, {test['mean_corruption_accuracy']:.4f}")
    if options.picture:
        face = make_synthetic_faces(ROW + 1).faces[ROW][None]
        write_atomic(options.picture, draw_examples(face, ROW))
    return 0


if __name__ == "__main__":
    sys.exit(main())
