"""Extension of griffe: examples in docstrings become code blocks, wherever they stand.

griffe takes ``>>>`` for code in a section "Examples" alone. Elsewhere Markdown would make
quotations and links of it.
"""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"(?m)^( *)>>> .*\n?(?:^ *\S.*\n?)*")


class FenceDoctests(griffe.Extension):
    """Puts fences around the examples of all docstrings."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object that was loaded."""
        if obj.docstring is not None:
            obj.docstring.value = fence_examples(obj.docstring.value)


def fence_examples(text: str) -> str:
    """Return a docstring with a fence around each example, which ends at an empty line."""

    def fence(found: re.Match[str]) -> str:
        indent = found[1]
        return f"{indent}```pycon\n{found[0].rstrip()}\n{indent}```\n"

    return _EXAMPLE.sub(fence, text)
