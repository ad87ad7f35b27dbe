"""Face detection on real images, and other ways to detect."""

from typing import Any

from benchmarks.common import format_spread

Result = dict[str, Any]

_KINDS = {
    "photos": "photos",
    "scenes, 60 px": "60 px",
    "scenes, 30 px": "30 px",
    "scenes, 24 px": "24 px",
    "scenes, 16 px": "16 px",
}


def detection(result: Result) -> str:
    """Return the table of ``benchmarks/inference/detection_accuracy.py``'s file."""
    level, times, ways = result["threshold"], result["times"], result["ways"]
    used = f"used, {level:g}"
    head = " | ".join(f"{words} ({ways[used][kind]['faces']})" for kind, words in _KINDS.items())
    faceless = ways[used]["faceless"]["images"]
    lines = [
        f"| method, minimum confidence | {head} | false positives | in {faceless} faceless images "
        "| processor ms |",
        "| --- |" + " --- |" * (len(_KINDS) + 3),
    ]
    widest = 0.0
    for name, row in ways.items():
        method, _, least = name.partition(", ")
        if least != f"{level:g}" and name not in ("used, 0.2", "used, 0.5"):
            continue
        cells = [f"{row[kind]['recall']:.0%}" for kind in _KINDS]
        widest = max([widest, *(high - low for low, high in _intervals(row))])
        cells.append(str(sum(row[kind]["false_finds"] for kind in row if kind != "faceless")))
        cells.append(str(row["faceless"]["false_finds"]))
        took = [kind["ms"][method] for kind in times.values() if method in kind["ms"]]
        cells.append(", ".join(f"{ms:.0f}" for ms in took) if least == f"{level:g}" else "")
        words = name.replace("one look at", "one pass at").replace("used", "in use")
        lines.append(f"| {f'**{words}**' if name == used else words} | {' | '.join(cells)} |")
    lines += [
        "",
        f"`{result['command']}`: recall (in brackets: number of faces; 95 % intervals are at most "
        f"{100 * widest:.0f} points wide), and false positives in all images with faces. "
        f"Median times: {'; '.join(times)}. {result['hardware']}, one thread, onnxruntime "
        f"{result['onnxruntime']}. Other levels, sizes and pasted faces: "
        "[detection.json](docs/results/detection.json).",
    ]
    return "\n".join(lines)


def _intervals(row: Result) -> list[tuple[float, float]]:
    return [(row[kind]["recall_ci95"][0], row[kind]["recall_ci95"][1]) for kind in _KINDS]


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
    """Return the table of ``benchmarks/inference/detector_comparison.py``'s file."""
    about, used = result["about_times"], result["used"]
    sizes = {name: row["pictures"] for name, row in result["ways"][used].items()}
    lines = [
        f"| method | processor ms | missed: pasted ({sizes['pasted']}) | small ({sizes['small']}) "
        "| lost, gained |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in result["ways"].items():
        time = result["times"].get(name)
        cells = [format_spread(time["processor"], 1, 1000) if time else ""]
        for kind in ("pasted", "small"):
            low, high = row[kind]["missed_ci95"]
            cells.append(f"{row[kind]['missed']:.1%} ({low:.1%}-{high:.1%})")
        lost, gained = (sum(row[kind][what] for kind in _SETS) for what in ("lost", "gained"))
        lines.append(f"| {_WORDS[name]} | {' | '.join(cells)} | {lost}, {gained} |")
    one, two, plain = (
        result["times"][f"{used}{words}"]["clock"]["median"]
        for words in ("", ", 2 threads", ", graph not optimised")
    )
    false = sum(kind["false_finds"] for row in result["ways"].values() for kind in row.values())
    lines += [
        "",
        f"`{result['command']}`, threshold {result['threshold']}, FER-2013's validation faces; "
        f"missed with Wilson's 95 % interval; {false} false positives, also in {sizes['empty']} "
        f"empty images. Times (`--times`): an image of 1920 x 1080 with three faces, median "
        f"(minimum-maximum), one thread; {about['hardware']}, onnxruntime {about['onnxruntime']}. "
        f"By wall clock a pass takes {1000 * one:.1f} ms, with two threads {1000 * two:.1f}, "
        f"without onnxruntime's graph optimization {1000 * plain:.1f}. Passes, parts and faces "
        "that fill the image: [detector_ways.json](docs/results/detector_ways.json).",
    ]
    return "\n".join(lines)
