"""The server, the page in the browser, kills and hostile images."""

from collections.abc import Callable
from typing import Any

Result = dict[str, Any]

_RETRIES = {
    "256 clients, back after 1 s": "256 clients, retrying after 1 s",
    "256 clients, back at once": "256 clients, retrying immediately",
}


def serving(result: Result) -> str:
    """Return the tables, and what they were measured on."""
    packages = result["packages"]
    speed_ups = " and ".join(name for name in ("httptools", "uvloop") if packages[name])
    commands = {part["command"] for part in result.values() if "command" in part}
    loads = [part["load_before"] for part in result.values() if "load_before" in part]
    return "\n".join(
        [
            *_rates(result),
            "",
            *_rest(result),
            "",
            f"{', '.join(f'`{command}`' for command in sorted(commands))}: {result['hardware']}, "
            f"shared by server and client; Python {result['python']}, onnxruntime "
            f"{packages['onnxruntime']}, FastAPI {packages['fastapi']}, uvicorn "
            f"{packages['uvicorn']} with {speed_ups or 'neither httptools nor uvloop'}; "
            f"load of the machine before a part: {min(loads):.1f} to {max(loads):.1f}. Results: "
            "[docs/results/serving.json](docs/results/serving.json).",
        ]
    )


def _rates(result: Result) -> list[str]:
    lines = [
        "| request | clients | answers/s | p50 | p95 | p99 | server CPU per answer |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part, name in (("crops", "crops"), ("photographs", "images, 1920 x 1080")):
        for clients, row in result[part]["figures"].items():
            lines.append(
                f"| {name} | {clients} | {row['per_second']:,.0f} | {_ms(row, '')} "
                f"| {row['server_cpu_ms']:,.1f} ms |"
            )
    return lines


def _ms(row: Result, prefix: str) -> str:
    return " | ".join(f"{row[f'{prefix}p{percent}_ms']:,.1f} ms" for percent in (50, 95, 99))


def _rest(result: Result) -> list[str]:
    lines = ["| what | measured |", "| --- | --- |"]
    beside, together = result["predict"]["figures"], result["together"]["figures"]
    lines.append(_beside(beside))
    one, eight = together["ways"].values()
    lines.append(
        f"| crops at 64 clients, batches of up to 8 vs. one by one "
        f"| {together['gain']['median']:.2f} times the answers/s; {eight['server_cpu_ms']:.2f} ms "
        f"of CPU vs. {one['server_cpu_ms']:.2f} ms |"
    )
    for name, row in result["overload"]["figures"].items():
        lines.append(f"| images, queue of 64, {_RETRIES.get(name, name)} | {_overload(row)} |")
    slow = result["slow"]["figures"]
    lines.append(
        f"| crops at 16 clients beside {slow['slow_clients']} slow ones, vs. alone "
        f"| {slow['beside_slow_ones']['per_second']:,.0f} vs. {slow['alone']['per_second']:,.0f} "
        f"answers/s; of the slow ones {slow['slow_ones_cut_off']['count']} cut off within "
        f"{slow['slow_ones_cut_off']['longest_s']:.1f} s (`--body_timeout` "
        f"{slow['body_timeout_s']}) |"
    )
    damaged, memory = result["damaged"]["figures"], result["memory"]["figures"]
    statuses = ", ".join(f"{count:,} x {name}" for name, count in damaged["statuses"].items())
    lines.append(
        f"| {damaged['bodies']:,} damaged bodies | {damaged['failures']} failures ({statuses}) |"
    )
    steps = memory["megabytes"]
    lines.append(
        f"| memory over {memory['requests']:,} requests | {steps[0]:.0f} MB after a tenth of them, "
        f"{steps[-1]:.0f} MB after all |"
    )
    stops = result["stop"]["figures"]
    accepted, whole = (sum(row[name] for row in stops) for name in ("accepted", "received_whole"))
    lines.append(
        f"| SIGTERM amid 64 clients, {len(stops)} times | {accepted:,} requests accepted, "
        f"{whole:,} complete answers received, {sum(row['cut'] for row in stops)} cut; exit code "
        f"{', '.join(sorted({str(row['exit_code']) for row in stops}))} |"
    )
    return lines


def _beside(beside: Result) -> str:
    predict, serve = (row["median"] for row in beside["pictures_per_second"].values())
    return (
        "| images, `emotion serve` vs. `emotion predict` "
        f"| {beside['share']['median']:.0%}: {serve:.1f} vs. {predict:.1f} images/s "
        f"({beside['rounds']} rounds, in turn) |"
    )


def _overload(row: Result) -> str:
    statuses = row["statuses"]
    text = f"{row['per_second']:.1f} answers/s, p50 {row['p50_ms'] / 1000:.2f} s, p99 "
    text += f"{row['p99_ms'] / 1000:.2f} s"
    if "503" not in statuses:
        return f"{text}; none rejected"
    return f"{text}; {statuses['503']:,} rejected, p50 {row['refused_p50_ms']:,.0f} ms"


_ROWS = {
    "first_answer_s": (
        "first answer for a synthetic face, networks loaded locally",
        "s",
        1,
    ),
    "picture_s": ("image of 1920 x 1080 with three faces, until it is shown", "s", 2),
    "frames_per_s": ("camera, 640 x 480, one face, detection at 320 pixels", "frames/s", 1),
    "processor_ms_per_frame": ("processor time of the camera, whole browser", "ms per frame", 0),
}


def page(result: Result) -> str:
    """Return the table, and what it was measured on."""
    lines = ["| | median (minimum-maximum) |", "| --- | --- |"]
    for name, (words, unit, digits) in _ROWS.items():
        value = result["figures"][name]
        median, least, most = (
            f"{value[key]:.{digits}f}" for key in ("median", "least", "greatest")
        )
        lines.append(f"| {words} | {median} ({least}-{most}) {unit} |")
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} browsers in turn, {result['browser']}, "
        f"{result['hardware']}; load of the machine before and after "
        f"{result['load_before'][0]:.1f} and {result['load_after'][0]:.1f}. Results: "
        "[docs/results/page.json](docs/results/page.json).",
    ]
    return "\n".join(lines)


