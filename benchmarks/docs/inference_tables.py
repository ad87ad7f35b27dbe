"""Speed of classification and detection, pasted faces, many images."""

from typing import Any

from benchmarks.common import NOT_KEPT, format_accuracy, format_class_means

Result = dict[str, Any]


def latency(result: Result) -> str:
    """Return the table of ``benchmarks/inference/latency.py``'s file."""
    lines = ["| what | median ms | 5th to 95th percentile |", "| --- | --- | --- |"]
    for name, row in result["figures"].items():
        lines.append(
            f"| {name} | {row['median_ms']:.2f} | {row['p05_ms']:.2f} to {row['p95_ms']:.2f} |"
        )
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} rounds, {result['hardware']}, onnxruntime "
        f"{result['onnxruntime']}; load of the machine before: {result['load_before'][0]:.1f}.",
    ]
    return "\n".join(lines)


def pasted(result: Result) -> str:
    """Return the table of ``benchmarks/inference/pasted_faces.py``'s file."""
    lines = [
        "| split | faces | missed | false positives | `classify` on the crops | through `detect` "
        "| minus `classify` | balanced accuracy, macro F1: `classify` | `detect` |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result.items():
        low, high = row["missed_ci95"]
        way = row["ways"][row["chosen"]]
        lines.append(
            f"| {name} | {row['faces']:,} | {row['missed']:.1%} ({low:.1%}-{high:.1%}) "
            f"| {row['finds_elsewhere'] + row['finds_in_them']} "
            f"| {format_accuracy(row['classify'])} | {format_accuracy(way)} "
            f"| {_format_points(way, 'less_classify')} "
            f"| {format_class_means(row['classify'])} | {format_class_means(way)} |"
        )
    lines += ["", *_ways(result["validation"]), ""]
    for name, way in result["test"]["ways"].items():
        if name != result["test"]["chosen"]:
            points = _format_points(way, "less_chosen")
            lines += [f"On the test split, {name} minus the crop in use: {points}.", ""]
    commands = ", ".join(f"`{row['command']}`" for row in result.values())
    lines.append(
        f"{commands}: accuracy by FER+'s majority over the detected faces, 95 % intervals by "
        "bootstrap over faces. Results: [docs/results/pasted.json](docs/results/pasted.json)."
        + ("" if all("macro_f1" in row["classify"] for row in result.values()) else NOT_KEPT)
    )
    return "\n".join(lines)


def against(result: Result) -> str:
    """Return the table of ``benchmarks/inference/compare_commits.py``'s file."""
    lines = [
        f"| part | faces | {result['commit']} | this version | ratio (95 % interval) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in result["parts"].items():
        low, high = row["ratio_ci95"]
        lines.append(
            f"| {name} | {row['faces']['newer']} | {row['older_ms']:.1f} ms "
            f"| {row['newer_ms']:.1f} ms | {row['ratio']:.2f} ({low:.2f}-{high:.2f}) |"
        )
    lines += [
        "",
        f"`{result['command']}`: processor time, medians of {result['rounds']} rounds in turns, "
        f"one thread; {result['processor']}, {result['cores']} cores, shared with other work (load "
        f"{result['load']:.1f}); onnxruntime {result['onnxruntime']}. Results: "
        "[docs/results/against.json](docs/results/against.json).",
    ]
    return "\n".join(lines)


def _format_points(row: Result, name: str) -> str:
    value, low, high = (100 * value for value in (row[name], *row[f"{name}_ci95"]))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f}) points"


def _ways(row: Result) -> list[str]:
    """Return the table of the ways to cut a face out, on one split."""
    lines = [
        f"| crop (validation, {row['faces']:,} faces) | accuracy | minus the crop in use |",
        "| --- | --- | --- |",
    ]
    for name, way in row["ways"].items():
        words = _format_points(way, "less_chosen")
        used = name == row["chosen"]
        lines.append(f"| {name} | {format_accuracy(way)} | {'in use' if used else words} |")
    return lines


