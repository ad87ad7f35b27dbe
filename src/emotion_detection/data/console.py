"""``emotion data info``, ``check`` and ``download``: what a person sees of the data.

Results go to standard output; what happens on the way goes to standard error.
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
"""Where :func:`check` writes when no other place is named."""


def info(config: DataConfig, out: Path) -> int:
    """Print what a dataset holds and draw a sheet of its training faces.

    Args:
        config: which faces, and how they are read.
        out: the PNG to write; folders that are missing are made.

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
    """Print what is wrong with a dataset, and write the whole report as JSON.

    Args:
        config: which faces, and how they are read; any number of unreadable images is let pass.
        out: the JSON to write; None: ``data-check.json`` in the current folder.

    Returns:
        The exit code: 1 when exact copies of test faces stand in train, else 0.

    Raises:
        InputError: the data cannot be read, or the report cannot be written.
    """
    # a dataset with too many unreadable images for training is what this is to tell about
    report = checking.check(load(dataclasses.replace(config, max_corrupt=1.0)))
    console = Console()
    console.print(report.table())
    place = REPORT if out is None else out
    save(place, (json.dumps(report.to_json(), indent=2) + "\n").encode())
    _say(console, "report", place)
    return report.exit_code


def download() -> int:
    """Download FER-2013 and FER+'s votes into ``data/``, and print where they are.

    Returns:
        0, the exit code.

    Raises:
        DownloadError: offline, refused, or the file has not the rows that it should have.
    """
    place = download_fer2013(DATA)
    # a file that lay there before was not looked into
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
