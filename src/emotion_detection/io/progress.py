"""A progress bar on a terminal, one line elsewhere; both on standard error."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def show_progress(items: Iterable[T], what: str, count: int | None = None) -> Iterator[T]:
    """Yield the items and show progress: a bar on a terminal, a closing line elsewhere.

    Args:
        items: any iterable.
        what: text before the bar, such as "reading folders".
        count: number of items, if known.
    """
    done, start = 0, time.monotonic()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, what, total=count, console=Console(stderr=True))
        return
    for item in items:
        done += 1
        yield item
    print(f"{what}: {done:,} in {time.monotonic() - start:.1f} s", file=sys.stderr)
