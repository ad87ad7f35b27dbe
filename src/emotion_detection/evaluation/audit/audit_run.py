"""Run ``emotion data audit``: train on folds, find faces that look wrong, write the files.

One process at a time works in the folder of an audit.
"""

import importlib
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emotion_detection.audit_options import AuditOptions
from emotion_detection.config import TrainConfig
from emotion_detection.data import Dataset, load
from emotion_detection.data.summary import escape_text, format_facts
from emotion_detection.errors import InputError, missing_package
from emotion_detection.evaluation.audit.audit_files import (
    HEADINGS,
    enlarge_faces,
    record,
    write_csv,
    write_json,
    write_sheet,
)
from emotion_detection.evaluation.audit.audited_faces import load_audited_faces
from emotion_detection.evaluation.audit.folds import FOLDS, predict_out_of_fold
from emotion_detection.evaluation.audit.label_issues import (
    drop_repeated,
    find_differing_duplicates,
    find_faceless,
    find_outliers,
    leads,
    rank_wrong_labels,
)
from emotion_detection.evaluation.audit.nonfaces import score_nonfaces


@contextmanager
def lock_audit_folder(out: Path) -> Iterator[None]:
    """Lock an audit's folder. The lock is released when the process exits, even after a crash.

    The folder itself is locked, so that no lock file remains. File systems without locks (some
    network file systems; Windows) are not locked. A folder that stays empty is removed.

    Args:
        out: the folder, which is created if needed.

    Raises:
        InputError: another audit runs there, or the folder cannot be created.
    """
    try:
        handle = _locked(out)
    except BlockingIOError:
        raise InputError(
            f"--out {out}: another audit is at work there: wait for its end, or name another folder"
        ) from None
    except OSError as error:
        raise InputError(f"--out {out}: cannot be used: {error.strerror or error}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            out.rmdir()
        if handle is not None:
            os.close(handle)


def _locked(out: Path) -> int | None:
    """Lock the folder and return the handle, or None without support for locks."""
    while True:
        out.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            return None
        import fcntl

        handle = os.open(out, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError:
            return handle  # this file system has no locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(out)):
                return handle
        os.close(handle)  # the previous owner has just removed it


MIN_FACE_SIZE = 48
"""Minimum size in pixels of faces for the detection of non-faces, and on the contact sheet."""


def run_audit(
    config: TrainConfig, options: AuditOptions, console: Console | None = None
) -> dict[str, Any]:
    """Find the faces of a dataset that look wrong, and write the findings.

    Args:
        config: the data, and the recipe of the trainings; names and folders are set by the audit.
        options: the audited faces, and the faces to list.
        console: console for the table; None: standard output.

    Returns:
        The content of ``audit.json``.

    Raises:
        InputError: cleanlab is missing, data or settings are not valid, another audit runs in the
            folder, or the files cannot be written.
        TrainingError: a training cannot continue.
    """
    _need_cleanlab()
    _check(config)
    with lock_audit_folder(Path(options.out)):
        return _audit(config, options, console or Console())


def _audit(config: TrainConfig, options: AuditOptions, console: Console) -> dict[str, Any]:
    out = Path(options.out)
    dataset = load(config)
    audited = load_audited_faces(dataset, options.splits)
    judged = predict_out_of_fold(config, dataset, audited, options.folds, out)
    images = enlarge_faces(config, dataset, audited, MIN_FACE_SIZE)
    found = {
        "label": rank_wrong_labels(audited.labels, judged.scores, options.rank),
        "duplicate": find_differing_duplicates(audited.labels, audited.copies, judged.scores),
        "nonface": find_faceless(score_nonfaces(images, out / FOLDS / "faces-seen.npz")),
        "outlier": find_outliers(judged.distances, judged.folds),
    }
    ahead = leads(found["label"], audited.labels, judged.scores)
    sure = found | {"label": found["label"].keep(ahead >= options.lead)}
    listed = {
        reason: own.top(options.top) for reason, own in drop_repeated(sure, options.reasons).items()
    }
    values = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **record(config, options, dataset, audited, judged, found, listed),
    }
    count = write_csv(out / "audit.csv", dataset, audited, listed)
    write_json(out / "audit.json", values)
    write_sheet(out / "audit.png", dataset, audited, images, found)
    _print_summary(console, values, config, dataset, out, count)
    return values


def _need_cleanlab() -> None:
    """Check requirements before hours of training, not after."""
    try:
        importlib.import_module("cleanlab.filter")
    except ModuleNotFoundError:
        raise missing_package("'data audit'", "cleanlab", "audit") from None


def _check(config: TrainConfig) -> None:
    """Reject training on several processes, each of which would run the complete audit."""
    for name in ("devices", "num_nodes"):
        value = config.trainer.get(name, 1)
        if str(value) not in ("1", "[0]"):
            raise InputError(
                f"--trainer.{name} {value}: must be 1: the folds are trained one after another"
            )


def _print_summary(
    console: Console,
    values: dict[str, Any],
    config: TrainConfig,
    dataset: Dataset,
    out: Path,
    count: int,
) -> None:
    """Print a short table, and the command that trains without the listed faces."""
    told = values["out_of_fold"]
    low, high = told["accuracy_ci95"]
    console.print(
        format_facts(
            ("data", escape_text(dataset.source)),
            ("faces", f"{values['faces']:,} of {' and '.join(values['splits'])}"),
            (
                "out-of-fold",
                f"accuracy {told['accuracy']:.4f} (95% CI {low:.4f}-{high:.4f}, "
                f"{told['folds']} folds)",
            ),
        )
    )
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("reason", no_wrap=True)
    table.add_column("what")
    for heading in ("found", "listed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for reason, row in values["reasons"].items():
        table.add_row(reason, HEADINGS[reason], f"{row['found']:,}", f"{row['listed']:,}")
    console.print(table)
    for what, name in (("sheet", "audit.png"), ("record", "audit.json"), ("listed", "audit.csv")):
        # soft wrapping leaves the path in one piece, so that it can be copied
        console.print(Text(f"{what}: {escape_text(str(out / name))}"), soft_wrap=True)
    console.print(Text(_last_line(config, dataset, out, count)), soft_wrap=True)


def _last_line(config: TrainConfig, dataset: Dataset, out: Path, count: int) -> str:
    if not count:
        return "nothing is listed: nothing to leave out"
    words = ["python", "train.py", "--data", dataset.source, "--exclude", str(out / "audit.csv")]
    if config.labels != TrainConfig.labels:
        words[4:4] = ["--labels", config.labels]
    return f"train without them: {escape_text(shlex.join(words))}"
