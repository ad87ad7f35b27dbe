"""What a data audit finds, and whether training without it helps.

    python -m benchmarks.data.audit_quality --data FER2013 --work WORK \
        [--out docs/results/audit.json]

``emotion data audit`` runs on FER-2013's training faces. The labels that it names are set against
FER+'s ten raters: one counts as wrong where FER+'s majority is another emotion. A named picture
counts as no face where at least half of the raters said so. Then networks are trained on all faces,
without the listed ones, without all that were found, and without as many drawn at random, and
compared on validation (PublicTest), by its own labels and by FER+'s majority; the test split stays
closed. On drawn faces 200 labels are flipped, and counted among the first 200 that it names.

What is done is kept in WORK: a second start goes on where the first was stopped.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Parser, name_command, read_json, report_errors, write_json
from benchmarks.data.audit_synthetic import audit_drawn, read_list
from benchmarks.data.audit_training import RECIPE, SEEDS, compare_ways, exclude_files, train_ways
from emotion_detection.audit_options import RANKS
from emotion_detection.cli import main as main_command
from emotion_detection.config import DataConfig, read_preset
from emotion_detection.data import load
from emotion_detection.data.ferplus import FILE_NAME, RATERS, compute_majority
from emotion_detection.data.source import place_in_fer2013
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic
from emotion_detection.io.processes import describe_processor
from emotion_detection.labels import FERPLUS, FERPLUS_COLUMNS
from emotion_detection.metrics.statistics import compute_wilson_interval

FIRST = (100, 200, 500, 1000, 2000, 4000)
"""Numbers of the surest faces whose labels are checked."""

FOUND = ("--lead", "0")
"""Options that list all that is found, as the table of labels is of."""

Labels = npt.NDArray[np.int64]
Votes = npt.NDArray[np.int64]


def judge_labels(rows: list[dict[str, str]], votes: Votes, labels: Labels) -> dict[str, Any]:
    """Set the labels that an audit names against FER+'s majority.

    Args:
        rows: the likely wrong labels, the surest first.
        votes: int64 (N, 10), FER+'s votes of face k of FER-2013.
        labels: int64 (N,), FER-2013's label of face k.

    Returns:
        For each number of first faces, how many FER+'s majority calls otherwise; and of all faces.
    """
    voted = np.array([-1 if (top := compute_majority(one)) is None else top for one in votes])
    named = np.array([number(row["file"]) for row in rows])

    def counts(places: Labels) -> dict[str, Any]:
        own, given = voted[places], labels[places]
        known = own >= 0
        # FER+'s first seven classes are FER-2013's, in the same order
        other = int((known & (own != given)).sum())
        return {
            "faces": len(places),
            "with_majority": int(known.sum()),
            "other": other,
            "share": other / len(places),
            "share_ci95": list(compute_wilson_interval(other, len(places))),
            "share_of_majority": other / int(known.sum()),
        }

    steps = [count for count in FIRST if count < len(named)] + [len(named)]
    suggested = np.array([FERPLUS.index(row["suggested"]) for row in rows])
    right = (voted[named] == suggested) & (voted[named] >= 0)
    return {
        "all_faces": counts(np.arange(len(labels))),
        "first": [
            {**counts(named[:k]), "suggestion_is_majority": float(right[:k].mean())} for k in steps
        ],
    }


def judge_nonfaces(rows: list[dict[str, str]], votes: Votes) -> dict[str, Any]:
    """Set the pictures that an audit names against what FER+'s raters said of them."""
    none = votes[:, FERPLUS_COLUMNS.index("NF")] * 2 >= RATERS
    named = np.array([number(row["file"]) for row in rows], np.int64)
    hits = int(none[named].sum())
    return {
        "named": len(named),
        "no_face": hits,
        "precision": hits / len(named) if len(named) else None,
        "recall": hits / int(none.sum()),
        "all_no_face": int(none.sum()),
        "all_faces": len(none),
    }


def number(name: str) -> int:
    """Return a face's number in FER-2013."""
    place = place_in_fer2013(Path(name).name)
    if place is None:
        raise InputError(f"{name}: not a face of FER-2013")
    return place[1]


def all_votes(path: Path) -> Votes:
    """Read FER+'s votes of every face, also of those that FER+ leaves without an image."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[int(cell) for cell in row[2:]] for row in rows])


def audited(data: DataConfig, work: Path, kept: str, *options: str) -> list[dict[str, str]]:
    """Return what the command lists on FER-2013; run it unless that was done before."""
    path = work / kept
    if not path.exists():
        words = ["data", "audit", data.data, "--cache", data.cache, "--out", str(work / "audit")]
        if code := main_command([*words, *options]):
            raise InputError(f"emotion data audit ended with {code}")
        write_atomic(path, (work / "audit/audit.csv").read_bytes())
    return read_list(path)


def of_reason(rows: list[dict[str, str]], reason: str) -> list[dict[str, str]]:
    """Return the rows that are listed for a reason."""
    return [row for row in rows if row["reason"] == reason]


def measure(data: DataConfig, work: Path) -> dict[str, Any]:
    """Do all of it, and return what the file holds."""
    other = ("--rank", RANKS[1], *FOUND)
    by_other = audited(data, work, "found-by-other-rank.csv", *other)
    found = audited(data, work, "found-by-audit.csv", *FOUND)
    listed = audited(data, work, "listed-by-audit.csv")
    record = read_json(work / "audit/audit.json")
    faces = load(data).split("train")
    votes = all_votes(Path(data.data) / FILE_NAME)[: len(faces)]
    by_reason = {reason: of_reason(found, reason) for reason in record["reasons"]}
    own = np.asarray(faces.labels)
    names, more = ([row["file"] for row in rows] for rows in (listed, found))
    ways = exclude_files(names, more, faces, work)
    train_ways(ways, data, work)
    return {
        "command": f"{name_command(__file__)} --data DATA --work WORK",
        "audit_command": "emotion data audit FER2013",
        "found_command": f"emotion data audit FER2013 {' '.join(FOUND)}",
        "data": "FER-2013's training faces with its own labels",
        "out_of_fold": record["out_of_fold"],
        "reasons": record["reasons"],
        "listed": len(listed),
        "labels": judge_labels(by_reason["label"], votes, own),
        "labels_by_other_rank": {
            "rank": RANKS[1],
            "command": f"emotion data audit FER2013 {' '.join(other)}",
            "first": judge_labels(of_reason(by_other, "label"), votes, own)["first"],
        },
        "nonfaces": judge_nonfaces(by_reason["nonface"], votes),
        "recipe": RECIPE,
        "seeds": SEEDS,
        "training": compare_ways(ways, work),
        "drawn": _drawn(work / "drawn.json"),
        "hardware": describe_processor(),
    }


def _drawn(kept: Path) -> dict[str, Any]:
    if not kept.exists():
        write_json(kept, audit_drawn(kept.parent))
    found: dict[str, Any] = read_json(kept)
    return found


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_data("FER-2013 with the votes beside it")
    parser.add_argument("--work", type=Path, required=True, help="folder for trainings")
    parser.add_out()
    options = parser.parse_args(words)
    size = read_preset(RECIPE["preset"])["size"]
    result = measure(DataConfig(options.data, size=size, cache=options.cache), options.work)
    text = json.dumps(result, indent=2) + "\n"
    if options.out:
        write_atomic(options.out, text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
