"""Batches, indexed from the array in one operation, in the main process.

There is no work for each image in Python: a batch is one fancy index into the (memory-mapped)
array. Augmentation happens later, on the batch, on the device.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from emotion_detection.config import TrainConfig
from emotion_detection.data import Faces

VALIDATION_BATCH = 256

Rows = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """One process's part of a batch.

    Args:
        images: uint8 (N, C, H, W).
        labels: int64 (N,), -1 where unknown.
        targets: float32 (N, classes), rows sum to 1 (0 where the label is -1), or None.
        intensity: float32 (N,), NaN where unknown, or None.
        also: labels of further label sets, int64 (N,).
        weight: what a sum of losses is multiplied with, so that averaging over processes gives
            the mean over the whole batch, even where the parts are uneven; a scalar float32.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None
    intensity: Tensor | None
    also: dict[str, Tensor]
    weight: Tensor

    def permuted(self, order: Tensor) -> "Batch":
        """Return the same faces' labels, targets and intensities in another order."""
        return self._replace(
            labels=self.labels[order],
            targets=None if self.targets is None else self.targets[order],
            intensity=None if self.intensity is None else self.intensity[order],
            also={name: labels[order] for name, labels in self.also.items()},
        )


class _Drawn(Dataset[Batch]):
    """The arrays, indexed by a whole batch of rows at a time."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def __getitem__(self, part: tuple[Rows, float]) -> Batch:
        return draw_batch(self.faces, *part)


def draw_batch(faces: Faces, rows: Rows, weight: float) -> Batch:
    """Return some faces as a batch.

    Args:
        faces: the faces of a split.
        rows: int64 (N,), which of them.
        weight: as :class:`Batch` has it.
    """
    return Batch(
        images=torch.from_numpy(faces.draw(rows)),
        labels=torch.from_numpy(faces.labels[rows]),
        targets=_some(faces.targets, rows),
        intensity=_some(faces.intensity, rows),
        also={name: torch.from_numpy(labels[rows]) for name, labels in faces.also.items()},
        weight=torch.tensor(weight),
    )


def _some(values: npt.NDArray[np.float32] | None, rows: Rows) -> Tensor | None:
    return None if values is None else torch.from_numpy(values[rows])


class Order(Sampler[tuple[Rows, float]]):
    """Sampler of the rows of each batch, in an order that depends on seed and epoch only.

    Each process takes every ``processes``-th row of a batch, so that all of them together step on
    the same batches as one would. No row is taken twice; when training, a last batch with fewer
    rows than processes, or of one row, is left out.

    Args:
        count: number of faces.
        batch_size: rows a batch, over all processes.
        seed: of the order; None: rows in their own order (validation, testing).
        process: number of this process.
        processes: number of processes.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int | None, process: int = 0, processes: int = 1
    ) -> None:
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.processes = processes
        self.epoch = 0
        self.first_batch = 0

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch_size)
        least = 1
        if self.seed is not None:
            # a batch of one face has no variance, which batch norm may need
            least = max(self.processes, 2 if whole else 1)
        return whole + (rest >= least)

    def __iter__(self) -> Iterator[tuple[Rows, float]]:
        # a generator: epoch and first batch are read when the first batch is requested
        rows = np.arange(self.count)
        if self.seed is not None:
            rows = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        first, self.first_batch = self.first_batch, 0
        for batch in range(first, len(self)):
            whole = rows[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield whole[self.process :: self.processes], self.processes / len(whole)

    def set_epoch(self, epoch: int) -> None:
        """Set the next epoch; called by Lightning."""
        if epoch != self.epoch:
            self.epoch, self.first_batch = epoch, 0


class FaceBatches(LightningDataModule):
    """Training and validation batches, with a position that a resumed run continues from.

    Args:
        train: training faces.
        validation: validation faces.
        config: batch size and seed.
    """

    def __init__(self, train: Faces, validation: Faces, config: TrainConfig) -> None:
        super().__init__()
        self.train, self.validation, self.config = train, validation, config
        self._place = {"epoch": 0, "batch": 0}

    def _loader(self, faces: Faces, seed: int | None) -> DataLoader[Any]:
        # created in the process that uses it, where the process number is known
        assert self.trainer is not None
        process, processes = self.trainer.global_rank, self.trainer.world_size
        size = self.config.batch_size if seed is not None else VALIDATION_BATCH
        order = Order(len(faces), size, seed, process, processes)
        if seed is not None:
            order.set_epoch(self._place["epoch"])
            order.first_batch = self._place["batch"]
        # batch_size=None: the sampler yields complete batches, each indexed in one operation
        return DataLoader(_Drawn(faces), sampler=order, batch_size=None, collate_fn=_as_it_is)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training batches in an order of seed and epoch."""
        return self._loader(self.train, self.config.seed)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation batches, each face once."""
        return self._loader(self.validation, None)

    def state_dict(self) -> dict[str, Any]:
        """Return the position: the epoch and the number of finished batches."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        progress = loop.epoch_loop.batch_progress
        if progress.is_last_batch:
            return {"epoch": self.trainer.current_epoch + 1, "batch": 0}
        return {"epoch": self.trainer.current_epoch, "batch": progress.current.ready}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at a position."""
        self._place = dict(state_dict)


def _as_it_is(batch: Any) -> Any:
    return batch
