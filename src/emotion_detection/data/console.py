"""Print the results of ``emotion data info``, ``check`` and ``download``.

Results go to standard output, progress and notes to standard error.
"""

import dataclasses
import json
from pathlib import Path

from rich.console import Console
from rich.text import Text

from emotion_detection.config import DataConfig
from emotion_detection.data import check as checking
from emotion_detection.data.download import ROWS, check_rows, download_fer2013
from emotion_detection.data.locate import DATA, load
from emotion_detection.data.source import FER2013_SPLITS
from emotion_detection.data.summary import (
    draw_contact_sheet,
    escape_text,
    format_facts,
    format_info_table,
    save,
)

REPORT = Path("data-check.json")
"""Default output file of :func:`check`."""


def info(config: DataConfig, out: Path) -> int:
    """Print a dataset's counts, and draw a contact sheet of the training faces.

    Args:
        config: the data settings.
        out: the PNG to write; parent directories are created.

    Returns:
        0, the exit code.

    Raises:
        InputError: the data cannot be read, or the sheet cannot be written.
    """
    dataset = load(config)
    console = Console()
    console.print(format_info_table(dataset))
    draw_contact_sheet(
        dataset, out, split=next(name for name, size in dataset.sizes.items() if size)
    )
    _say(console, "sheet", out)
    return 0


def check(config: DataConfig, out: Path | None) -> int:
    """Print the problems of a dataset, and write the complete report as JSON.

    Args:
        config: the data settings; any number of unreadable images is accepted.
        out: the JSON to write; None: ``data-check.json`` in the current folder.

    Returns:
        The exit code: 1 if test faces have exact duplicates in train, else 0.

    Raises:
        InputError: the data cannot be read, or the report cannot be written.
    """
    # unreadable images are reported here, even if there are too many for training
    report = checking.check(load(dataclasses.replace(config, max_corrupt=1.0)))
    console = Console()
    console.print(report.table())
    place = REPORT if out is None else out
    save(place, (json.dumps(report.to_json(), indent=2) + "\n").encode())
    _say(console, "report", place)
    return report.exit_code


def download() -> int:
    """Download FER-2013 and FER+'s votes into ``data/``, and print the paths.

    Returns:
        0, the exit code.

    Raises:
        DownloadError: offline, refused, or the file does not have the expected rows.
    """
    place = download_fer2013(DATA)
    # an existing file was not checked
    check_rows(place / "fer2013.csv")
    counts = [(FER2013_SPLITS[usage], f"{rows:,} faces") for usage, rows in ROWS.items()]
    votes = "fer2013new.csv" if (place / "fer2013new.csv").is_file() else "not there"
    Console().print(
        format_facts(("FER-2013", escape_text(str(place))), *counts, ("FER+ votes", votes))
    )
    return 0


def _say(console: Console, what: str, path: Path) -> None:
    # soft wrapping leaves the path in one piece, so that it can be copied
    console.print(Text(f"{what}: {escape_text(str(path))}"), soft_wrap=True)
