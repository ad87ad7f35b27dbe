"""Rewrite the figures in README from the files that commands wrote.

    python benchmarks/readme.py            # rewrite
    python benchmarks/readme.py --check    # exit code 1 when README says something else

Between ``<!-- results: NAME -->`` and ``<!-- end of results: NAME -->`` stands what the file
``docs/results/NAME.json`` says, and nothing else.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import seeds
from emotion_detection.files import write_whole

ROOT = Path(__file__).resolve().parents[1]


def speed(result: dict[str, Any]) -> str:
    """Return the table of ``benchmarks/training.py``'s file."""
    lines = ["| way | seconds an epoch | faces/s | peak MiB |", "| --- | --- | --- | --- |"]
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
        f"`{result['command']}`: {result['faces']:,} faces an epoch, {result['rounds']} rounds, "
        f"median (least-greatest): a/b {save}, b/c {cost}; {result['processor']}, "
        f"{result['cores']} cores, no GPU; torch {result['torch']}. Figures: "
        "[docs/results/training.json](docs/results/training.json).",
    ]
    return "\n".join(lines)


def _spread(values: dict[str, Any], digits: int) -> str:
    median, least, most = (f"{values[name]:.{digits}f}" for name in ("median", "min", "max"))
    return f"{median} ({least}-{most})"


TABLES = {"baseline": seeds.markdown, "training": speed}


def rewritten(text: str, results: Path) -> str:
    """Return a Markdown text with every block as its file says.

    Args:
        text: with the marks of every table.
        results: folder of the JSON files.

    Raises:
        ValueError: a block's marks are missing.
        OSError: a file is missing.
    """
    for name, table in TABLES.items():
        first, last = f"<!-- results: {name} -->\n", f"\n<!-- end of results: {name} -->"
        before, opened, rest = text.partition(first)
        _, closed, after = rest.partition(last)
        if not opened or not closed:
            raise ValueError(f"no block <!-- results: {name} --> in the text")
        block = table(json.loads((results / f"{name}.json").read_text(encoding="utf-8")))
        text = before + first + block + last + after
    return text


def main(words: list[str] | None = None) -> int:
    """Rewrite README, or check it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(words)
    try:
        before = options.readme.read_text(encoding="utf-8")
        after = rewritten(before, ROOT / "docs/results")
        if options.check:
            return int(after != before)
        write_whole(options.readme, after)
    except (ValueError, OSError, KeyError) as error:
        print(f"readme.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
