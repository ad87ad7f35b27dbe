"""How golden files are compared and written: exact, but for numbers that differ between CPUs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PIXELS = 2.0
"""Tolerance of boxes and landmarks."""

TOLERANCE = 0.02
"""Tolerance of other numbers with a fraction, and a hundredth of the value on top."""

_PLACES = re.compile(r"/(box|landmarks)(/|$)|/(x|y|width|height|\w+_x|\w+_y)$")
_DECIMAL = re.compile(r"(\d+\.\d+)")
_WIDTH = 100


def differences(old: Any, new: Any, tolerance: float, at: str = "") -> Iterator[str]:
    """Compare two values of JSON.

    Args:
        old: the value of the golden file.
        new: the value of now.
        tolerance: of numbers with a fraction; 0: none at all.
        at: JSON pointer of the values.

    Yields:
        A line for each difference: pointer, old value, new value.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if key not in new:
                yield f"{below}\n  - {_short(old[key])}\n  + (missing)"
            elif key not in old:
                yield f"{below}\n  - (missing)\n  + {_short(new[key])}"
            else:
                yield from differences(old[key], new[key], tolerance, below)
        if old.keys() == new.keys() and list(old) != list(new):
            yield f"{at}: order of keys\n  - {', '.join(old)}\n  + {', '.join(new)}"
    elif isinstance(old, list) and isinstance(new, list):
        for number in range(max(len(old), len(new))):
            below = f"{at}/{number}"
            if number >= len(new):
                yield f"{below}\n  - {_short(old[number])}\n  + (missing)"
            elif number >= len(old):
                yield f"{below}\n  - (missing)\n  + {_short(new[number])}"
            else:
                yield from differences(old[number], new[number], tolerance, below)
    elif not _are_equal(old, new, tolerance, at):
        yield f"{at}\n  - {_short(old)}\n  + {_short(new)}"


def _are_equal(old: Any, new: Any, tolerance: float, at: str) -> bool:
    if isinstance(old, str) and isinstance(new, str) and tolerance:
        # of text, as a command prints it, every second part is a number with a fraction
        parts, others = _DECIMAL.split(old), _DECIMAL.split(new)
        return parts[::2] == others[::2] and all(
            _are_close(float(one), float(other), tolerance)
            for one, other in zip(parts[1::2], others[1::2], strict=True)
        )
    are_numbers = all(type(value) in (int, float) for value in (old, new))
    if are_numbers and float in (type(old), type(new)) and tolerance:
        return _are_close(old, new, PIXELS if _PLACES.search(at) else tolerance)
    return type(old) is type(new) and bool(old == new)


def _are_close(old: float, new: float, tolerance: float) -> bool:
    return abs(old - new) <= tolerance + abs(old) / 100


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]} ... ({len(text)} characters)"


def write(path: Path, value: Any) -> None:
    """Write a golden file: text as it is, other values as JSON with short ones in one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else f"{_as_text(value)}\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def read(path: Path) -> Any:
    """Read a golden file."""
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".txt" else json.loads(text)


def _as_text(value: Any, indent: str = "") -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _WIDTH or not value or not isinstance(value, dict | list):
        return line
    deeper = f"{indent} "
    if isinstance(value, dict):
        named = ((f"{json.dumps(key, ensure_ascii=False)}: ", own) for key, own in value.items())
        items = [f"{name}{_as_text(own, deeper)}" for name, own in named]
    else:
        items = [_as_text(own, deeper) for own in value]
    inside = _fill(items, deeper) if all(map(_is_short, items)) else f",\n{deeper}".join(items)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{deeper}{inside}\n{indent}{right}"


def _is_short(item: str) -> bool:
    return len(item) < _WIDTH // 2 and "[" not in item and "{" not in item


def _fill(items: list[str], indent: str) -> str:
    """Join short items with as many in a line as fit."""
    lines = [items[0]]
    for item in items[1:]:
        if len(indent) + len(lines[-1]) + len(item) + 3 <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return f",\n{indent}".join(lines)
