"""Rewrite the figures in README and docs from the files that commands wrote.

    python benchmarks/readme.py            # rewrite
    python benchmarks/readme.py --check    # exit code 1 when a page says something else

Between ``<!-- results: NAME -->`` and ``<!-- end of results: NAME -->`` stands what the table's
file says, and nothing else.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audit_tables
import detection_tables
import detector_tables
import page_tables
import reliability_tables
import robust_tables
import robustness_table
import seeds
import serving_tables
import tables
import using_tables
from emotion_detection.io.files import write_atomic

ROOT = Path(__file__).resolve().parents[1]


def speed(result: dict[str, Any]) -> str:
    """Return the table of ``benchmarks/training.py``'s file."""
    lines = ["| way | seconds per epoch | faces/s | peak MiB |", "| --- | --- | --- | --- |"]
    for name, row in result["ways"].items():
        worker = row.get("worker_memory_mib")
        memory = f"{row['memory_mib']['median']:.0f}"
        memory += f" + 2 x {worker['median']:.0f}" if worker else ""
        lines.append(
            f"| ({name}) {row['what']} | {_spread(row['seconds'], 1)} "
            f"| {row['faces_per_second']['median']:.0f} | {memory} |"
        )
    save, cost = (_spread(result["ratios"][name], 2) for name in ("a/b", "b/c"))
    lines += [
        "",
        f"`{result['command']}`: {result['faces']:,} faces per epoch, {result['rounds']} rounds, "
        f"median (minimum-maximum): a/b {save}, b/c {cost}; {result['processor']}, "
        f"{result['cores']} cores, no GPU; torch {result['torch']}. Results: "
        "[docs/results/training.json](docs/results/training.json).",
    ]
    return "\n".join(lines)


def _spread(values: dict[str, Any], digits: int) -> str:
    median, least, most = (f"{values[name]:.{digits}f}" for name in ("median", "min", "max"))
    return f"{median} ({least}-{most})"


RECORD = "src/emotion_detection/pretrained/record.json"

TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "shipped": (RECORD, tables.shipped),
    "shipped-short": (RECORD, tables.shipped_short),
    "shipped-classes": (RECORD, tables.shipped_classes),
    "shipped-calibration": (RECORD, tables.shipped_calibration),
    "shipped-intensity": (RECORD, tables.shipped_intensity),
    "latency": ("docs/results/latency.json", tables.latency),
    "latency-views": ("docs/results/latency_views.json", tables.latency),
    "agreement": ("docs/results/agreement.json", tables.agreement),
    "drawn": ("docs/results/drawn.json", tables.drawn),
    "presets": ("docs/results/presets.json", tables.presets),
    "preset-curves": ("docs/results/preset_curves.json", tables.preset_curves),
    "finetune": ("docs/results/finetune.json", tables.finetune),
    "time-to-accuracy": ("docs/results/time_to_accuracy.json", tables.time_to_accuracy),
    "baseline": ("docs/results/baseline.json", seeds.markdown),
    "training": ("docs/results/training.json", speed),
    "robustness": ("docs/results/robustness.json", robustness_table.robustness),
    "robust-training": ("docs/results/robust_training.json", robust_tables.robust_training),
    "robust-second": ("docs/results/robust_second.json", robust_tables.robust_second),
    "pasted": ("docs/results/pasted.json", using_tables.pasted),
    "inference": ("docs/results/inference.json", using_tables.inference),
    "against": ("docs/results/against.json", using_tables.against),
    "detection": ("docs/results/detection.json", detection_tables.detection),
    "detector-ways": ("docs/results/detector_ways.json", detector_tables.detector_ways),
    "many": ("docs/results/many.json", using_tables.many),
    "serving": ("docs/results/serving.json", serving_tables.serving),
    "audit": ("docs/results/audit.json", audit_tables.labels),
    "audit-ranks": ("docs/results/audit.json", audit_tables.ranks),
    "audit-drawn": ("docs/results/audit.json", audit_tables.drawn),
    "audit-training": ("docs/results/audit.json", audit_tables.training),
    "page": ("docs/results/page.json", page_tables.page),
    "page-sizes": ("docs/results/page.json", page_tables.page_sizes),
    "bombs": ("docs/results/bombs.json", reliability_tables.bombs),
    "attempts": ("docs/results/attempts.json", reliability_tables.attempts),
    "reliability": ("docs/results/reliability.json", reliability_tables.reliability),
}
"""Each table's file and how it is made of it."""

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
        ValueError: a block that does not end, or of no known table.
        OSError: a file is missing.
    """
    for name in re.findall(r"<!-- results: ([\w-]+) -->", text):
        if name not in TABLES:
            raise ValueError(f"no table {name}; there are {', '.join(TABLES)}")
        place, table = TABLES[name]
        first, last = f"<!-- results: {name} -->\n", f"\n<!-- end of results: {name} -->"
        before, _, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not closed:
            raise ValueError(f"the block <!-- results: {name} --> has no end")
        block = table(json.loads((root / place).read_text(encoding="utf-8")))
        up = "../" * page.count("/")
        block = re.sub(r"\]\((docs|src)/", rf"]({up}\1/", block)
        text = before + first + block + last + after
    return text


def main(words: list[str] | None = None) -> int:
    """Rewrite the pages, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(words)
    different = False
    for name in PAGES:
        page = ROOT / name
        try:
            before = page.read_text(encoding="utf-8")
            after = rewritten(before, ROOT, name)
            different |= after != before
            if not options.check:
                write_atomic(page, after)
        except (ValueError, OSError, KeyError) as error:
            print(f"readme.py: {name}: {error}", file=sys.stderr)
            return 2
    return int(options.check and different)


if __name__ == "__main__":
    sys.exit(main())
