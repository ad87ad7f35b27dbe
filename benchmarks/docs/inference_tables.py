"""Speed of classification and detection, pasted faces, many images."""

import re
from typing import Any

from benchmarks.common import NO_CLASS_MEANS, format_metrics, format_spread

Result = dict[str, Any]


def latency(result: Result) -> str:
    """Return the table of ``benchmarks/inference/latency.py``'s file."""
    lines = ["| what | median ms (5th to 95th percentile) |", "| --- | --- |"]
    lines += [f"| {name} | {_percentiles(row)} |" for name, row in result["figures"].items()]
    lines += [
        "",
        f"`{result['command']}`: random pixels, {result['rounds']} rounds; {result['hardware']}, "
        f"onnxruntime {result['onnxruntime']}. [latency.json](docs/results/latency.json).",
    ]
    return "\n".join(lines)


def latency_views(result: Result) -> str:
    """Return the time of one, two and four views in a sentence."""
    one, two, four = (
        _percentiles(result["figures"][f"classify, 1 face{views}"])
        for views in ("", ", 2 views", ", 4 views")
    )
    return (
        f"On a slower machine, `classify` of one face takes {one} ms with one view, {two} with "
        f"two and {four} with four (`{result['command']}`: {result['rounds']} rounds; "
        f"{result['hardware']}; [latency_views.json](docs/results/latency_views.json))."
    )


def _percentiles(row: Result) -> str:
    return f"{row['median_ms']:.2f} ({row['p05_ms']:.2f}-{row['p95_ms']:.2f})"


