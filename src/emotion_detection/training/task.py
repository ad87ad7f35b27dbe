"""The LightningModule: one shared step; loss, accuracy, optimizer; nothing of the network."""

from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from emotion_detection.config import TrainConfig
from emotion_detection.training.batches import Batch
from emotion_detection.training.network import ModelSpec, to_unit

CHECKPOINT_KEY = "emotion_detection"


class EmotionTask(LightningModule):
    """Trains a network to name the emotion of a face, by cross entropy.

    Args:
        network: float32 (N, C, H, W) from 0 to 1 -> logits float32 (N, classes).
        spec: what the network declares of itself.
        config: the recipe.
        augmentation: float32 (N, C, H, W) -> the same, or None.
        record: plain values that go into each checkpoint (config, data, version).
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        config: TrainConfig,
        augmentation: nn.Module | None = None,
        record: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.augmentation = augmentation
        self.spec, self.config = spec, config
        self.record = record or {}
        classes = len(spec.labels)
        # "micro": the share of all faces that are right, which is what accuracy means here
        self.val_loss = MeanMetric()
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")
        # summed loss, faces named rightly, faces; metric objects would cost a tenth of a small step
        self._train_sums = torch.zeros(3)

    def forward(self, faces: Tensor) -> Tensor:
        """Return logits float32 (N, classes) for uint8 faces (N, C, H, W)."""
        logits: Tensor = self.network(to_unit(faces))
        return logits

    def _shared_step(self, batch: Batch, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Return the summed loss, a scalar, and logits float32 (N, classes)."""
        # the network may be of half precision ('--trainer.precision bf16-true'); figures are not
        logits = self.network(faces.to(self.dtype)).float()
        target = batch.labels if batch.targets is None else batch.targets
        return functional.cross_entropy(logits, target, reduction="sum"), logits.detach()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of this process's part of a batch."""
        faces = to_unit(batch.images)
        if self.augmentation is not None:
            faces = self.augmentation(faces)
        total, logits = self._shared_step(batch, faces)
        right = (logits.argmax(1) == batch.labels).sum()
        count = torch.tensor(len(batch.labels), device=total.device)
        self._train_sums += torch.stack([total.detach(), right, count])
        return total * batch.weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the validation figures."""
        count = len(batch.labels)
        if count:  # of several processes some may have no rows of a small last batch
            total, logits = self._shared_step(batch, to_unit(batch.images))
            self.val_loss.update(total / count, weight=count)
            self.val_accuracy.update(logits, batch.labels)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed this step: a resumed run must draw what the unbroken one drew.

        Lightning's checkpoints do not hold the random state, so each step's comes from its place.
        """
        place = (self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        seed = int(np.random.SeedSequence(place).generate_state(1)[0])
        if self.device.type == "cpu":
            # the same stream as manual_seed's, which looks for every kind of device each time
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_train_start(self) -> None:
        """Take the sums, which a resumed run brings from its checkpoint, to the device."""
        # float64, where there is any, so that many small numbers add up
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        self._train_sums = self._train_sums.to(self.device, kind)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's figures."""
        self._train_sums = torch.zeros_like(self._train_sums)

    def on_validation_epoch_start(self) -> None:
        """Start the validation's figures."""
        self.val_loss.reset()
        self.val_accuracy.reset()

    def on_validation_epoch_end(self) -> None:
        """Log validation loss and accuracy over all faces, each counted once."""
        values = {"val_loss": self.val_loss, "val_accuracy": self.val_accuracy}
        self.log_dict({name: metric.compute() for name, metric in values.items()})

    def on_train_epoch_end(self) -> None:
        """Log training loss and accuracy, as they were while training."""
        loss, right, count = self._all_train_sums()
        self.log_dict(
            {"train_loss": (loss / count).float(), "train_accuracy": (right / count).float()}
        )

    def _all_train_sums(self) -> Tensor:
        """Return the sums over all processes."""
        whole = self.trainer.strategy.reduce(self._train_sums.clone(), reduce_op="sum")
        assert isinstance(whole, Tensor)
        return whole

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam (Kingma and Ba 2015)."""
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a model says of itself, and an unfinished epoch's figures so far."""
        checkpoint[CHECKPOINT_KEY] = {
            "spec": self.spec.as_dict(),
            "record": self.record,
            "train_sums": self._all_train_sums().cpu(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the epoch's figures so far; a new epoch resets them."""
        if self.global_rank == 0:  # the sums are of all processes
            self._train_sums = checkpoint[CHECKPOINT_KEY]["train_sums"]
