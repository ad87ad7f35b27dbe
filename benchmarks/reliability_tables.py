"""The tables of docs/reliability.md, made of the files of its benchmarks."""

from typing import Any

Result = dict[str, Any]


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
        f"before: {result['latency']['load']}, {memory['load']}); Pillow {machine['pillow']}, "
        f"onnxruntime {machine['onnxruntime']}. Results: "
        "[docs/results/bombs.json](docs/results/bombs.json).",
    ]
    return "\n".join(lines)
