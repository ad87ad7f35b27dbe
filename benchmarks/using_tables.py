"""Tables of docs about using the detector, each made of the file that a command wrote."""

from typing import Any

from tables import interval

Result = dict[str, Any]


def pasted(result: Result) -> str:
    """Return the table of ``benchmarks/pasted.py``'s file."""
    lines = [
        "| split | faces | missed | false finds | `classify` on the crops | through `detect` "
        "| less `classify` |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result.items():
        low, high = row["missed_ci95"]
        way = row["ways"][row["chosen"]]
        less = [100 * value for value in (way["less_classify"], *way["less_classify_ci95"])]
        lines.append(
            f"| {name} | {row['faces']:,} | {row['missed']:.1%} ({low:.1%}-{high:.1%}) "
            f"| {row['finds_elsewhere'] + row['finds_in_them']} | {interval(row['classify'])} "
            f"| {interval(way)} | {less[0]:+.1f} ({less[1]:+.1f} to {less[2]:+.1f}) points |"
        )
    lines += ["", *_ways(result["validation"]), ""]
    for name, way in result["test"]["ways"].items():
        if name != result["test"]["chosen"]:
            less = [100 * value for value in (way["less_chosen"], *way["less_chosen_ci95"])]
            told = f"{less[0]:+.1f} ({less[1]:+.1f} to {less[2]:+.1f}) points"
            lines += [f"On the test split, {name} less what is used: {told}.", ""]
    commands = ", ".join(f"`{row['command']}`" for row in result.values())
    lines.append(
        f"{commands}: accuracy by FER+'s majority over the faces found, 95 % intervals by "
        "bootstrap over faces. Figures: [docs/results/pasted.json](docs/results/pasted.json)."
    )
    return "\n".join(lines)


def _ways(row: Result) -> list[str]:
    """Return the table of the ways to cut a face out, on one split."""
    lines = [
        f"| cut out (validation, {row['faces']:,} faces) | accuracy | less what is used |",
        "| --- | --- | --- |",
    ]
    for name, way in row["ways"].items():
        less = [100 * value for value in (way["less_chosen"], *way["less_chosen_ci95"])]
        words = f"{less[0]:+.1f} ({less[1]:+.1f} to {less[2]:+.1f}) points"
        used = name == row["chosen"]
        lines.append(f"| {name} | {interval(way)} | {'is used' if used else words} |")
    return lines


def inference(result: Result) -> str:
    """Return the table of ``benchmarks/inference.py``'s file."""
    lines = ["| what | median | least to greatest |", "| --- | --- | --- |"]
    for group in ("cold start", "crops", "picture"):
        for name, row in result[group].items():
            least, most = (1000 * row[key] for key in ("min", "max"))
            lines.append(
                f"| {group}: {name} | {1000 * row['median']:,.1f} ms | {least:,.1f}-{most:,.1f} |"
            )
    if beside := result.get("fer"):
        for name, row in beside["of_32_crops_and_a_picture"].items():
            ratio = "/" in name
            values = [row[key] * (1 if ratio else 1000) for key in ("median", "min", "max")]
            unit = " times" if ratio else " ms"
            lines.append(
                f"| beside fer {beside['version']}: {name} | {values[0]:,.1f}{unit} "
                f"| {values[1]:,.1f}-{values[2]:,.1f} |"
            )
    folder = result["folder"]
    lines.append(
        f"| folder of {folder['pictures']} such pictures, `emotion predict --out` "
        f"| {folder['pictures_per_second']:.1f} pictures/s | |"
    )
    if here := result.get("installation"):
        lines.append(f"| installation, without extras | {here['megabytes']:,.0f} MB | |")
    lines += [
        "",
        f"`{result['command']}`: {result['rounds']} rounds; {result['picture']}; "
        f"{result['hardware']}; onnxruntime {result['onnxruntime']}, Python {result['python']}; "
        f"load of the machine before: {result['load_before']:.1f}. Figures: "
        "[docs/results/inference.json](docs/results/inference.json).",
    ]
    return "\n".join(lines)
