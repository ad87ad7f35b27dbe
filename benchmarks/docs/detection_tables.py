"""The tables of docs about face detection on real images, of ``detection_accuracy.py``'s file."""

from typing import Any

Result = dict[str, Any]

_ORDER = (
    "photos",
    "scenes, 60 px",
    "scenes, 45 px",
    "scenes, 30 px",
    "scenes, 24 px",
    "scenes, 16 px",
)
_PASTED = ("pasted", "small", "filling")


def detection(result: Result) -> str:
    """Return the tables of ``benchmarks/inference/detection_accuracy.py``'s file."""
    used = f"used, {result['threshold']:g}"
    ways = result["ways"]
    kinds = [kind for kind in (*_ORDER, *_PASTED) if kind in ways[used]]
    head = " | ".join(f"{kind} ({ways[used][kind]['faces']})" for kind in kinds)
    faceless = ways[used]["faceless"]["images"]
    lines = [
        f"| method, minimum confidence | {head} | faceless ({faceless} images) |",
        "| --- |" + " --- |" * (len(kinds) + 1),
    ]
    for name, row in ways.items():
        cells = [_cell(row[kind]) for kind in kinds]
        words = name.replace("one look at", "one pass at")
        words = f"**{words}**" if name == used else words
        lines.append(f"| {words} | {' | '.join(cells)} | +{row['faceless']['false_finds']} |")
    lines += ["", *_times(result), "", _source(result)]
    return "\n".join(lines)


def _cell(row: Result) -> str:
    return f"{row['recall']:.1%}, +{row['false_finds']}"


def _times(result: Result) -> list[str]:
    times = result["times"]
    if not times:
        return ["Times were not taken."]
    names = list(next(iter(times.values()))["ms"])
    lines = [
        f"| processor ms (ratio to before) | {' | '.join(names).replace('look', 'pass')} |",
        "| --- |" + " --- |" * len(names),
    ]
    for kind, row in times.items():
        cells = [f"{row['ms'][name]:.0f} ({row['ratio'][name]:.2f})" for name in names]
        lines.append(f"| {kind} ({row['images']}) | {' | '.join(cells)} |")
    return lines


def _source(result: Result) -> str:
    return (
        f"`{result['command']}`: recall, then + false positives; in brackets the number of faces. "
        f"*used* adds second passes; detections from {result['certain']:g} on are "
        "certain. Scenes are 1920 x 1080; pasted faces are crops without a head. Times: medians; "
        f"{result['hardware']}, one thread, onnxruntime {result['onnxruntime']}; load of the "
        f"machine before: {result.get('load_before', 'unknown')}. Results: "
        "[docs/results/detection.json](docs/results/detection.json)."
    )