def inference(result: Result) -> str:
    """Return the table of ``benchmarks/inference/stages.py``'s file."""
    lines = ["| what | median | minimum to maximum |", "| --- | --- | --- |"]
    for group in ("cold start", "crops", "picture"):
        for name, row in result[group].items():
            faces = int(name.partition(" ")[0]) if group == "crops" else 1
            more = f" ({faces / row['median']:,.0f} faces/s)" if faces > 1 else ""
            what = f"{group}: {name}".replace("picture", "image")
            lines.append(f"| {what} | {_milliseconds(row)}{more} | {_range(row)} |")
    if beside := result.get("fer"):
        for name, row in beside["of_32_crops_and_a_picture"].items():
            ratio = "/" in name
            median = f"{row['median']:.1f} times" if ratio else _milliseconds(row)
            spread = _range(row, 1) if ratio else _range(row)
            what = name.replace("crops", "32 crops").replace("fer/ours", "fer by ours")
            what = what.replace("picture", "image")
            lines.append(f"| beside fer {beside['version']}, {what} | {median} | {spread} |")
    folder = result["folder"]
    lines.append(
        f"| folder of {folder['pictures']} such images, `emotion predict --out`, start included "
        f"| {folder['pictures_per_second']:.1f} images/s | once |"
    )
    if here := result.get("installation"):
        without = " and ".join(n for n in ("torch", "cv2") if n not in here["of_torch_and_cv2"])
        lines.append(
            f"| installation, without extras; without {without} | {here['megabytes']:,.0f} MB | |"
        )
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} rounds; an image is a JPEG of "
        f"1920 x 1080 with three faces, one thread except for the rows with fer; "
        f"{result['hardware']}; onnxruntime {result['onnxruntime']}, Python {result['python']}; "
        f"load of the machine before: {result['load_before']:.1f}."
        + (
            f" fer, which detected faces with OpenCV's Haar cascade (`mtcnn=False`), took "
            f"{beside['fer']['first_answer']:.1f} s to its first answer by its own clock, imports "
            "included."
            if beside
            else ""
        )
        + " Results: [docs/results/inference.json](docs/results/inference.json).",
    ]
    return "\n".join(lines)


def _milliseconds(row: Result) -> str:
    return f"{1000 * row['median']:,.1f} ms"


def _range(row: Result, times: int = 1000, digits: int = 1) -> str:
    return f"{times * row['min']:,.{digits}f}-{times * row['max']:,.{digits}f}"


def many(result: Result) -> str:
    """Return the table of ``benchmarks/inference/many_images.py``'s file."""
    once, killed = result["in_one_go"], result["killed"]
    rates = {
        "`emotion predict --crops --out`": once["pictures_per_second"],
        "the parts alone: two processes that read, classify and keep results in memory": result[
            "by_its_parts"
        ]["pictures_per_second"],
    }
    lines = [
        f"| {result['pictures'].replace('drawn', 'synthetic')} | median | minimum to maximum |",
        "| --- | --- | --- |",
    ]
    for name, row in rates.items():
        lines.append(f"| {name} | {row['median']:,.0f} images/s | {_range(row, 1, 0)} |")
    share = result["share_of_its_parts"]
    lines.append(f"| fraction of the parts' rate | {share['median']:.2f} | {_range(share, 1, 2)} |")
    for name, words in (
        ("seconds", "seconds in total"),
        ("first_shard", "seconds until the first shard is done"),
        ("after_last_shard", "seconds after the last shard: the table"),
    ):
        row = once[name]
        lines.append(f"| {words} | {row['median']:.1f} | {_range(row, 1)} |")
    memory = ", ".join(f"{value:.0f} at {mark}" for mark, value in once["memory_mib"].items())
    kept = " and ".join(map(str, killed["shards_done_when_killed"]))
    right = killed["each_once"] and killed["same_to_the_byte"] and not killed["exit"]
    lines += [
        "",
        f"Killed (SIGKILL to all processes) when {kept} of {killed['shards']} shards were done, "
        f"and the same command again: {killed['rows']:,} rows, "
        + ("each image once, and a byte-identical table." if right else "NOT each once.")
        + f" Memory of all processes together in MiB: {memory} of the work.",
        "",
        f"`{result['command']}`: {result['rounds']} rounds, {result['workers']} workers; "
        f"{result['hardware']}; load of the machine before: {result['load_before']:.1f}. Results: "
        "[docs/results/many.json](docs/results/many.json).",
    ]
    return "\n".join(lines)