def pasted(result: Result) -> str:
    """Return the table of ``benchmarks/inference/pasted_faces.py``'s file."""
    lines = [
        "| split (faces) | missed | false positives | `classify` on the crops | `detect` "
        "| difference, points |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result.items():
        low, high = row["missed_ci95"]
        way = row["ways"][row["chosen"]]
        lines.append(
            f"| {name} ({row['faces']:,}) | {row['missed']:.1%} ({low:.1%}-{high:.1%}) "
            f"| {row['finds_elsewhere'] + row['finds_in_them']} "
            f"| {format_metrics(row['classify'])} | {format_metrics(way)} "
            f"| {_format_points(way, 'less_classify')} |"
        )
    known = all("macro_f1" in row["classify"] for row in result.values())
    lines += [
        "",
        *_crops(result),
        "",
        f"`{result['test']['command']}`, also with `--split validation`: accuracy by FER+'s "
        "majority over the detected faces, 95 % intervals by bootstrap over faces. All crops: "
        f"[pasted.json](docs/results/pasted.json).{'' if known else NO_CLASS_MEANS}",
    ]
    return "\n".join(lines)


def _crops(result: Result) -> list[str]:
    """Return the best size of each kind of crop, less the crop in use."""
    validation, test = (result[name]["ways"] for name in ("validation", "test"))
    chosen = result["validation"]["chosen"]
    best: dict[str, str] = {}  # by kind, as "box, turned"
    for name in sorted(validation, key=lambda name: -float(validation[name]["accuracy"])):
        best.setdefault(re.sub(r" x [\d.]+", "", name), name)
    lines = ["| crop, best size | validation | on test |", "| --- | --- | --- |"]
    for name in best.values():
        cells = [
            "in use" if name == chosen else _format_points(ways[name], "less_chosen")
            for ways in (validation, test)
            if name in ways
        ]
        lines.append(f"| {name} | {' | '.join([*cells, '', ''][:2])} |")
    return lines


def against(result: Result) -> str:
    """Return the ratios of ``benchmarks/inference/compare_commits.py``'s file in a sentence."""
    ratios = "; ".join(
        f"{row['ratio']:.2f} ({row['ratio_ci95'][0]:.2f}-{row['ratio_ci95'][1]:.2f}) for {name}"
        for name, row in result["parts"].items()
    )
    return (
        f"Processor time relative to commit {result['commit']}: {ratios} "
        f"(`{result['command']}`: medians of {result['rounds']} rounds in turns, "
        f"95 % intervals, one thread; {result['processor']}, {result['cores']} cores, onnxruntime "
        f"{result['onnxruntime']}; [against.json](docs/results/against.json))."
    )


def commands_against(result: Result) -> str:
    """Return the table of ``benchmarks/release/compare_commands.py``'s file."""
    lines = [
        f"| command | {result['commit']}, s | this version, s | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for name, row in result["parts"].items():
        seconds = (f"{row[f'{tree}_seconds']['median']:.1f}" for tree in ("older", "newer"))
        lines.append(f"| {name} | {' | '.join(seconds)} | {format_spread(row['ratio'], 2)} |")
    lines += [
        "",
        f"`{result['command']}`: processor time, median of {result['rounds']} rounds in turns, "
        "ratios within a round (minimum-maximum), one thread; the command says what each row does; "
        f"{result['processor']}, {result['cores']} cores. "
        "[commands_against.json](docs/results/commands_against.json).",
    ]
    return "\n".join(lines)


def _format_points(row: Result, name: str) -> str:
    value, low, high = (100 * value for value in (row[name], *row[f"{name}_ci95"]))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def inference(result: Result) -> str:
    """Return the table of ``benchmarks/inference/stages.py``'s file."""
    starts, crops, image = (result[name] for name in ("cold start", "crops", "picture"))
    stages = ("decode", "detect", "align", "classify")
    rows = {
        "cold start of `import emotion_detection`": starts["import emotion_detection"],
        "cold start of `emotion predict one.jpg`": starts["emotion predict one.jpg"],
        **{f"crops: {name}": crops[name] for name in ("1 face, 1 thread", "256 faces, 2 threads")},
        **{f"image: {name}": image[name] for name in stages},
        "image: all": image["whole picture"],
    }
    lines = ["| what | median (minimum-maximum) |", "| --- | --- |"]
    lines += [f"| {words} | {format_spread(row, 1, 1000)} ms |" for words, row in rows.items()]
    if beside := result.get("fer"):
        for name, words in (("picture", "such an image"), ("crops", "32 crops")):
            ratio = format_spread(beside["of_32_crops_and_a_picture"][f"{name}: fer/ours"], 1)
            version = beside["version"]
            lines.append(f"| {words}: fer {version} relative to this project | {ratio} times |")
    folder = result["folder"]
    lines.append(
        f"| folder of {folder['pictures']} such images, `emotion predict --out` "
        f"| {folder['pictures_per_second']:.1f} images/s, once |"
    )
    if here := result.get("installation"):
        without = " and ".join(n for n in ("torch", "cv2") if n not in here["of_torch_and_cv2"])
        lines.append(f"| installation, without {without} | {here['megabytes']:,.0f} MB |")
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} rounds; an image is a JPEG of 1920 x 1080 with "
        "three faces; one thread except for the rows with fer (its Haar cascade); "
        f"{result['hardware']}, onnxruntime {result['onnxruntime']}, Python {result['python']}. "
        "More rows: [inference.json](docs/results/inference.json).",
    ]
    return "\n".join(lines)


def many(result: Result) -> str:
    """Return the table of ``benchmarks/inference/many_images.py``'s file."""
    once, killed = result["in_one_go"], result["killed"]
    rows = {
        "`emotion predict --crops --out`, images/s": (once["pictures_per_second"], 0),
        "reading and classifying alone, images/s": (
            result["by_its_parts"]["pictures_per_second"],
            0,
        ),
        "fraction of that rate": (result["share_of_its_parts"], 2),
        "seconds in total": (once["seconds"], 1),
    }
    lines = [
        f"| {result['pictures'].replace('drawn', 'synthetic')} | median (minimum-maximum) |",
        "| --- | --- |",
    ]
    lines += [
        f"| {words} | {format_spread(row, digits)} |" for words, (row, digits) in rows.items()
    ]
    kept = " and ".join(map(str, killed["shards_done_when_killed"]))
    right = killed["each_once"] and killed["same_to_the_byte"] and not killed["exit"]
    lines += [
        "",
        f"Memory of all processes: at most {max(once['memory_mib'].values()):.0f} MiB. Killed "
        f"(SIGKILL) when {kept} of {killed['shards']} shards were done, the same command again "
        + (
            "gave each row once, and a byte-identical table."
            if right
            else "did NOT give each once."
        )
        + f" `{result['command']}`: {result['rounds']} rounds, {result['workers']} workers; "
        f"{result['hardware']}. [many.json](docs/results/many.json).",
    ]
    return "\n".join(lines)
