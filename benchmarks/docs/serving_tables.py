"""The table of docs about the server, made of ``benchmarks/serving/load_and_abuse.py``'s file."""

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
                f"| {row['server_cpu_ms']:.2g} ms |"
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
