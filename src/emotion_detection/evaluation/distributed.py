"""Test on several processes (torchrun); each face is scored by one of them."""

import atexit
import os
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch.distributed as dist

Scores = npt.NDArray[np.float32]


def _place() -> tuple[int, int]:
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def own_rows(count: int) -> npt.NDArray[np.int64]:
    """Return the rows that this process scores, int64: every ``processes``-th, no row twice."""
    process, processes = _place()
    return np.arange(process, count, processes)


def gather_rows(scores: Scores, count: int) -> Scores | None:
    """Gather the scores of all processes in the first.

    Args:
        scores: float32 (rows of this process, classes), in the order of :func:`own_rows`.
        count: rows of all processes together.

    Returns:
        float32 (count, classes) in the first process, None in the others.
    """
    process, processes = _place()
    if processes == 1:
        return scores
    if not dist.is_initialized():
        # kept until the end: a second connection between processes can fail
        dist.init_process_group("gloo", timeout=timedelta(days=1))
        atexit.register(dist.destroy_process_group)
    parts: list[Scores] | None = [scores] * processes if process == 0 else None
    dist.gather_object(scores, parts)
    dist.barrier()
    if parts is None:
        return None
    whole = np.empty((count, scores.shape[1]), np.float32)
    for number, part in enumerate(parts):
        whole[number::processes] = part
    return whole
