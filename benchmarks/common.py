"""What benchmarks share: places, command lines, result files, the machine, summaries."""

import argparse
import functools
import io
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from emotion_detection.errors import InputError, TrainingError
from emotion_detection.io.files import write_atomic
from emotion_detection.io.processes import describe_processor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""

RESULTS = ROOT / "docs" / "results"
"""Where result files lie."""


def name_command(file: str, *words: str) -> str:
    """Return the command that runs a benchmark, for its result.

    Args:
        file: ``__file__`` of the module.
        words: its options.
    """
    module = ".".join(Path(file).resolve().relative_to(ROOT).with_suffix("").parts)
    return " ".join((f"python -m {module}", *words))


class Parser(argparse.ArgumentParser):
    """Parse the options of a benchmark; errors are one line.

    Args:
        doc: ``__doc__`` of the module: its first line is the description.
        file: ``__file__`` of the module.
    """

    def __init__(self, doc: str | None, file: str) -> None:
        description = (doc or "").partition("\n")[0].replace("%", "%%")
        super().__init__(prog=name_command(file), description=description)
        self.name = Path(file).stem

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 after one line on standard error."""
        self.exit(2, f"{self.name}: {message}\n")

    def add_data(self, what: str = "FER-2013", required: bool = True) -> None:
        """Add ``--data`` and ``--cache``."""
        from emotion_detection.config import DataConfig

        self.add_argument("--data", required=required, help=what)
        self.add_argument("--cache", default=DataConfig.cache, help="folder of decoded faces")

    def add_out(self, name: str | None = None) -> None:
        """Add ``--out``, the result file.

        Args:
            name: file in ``docs/results`` that is the default; None: nothing is written.
        """
        place = None if name is None else RESULTS / name
        text = "JSON file to write" + ("" if name is None else f"; default: docs/results/{name}")
        self.add_argument("--out", type=Path, default=place, metavar="FILE", help=text)


def run_part(file: str, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a benchmark's own module in a new process and return the JSON of its last line.

    Standard error passes through. Where the process fails, this one exits with its code.

    Args:
        file: ``__file__`` of the module.
        words: options that tell it which part to run.
        env: variables to set beside those of this process.
    """
    module = name_command(file).split()[-1]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        text=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **(env or {})},
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def check_least(options: argparse.Namespace, **least: int) -> None:
    """Check that options are not below their least values; options that are None pass.

    Raises:
        InputError: one is.
    """
    for name, bound in least.items():
        value = getattr(options, name)
        if value is not None and value < bound:
            raise InputError(f"--{name} {value}: must be at least {bound}")


def report_errors(main: Callable[..., int]) -> Callable[..., int]:
    """Make ``main`` print user errors as one line and return 2."""
    name = Path(main.__code__.co_filename).stem

    @functools.wraps(main)
    def run(*args: Any, **options: Any) -> int:
        try:
            return main(*args, **options)
        except (InputError, TrainingError, subprocess.CalledProcessError) as error:
            message = str(error)
        except OSError as error:
            message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"{name}: {message}", file=sys.stderr)
        return 2

    return run


def read_json(path: Path, advice: str = "") -> Any:
    """Return what a JSON file holds.

    Args:
        path: the file.
        advice: what to do where it is missing, for the message.

    Raises:
        InputError: it is missing, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{f'; {advice}' if advice else ''}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}{f'; {advice}' if advice else ''}") from None


def read_result(path: Path | None) -> dict[str, Any]:
    """Return what a result file holds so far; empty where it does not exist."""
    if path is None or not path.exists():
        return {}
    values: dict[str, Any] = read_json(path)
    return values


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file atomically."""
    write_atomic(path, json.dumps(values, indent=2) + "\n")


def get_load() -> float:
    """Return the machine's load of the last minute."""
    return round(os.getloadavg()[0], 2)


def describe_machine() -> dict[str, Any]:
    """Return the processor's name and the number of cores."""
    return {"processor": describe_processor(), "cores": os.cpu_count()}


def describe_hardware() -> str:
    """Return the machine in words, as "AMD EPYC, 2 cores"."""
    return f"{describe_processor()}, {os.cpu_count()} cores"


def spread(values: list[float], digits: int = 6) -> dict[str, float]:
    """Return median, minimum and maximum, rounded."""
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def format_spread(row: dict[str, Any], digits: int, scale: float = 1) -> str:
    """Return what :func:`spread` found as "median (minimum-maximum)"."""
    median, low, high = (f"{scale * row[name]:,.{digits}f}" for name in ("median", "min", "max"))
    return f"{median} ({low}-{high})"


def format_accuracy(row: dict[str, Any], name: str = "accuracy") -> str:
    """Return an accuracy with its interval, as "0.8700 (0.8580-0.8817)"."""
    low, high = row[f"{name}_ci95"]
    return f"{row[name]:.4f} ({low:.4f}-{high:.4f})"


def format_class_means(row: dict[str, Any]) -> str:
    """Return balanced accuracy and macro F1 to append to an accuracy, as " / 0.6903 / 0.7175".

    Unknown ones are left out.
    """
    names = ("balanced_accuracy", "macro_f1")
    return "".join(f" / {row[name]:.4f}" for name in names if name in row)


def format_metrics(row: dict[str, Any]) -> str:
    """Return accuracy with its interval, if known, and :func:`format_class_means`."""
    accuracy = format_accuracy(row) if "accuracy_ci95" in row else f"{row['accuracy']:.4f}"
    return accuracy + format_class_means(row)


NO_CLASS_MEANS = " The file has no balanced accuracy and macro F1."
"""Note below a table that shows accuracy alone."""


def sample_rows(total: int, count: int, seed: "int | np.random.Generator") -> "npt.NDArray[Any]":
    """Return distinct random rows in ascending order: int64 (min(count, total),)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(total, min(count, total), replace=False))


def encode_image(image: "Image.Image", kind: str, **options: Any) -> bytes:
    """Return the bytes of an image file, as of kind "PNG"."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
