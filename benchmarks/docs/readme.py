"""Rewrite the figures in README and docs from the files that commands wrote.

    python -m benchmarks.docs.readme            # rewrite
    python -m benchmarks.docs.readme --check    # exit code 1 when a page says something else

Between ``<!-- results: NAME -->`` and ``<!-- end of results: NAME -->`` stands what the table's
file says, and nothing else.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import (
    ROOT,
    Parser,
    read_json,
    report_errors,
)
from benchmarks.docs import (
    audit_tables,
    detection_tables,
    inference_tables,
    model_tables,
    robustness_tables,
    serving_tables,
    training_tables,
)
from benchmarks.training import seeds
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic

RECORD = "src/emotion_detection/pretrained/record.json"

TABLES: dict[str, tuple[str, Callable[..., str]]] = {
    "shipped": (RECORD, model_tables.shipped),
    "shipped-short": (RECORD, model_tables.shipped_short),
    "shipped-classes": (RECORD, model_tables.shipped_classes),
    "latency": ("docs/results/latency.json", inference_tables.latency),
    "latency-views": ("docs/results/latency_views.json", inference_tables.latency_views),
    "agreement": ("docs/results/agreement.json", model_tables.agreement),
    "drawn": ("docs/results/drawn.json", training_tables.drawn),
    "presets": ("docs/results/presets.json", training_tables.presets),
    "preset-curves": ("docs/results/preset_curves.json", training_tables.preset_curves),
    "finetune": ("docs/results/finetune.json", training_tables.finetune),
    "time-to-accuracy": ("docs/results/time_to_accuracy.json", training_tables.time_to_accuracy),
    "baseline": ("docs/results/baseline.json", seeds.markdown),
    "training": ("docs/results/training.json", training_tables.speed),
    "corrupt-cost": ("docs/results/corrupt_cost.json", training_tables.corrupt_cost),
    "robustness": ("docs/results/robustness.json", robustness_tables.robustness),
    "robust-training": ("docs/results/robust_training.json", robustness_tables.robust_training),
    "robust-third-test": ("docs/results/robust_third_record.json", model_tables.candidate),
    "pasted": ("docs/results/pasted.json", inference_tables.pasted),
    "inference": ("docs/results/inference.json", inference_tables.inference),
    "against": ("docs/results/against.json", inference_tables.against),
    "commands-against": (
        "docs/results/commands_against.json",
        inference_tables.commands_against,
    ),
    "detection": ("docs/results/detection.json", detection_tables.detection),
    "detector-ways": ("docs/results/detector_ways.json", detection_tables.detector_ways),
    "many": ("docs/results/many.json", inference_tables.many),
    "serving": ("docs/results/serving.json", serving_tables.serving),
    "audit": ("docs/results/audit.json", audit_tables.labels),
    "audit-ranks": ("docs/results/audit.json", audit_tables.ranks),
    "audit-drawn": ("docs/results/audit.json", audit_tables.drawn),
    "audit-training": ("docs/results/audit.json", audit_tables.training),
    "page": ("docs/results/page.json", serving_tables.page),
    "page-sizes": ("docs/results/page.json", serving_tables.page_sizes),
    "bombs": ("docs/results/bombs.json", serving_tables.bombs),
    "attempts": ("docs/results/attempts.json", serving_tables.attempts),
    "reliability": ("docs/results/reliability.json", serving_tables.reliability),
}
"""Each table's file and how it is made of it."""

MORE_FILES = {
    "robust-training": ("docs/results/robust_second.json", "docs/results/robust_third.json"),
    "robust-third-test": (RECORD,),
}
"""Further files of a table: arguments of its function after the first."""

PAGES = (
    "README.md",
    "docs/results.md",
    "docs/results-training.md",
    "docs/results-detection.md",
    "docs/results-speed.md",
    "docs/training.md",
    "docs/robustness.md",
    "docs/serving.md",
    "docs/audit.md",
    "docs/page.md",
    "docs/reliability.md",
)


def rewritten(text: str, root: Path, page: str = "README.md") -> str:
    """Return a Markdown text with every block as its file says.

    Args:
        text: with the marks of tables.
        root: folder that the tables' files lie below.
        page: where the text stands: links in tables start from there.

    Raises:
        InputError: a block that does not end, or of no known table; or a file is missing.
    """
    for name in re.findall(r"<!-- results: ([\w-]+) -->", text):
        if name not in TABLES:
            raise InputError(f"{page}: no table {name}; there are {', '.join(TABLES)}")
        place, table = TABLES[name]
        results = [read_json(root / one) for one in (place, *MORE_FILES.get(name, ()))]
        first, last = f"<!-- results: {name} -->\n", f"\n<!-- end of results: {name} -->"
        before, _, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not closed:
            raise InputError(f"{page}: the block <!-- results: {name} --> has no end")
        block = table(*results)
        up = "../" * page.count("/")
        block = re.sub(r"\]\((docs|src)/", rf"]({up}\1/", block)
        text = before + first + block + last + after
    return text


@report_errors
def main(words: list[str] | None = None) -> int:
    """Rewrite the pages, or check them."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(words)
    different = False
    for name in PAGES:
        page = ROOT / name
        before = page.read_text(encoding="utf-8")
        after = rewritten(before, ROOT, name)
        different |= after != before
        if not options.check:
            write_atomic(page, after)
    return int(options.check and different)


if __name__ == "__main__":
    sys.exit(main())
