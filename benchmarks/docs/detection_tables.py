"""Face detection on real images, and other ways to detect."""

from typing import Any

from benchmarks.common import format_spread

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


_SETS = ("pasted", "small", "filling")

_WORDS = {
    "320": "detection size 320",
    "480": "detection size 480",
    "640": "**detection size 640, in use**",
    "960": "detection size 960",
    "coarser resampling": "downscaling by block means first",
    "JPEG at half": "JPEG decoded at half size",
    "int8 static": "8 bits",
    "int8 static, float heads": "8 bits, last convolutions in float",
}


def detector_ways(result: Result) -> str:
    """Return the tables of ``benchmarks/inference/detector_comparison.py``'s file."""
    about = result["about_times"]
    photographs = result.get("photographs", {})
    counts = {tuple(row["faces"]) for row in photographs.values()}
    words = ""
    if len(counts) == 1:
        words = f" In the {len(next(iter(counts)))} photos every method finds the same number of "
        words += f"faces: {', '.join(map(str, next(iter(counts))))}."
    pictures = ", ".join(
        f"{row['pictures']} {name}" for name, row in result["ways"][result["used"]].items()
    )
    return "\n".join(
        [
            *_ways(result),
            "",
            *_looks(result),
            "",
            *_threads(result),
            "",
            f"`{result['command']}`: FER-2013's validation faces in {pictures} images; missed "
            f"with Wilson's 95 % interval; threshold {result['threshold']}.{words} Times, by "
            f"the same with `--times`{about['command'].partition(' --rounds')[2][:3]} rounds: one "
            "image of 1920 x 1080 with three faces, median (minimum-maximum); "
            f"{about['hardware']}, onnxruntime {about['onnxruntime']}; load of the machine before: "
            f"{about['load_before']:.1f}, hence processor time where there is one "
            "thread. Results: [docs/results/detector_ways.json](docs/results/detector_ways.json).",
        ]
    )


def _ways(result: Result) -> list[str]:
    lines = [
        "| method | processor ms | missed: pasted | small | filling | lost, gained "
        "| false positives |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result["ways"].items():
        time = result["times"].get(name)
        lines.append(
            f"| {_WORDS[name]} | {format_spread(time['processor'], 1, 1000) if time else ''} "
            f"| {_missed(row)} | {_beside(row)} | {_false(row)} |"
        )
    return lines


def _looks(result: Result) -> list[str]:
    times = result["times_of_looks"]
    cost = {
        "all three": ("first", "close", "larger"),
        "first and close": ("first", "close"),
        "first and larger": ("first", "larger"),
        "first alone": ("first",),
    }
    lines = [
        "| passes | processor ms, no face | missed: pasted | small | filling "
        "| lost, gained | false positives |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result["looks"].items():
        time = 1000 * sum(times[look]["median"] for look in cost[name])
        lines.append(f"| {name} | {time:.1f} | {_missed(row)} | {_beside(row)} | {_false(row)} |")
    return lines


def _threads(result: Result) -> list[str]:
    times, used = result["times"], result["used"]
    lines = [
        "| time of one pass, and of its parts | wall ms | processor ms |",
        "| --- | --- | --- |",
    ]
    for name in (
        used,
        f"{used}, 2 threads",
        f"{used}, 2 threads, no spinning",
        f"{used}, graph not optimised",
        "int8 static, 2 threads",
        "int8 dynamic",
        *(name for name in times if name.startswith(("network", "decode"))),
    ):
        row = times[name]
        clock, own = (format_spread(row[kind], 1, 1000) for kind in ("clock", "processor"))
        words = name.replace("int8", "8 bits,").replace("8 bits, static,", "8 bits,")
        words = words.replace("picture(s)", "image(s)")
        lines.append(f"| {words} | {clock} | {own} |")
    return lines


def _missed(row: Result) -> str:
    cells = []
    for name in _SETS:
        low, high = row[name]["missed_ci95"]
        cells.append(f"{row[name]['missed']:.1%} ({low:.1%}-{high:.1%})")
    return " | ".join(cells)


def _beside(row: Result) -> str:
    lost, gained = (sum(row[name][what] for name in _SETS) for what in ("lost", "gained"))
    return f"{lost}, {gained}"


def _false(row: Result) -> int:
    return sum(found["false_finds"] for found in row.values())
