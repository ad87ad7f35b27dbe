"""The table of docs/page.md, made of ``benchmarks/serving/browser_page.py``'s file."""

from collections.abc import Callable
from typing import Any

Result = dict[str, Any]

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