def page_sizes(result: Result) -> str:
    """Return what a browser loads, in MB."""
    groups: dict[str, Callable[[str], bool]] = {
        "WebAssembly of onnxruntime": lambda name: name.endswith(".wasm"),
        "face detector": lambda name: name == "models/centerface.onnx",
        "classifier": lambda name: name == "models/model.onnx",
        "scripts and styles": lambda name: name.endswith((".js", ".mjs", ".css", ".html")),
        "samples": lambda name: name.startswith("samples/"),
    }
    sizes = result["bytes"]
    lines = ["| part | MB |", "| --- | --- |"]
    for words, belongs in groups.items():
        total = sum(size for name, size in sizes.items() if belongs(name))
        lines.append(f"| {words} | {total / 1e6:.2f} |")
    lines.append(f"| total | {sum(sizes.values()) / 1e6:.2f} |")
    return "\n".join(lines)


def reliability(result: Result) -> str:
    """Return how often each command was killed, and what came of it."""
    lines = [
        "| command | kills | failures | processes left behind | slowest to end "
        "| temporary files left |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{name}` | {own['kills']:,} | {own['failures']:,} | {own['left_behind']:,} "
        f"| {own.get('slowest_end_seconds', 0):.1f} s | {own['temporary_files']:,} |"
        for name, own in result["total"].items()
    ]
    seeds = sorted({line["seed"] for line in result["calls"]})
    lines += [
        "",
        f"`{result['command']}`, seeds {', '.join(map(str, seeds))}. Results: "
        "[docs/results/reliability.json](docs/results/reliability.json).",
    ]
    return "\n".join(lines)


def attempts(result: Result) -> str:
    """Return how often each promise is tried by tests, and by benchmarks."""
    lines = [
        "| promise | test cases | drawn examples | measured | failures measured |",
        "| --- | --- | --- | --- | --- |",
    ]
    for promise, found in result["promises"].items():
        examples = f"{found['examples']:,}" if found["examples"] else ""
        measured = failures = ""
        if own := found.get("measured"):
            file = f"docs/results/{own['file']}"
            measured = f"{own['attempts']:,} {own['what']} ([{own['file']}]({file}))"
            failures = f"{own['failures']:,}"
        lines.append(f"| {promise} | {found['cases']:,} | {examples} | {measured} | {failures} |")
    lines += [
        "",
        f"`{result['command']}`. Results: "
        "[docs/results/attempts.json](docs/results/attempts.json).",
    ]
    return "\n".join(lines)


def bombs(result: Result) -> str:
    """Return the latency of small requests beside each kind of image, and the memory."""
    lines = [
        "| beside | answers | that request, p50 | small crops, p50 | p99 | longest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in result["latency"]["beside"].items():
        crops, bomb = found["crops"], found.get("bomb")
        own = f"{', '.join(map(str, bomb['statuses']))} | {bomb['p50_ms']:,} ms" if bomb else " | "
        lines.append(
            f"| {name} | {own} | {crops['p50_ms']:,} ms | {crops['p99_ms']:,} ms "
            f"| {crops['max_ms']:,} ms |"
        )
    memory, machine = result["memory"], result["machine"]
    lines += [
        "",
        f"Memory of the server over {memory['requests']:,} requests (crops, images of 25 "
        f"megapixels, and the above): {memory['after_ten_mb']:,} MB after ten, "
        f"{memory['after_all_mb']:,} MB after all, {memory['peak_mb']:,} MB at its peak.",
        "",
        f"`{result['command']}`: {machine['processor']}, {machine['cores']} cores (load "
        f"before: {result['latency']['load']:.1f}, {memory['load']:.1f}); "
        f"Pillow {machine['pillow']}, onnxruntime {machine['onnxruntime']}. Results: "
        "[docs/results/bombs.json](docs/results/bombs.json).",
    ]
    return "\n".join(lines)
